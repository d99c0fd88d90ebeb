/**
 * Outside readers: after 250 commits with appends and upserts, delta-rs, Polars and DuckDB read the same rows and types that the
 * generator made (not what Sluice says); so they do on a copy from which the JSON before the checkpoint is gone.
 *
 * Needs Python 3 with venv; the pinned readers are installed into a temporary environment, or SLUICE_READERS names a
 * python that has them.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from '../../src/index.ts'
import type { LoadOptions } from '../../src/index.ts'
import { MEMORY } from './called.ts'
import { READERS, python } from './foreigner.ts'
import { loadParts, readByFolders } from './partitions.ts'
import type { PartRow } from './partitions.ts'
import { close, copyFolder, difference, examine, inFolder } from './harness.ts'

const COMMITS = 250
/** Commits of the second table, which only appends: its first checkpoint is at version 100. */
const APPENDS = 110
const COLUMNS = 'id:string,n:int64,x:double,ok:boolean,d:date,ts:timestamp,j:json,p:decimal(10,2),w:decimal(38,9),tags:list<string>,s:struct<a:int64,b:list<struct<q:double,p:decimal(20,3),t:timestamp>>>'

interface Rec {
  id: string
  n: number | null
  x: number | null
  ok: boolean | null
  d: string | null
  ts: string | null
  j: string | null
  /** JSON texts from here on: numbers of decimals have more digits than a double. */
  p: string | null
  w: string | null
  tags: string | null
  s: string | null
}

function record(id: string, commit: number, at: number): Rec {
  const mixed = (commit * 7919 + at * 104_729) % 1000
  const day = `20${String(10 + (mixed % 15))}-0${1 + (mixed % 9)}-1${mixed % 10}`
  return {
    id, n: mixed % 11 === 0 ? null : (mixed - 500) * 2 ** 40, x: mixed % 7 === 0 ? null : mixed / 8, ok: mixed % 5 === 0 ? null : mixed % 2 === 0,
    d: mixed % 13 === 0 ? null : day, ts: mixed % 17 === 0 ? null : `${day}T0${mixed % 10}:59:59.${String(mixed * 1000 + at).padStart(6, '0')}Z`,
    j: mixed % 3 === 0 ? null : `{"a":[${mixed},"é\\u0041"]}`,
    p: mixed % 4 === 0 ? null : `${mixed % 2 === 0 ? '-' : ''}${mixed}.${String(mixed % 100).padStart(2, '0')}`, w: mixed % 9 === 0 ? null : `1234567890123456789012345${mixed}.${String(mixed).padStart(9, '0')}`,
    tags: mixed % 6 === 0 ? null : mixed % 5 === 0 ? '[]' : `["t${mixed}",null,"é\\n"]`,
    s: mixed % 8 === 0 ? null : mixed % 7 === 0 ? '{}' : `{"b":[null,{"q":${mixed / 8},"p":${mixed}.125},{"t":"${day}T00:00:00.000${mixed % 10}Z"}],"a":${mixed}}`,
  }
}

/** JSON text of a record; the last members are raw JSON in it. */
function text(r: Rec): string {
  const { j, p, w, tags, s, ...rest } = r
  const raw = Object.entries({ j, p, w, tags, s }).filter(([, value]) => value !== null)
  return `${JSON.stringify(rest).slice(0, -1)}${raw.map(([name, value]) => `,"${name}":${value}`).join('')}}`
}

