/**
 * Kill sweep of tables as sources: SIGKILL at every failpoint of their windows, at its first, second and third passing, and
 * at a share of all others, with the ledger kept or lost afterwards.
 *
 * Each scene is a file of SQLite or DuckDB, a load that has gone before, and what was changed since. After the kill one more load
 * must make the table that of the undisturbed load, and a third load must change nothing.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { calledWell } from './called.ts'
import { IS_LANE, close, copyFolder, difference, examine, inFolder, playAsLane, runCases, runInLanes, sluice } from './harness.ts'
import { baseName, isPartOf } from './points.ts'

interface Scene {
  name: string
  /** Of the source; else sqlite. Its own steps only are killed: the others are those of every source. */
  scheme?: 'duckdb'
  address: string
  flags: string[]
}

const SCENES: Scene[] = [
  { name: 'windows into delta', address: 'table=orders&cursor=changed&window=4', flags: ['--key', 'id'] },
  { name: 'windows into sqlite', address: 'table=orders&cursor=changed&window=4', flags: ['--key', 'id', '--to', 'sqlite:@/copy.db'] },
  { name: 'a snapshot by key', address: 'table=orders&window=4', flags: ['--key', 'id'] },
  { name: 'windows of a DuckDB file', scheme: 'duckdb', address: 'table=orders&cursor=changed&window=4', flags: ['--key', 'id'] },
  { name: 'a snapshot in place', address: 'query=select id, name, amount from orders where id <> 7&window=4', flags: ['--mode', 'replace'] },
]
/** Not passed by a load that nothing disturbs. */
const UNDISTURBED: Readonly<Record<string, string>> = { 'window.sweep': 'only behind a dead read', 'window.lock': 'kept while it is held' }
const NAME = /'(window\.[a-z.-]+)'/g

const argsOf = (scene: Scene, folder: string): ['load', ...string[]] =>
  ['load', '--from', `${scene.scheme ?? 'sqlite'}:${folder}/shop.db?${scene.address}`, '--into', 'orders', ...scene.flags.map((flag) => flag.replace('@', folder)), '--data-dir', join(folder, 'data'), '--allow-partial', '--json', '--jobs', '1']
const play = (scene: Scene, folder: string, env: NodeJS.ProcessEnv = {}): ReturnType<typeof sluice> => sluice(argsOf(scene, folder), env)

/** A first load, then rows that are new, changed, late, and one whose value is not of its type. */
async function prepare(scene: Scene, folder: string): Promise<void> {
  const change = scene.scheme === 'duckdb' ? inDuckdb : inSqlite
  const put = (id: number, name: string, amount: string, changed: string): string => `INSERT OR REPLACE INTO orders VALUES (${id}, '${name}', ${amount}, '2026-01-02 ${changed}')`
  const table = 'CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, amount DECIMAL(10,2), changed TIMESTAMP NOT NULL)'
  const letGo = await change(join(folder, 'shop.db'), [table, ...Array.from({ length: 9 }, (_, at) => put(at + 1, `first ${at + 1}`, String(at + 1), `10:0${at + 1}:00`))])
  await calledWell(argsOf(scene, folder), 'the first load')
  const seconds = ([[3, '10:30:01'], [10, '10:30:02'], [11, '10:30:03'], [12, '10:08:30'], [13, '10:30:04'], [14, '10:30:05'], [5, '10:30:06'], [15, '10:30:07'], [16, '10:30:08']] as const).map(([id, time]) => put(id, `second ${id}`, String(id), time))
  // DuckDB holds every value to its type.
  if (!scene.flags.includes('replace') && scene.scheme !== 'duckdb') seconds.push(put(99, 'odd', "'much'", '10:30:09'))
  const again = await change(join(folder, 'shop.db'), seconds)
  again()
  letGo()
}

/** @returns lets the database go: while one has it, its WAL stays */
async function inSqlite(file: string, statements: readonly string[]): Promise<() => void> {
  const db = new DatabaseSync(file)
  db.exec(['PRAGMA journal_mode = WAL', ...statements].join(';'))
  return () => db.close()
}

async function inDuckdb(file: string, statements: readonly string[]): Promise<() => void> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  for (const sql of statements) await connection.run(sql)
  connection.closeSync()
  instance.closeSync()
  return () => undefined
}

const look = (scene: Scene, folder: string): ReturnType<typeof examine> => examine(join(folder, 'data'), 'orders', scene.flags.find((flag) => flag.startsWith('sqlite:'))?.replace('@', folder))

interface Kill {
  scene: Scene
  point: string
  hit: number
  lost: boolean
  /** Of the proof: where rooms are made. */
  root: string
  /** Rows of the undisturbed load. */
  expected: string[]
}

