/**
 * Kill sweep: SIGKILL at every failpoint, for append, dedupe and upsert into Delta and SQLite; for replace at every one of the
 * target (ledger and staging are the same); for upserts into DuckDB likewise.
 *
 * For every combination two scenes are played: `fresh` (no data folder yet) and `grown` (a table with some commits, files
 * that bring new keys, known keys, other content, bad records and a copy); for upsert also `adopt` (the table belongs to
 * another data folder, and the load takes it over) and, on Delta, `apart` (its files are laid apart by partitions). A first pass without a kill lists the
 * failpoints that are reached; then each is killed once: in the parent; in a child, the child alone and its parent with
 * it. After one more run the table must equal the reference, the balance of the table must hold and doctor be clean.
 *
 * Upserts keep a model, which must hold what the table holds.
 *
 * `points.ts` says which failpoints must be reached by which combination: one that is not reached fails the sweep, and so
 * does one that is reached and not listed. SLUICE_SWEEP=<n> takes every n-th kill only (for a quick look).
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { load } from '../../src/index.ts'
import { parseSize } from '../../src/core/units.ts'
import { BATCH_LIMIT } from '../../src/pipeline/ingest.ts'
import { openModels } from '../../src/service/models.ts'
import { MEMORY, calledWell } from './called.ts'
import { IS_LANE, close, copyFolder, difference, examine, inFolder, playAsLane, runCases, runInLanes, sluice } from './harness.ts'
import { baseName, duckdbPoints, expectedPoints, isPartOf } from './points.ts'

const MODES = ['append', 'dedupe', 'upsert', 'replace'] as const
const TARGETS = ['delta', 'sqlite', 'duckdb'] as const
const SCENES = ['fresh', 'grown', 'adopt', 'apart'] as const
type Mode = (typeof MODES)[number]
type TargetName = (typeof TARGETS)[number]

interface Combination {
  mode: Mode
  target: TargetName
}
interface Scene extends Combination {
  scene: 'fresh' | 'grown' | 'adopt' | 'apart'
  /** Folder with `in/` and, when grown, `data/`. */
  folder: string
  expected: string[]
}
interface Rec {
  id: string | null
  v: number
  note: string | null
}
interface Kill {
  scene: Scene
  point: string
  how: 'self' | 'parent'
}

const COLUMNS = 'id:string,v:int64,note:string'
const PACKED = fileURLToPath(new URL('../golden/parquet/sweep.parquet', import.meta.url))

/** Commits of the grown scene before the load that is killed. Delta: its commit is version 100 and writes a checkpoint. */
const GROWN_COMMITS = { delta: 100, sqlite: 4, duckdb: 4 }
const FEW_COMMITS = 4
/** Cases at once: more than cores, since a case waits for the disk as well. */
const WIDTH = 3

function flags(c: Combination & { scene?: Scene['scene'] }, folder: string): ['load', ...string[]] {
  const key = c.mode === 'append' ? [] : ['--key', 'id']
  return [
    'load', join(folder, 'in'), '--into', 't', '--mode', c.mode, ...key, '--columns', COLUMNS, '--memory', '1GB', '--jobs', '1',
    '--to', place(c, folder),
    '--data-dir', join(folder, 'data'), '--allow-partial', '--grace', '0', '--json', ...(c.scene === 'adopt' ? ['--adopt'] : []), ...(c.scene === 'apart' ? ['--partition-by', 'note'] : []),
    ...(c.mode === 'upsert' ? ['--models', join(folder, 'model.sql')] : []),
  ]
}

function place(c: Combination, folder: string): string {
  return c.target === 'delta' ? `delta:${join(folder, 'lake')}` : `${c.target}:${join(folder, 't.db')}`
}

/** By key, so that what is touched is known and the table has enough groups. */
const MODEL = '-- model: newest\n-- depends_on: t\n-- incremental: group id\n\nselect id, max(v) as v, count(*) as records from t group by id\n'

/** Files that the killed run loads: new and known keys, equal and other content, a bad record, a copy, a bad file. */
function writeFiles(folder: string): void {
  const file = (name: string, records: object[]): void => writeFileSync(join(folder, 'in', name), JSON.stringify({ records }))
  mkdirSync(join(folder, 'in'), { recursive: true })
  file('b1.json', [{ id: 'k0', v: 1, note: 'other' }, { id: 'n1', v: 1 }, { id: 'n1', v: 2 }, { id: null, v: 9 }])
  file('b2.json', [{ id: 'k1', v: 1, note: 'old' }, { id: 'n2', v: 2 }, { id: 'n1', v: 3, note: 'late' }, { id: 'wrong', v: 'text' }])
  file('b3-copy.json', [{ id: 'k0', v: 1, note: 'other' }, { id: 'n1', v: 1 }, { id: 'n1', v: 2 }, { id: null, v: 9 }])
  writeFileSync(join(folder, 'in', 'b4.json'), '{"records":[{"id":"cut"')
  // Packed Parquet is laid down unpacked before it is read.
  writeFileSync(join(folder, 'in', 'b5.parquet.gz'), gzipSync(readFileSync(PACKED)))
}

