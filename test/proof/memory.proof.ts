/**
 * Memory: the summed PSS of all processes of a load stays below --memory, at 1GB and at 512MB, for a wrapper document of
 * 1 GB, loaded and converted, for a CSV of 1 GB with quotes and line ends in its fields, and for an upsert into 5 million
 * rows, into Delta and into SQLite. Sampled every 50 ms from /proc.
 *
 * SLUICE_MEMORY_SCALE=0.1 makes everything ten times smaller, for a quick look.
 */
import { createWriteStream, rmSync } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { watchTree } from '../processes.ts'
import { close, inFolder, start } from './harness.ts'

const SCALE = Number(process.env['SLUICE_MEMORY_SCALE'] ?? 1)
const DOCUMENT_BYTES = 1e9 * SCALE
const TABLE_ROWS = 5e6 * SCALE
const BATCH_ROWS = 2e5 * SCALE
const LIMITS = { '1GB': 1e9, '512MB': 512e6 }

async function measure(args: string[]): Promise<{ peak: number; seconds: number; out: string; code: number | null; err: string }> {
  const began = performance.now()
  const { child, ended } = start(args)
  const watching = watchTree(child.pid ?? 0)
  const end = await ended
  const { memory: peak } = watching.stop()
  return { peak, seconds: (performance.now() - began) / 1000, out: end.stdout, code: end.code, err: end.stderr }
}

async function put(stream: WriteStream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain')
}

/** Key number n as text that has no order: a multiplicative hash of 48 bits, so keys meet every data file. */
function key(n: number): string {
  const h = (BigInt(n) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn
  return h.toString(16).padStart(16, '0')
}

/** How records stand in a file: before the first, between two, behind the last, and one of them. */
const FORMATS = {
  wrapper: ['{"records":[', ',', ']}', (id: string, data: string, ts: string) => `{"id":"${id}","data":"${data}","ts":"${ts}"}`],
  lines: ['', '\n', '\n', (id: string, data: string, ts: string) => `{"id":"${id}","data":"${data}","ts":"${ts}"}`],
  csv: ['id,data,ts\n', '\n', '\n', (id: string, data: string, ts: string) => `${id},"${data.slice(0, 9)}, ""\n${data.slice(9)}",${ts}`],
} as const

async function writeRecords(path: string, from: number, count: (bytes: number, rows: number) => boolean, format: keyof typeof FORMATS): Promise<number> {
  const [open, between, end, one] = FORMATS[format]
  const stream = createWriteStream(path)
  let bytes = 0
  let rows = 0
  await put(stream, open)
  while (count(bytes, rows)) {
    let text = ''
    for (let n = 0; n < 1000; n++, rows++) {
      const record = one(key(from + rows), `${'x'.repeat(20)}${(rows * 7919) % 1e9}`, `2024-01-0${1 + (rows % 9)}T00:00:00.${String(rows % 1000).padStart(3, '0')}Z`)
      text += `${rows === 0 ? '' : between}${record}`
    }
    bytes += text.length
    await put(stream, text)
  }
  await put(stream, end)
  stream.end()
  await once(stream, 'close')
  return rows
}

const result = { passed: 0, failed: 0 }

async function judge(name: string, limit: keyof typeof LIMITS, args: string[], inserted: number, updated: number): Promise<void> {
  const { peak, seconds, out, code, err } = await measure([...args, '--memory', limit, '--json'])
  const said = code === 0 ? (JSON.parse(out) as { balance: { inserted?: number; written?: number; updated?: number } }).balance : null
  const right = said !== null && (said.inserted ?? said.written) === inserted && (said.updated ?? 0) === updated
  const ok = right && peak < LIMITS[limit]
  result[ok ? 'passed' : 'failed']++
  console.log(`  ${ok ? '' : 'failed: '}${name}, --memory ${limit}: peak ${(peak / 1e6).toFixed(0)} MB, ${seconds.toFixed(1)} s${right ? '' : `, ended with ${code}: ${out.slice(0, 300)} ${err.slice(0, 300)}`}`)
}

await inFolder('memory', async (folder) => {
  const document = join(folder, 'document.json')
  const rows = await writeRecords(document, 0, (bytes) => bytes < DOCUMENT_BYTES, 'wrapper')
  for (const limit of ['1GB', '512MB'] as const) {
    const data = join(folder, 'data')
    await judge(`document of ${DOCUMENT_BYTES / 1e9} GB → delta`, limit, ['load', document, '--into', 't', '--key', 'id', '--data-dir', data], rows, 0)
    rmSync(data, { recursive: true, force: true })
  }
  const convert = async (to: string, gigabytes: number, expected: number): Promise<void> => {
    const out = join(folder, 'out')
    await judge(`document of ${gigabytes} GB → ${to}`, '512MB', ['convert', document, '--to', to, '-o', out, '--data-dir', join(folder, 'data')], expected, 0)
    rmSync(out, { recursive: true, force: true })
  }
  await convert('parquet', DOCUMENT_BYTES / 1e9, rows)
  // Text takes longer: larger than the limit is enough.
  await convert('csv', (0.6 * DOCUMENT_BYTES) / 1e9, await writeRecords(document, 0, (bytes) => bytes < 0.6 * DOCUMENT_BYTES, 'wrapper'))
  rmSync(document)
  const table = join(folder, 'table.csv')
  const fields = await writeRecords(table, 0, (bytes) => bytes < DOCUMENT_BYTES, 'csv')
  for (const target of ['delta', 'sqlite'] as const) {
    const room = join(folder, 'csv')
    const to = target === 'delta' ? 'delta:' : `sqlite:${join(room, 't.db')}`
    await judge(`CSV of ${DOCUMENT_BYTES / 1e9} GB → ${target}`, '512MB', ['load', table, '--into', 't', '--key', 'id', '--data-dir', join(room, 'data'), '--to', to], fields, 0)
    rmSync(room, { recursive: true, force: true })
  }
  rmSync(table)
  const base = join(folder, 'base.ndjson')
  const batch = join(folder, 'batch.ndjson')
  const held = await writeRecords(base, 0, (_, n) => n < TABLE_ROWS, 'lines')
  const known = await writeRecords(batch, held - BATCH_ROWS / 2, (_, n) => n < BATCH_ROWS, 'lines')
  for (const target of ['delta', 'sqlite'] as const) {
    const place = (at: string): string[] => (target === 'delta' ? ['--to', `delta:${join(at, 'lake')}`] : ['--to', `sqlite:${join(at, 't.db')}`])
    const made = join(folder, `${target}-held`)
    const args = (at: string, path: string): string[] => ['load', path, '--into', 't', '--key', 'id', '--mode', 'upsert', '--data-dir', join(at, 'data'), ...place(at)]
    await judge(`${held} rows into an empty ${target}`, '1GB', args(made, base), held, 0)
    // The second limit works on the same folder again, with other values for the same keys.
    const again = join(folder, 'again.ndjson')
    await judge(`upsert of ${known} into ${held} rows, ${target}`, '512MB', args(made, batch), known - BATCH_ROWS / 2, BATCH_ROWS / 2)
    const more = await writeRecords(again, BATCH_ROWS, (_, n) => n < BATCH_ROWS, 'lines')
    await judge(`upsert of ${more} into ${held + BATCH_ROWS / 2} rows, ${target}`, '1GB', args(made, again), 0, more)
    rmSync(made, { recursive: true, force: true })
  }
})
close('memory', result, 12, 'summed PSS')