/** Rooms of a scene that nobody plays in. What was loaded there first is kept beside it: the address of the source counts, so it is played in one place. */
const rooms = new Map<string, string[]>()
let made = 0

async function onStage(root: string, scene: Scene, work: (room: string, folder: string) => Promise<void>): Promise<void> {
  const free = rooms.get(scene.name) ?? []
  rooms.set(scene.name, free)
  let room = free.pop()
  if (room === undefined) {
    room = join(root, `room-${process.pid}-${++made}`)
    mkdirSync(join(room, 'x'), { recursive: true })
    await prepare(scene, join(room, 'x'))
    copyFolder(join(room, 'x'), join(room, 'kept'))
  }
  const folder = join(room, 'x')
  for (const name of ['x', 'killed', 'points.log']) rmSync(join(room, name), { recursive: true, force: true })
  copyFolder(join(room, 'kept'), folder)
  await work(room, folder)
  free.push(room)
}

async function kill({ scene, point, hit, lost, root, expected }: Kill): Promise<void> {
  await onStage(root, scene, async (room, folder) => {
    await play(scene, folder, { SLUICE_FAILPOINT: point.slice(2), SLUICE_FAILPOINT_HIT: String(hit), SLUICE_FAILPOINT_KILL: point.startsWith('c ') ? 'parent' : 'self', SLUICE_FAILPOINT_ONCE: join(room, 'killed') })
    // Not every point is passed so often.
    if (!existsSync(join(room, 'killed')) && hit === 1) throw new Error('the failpoint was not reached')
    if (lost) for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `data/ledger.db${end}`), { force: true })
    await calledWell(argsOf(scene, folder), 'the load after it')
    const { rows, broken } = await look(scene, folder)
    if (broken.length > 0) throw new Error(`doctor: ${broken.join('; ')}`)
    const differs = difference(rows, expected)
    if (differs !== null) throw new Error(`the table differs: ${differs}`)
    const third = await calledWell(argsOf(scene, folder), 'a third load')
    if (third.balance.inserted !== 0 || third.balance.updated !== 0) throw new Error(`a third load changed something: ${JSON.stringify(third.balance)}`)
    const again = difference((await look(scene, folder)).rows, rows)
    if (again !== null) throw new Error(`a third load changed the table: ${again}`)
  })
}

async function main(): Promise<void> {
  const kills: Kill[] = []
  const seen = new Set<string>()
  const every = Number(process.env['SLUICE_SWEEP'] ?? 1)
  const { listing, result } = await inFolder('source', async (root) => {
    const listing = await runCases(SCENES, 2, (scene) => scene.name, async (scene) => {
      await onStage(root, scene, async (room, trial) => {
        const log = join(room, 'points.log')
        const said = await play(scene, trial, { SLUICE_FAILPOINT_LOG: log })
        if (said.code !== 0) throw new Error(`it ended with ${said.code}: ${said.stdout.slice(0, 300)} ${said.stderr.slice(0, 300)}`)
        const { rows } = await look(scene, trial)
        if (rows.length < 14) throw new Error(`the undisturbed load made ${rows.length} rows`)
        for (const [at, point] of [...new Set(readFileSync(log, 'utf8').split('\n'))].entries()) {
          if (/^. window\./.test(point)) {
            seen.add(point)
            for (const hit of [1, 2, 3]) kills.push({ scene, point, hit, lost: hit === 2, root, expected: rows })
          } else if (point !== '' && at % 9 === 0 && scene.scheme === undefined) kills.push({ scene, point, hit: 1, lost: at % 2 === 0, root, expected: rows })
        }
      })
    })
    console.log(`  ${kills.length} kills in ${SCENES.length} scenes`)
    const result = await runInLanes(import.meta.url, kills.filter((_, at) => at % every === 0), 3, ({ scene, point, hit, lost }) => `${scene.name}: ${point} #${hit}${lost ? ', ledger lost' : ''}`)
    return { listing, result }
  })
  const source = fileURLToPath(new URL('../../src', import.meta.url))
  const named = new Set(readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).flatMap((name) => [...readFileSync(join(source, name), 'utf8').matchAll(NAME)].map((match) => baseName(match[1] ?? ''))))
  for (const name of named) {
    if (name in UNDISTURBED || [...seen].some((point) => isPartOf(baseName(point.slice(2)), name))) continue
    result.failed++
    console.log(`  failed: ${name} was never reached`)
  }
  result.failed += listing.failed
  close('kill-source', result, every === 1 ? 100 : 1, `${seen.size} failpoints, ${SCENES.length} scenes`)
}

if (IS_LANE) playAsLane(kill)
else await main()
