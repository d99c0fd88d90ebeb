/** Writes the generated pages of docs/reference/, each from what the program itself goes by: codes, commands, settings. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { Output } from '../src/cli/output.ts'
import { programOf } from '../src/cli/program.ts'
import { GLOBAL_SETTINGS } from '../src/config/globals.ts'
import { VERBS } from '../src/config/pipeline.ts'
import { flagOf, hasVariable, variableOf } from '../src/config/settings.ts'
import type { AnyTable, Setting } from '../src/config/settings.ts'
import { SCHEMA_FILE, jsonSchema } from '../src/config/schema.ts'
import { CODES } from '../src/core/codes.ts'
import type { Kind } from '../src/core/codes.ts'

const KINDS: Readonly<Record<Kind, string>> = {
  usage: 'the command is wrong',
  config: 'Sluice stops and tells',
  data: 'put aside, everything else goes on',
  transient: 'worth another try',
  conflict: 'settled between processes; you should not meet it',
  bug: 'a fault in Sluice; please report it',
}

/** docs/reference/errors.md */
export function errorsPage(): string {
  const lines = [
    '# Error codes',
    '',
    'Generated from `src/core/codes.ts` by `node scripts/docs.ts`. `sluice explain CODE` says the same. The codes are the same in',
    'the command line, in `--json`, in the ledger and in `SluiceError.code`; they are never renamed.',
    '',
    'The kind says what happens: ' + Object.entries(KINDS).map(([kind, what]) => `**${kind}** ${what}`).join(' · ') + '.',
    'Faults of kind data do not end a load: a file or a record with one is put aside, and the command ends with 3.',
    '',
  ]
  for (const [code, entry] of Object.entries(CODES)) {
    lines.push(`## ${code}`, '', entry.means, '', `- Kind: ${entry.kind}, exit code ${entry.exit}, HTTP status ${entry.http}`, `- Next step: ${entry.hint}`, '')
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** docs/reference/cli.md */
export function cliPage(): string {
  const program = programOf('0.0.0', () => new Output({}), () => {})
  const lines = [
    '# The command line',
    '',
    "Generated from the commands' own help by `node scripts/docs.ts`.",
    '',
    'Results go to stdout, everything else to stderr. With `--json` stdout gets exactly one document, also when the command fails',
    '(`json.md` has the fields). Every command takes the global options, before or after its name. `NO_COLOR`, `FORCE_COLOR`,',
    '`TERM=dumb` and `CI` are honoured.',
    '',
    '`sluice` alone at a terminal opens a menu: load everything that the configuration has, a file, a date, the same file again (nothing',
    'changes), quarantine, SQL. Each choice shows the command that it is before it runs it; Ctrl-C and Ctrl-D leave.',
    '',
    'Exit codes: **0** it balances, and nothing is quarantined, failed or waiting · **1** failed · **2** wrong usage · **3** partial:',
    'something is quarantined, failed or waiting (`--allow-partial` makes it 0) · **4** configuration or schema · **5** access refused ·',
    '**6** not found · **7** busy · **130** and **143** interrupted by Ctrl-C or SIGTERM, resumable.',
    '',
    'Ctrl-C or SIGTERM once finishes the batch in work and stops, twice stops at once. The same command goes on where it stopped.',
    '',
  ]
  const describe = (command: Command, path: string): void => {
    command.configureHelp({ helpWidth: 110 })
    lines.push(`## ${path}`, '', '```', command.helpInformation().trimEnd(), '```', '')
    for (const inner of command.commands) describe(inner, `${path} ${inner.name()}`)
  }
  describe(program, 'sluice')
  return `${lines.join('\n').trimEnd()}\n`
}

/** docs/reference/sluice.config.schema.json */
export function schemaPage(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`
}

/** The part of docs/reference/config.md and environment.md that is made from the tables of settings. */
export function settingsTable(): string {
  const row = (name: string, setting: Setting, verb: string): string => {
    const values = setting.choices === undefined ? setting.kind : setting.choices.map((choice) => `\`${choice}\``).join(' ')
    const member = setting.lasting === false ? '–' : `\`${name === VERBS[verb]?.source ? verb : name}\``
    return `| ${member} | ${setting.flag === false ? (name === VERBS[verb]?.source ? 'words' : '–') : `\`${flagOf(name)}\``} | ${hasVariable(setting) ? `\`${variableOf(name)}\`` : '–'} | ${values} | ${setting.help}${setting.fallback === undefined ? '' : ` (default: ${setting.fallback})`} |`
  }
  const table = (title: string, settings: AnyTable, verb: string): string[] => ['', `### ${title}`, '', '| member | flag | variable | value | what |', '|---|---|---|---|---|', ...Object.entries(settings).map(([name, setting]) => row(name, setting, verb))]
  return [...table('All commands (in `defaults`)', GLOBAL_SETTINGS, ''), ...Object.entries(VERBS).flatMap(([verb, { table: settings }]) => table(`Pipelines to ${verb}`, settings, verb))].join('\n').trimStart()
}

const BEGIN = '<!-- settings: made by node scripts/docs.ts -->'
const END = '<!-- end of settings -->'

/** docs/reference/config.md with its tables as they would be made now. */
export function configPage(text: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new Error('config.md has lost the marks of its tables')
  return `${text.slice(0, from + BEGIN.length)}\n\n${settingsTable()}\n\n${text.slice(to)}`
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '../docs/reference')
  writeFileSync(join(folder, 'errors.md'), errorsPage())
  writeFileSync(join(folder, 'cli.md'), cliPage())
  writeFileSync(join(folder, SCHEMA_FILE), schemaPage())
  const config = join(folder, 'config.md')
  writeFileSync(config, configPage(readFileSync(config, 'utf8')))
  process.stdout.write(`docs/reference/errors.md, cli.md, config.md and ${SCHEMA_FILE} are written.\n`)
}
