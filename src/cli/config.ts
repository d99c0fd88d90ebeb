/** `sluice config`: which values count and where they come from, whether a configuration is right, and its schema. */
import { Command } from 'commander'
import { effective, misspelt } from '../config/effective.ts'
import type { Effective, Sources } from '../config/effective.ts'
import { GLOBAL_SETTINGS } from '../config/globals.ts'
import { LOAD_SETTINGS } from '../config/load.ts'
import { VERBS } from '../config/pipeline.ts'
import type { AnyTable, SettingTable } from '../config/settings.ts'
import { SluiceError } from '../core/errors.ts'
import { redact } from '../core/secret.ts'
import { columns, plural } from './format.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

/** One setting as it counts. */
interface Shown {
  /** Name of the pipeline; null: for all commands, or for a load without a pipeline. */
  pipeline: string | null
  name: string
  /** Null: nobody set it. */
  value: unknown
  /** What holds while nobody sets it; null: nothing. */
  fallback: string | null
  from: string
  what: string
}

/** @param bare runs a command without reading a configuration */
export function configCommand(run: Run, bare: Run): Command {
  const config = new Command('config').description('the configuration: what counts, whether it is right, its schema')
  config
    .command('show')
    .description('every setting with the value that counts')
    .argument('[pipeline]', 'only of this pipeline')
    .option('--origin', 'also where each value comes from')
    .action((pipeline: string | undefined, flags: { origin?: boolean }) => run(show)({ pipeline, origin: flags.origin === true }))
  config
    .command('validate')
    .description('check the configuration and list its pipelines; exit 4 when it is wrong, 6 when there is none')
    .action(() => run(validate)({}))
  config
    .command('schema')
    .description('print the JSON Schema of a configuration')
    .action(() => bare(schema)({}))
  return config
}

async function show(output: Output, { pipeline, origin }: { pipeline: string | undefined; origin: boolean }): Promise<number> {
  const around = output.surroundings
  if (around === null) throw new SluiceError('INTERNAL', 'There are no surroundings to show.')
  const { sources, globals } = around
  const all = [...(sources.config?.pipelines.values() ?? [])]
  const chosen = pipeline === undefined ? all : all.filter(({ name }) => name === pipeline)
  if (pipeline !== undefined && chosen.length === 0) throw new SluiceError('NOT_FOUND', `There is no pipeline ${pipeline}${sources.config === null ? ': there is no configuration here' : ` in ${sources.config.path}`}.`)
  const items = [
    ...(pipeline === undefined ? [...rows(null, GLOBAL_SETTINGS, globals), ...rows(null, LOAD_SETTINGS, effective(LOAD_SETTINGS, { ...sources, flags: {} }))] : []),
    ...chosen.flatMap((one) => {
      const table = VERBS[one.verb]?.table as SettingTable<object>
      return rows(one.name, table, effective<object>(table, { ...sources, flags: {}, pipeline: one }))
    }),
  ]
  output.document({ schema: 'sluice.config.show/1', items, next: null })
  output.note(`configuration: ${sources.config?.path ?? 'none'}`)
  output.note(`env file: ${sources.envFile?.path ?? 'none'}`)
  const specs = [{ name: 'pipeline' }, { name: 'setting' }, { name: 'value' }, ...(origin ? [{ name: 'from' }, { name: 'where' }] : [])]
  output.result(columns(specs, items.filter(isSet).map((item) => [item.pipeline ?? '–', item.name, valueText(item), ...(origin ? [item.from, item.what] : [])])))
  tellMisspelt(output, sources)
  return 0
}

function rows<T>(pipeline: string | null, table: SettingTable<T>, { values, origins }: Effective<T>): Shown[] {
  return Object.entries(table as AnyTable)
    .filter(([, setting]) => setting.lasting !== false)
    .map(([name, setting]) => {
      const value = (values as Readonly<Record<string, unknown>>)[name]
      const { from, what } = origins[name] ?? { from: 'default', what: '' }
      return { pipeline, name, value: hidden(value), fallback: setting.fallback ?? null, from, what }
    })
}

/** Addresses may carry passwords, and a variable of a secret may have found its way into a setting. */
function hidden(value: unknown): unknown {
  if (typeof value === 'string') return redact(value)
  return Array.isArray(value) ? value.map(hidden) : (value ?? null)
}

function isSet(item: Shown): boolean {
  return item.value !== null || (item.fallback !== null && item.pipeline === null)
}

function valueText(item: Shown): string {
  if (item.value === null) return `(${item.fallback ?? ''})`
  return Array.isArray(item.value) ? item.value.join(' ') : String(item.value)
}

/** A variable that is almost a setting does nothing, and its owner thinks it does. */
export function tellMisspelt(output: Output, sources: Pick<Sources, 'env'>): void {
  for (const { name, meant } of misspelt(sources.env, [GLOBAL_SETTINGS, ...Object.values(VERBS).map(({ table }) => table)])) {
    output.note(`  note: ${name} is no setting and does nothing; is ${meant} meant?`)
  }
}

async function validate(output: Output): Promise<number> {
  const config = output.surroundings?.sources.config ?? null
  if (config === null) throw new SluiceError('NOT_FOUND', `There is no configuration in ${process.cwd()}.`, { hint: 'Make a sluice.config.ts, or name one with --config.' })
  const items = [...config.pipelines.values()].map(({ name, verb }) => ({ name, verb }))
  output.document({ schema: 'sluice.config.validate/1', items, next: null })
  output.result(`✓ ${config.path}: ${plural(items.length, 'pipeline')}${items.length === 0 ? '' : `: ${items.map(({ name, verb }) => `${name} (${verb})`).join(', ')}`}`)
  return 0
}

async function schema(output: Output): Promise<number> {
  const { jsonSchema } = await import('../config/schema.ts')
  const document = jsonSchema()
  // The schema itself is the document that an editor wants, with --json and without.
  if (output.json) output.document(document)
  else output.result(JSON.stringify(document, null, 2))
  return 0
}
