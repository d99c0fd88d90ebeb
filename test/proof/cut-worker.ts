/** The process whose power is cut: loads one small file after the other and notes each acknowledged one outside. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from '../../src/index.ts'

const [folder = '', target = '', log = ''] = process.argv.slice(2)
const to = target === 'delta' ? undefined : `sqlite:${join(folder, 't.db')}`

for (let n = 0; n < 100_000; n++) {
  const path = join(folder, `f${n}.ndjson`)
  // Every record is in two files, so that updates and losers are written as well.
  writeFileSync(path, `{"id":"r${n}"}\n{"id":"r${Math.max(0, n - 1)}"}\n`)
  const result = await load({ paths: [path], into: 't', key: 'id', dataDir: join(folder, 'data'), jobs: 1, ...(to === undefined ? {} : { to }) })
  if (result.exit !== 0) throw new Error(`load ${n} ended with ${result.exit}: ${JSON.stringify(result.errors)}`)
  // Acknowledged: load() has returned.
  appendFileSync(log, `r${n}\n`)
}
