/** `sluice demo`: forty files become a table whose numbers add up; again, and nothing doubles. */
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { CODES } from '../core/codes.ts'
import { SluiceError } from '../core/errors.ts'
import type { Fault, Where } from '../core/errors.ts'
import type { TableItem } from '../service/browse.ts'
import type { RejectItem } from '../service/rejects.ts'
import type { LoadResult } from '../service/result.ts'
import { makeDemoFiles } from './demo-files.ts'
import type { DemoFiles } from './demo-files.ts'
import { balanceLine, columns, duration, number, plural } from './format.ts'
import { filesLine, runLoad } from './load.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

const TABLE = 'events'

export function demoCommand(run: Run): Command {
  return new Command('demo')
    .description('make forty files with duplicates and faults, load them, load them again')
    .option('--dir <dir>', 'folder of the demo; delete it any time', './sluice-demo')
    .action((flags: { dir: string }) => run(demo)(flags))
}

async function demo(output: Output, { dir }: { dir: string }): Promise<number> {
  // Never SLUICE_DATA_DIR: a demo has no business among real tables.
  const dataDir = output.globals.dataDir ?? join(dir, 'sluice-data')
  const input = join(dir, 'in')
  const made = await makeDemoFiles(resolve(input))
  output.result(`Data in ${dir}: delete it any time. Nothing leaves this machine.`)
  output.result(`\n1. ${made.files} files lie in ${input}. Out of the ordinary:`)
  output.result(made.odd.map((file) => `   ${file.name.padEnd(20)} ${file.what}`).join('\n'))
  const loads: LoadResult[] = []
  for (const title of ['2. Load them', '3. Load them again: nothing doubles']) {
    output.result(`\n${title}\n   $ ${sluice()} load ${input} --into ${TABLE} --key id,ts --grace 0s --data-dir ${dataDir}`)
    // Without the grace, a document that was cut off just now would be waited for.
    const result = await runLoad(output, { paths: [input], into: TABLE, key: 'id,ts', grace: '0s' }, dataDir)
    output.result(`   ${filesLine(output, result.files)}   ${duration(result.ms)}\n   ${balanceLine(result.balance)}`)
    loads.push(result)
    if (result.state !== 'COMPLETED') return ended(output, result)
    // The files have faults of their own; anything else, such as a worker that cannot start, is no part of the show.
    const other = result.errors.find((error) => CODES[error.code].kind !== 'data')
    if (other !== undefined) throw new SluiceError(other.code, other.message, { where: placeOf(other) })
  }
  const { rejects, table } = await look(dataDir)
  showKept(output, rejects, loads)
  output.result(`\n5. The table: ${number(table.rows)} rows, a Delta Lake table, read by delta-rs and Polars too\n   ${table.uri}`)
  output.result(`\nnext:  ${nextSteps(dataDir, rejects).join('\n       ')}`)
  check(made, loads, table)
  output.document({ schema: 'sluice.demo/1', exit: 0, folder: resolve(dir), files: made.files, keys: made.keys, loads, rejects, table })
  return 0
}

/** A load that failed or was stopped: the demo could not show what it is for. */
function ended(output: Output, result: LoadResult): number {
  const [first] = result.errors
  if (result.state === 'FAILED') throw first === undefined ? new SluiceError('INTERNAL', 'The load failed.') : new SluiceError(first.code, first.message, { where: placeOf(first) })
  output.document({ schema: 'sluice.error/1', code: 'INTERRUPTED', message: 'The demo was stopped.', hint: 'Run it again: it goes on where it stopped.', exit: result.exit })
  output.note('The demo was stopped; run it again and it goes on.')
  return result.exit
}

function placeOf({ path, row, offset, column, value }: Fault): Where {
  return { path, row, offset, column, value }
}

async function look(dataDir: string): Promise<{ rejects: RejectItem[]; table: TableItem }> {
  const { openBrowser } = await import('../service/browse.ts')
  const browser = await openBrowser(dataDir)
  try {
    const { items } = await browser.rejects({ table: TABLE, limit: 100 })
    return { rejects: items, table: await browser.count(TABLE) }
  } finally {
    await browser.close()
  }
}

function showKept(output: Output, rejects: readonly RejectItem[], loads: readonly LoadResult[]): void {
  const failed = new Map(loads.flatMap((load) => load.errors.filter((error) => error.row === undefined)).map((error) => [error.path ?? '', error]))
  output.result(`\n4. What did not get in, and why: ${plural(rejects.length, 'record')} kept aside, ${plural(failed.size, 'file')} refused`)
  const rows = rejects.map((reject) => [reject.code, `${nameOf(reject.path)}:${reject.row}`, reject.message])
  for (const [path, error] of failed) rows.push([error.code, nameOf(path), error.message])
  const text = columns([{ name: 'reason' }, { name: 'file:row' }, { name: 'what happened' }], rows.map((row) => row.map((cell) => (cell.length > 96 ? `${cell.slice(0, 95)}…` : cell))))
  output.result(text.replace(/^/gm, '   '))
}

function nameOf(path: string | null): string {
  return (path ?? '').slice((path ?? '').lastIndexOf('/') + 1)
}

function nextSteps(dataDir: string, rejects: readonly RejectItem[]): string[] {
  const where = `--data-dir ${dataDir}`
  const first = rejects[0]?.id
  return [
    `${sluice()} tables head ${TABLE} ${where}`,
    ...(first === undefined ? [] : [`${sluice()} rejects show ${first} ${where}`]),
    `${sluice()} runs ls ${where}`,
    `${sluice()} load YOUR-FOLDER --into things --key id`,
  ]
}

/** As the user started it: `npx sluice` in a clone. */
function sluice(): string {
  return process.env['npm_command'] === 'exec' ? 'npx sluice' : 'sluice'
}

/** The demo claims that the numbers add up, so it looks. @throws SluiceError BALANCE_BROKEN */
function check(made: DemoFiles, loads: readonly LoadResult[], table: TableItem): void {
  const again = loads.at(-1)
  if (table.rows !== made.keys) throw new SluiceError('BALANCE_BROKEN', `The files hold ${made.keys} keys, the table has ${table.rows} rows.`)
  if (again === undefined || again.balance.read !== 0) throw new SluiceError('BALANCE_BROKEN', 'The second load read files that are known.')
  if (loads.some((load) => !load.balance.balances)) throw new SluiceError('BALANCE_BROKEN', 'A load does not balance.')
}
