/** `sluice tables ls|head|schema|count`: what is in the tables. */
import { Command } from 'commander'
import type { Row, Schema, Value } from '../core/schema.ts'
import { isDecimal, isJsonText } from '../core/types.ts'
import type { ListedTable } from '../service/browse.ts'
import { columns, number } from './format.ts'
import { exactJson } from './output.ts'
import { browsing, limitOf, printPage, unseenExit } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

interface TableFlags {
  table: string
  to?: string
  limit?: string
}

export function tablesCommand(run: Run): Command {
  const command = new Command('tables').description('what is in the tables')
  command
    .command('ls')
    .description('list the tables of the data folder')
    .action(() => run(list)({}))
  const one = (name: string, description: string): Command =>
    command.command(name).description(description).argument('<table>', 'name of the table').option('--to <target>', 'which one, when several targets have a table of this name')
  one('head', 'the first rows, in the order in which they came')
    .option('--limit <n>', 'rows at most', '10')
    .action((table: string, flags: Omit<TableFlags, 'table'>) => run(head)({ ...flags, table }))
  one('schema', 'the columns and their types').action((table: string, flags: Omit<TableFlags, 'table'>) => run(schema)({ ...flags, table }))
  one('count', 'the number of rows').action((table: string, flags: Omit<TableFlags, 'table'>) => run(count)({ ...flags, table }))
  return command
}

const SPECS = [{ name: 'table' }, { name: 'rows', right: true }, { name: 'version', right: true }, { name: 'mode' }, { name: 'keep' }, { name: 'key' }, { name: 'columns', right: true }, { name: 'uri' }, { name: 'why' }]

function list(output: Output): Promise<number> {
  return browsing(output, async (browser) => {
    const items = await browser.tables()
    printPage(output, 'tables.ls', { items, next: null }, { specs: SPECS, row: rowOf, empty: 'There is no table yet.' })
    return unseenExit(output, items)
  })
}

function rowOf(table: ListedTable): string[] {
  return [table.name, table.rows === null ? '?' : number(table.rows), table.version === null ? '' : String(table.version), table.mode ?? '', table.keep ?? '', table.key.join(','), String(table.columns ?? ''), table.uri, table.fault?.code ?? '']
}

async function head(output: Output, { table, to, limit }: TableFlags): Promise<number> {
  const most = limitOf(limit ?? '10')
  return browsing(output, async (browser) => {
    const { schema: shape, rows } = await browser.head(table, most, to)
    output.document({ schema: 'sluice.tables.head/1', items: rows.map((row) => itemOf(shape, row)), next: null })
    if (rows.length === 0) output.note('The table has no rows.')
    else output.result(columns(shape.map((column) => ({ name: column.name, right: column.type === 'int64' || column.type === 'double' || isDecimal(column.type) })), rows.map((row) => shape.map((_, i) => shown(row[i] ?? null)))))
    return 0
  })
}

/** A row as an object; the place stays out, it is no column of the user's. */
function itemOf(shape: Schema, row: Row): Record<string, unknown> {
  return Object.fromEntries(shape.map(({ name, type }, i) => {
    const value = row[i] ?? null
    // Decimals, lists and structs are JSON already; a json column stays the text that it is.
    return [name, type !== 'json' && isJsonText(type) && typeof value === 'string' ? exactJson(value) : value]
  }))
}

const WIDEST = 60

function shown(value: Value): string {
  if (value === null) return 'null'
  const text = String(value)
  return text.length > WIDEST ? `${text.slice(0, WIDEST)}…` : text
}

function schema(output: Output, { table, to }: TableFlags): Promise<number> {
  return browsing(output, async (browser) => {
    const items = await browser.schema(table, to)
    printPage(output, 'tables.schema', { items, next: null }, { specs: [{ name: 'column' }, { name: 'type' }, { name: 'in the records' }], row: (column) => [column.name, column.type, column.original ?? ''], empty: 'The table has no columns yet.' })
    return 0
  })
}

function count(output: Output, { table, to }: TableFlags): Promise<number> {
  return browsing(output, async (browser) => {
    const item = await browser.count(table, to)
    output.document({ schema: 'sluice.tables.count/1', items: [item], next: null })
    output.result(`${number(item.rows)} rows`)
    return 0
  })
}
