/** What all listings share: --limit, --after, one document, and aligned columns for people. */
import type { Command } from 'commander'
import { SluiceError } from '../core/errors.ts'
import type { Browser } from '../service/browse.ts'
import type { Unseen } from '../service/unseen.ts'
import { columns } from './format.ts'
import type { ColumnSpec } from './format.ts'
import type { Output } from './output.ts'

export interface PageFlags {
  limit: string
  after?: string
}

/** What narrows a listing to one table. */
export interface TableFlags {
  table?: string
  to?: string
}

const MOST = 10_000

/** Adds --table and --to. */
export function ofTable(command: Command): Command {
  return command.option('--table <table>', 'only of this table').option('--to <target>', 'which one, when several targets have a table of this name')
}

/** The flags that were given, for a query. */
export function given<T extends object>(flags: T): Partial<{ [Name in keyof T]: Exclude<T[Name], undefined> }> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Partial<{ [Name in keyof T]: Exclude<T[Name], undefined> }>
}

/** Adds --limit and --after. */
export function paged(command: Command): Command {
  return command.option('--limit <n>', `items at most, up to ${MOST}`, '50').option('--after <cursor>', 'go on after the page whose `next` this was')
}

/** @throws SluiceError USAGE */
export function pageOf(flags: PageFlags): { limit: number; after?: string } {
  return { limit: limitOf(flags.limit), ...(flags.after === undefined ? {} : { after: flags.after }) }
}

export function limitOf(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MOST) throw new SluiceError('USAGE', `--limit ${text} is not a number from 1 to ${MOST}.`)
  return limit
}

/** Opens the data folder for reading, and closes it whatever happens. */
export async function browsing<T>(output: Output, work: (browser: Browser) => Promise<T>): Promise<T> {
  const { openBrowser } = await import('../service/browse.ts')
  const browser = await openBrowser(output.dataDir)
  try {
    return await work(browser)
  } finally {
    await browser.close()
  }
}

/** Prints a page: `{"schema":"sluice.<verb>/1","items":[…],"next":…}`, with `unseen` where parts may be missing, or columns. `empty` is said when there is nothing. */
export function printPage<T>(output: Output, verb: string, page: { items: readonly T[]; next: string | null; unseen?: readonly object[] }, table: { specs: readonly ColumnSpec[]; row: (item: T) => string[]; empty: string }): void {
  output.document({ schema: `sluice.${verb}/1`, items: page.items, next: page.next, ...(page.unseen === undefined ? {} : { unseen: page.unseen }) })
  if (page.items.length === 0) output.note(table.empty)
  else output.result(columns(table.specs, page.items.map(table.row)))
  if (page.next !== null && !output.json) output.note(`more:  --after ${page.next}`)
}

/** Says once what kept parts of a list from being looked at. @returns exit code: the worst of their reasons, 0 without one */
export async function unseenExit(output: Output, items: readonly { fault: Unseen | null }[]): Promise<number> {
  const faults = new Map(items.flatMap(({ fault }) => (fault === null ? [] : [[`${fault.code} ${fault.message}`, fault] as const])))
  if (faults.size === 0) return 0
  for (const { code, message, hint } of faults.values()) output.note(`${output.style('red', `error[${code}]`)}: ${message}\n  help: ${hint}`)
  const { worstOf } = await import('../service/fan.ts')
  return worstOf([...faults.values()].map(({ exit }) => exit))
}

/** Prints one item as `name  value` lines; the document has it as the only item. */
export function printItem(output: Output, verb: string, item: object, lines: readonly (readonly [string, string])[]): void {
  output.document({ schema: `sluice.${verb}/1`, items: [item], next: null })
  const shown = lines.filter(([, value]) => value !== '')
  const width = Math.max(...shown.map(([name]) => name.length))
  output.result(shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n'))
}
