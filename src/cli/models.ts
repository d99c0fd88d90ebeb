/** `sluice models ls|run|show`: tables that SQL makes of other tables, and whether they hold what those hold. */
import { Command } from 'commander'
import { effective } from '../config/effective.ts'
import { LOAD_SETTINGS } from '../config/load.ts'
import type { SettingTable } from '../config/settings.ts'
import { SluiceError, shorten } from '../core/errors.ts'
import { parseSize } from '../core/units.ts'
import type { ModelBook, ModelItem, ModelSource } from '../service/models.ts'
import { columns, number, time } from './format.ts'
import { limitOf, printPage, unseenExit } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { addSettings } from './settings.ts'
import { onInterruption } from './signals.ts'

interface ModelSettings {
  models?: string[]
  to?: string
  memory?: string
}

const { models, to, memory } = LOAD_SETTINGS
const SETTINGS: SettingTable<ModelSettings> = { models: { ...models, help: 'the models: folders of .sql files or files, with : between them (default: those of the pipelines)' }, to: { ...to, fallback: 'where the tables are that they read' }, memory }

type Flags = Readonly<Record<string, unknown>>

export function modelsCommand(run: Run): Command {
  const command = new Command('models').description('tables that SQL keeps of other tables')
  addSettings(command.command('ls').description('list them, and whether they hold what their inputs hold'), SETTINGS).action((flags: Flags) => run(list)({ flags }))
  addSettings(command.command('run').description('bring them up to date now').argument('[name...]', 'only these'), SETTINGS)
    .option('--full-refresh', 'recompute all of them as a whole, changed or not')
    .action((names: string[], flags: Flags) => run(refresh)({ names, flags }))
  addSettings(command.command('show').description('rows, state and SQL of one').argument('<name>', 'name of the model'), SETTINGS)
    .option('--limit <n>', 'rows at most', '10')
    .action((name: string, flags: Flags) => run(show)({ name, flags }))
  return command
}

/** The models that are meant: of the command line, else of every pipeline that has some. */
function sourcesOf(output: Output, flags: Flags): { sources: ModelSource[]; memory: number; to?: string } {
  const around = output.surroundings?.sources ?? { env: {}, envFile: null, config: null }
  const { values } = effective(SETTINGS, { ...around, flags })
  const bytes = parseSize('--memory', values.memory ?? '1GB')
  if (Array.isArray(values.to)) throw new SluiceError('USAGE', 'One --to at a time.')
  const named = values.to === undefined ? {} : { to: values.to }
  if (values.models !== undefined) return { sources: [{ models: values.models, ...named }], memory: bytes, ...named }
  const sources = [...(around.config?.pipelines.values() ?? [])].flatMap(({ verb, members }): ModelSource[] => {
    const paths = members['models']
    if (verb !== 'load' || !Array.isArray(paths)) return []
    const place = members['to'] ?? around.config?.defaults['to']
    const places = Array.isArray(place) ? place : [place]
    return places.map((one) => ({ models: paths, into: String(members['into']), ...(typeof one === 'string' ? { to: one } : {}), ...named }))
  })
  return { sources, memory: bytes, ...named }
}

async function withModels<T>(output: Output, flags: Flags, work: (book: ModelBook) => Promise<T>): Promise<T> {
  const { openModels } = await import('../service/models.ts')
  const book = await openModels({ ...sourcesOf(output, flags), dataDir: output.dataDir })
  try {
    return await work(book)
  } finally {
    await book.close()
  }
}

const SPECS = [{ name: 'model' }, { name: 'state' }, { name: 'rows', right: true }, { name: 'inputs' }, { name: 'refreshed' }, { name: 'target' }, { name: 'why' }]

function list(output: Output, { flags }: { flags: Flags }): Promise<number> {
  return withModels(output, flags, async (book) => {
    const items = await book.list()
    printPage(output, 'models.ls', { items, next: null }, { specs: SPECS, row: rowOf, empty: 'There is no model yet.' })
    return unseenExit(output, items)
  })
}

function rowOf(item: ModelItem): string[] {
  return [item.name, item.state, item.rows === null ? '' : number(item.rows), inputsOf(item), time(item.refreshed), item.target, shorten(item.fault?.code ?? item.message ?? '')]
}

/** `product 4` · `product 3 of 4` when it is behind. */
function inputsOf({ inputs }: ModelItem): string {
  return inputs.map(({ name, held, now }) => (held === now ? `${name} ${held ?? '-'}` : `${name} ${held ?? '-'} of ${now ?? '-'}`)).join(', ')
}

function refresh(output: Output, { names, flags }: { names: string[]; flags: Flags }): Promise<number> {
  return withModels(output, flags, async (book) => {
    const interruption = onInterruption(() => output.note('Stopping; models that are done stay done.'))
    try {
      const items = await book.run(names, flags['fullRefresh'] === true, interruption.signal)
      const exit = items.some(({ state }) => state === 'failed') ? 3 : 0
      output.document({ schema: 'sluice.models.run/1', exit, items })
      for (const { name, state, how, groups, rows, message } of items) {
        const done = how === 'full' ? 'recomputed' : how === 'groups' ? `${number(groups ?? 0)} groups` : 'nothing to do'
        output.result(state === 'fresh' ? `${output.style('green', '✓', output.stdout)} ${name}  ${done} · ${number(rows ?? 0)} rows` : `${output.style('red', '✗', output.stdout)} ${name}  ${state}: ${message ?? ''}`)
      }
      return exit
    } finally {
      interruption.release()
    }
  })
}

function show(output: Output, { name, flags }: { name: string; flags: Flags }): Promise<number> {
  const most = limitOf(String(flags['limit'] ?? '10'))
  return withModels(output, flags, async (book) => {
    const { item, sql, columns: names, rows } = await book.show(name, most)
    output.document({ schema: 'sluice.models.show/1', item, sql, columns: names, items: rows.map((row) => Object.fromEntries(names.map((column, at) => [column, row[at] ?? null]))) })
    output.note(`  ${item.name} is ${item.state}: ${inputsOf(item)}${item.refreshed === null ? '' : ` · ${time(item.refreshed)}`}${item.message === null ? '' : `\n  ${item.message}`}`)
    if (sql !== null) output.note(sql.split('\n').map((line) => `  ${line}`).join('\n'))
    if (rows.length > 0) output.result(columns(names.map((column, at) => ({ name: column, right: rows.every((row) => typeof row[at] !== 'string') })), rows.map((row) => row.map((value) => (value === null ? 'null' : String(value))))))
    return 0
  })
}