function grown({ scene, target }: Pick<Scene, 'scene' | 'target'>): number {
  return scene === 'grown' ? GROWN_COMMITS[target] : scene === 'fresh' ? 0 : FEW_COMMITS
}

/** Every file is a commit, though one load brings a hundred of them. */
async function grow(c: Omit<Scene, 'expected'>, folder: string): Promise<void> {
  writeFileSync(join(folder, 'model.sql'), MODEL)
  const paths = Array.from({ length: grown(c) }, (_, n) => {
    const path = join(folder, `seed-${n}.ndjson`)
    writeFileSync(path, `${JSON.stringify({ id: `k${n}`, v: 0, note: 'old' })}\n`)
    return path
  })
  const seed = (some: readonly string[], models: string[]): Promise<unknown> =>
    load({
      paths: [...some], into: 't', mode: c.mode, ...(c.mode === 'append' ? {} : { key: 'id' }), columns: COLUMNS, to: place(c, folder), dataDir: join(folder, c.scene === 'adopt' ? 'other' : 'data'), jobs: 1, ...(c.scene === 'apart' ? { partitionBy: 'note' } : {}), models,
    })
  // One replace is one commit, whatever it brings.
  const before = c.mode === 'replace' ? paths.slice(0, -1).map((path) => [path]) : [paths.slice(0, -1)]
  for (const some of before) if (some.length > 0) await seed(some, [])
  if (paths.length > 0) await seed(paths.slice(-1), c.mode === 'upsert' ? [join(folder, 'model.sql')] : [])
}

/** What must be in the table after the load, by hand: independent of all code of the product. */
function expectedRows(scene: Omit<Scene, 'expected'>): string[] {
  const before: Rec[] = scene.mode === 'replace' ? [] : Array.from({ length: grown(scene) }, (_, n) => ({ id: `k${n}`, v: 0, note: 'old' }))
  const batch: Rec[] = [
    { id: 'k0', v: 1, note: 'other' }, { id: 'n1', v: 1, note: null }, { id: 'n1', v: 2, note: null },
    { id: 'k1', v: 1, note: 'old' }, { id: 'n2', v: 2, note: null }, { id: 'n1', v: 3, note: 'late' },
    { id: 'p1', v: 5, note: 'packed' },
  ]
  const rows = new Map<string, Rec>()
  // Without a key nothing is missing from the record that has none.
  if (scene.mode === 'append') batch.splice(3, 0, { id: null, v: 9, note: null })
  for (const [at, row] of [...before, ...batch].entries()) {
    const key = scene.mode === 'append' ? String(at) : String(row.id)
    if (scene.mode !== 'dedupe' || !rows.has(key)) rows.set(key, row)
  }
  return [...rows.values()].map((row) => `id=${JSON.stringify(row.id)} note=${JSON.stringify(row.note)} v=${row.v}n`).toSorted()
}

async function play(scene: Scene, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  copyFolder(scene.folder, folder)
  await sluice(flags(scene, folder), env)
}

/** One more run by the command. */
async function commanded(scene: Scene, folder: string): Promise<void> {
  const { code, stdout, stderr } = await sluice(flags(scene, folder))
  if (code !== 0) throw new Error(`the run after it ended with ${code}: ${stdout.slice(0, 300)} ${stderr.slice(0, 300)}`)
}

async function check(scene: Scene, folder: string): Promise<void> {
  const found = await examine(join(folder, 'data'), 't', place(scene, folder))
  const wrong = difference(found.rows, scene.expected)
  if (wrong !== null) throw new Error(wrong)
  if (found.broken.length > 0) throw new Error(`doctor: ${found.broken.join('; ')}`)
  if (scene.mode !== 'upsert') return
  // In this process: a command that says the same would be a third process of every kill.
  const book = await openModels({ sources: [], to: place(scene, folder), dataDir: join(folder, 'data'), memory: parseSize('', MEMORY) })
  const shown = await book.show('newest', 1000)
  await book.close()
  const { item, columns, rows } = shown
  const model = rows.map((row) => ['id', 'v', 'records'].map((name) => `${row[columns.indexOf(name)] ?? '-'}`).join(' ')).toSorted()
  const wanted = scene.expected.map((row) => `${/id="(\w+)"/.exec(row)?.[1] ?? ''} ${/v=(\d+)n/.exec(row)?.[1] ?? ''} 1`).toSorted()
  if (item.state !== 'fresh') throw new Error(`the model is ${item.state}`)
  const behind = difference(model, wanted)
  if (behind !== null) throw new Error(`the model: ${behind}`)
}

