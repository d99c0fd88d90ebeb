/** The command line: every command, and the options that all of them take. */
import { Command, Option } from 'commander'
import { GLOBAL_SETTINGS } from '../config/globals.ts'
import { benchCommand } from './bench.ts'
import { cleanCommand } from './clean.ts'
import { configCommand } from './config.ts'
import { convertCommand } from './convert.ts'
import { demoCommand } from './demo.ts'
import { doctorCommand } from './doctor.ts'
import { explainCommand } from './explain.ts'
import { inspectCommand } from './inspect.ts'
import { filesCommand } from './files.ts'
import { generateCommand } from './generate.ts'
import { loadCommand } from './load.ts'
import { logsCommand } from './logs.ts'
import { modelsCommand } from './models.ts'
import type { Output } from './output.ts'
import { rejectsCommand } from './rejects.ts'
import { runsCommand } from './runs.ts'
import { schemaCommand } from './schema.ts'
import { addSettings, surroundingsOf } from './settings.ts'
import { sqlCommand } from './sql.ts'
import { syncCommand } from './sync.ts'
import { tablesCommand } from './tables.ts'

/** What a command answers: its exit code. */
export type Action<Options> = (output: Output, options: Options) => Promise<number>

export const PROGRESS = ['auto', 'bar', 'plain', 'none'] as const

/** @param outputOf makes the output from the global options, once they are parsed; @param done takes the exit code */
export function programOf(version: string, outputOf: (program: Command) => Output, done: (exit: number) => void): Command {
  const program = new Command('sluice')
  program.description('Files land, tables appear, every record is accounted for.').version(version, '-V, --version', 'print the version')
  addSettings(program, GLOBAL_SETTINGS)
    .option('--config <file>', 'configuration (default: sluice.config.ts, .mts, .js or .mjs of the working folder)')
    .option('--env-file <file>', 'file of variables (default: .env of the working folder)')
    .option('--json', 'one JSON document on stdout, also on errors')
    .addOption(new Option('--ndjson', 'one JSON line per event on stdout while it runs, then the document of --json').conflicts('json'))
    .option('-q, --quiet', 'nothing but errors')
    .option('-v, --verbose', 'one line per arrival and phase')
    .option('--no-color', 'no colours')
    .addOption(new Option('--progress <how>', 'how progress is shown').choices(PROGRESS).default('auto'))
    .addHelpText('beforeAll', '')
    .addHelpText('after', EXAMPLES)
  const running = (usesConfig: boolean): Run => {
    return (action) => async (options) => {
      const output = outputOf(program)
      output.surroundings = await surroundingsOf(output.globals, usesConfig)
      done(await action(output, options))
    }
  }
  for (const command of WITH_CONFIG) program.addCommand(command(running(true)))
  for (const command of WITHOUT_CONFIG) program.addCommand(command(running(false)))
  program.addCommand(configCommand(running(true), running(false)))
  return program
}

const WITH_CONFIG = [loadCommand, convertCommand, syncCommand, filesCommand, runsCommand, rejectsCommand, tablesCommand, modelsCommand, sqlCommand, schemaCommand, doctorCommand, logsCommand, cleanCommand]
/** They must also work beside a configuration that is broken, and have no use for one. */
const WITHOUT_CONFIG = [inspectCommand, demoCommand, generateCommand, benchCommand, explainCommand]

export type Run = <Options>(action: Action<Options>) => (options: Options) => Promise<void>

const EXAMPLES = `
Examples:
  sluice demo                                     see it work in ./sluice-demo
  sluice load in/ --into events --key id,ts       every record once, the first one wins
  sluice load 'in/*.json' --into products --key sku --mode upsert
  sluice load in/ --into events --to sqlite:events.db
  sluice rejects ls --table events                what did not get in, and why
`
