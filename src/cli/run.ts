/** Parses the command line, runs its command, and turns whatever goes wrong into one error with an exit code. */
import { CommanderError } from 'commander'
import type { Command } from 'commander'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import { laterFlag, laterVerb } from './later.ts'
import { Output } from './output.ts'
import type { Globals, ProgressMode } from './output.ts'
import { programOf } from './program.ts'

/** @returns the exit code */
export async function runCommand(args: readonly string[], version: string): Promise<number> {
  if (args.length === 0 && process.stdin.isTTY && process.stdout.isTTY) {
    const { menu } = await import('./menu.ts')
    return menu((words) => runCommand(words, version))
  }
  let exit = 0
  let output: Output | null = null
  let help = ''
  const outputOf = (program: Command): Output => (output ??= new Output(globalsOf(program)))
  const program = programOf(version, outputOf, (code) => (exit = code))
  const silence = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: (text) => (help += text), writeErr: () => {} })
    command.commands.forEach(silence)
  }
  silence(program)
  try {
    if (args.length === 0) throw new CommanderError(2, 'sluice.nothing', '')
    await program.parseAsync(args, { from: 'user' })
  } catch (thrown) {
    const out = output ?? new Output(globalsGuessed(args))
    if (!(thrown instanceof CommanderError)) {
      const error = asSluiceError(thrown)
      out.fail(error)
      return error.exit
    }
    // `sluice help load` ends with 0, a group without its word (`sluice files`) with 1: both are called commander.help.
    const asked = thrown.code === 'commander.helpDisplayed' || (thrown.code === 'commander.help' && thrown.exitCode === 0)
    if (asked || thrown.code === 'commander.version') {
      out.document(thrown.code === 'commander.version' ? { schema: 'sluice.version/1', version } : { schema: 'sluice.help/1', text: help })
      if (!out.json) process.stdout.write(help)
      return 0
    }
    if (thrown.code === 'commander.help' || thrown.code === 'sluice.nothing') {
      // A word is missing: the group, or the whole program, shows what it has.
      const text = thrown.code === 'sluice.nothing' ? program.helpInformation() : groupOf(program, args).helpInformation()
      if (out.json) out.fail(new SluiceError('USAGE', 'A command is missing.'))
      else process.stderr.write(text)
      return 2
    }
    const error = usageError(thrown, args)
    out.fail(error)
    return error.exit
  }
  return exit
}

function globalsOf(program: Command): Globals {
  return program.opts<Globals>()
}

/** The output's options when the command line could not be parsed. */
function globalsGuessed(args: readonly string[]): Globals {
  const end = args.indexOf('--')
  const flags = end < 0 ? args : args.slice(0, end)
  return {
    json: flags.includes('--json') || flags.includes('--ndjson'),
    quiet: flags.includes('-q') || flags.includes('--quiet'),
    color: !flags.includes('--no-color'),
    progress: 'none' satisfies ProgressMode,
  }
}

function groupOf(program: Command, args: readonly string[]): Command {
  return program.commands.find((command) => args.includes(command.name())) ?? program
}

/** What commander says of a wrong word, as an error of ours; what is named in the design is refused as LATER. */
function usageError(error: CommanderError, args: readonly string[]): SluiceError {
  // A value that came with an unknown flag is nobody's to repeat: --password=…
  const message = error.message.replace(/^error: /, '').replace(/^(unknown option '-[^='\n]*)=[^\n]*'/, "$1'")
  if (error.code === 'commander.unknownOption') {
    const flag = /'(.+?)'/.exec(message)?.[1] ?? ''
    const refused = laterFlag(flag)
    if (refused !== null) return refused
  }
  if (error.code === 'commander.unknownCommand' || error.code === 'commander.excessArguments') {
    const words = args.filter((word) => !word.startsWith('-'))
    const refused = laterVerb(words.slice(0, 2))
    if (refused !== null) return refused
  }
  const [first = '', ...rest] = message.split('\n')
  const suggestion = rest.join(' ').trim()
  return new SluiceError('USAGE', `${first.charAt(0).toUpperCase()}${first.slice(1)}${/[.?!]$/.test(first) ? '' : '.'}${suggestion === '' ? '' : ` ${suggestion}`}`)
}