/** Failpoints reached by an undisturbed run, as `p name` or `c name`. */
async function reached(scene: Scene): Promise<string[]> {
  return inFolder('sweep', async (folder) => {
    const log = join(folder, 'points.log')
    await play(scene, folder, { SLUICE_FAILPOINT_LOG: log })
    await commanded(scene, folder)
    await check(scene, folder)
    return [...new Set(readFileSync(log, 'utf8').split('\n').filter((line) => line !== ''))]
  })
}

async function kill({ scene, point, how }: Kill): Promise<void> {
  await inFolder('sweep', async (folder) => {
    const name = point.slice(2)
    await play(scene, folder, { SLUICE_FAILPOINT: name, SLUICE_FAILPOINT_KILL: how, SLUICE_FAILPOINT_ONCE: join(folder, 'killed') })
    if (!readFileSync(join(folder, 'killed')).equals(Buffer.alloc(0))) throw new Error('unreachable')
    await calledWell(flags(scene, folder), 'the run after it')
    await check(scene, folder)
  })
}

async function main(): Promise<void> {
  BATCH_LIMIT.files = 1
  await inFolder('scenes', async (root) => {
    const scenes: Scene[] = []
    for (const mode of MODES) {
      for (const target of TARGETS) {
        for (const scene of SCENES) {
          if ((scene === 'adopt' || scene === 'apart') && mode !== 'upsert') continue
          if (scene === 'apart' && target !== 'delta') continue
          if (target === 'duckdb' && mode !== 'upsert') continue
          const folder = join(root, `${mode}-${target}-${scene}`)
          mkdirSync(folder)
          const draft = { mode, target, scene, folder }
          scenes.push({ ...draft, expected: expectedRows(draft) })
        }
      }
    }
    await runCases(scenes, WIDTH, (s) => s.folder, async (scene) => {
      await grow(scene, scene.folder)
      writeFiles(scene.folder)
    })
    const kills: Kill[] = []
    const seen = new Map<string, Set<string>>()
    const listing = await runCases(scenes, WIDTH, (s) => `listing ${s.mode} ${s.target} ${s.scene}`, async (scene) => {
      const combination = `${scene.mode} ${scene.target}`
      const known = seen.get(combination) ?? new Set<string>()
      seen.set(combination, known)
      for (const point of await reached(scene)) {
        if (known.has(point)) continue
        known.add(point)
        // After a step is before the next one.
        if (scene.target === 'duckdb' && !/^p ((database|duckdb|models)\..*\.before|database\.commit\.after)$/.test(point)) continue
        if (scene.mode === 'replace' && !/^. (delta|database|sqlite)\./.test(point)) continue
        kills.push({ scene, point, how: 'self' })
        if (point.startsWith('c ')) kills.push({ scene, point, how: 'parent' })
      }
    })
    const every = Number(process.env['SLUICE_SWEEP'] ?? 1)
    console.log(`  ${kills.length} kills in ${scenes.length} scenes`)
    const chosen = kills.filter((_, at) => at % every === 0)
    const result = await runInLanes(import.meta.url, chosen, WIDTH, (k) => `${k.scene.mode} ${k.scene.target} ${k.scene.scene}: ${k.point} (${k.how})`)
    for (const [combination, points] of seen) {
      const [mode = '', target = ''] = combination.split(' ')
      const all = [...points].map((point) => baseName(point.slice(2)))
      // What leads to its commit is held by the other targets.
      const names = new Set(target === 'duckdb' ? all.filter((name) => /^(database|duckdb)\./.test(name)) : all)
      const expected = target === 'duckdb' ? duckdbPoints() : expectedPoints(mode, target)
      for (const point of expected) if (![...names].some((name) => isPartOf(name, point))) fail(result, `${combination}: ${point} was never reached`)
      for (const name of names) if (name !== 'ledger.beat' && ![...expected].some((point) => isPartOf(name, point))) fail(result, `${combination}: ${name} is reached and not known to points.ts`)
    }
    result.failed += listing.failed
    const points = new Set(kills.map((k) => k.point)).size
    close('kill-sweep', result, every === 1 ? 300 : 1, `${points} failpoints, ${seen.size} combinations`)
  })
}

function fail(result: { failed: number }, message: string): void {
  result.failed++
  console.log(`  failed: ${message}`)
}

if (IS_LANE) playAsLane(kill)
else await main()