const result = { passed: 0, failed: 0 }
await inFolder('readers', async (folder) => {
  const reader = python(folder)
  const data = join(folder, 'data')
  mkdirSync(join(folder, 'in'))
  const upserted = new Map<string, Rec>()
  const appended: Rec[] = []
  const paths: string[] = []
  for (let commit = 0; commit < COMMITS; commit++) {
    // Every third commit appends only, the others meet known keys as well.
    const batch = Array.from({ length: 6 }, (_, at) => record(commit % 3 !== 0 && at < 3 ? `k${(commit * 5 + at) % (commit * 4 + 1)}` : `k${commit * 6 + at}-${commit}`, commit, at))
    const path = join(folder, 'in', `f${commit}.ndjson`)
    writeFileSync(path, batch.map((r) => `${text(r)}\n`).join(''))
    paths.push(path)
    for (const r of batch) upserted.set(r.id, r)
    if (commit < APPENDS) appended.push(...batch)
  }
  const loadAll = async (files: readonly string[], options: Omit<LoadOptions, 'paths'>): Promise<void> => {
    for (const path of files) {
      const { exit, errors } = await load({ paths: [path], columns: COLUMNS, dataDir: data, jobs: 1, memory: MEMORY, ...options })
      if (exit !== 0) throw new Error(`${path} ended with ${exit}: ${JSON.stringify(errors)}`)
    }
  }
  await Promise.all([loadAll(paths, { into: 'up', key: 'id', mode: 'upsert' }), loadAll(paths.slice(0, APPENDS), { into: 'app' })])
  const truths = { up: [...upserted.values()], app: appended }
  for (const [name, rows] of Object.entries(truths)) {
    const truth = join(folder, `${name}.truth`)
    writeFileSync(truth, rows.map((r) => `${JSON.stringify(r)}\n`).join(''))
    const table = join(data, 'tables', name)
    const copy = join(folder, `${name}-copy`)
    copyFolder(table, copy)
    const log = join(copy, '_delta_log')
    const { version } = JSON.parse(readFileSync(join(log, '_last_checkpoint'), 'utf8')) as { version: number }
    const old = readdirSync(log).filter((file) => file.endsWith('.json') && Number(file.slice(0, 20)) < version)
    for (const file of old) rmSync(join(log, file))
    if (old.length < 100) fail(`${name}: the checkpoint is at version ${version}, only ${old.length} commits lie before it`)
    for (const [what, path] of [['whole', table], ['without the JSON before the checkpoint', copy]] as const) {
      try {
        const said = execFileSync(reader, [join(READERS, 'read.py'), path, truth], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
        console.log(`  ${name}, ${what}: ${said.trim()} rows by delta-rs, Polars and DuckDB`)
        result.passed += 3
      } catch (thrown) {
        fail(`${name}, ${what}: ${thrown instanceof Error ? thrown.message.slice(0, 2000) : String(thrown)}`)
      }
    }
    // Sluice itself opens the copy, too.
    rmSync(table, { recursive: true })
    copyFolder(copy, table)
    const { rows: seen, broken: wrong } = await examine(data, name)
    const count = seen.length
    if (wrong.length > 0 || count !== rows.length) fail(`${name}: after losing old JSON Sluice finds ${count} rows and ${wrong.join('; ')}`)
    else result.passed++
  }

  // Laid apart: readers that take the values from the log, and readers that take them from the folders.
  const parts = await loadParts(join(folder, 'in'), data)
  const truth = join(folder, 'parts.truth')
  writeFileSync(truth, parts.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const table = join(data, 'tables', 'parts')
  try {
    const said = execFileSync(reader, [join(READERS, 'read_parts.py'), table, truth], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    console.log(`  parts: ${said.trim()} rows by delta-rs and Polars, whole and by each partition`)
    result.passed += 2
  } catch (thrown) {
    fail(`parts: ${thrown instanceof Error ? thrown.message.slice(0, 2000) : String(thrown)}`)
  }
  const show = ({ id, c, day }: PartRow): string => JSON.stringify([id, c, day])
  const wrong = difference((await readByFolders(liveFiles(table))).map(show).toSorted(), parts.map(show).toSorted())
  if (wrong === null) result.passed++
  else fail(`parts by DuckDB from the folders: ${wrong}`)
})
close('outside-readers', result, 17, `${COMMITS} commits, 3 tables, 3 readers`)

/** Paths of the files that the log of a table names. */
function liveFiles(table: string): string[] {
  const live = new Set<string>()
  const log = join(table, '_delta_log')
  for (const name of readdirSync(log).filter((file) => file.endsWith('.json')).toSorted()) {
    for (const line of readFileSync(join(log, name), 'utf8').trim().split('\n')) {
      const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } }
      if (remove !== undefined) live.delete(remove.path)
      if (add !== undefined) live.add(add.path)
    }
  }
  return [...live].map((path) => join(table, decodeURIComponent(path)))
}

function fail(message: string): void {
  result.failed++
  console.log(`  failed: ${message}`)
}
