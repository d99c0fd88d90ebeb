/** `sluice schema diff|accept|reject`: what arrived that a table does not have or cannot take, and what to do about it. */
import { Command } from 'commander'
import type { Decided, SchemaChoice, SchemaItem } from '../service/schema.ts'
import { number } from './format.ts'
import { printItem, printPage } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

interface Flags {
  table: string
  to?: string
  all?: boolean
  column?: string
  type?: string
}

export function schemaCommand(run: Run): Command {
  const command = new Command('schema').description('what arrived that a table does not have or cannot take')
  const one = (name: string, description: string): Command =>
    command.command(name).description(description).argument('<table>', 'name of the table').option('--to <target>', 'which one, when several targets have a table of this name')
  one('diff', 'list columns that were left out, values that did not fit, columns that came by themselves')
    .option('--all', 'also what was rejected before')
    .action((table: string, flags: Omit<Flags, 'table'>) => run(diff)({ ...flags, table }))
  one('accept', 'change the table: add the column, or take the wider type where no row has to be written again')
    .argument('<column>', 'as diff names it')
    .option('--type <type>', 'instead of the type that is proposed')
    .action((table: string, column: string, flags: Omit<Flags, 'table' | 'column'>) => run(accept)({ ...flags, table, column }))
  one('reject', 'remember that it is not wanted: it is not proposed again')
    .argument('<column>', 'as diff names it')
    .action((table: string, column: string, flags: Omit<Flags, 'table' | 'column'>) => run(reject)({ ...flags, table, column }))
  return command
}

function choiceOf(output: Output, { table, to }: Flags): SchemaChoice {
  return { table, ...(output.dataDir === undefined ? {} : { dataDir: output.dataDir }), ...(to === undefined ? {} : { to }) }
}

const SPECS = [{ name: 'column' }, { name: 'has' }, { name: 'proposed' }, { name: 'state' }, { name: 'records', right: true }, { name: 'first' }, { name: 'examples' }, { name: 'note' }]

async function diff(output: Output, flags: Flags): Promise<number> {
  const { schemaDiff } = await import('../service/schema.ts')
  const items = await schemaDiff(choiceOf(output, flags), flags.all === true)
  printPage(output, 'schema.diff', { items, next: null }, { specs: SPECS, row: rowOf, empty: 'Nothing arrived that the table does not have.' })
  return 0
}

function rowOf(item: SchemaItem): string[] {
  const first = item.path === null ? '' : `${item.path}:${item.row ?? ''}`
  return [item.column, item.has ?? '', item.type ?? '', item.state, item.state === 'added' ? '' : number(item.records), first, item.examples.map((one) => one.slice(0, 20)).join(' · '), item.note]
}

async function accept(output: Output, flags: Flags): Promise<number> {
  const { acceptChange } = await import('../service/schema.ts')
  return decided(output, 'schema.accept', await acceptChange(choiceOf(output, flags), flags.column ?? '', flags.type))
}

async function reject(output: Output, flags: Flags): Promise<number> {
  const { rejectChange } = await import('../service/schema.ts')
  return decided(output, 'schema.reject', await rejectChange(choiceOf(output, flags), flags.column ?? ''), 'rejected')
}

function decided(output: Output, verb: string, done: Decided, what = 'change'): number {
  printItem(output, verb, done, [['table', done.table], [what, done.proposal], ['version', done.version === null ? '' : String(done.version)], ['', done.note]])
  return 0
}
