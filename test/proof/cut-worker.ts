/** The process whose power is cut: loads one small file after the other and notes each acknowledged one outside. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from '../../src/index.ts'
import type { LoadOptions } from '../../src/index.ts'

const [folder = '', input = '', target = '', mode = '', log = ''] = process.argv.slice(2)
const options: Omit<LoadOptions, 'paths'> = { into: 't', key: 'id', mode: mode === 'dedupe' ? 'dedupe' : 'upsert', dataDir: join(folder, 'data'), jobs: 1, ...(target === 'delta' ? {} : { to: `${target}:${join(folder, 't.db')}` }) }

for (let n = 0; n < 100_000; n++) {
  const path = join(input, `f${n}.ndjson`)
  // Every key comes in two files: in dedupe the second record becomes a loser, in upsert it replaces the first.
  writeFileSync(path, `{"id":"r${n}","v":${n}}\n${n === 0 ? '' : `{"id":"r${n - 1}","v":${n}}\n`}`)
  const result = await load({ paths: [path], ...options })
  if (result.exit !== 0) throw new Error(`load ${n} ended with ${result.exit}: ${JSON.stringify(result.errors)}`)
  // Acknowledged: load() has returned.
  appendFileSync(log, `${n}\n`)
}
