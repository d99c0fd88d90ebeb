/**
 * Bombs: files that unpack, nest, repeat or lie without end, all in one folder with a good one, in one load. Each becomes
 * what the list says, the good file is loaded, and all processes together stay below 1 GB. Prints what became of each.
 */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { watchTree } from '../processes.ts'
import { csvBombs, jsonBombs, packedBombs } from './bombs.ts'
import { parquetBombs } from './bombs-parquet.ts'
import { close, inFolder, runCases, sluice, start } from './harness.ts'

const LIMIT = 1e9

interface Item {
  path: string
  state: string
  size: number
  fault: { code: string } | null
  counts: { read: number; quarantined: number } | null
}

await inFolder('bombs', async (root) => {
  mkdirSync(join(root, 'in'))
  const bombs = [...jsonBombs(), ...csvBombs(), ...packedBombs(), ...parquetBombs().map(([name, expected, bytes]) => [`${name}.parquet`, expected, bytes] as const)]
  for (const [name, , bytes] of [...bombs, ['good.ndjson', '', Buffer.from('{"id":7}\n')] as const]) {
    writeFileSync(join(root, 'in', name), bytes)
    utimesSync(join(root, 'in', name), 1, 1)
  }
  const began = performance.now()
  const { child, ended } = start(['load', join(root, 'in'), '--into', 't', '--columns', 'id:int64', '--data-dir', join(root, 'data'), '--memory', '1GB', '--json'])
  const watching = watchTree(child.pid ?? 0)
  const end = await ended
  const { memory } = watching.stop()
  const seconds = (performance.now() - began) / 1000
  const result = JSON.parse(end.stdout) as { state: string; reasons: Record<string, number>; errors: { code: string; path?: string; row?: number }[]; balance: { balances: boolean } }
  const listed = JSON.parse((await sluice(['files', 'ls', '--limit', '1000', '--data-dir', join(root, 'data'), '--json'])).stdout) as { items: Item[] }
  const byName = new Map(listed.items.map((item) => [basename(item.path), item]))

  const cases = [...bombs.map(([name, expected]) => ({ name, expected })), { name: 'good.ndjson', expected: 'loaded 1' }, { name: 'the run', expected: 'COMPLETED, balances' }, { name: 'memory', expected: 'below 1 GB' }]
  const counts = await runCases(cases, 1, ({ name }) => name, async ({ name, expected }) => {
    const item = byName.get(name)
    const became = name === 'the run' ? `${result.state}${result.balance.balances ? ', balances' : ''}` : name === 'memory' ? (memory < LIMIT ? 'below 1 GB' : `${memory} bytes`) : becameOf(item)
    console.log(`  ${name.padEnd(34)} ${String(item?.size ?? '').padStart(10)}  ${became}`)
    // What CSV takes is its own list's business; here it must end, without a fault of the machine.
    const fits = expected === '!' ? /^(loaded|[A-Z_]+$)/.test(became) && !['INTERNAL', 'ENGINE_DIED', 'FILE_POISONED', 'not there'].includes(became) : became === expected || (expected.startsWith('loaded') && expected.split(' ').slice(0, 2).join(' ') === became.split(' ').slice(0, 2).join(' ') && (expected.split(' ').length < 3 || (became.includes('aside') && (result.reasons[expected.split(' ')[2] ?? ''] ?? 0) > 0))) || (expected === 'RECORD_NOT_OBJECT' && became.startsWith('loaded 0'))
    if (!fits) throw new Error(`expected ${expected}, became ${became}`)
  })
  close('bombs', counts, 80, `${(memory / 1e6).toFixed(0)} MB at most, ${seconds.toFixed(0)} s`)
})

function becameOf(item: Item | undefined): string {
  if (item === undefined) return 'not there'
  if (item.fault !== null) return item.fault.code
  const { read = 0, quarantined = 0 } = item.counts ?? {}
  return `loaded ${read - quarantined}${quarantined > 0 ? ` ${quarantined} aside` : ''}`
}
