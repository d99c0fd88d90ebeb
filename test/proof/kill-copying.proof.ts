/**
 * Kill sweep of convert and sync: SIGKILL at every failpoint of theirs, in the parent and in the child.
 *
 * Each scene is a folder and a command. An undisturbed run lists the failpoints; then the scene is played again and killed
 * at each of them. Right after the kill every visible output must be whole: as it was before or as it will be. After one
 * more run all outputs must be those of the undisturbed run, nothing may be left in the working folder, and a third run
 * must find nothing to do. The names of the failpoints are read from the source, so that a new one cannot be forgotten.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { called, calledWell } from './called.ts'
import { IS_LANE, close, inFolder, playAsLane, runCases, runInLanes, sluice } from './harness.ts'
import { baseName, isPartOf } from './points.ts'

type Args = ['convert' | 'sync', ...string[]]

interface Scene {
  name: string
  args: Args
  /** Makes the folder in which the command runs. */
  prepare(folder: string): Promise<void>
}

/** Not passed by a run that nothing disturbs. */
const UNDISTURBED: Readonly<Record<string, string>> = {
  'origins.db': 'a file name',
  'sync.discard': 'only when a copy cannot be proven (test/e2e/sync.test.ts)',
  'sync.cut': 'only behind a longer left-over',
  'sync.sweep': 'only behind a left-over',
}
const NAME = /'((?:convert|origins|sync)\.[a-z.-]+)'/g
const OLD = new Date('2024-01-01T00:00:00Z')

function put(path: string, text: string | Buffer): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  utimesSync(path, OLD, OLD)
}

function files(folder: string, n: number): void {
  put(join(folder, 'in/a.json'), `{"records":[{"id":"a${n}","x":1.5},{"id":"b","x":null},{"id":1,"id":2}]}`)
  put(join(folder, 'in/deep/b.ndjson'), `{"id":"c${n}"}\nnope\n{"id":"d"}\n`)
  put(join(folder, 'in/cut.json'), '{"records":[{')
  put(join(folder, 'in/none.json'), '[]')
  // A CSV of one column cannot hold null.
  put(join(folder, 'in/null.json'), '[{"only":null},{"only":1}]')
}

function copies(folder: string, n: number): void {
  put(join(folder, 'in/large.bin'), Buffer.alloc(9_000_000, `large ${n}`))
  for (let at = 0; at < 4; at++) put(join(folder, `in/deep/f${at}`), `small ${n} ${at}`)
  // What is a file in one run is a folder in the other.
  for (const name of ['over', 'turned']) rmSync(join(folder, 'in', name), { recursive: true, force: true })
  put(join(folder, 'in', n === 1 ? 'over' : 'over/in'), `over ${n}`)
  put(join(folder, 'in', n === 1 ? 'turned/in' : 'turned'), `turned ${n}`)
}

/** A second run: everything is replaced but one that is touched, one input is gone, one output was spoiled. */
async function again(folder: string, args: Args, make: (folder: string, n: number) => void, lost: string, touched: string, spoiled: string): Promise<void> {
  make(folder, 1)
  put(join(folder, 'in', lost), '[{"id":"lost"}]')
  put(join(folder, 'in', touched), '[{"id":"touched"}]')
  await calledWell(placed(args, folder), 'the first run')
  make(folder, 2)
  rmSync(join(folder, 'in', lost))
  utimesSync(join(folder, 'in', touched), OLD, new Date(OLD.getTime() + 60_000))
  appendFileSync(join(folder, 'out', spoiled), 'spoiled')
  utimesSync(join(folder, 'out', spoiled), OLD, new Date(OLD.getTime() + 120_000))
}

const placed = ([verb, ...args]: Args, folder: string): Args => [verb, ...args.map((arg) => arg.replace('@', folder))]

const convertArgs = (to: string): Args => ['convert', '@/in', '--to', to, '-o', '@/out', '--mirror', '--allow-partial', '--grace', '0', '--jobs', '1', '--data-dir', '@/data']
const syncArgs: Args = ['sync', '@/in', '@/out', '--mirror', '--jobs', '1', '--data-dir', '@/data']

const SCENES: Scene[] = [
  { name: 'convert to csv', args: convertArgs('csv'), prepare: async (folder) => files(folder, 1) },
  { name: 'convert to parquet', args: convertArgs('parquet'), prepare: async (folder) => files(folder, 1) },
  { name: 'convert again', args: convertArgs('ndjson'), prepare: (folder) => again(folder, convertArgs('ndjson'), files, 'lost.json', 'touched.json', 'a.ndjson') },
  { name: 'sync', args: syncArgs, prepare: async (folder) => copies(folder, 1) },
  { name: 'sync again', args: syncArgs, prepare: (folder) => again(folder, syncArgs, copies, 'lost', 'touched', 'deep/f1') },
]

type Outputs = Record<string, string>

/** Visible outputs: path, bytes, and for copies the mode and time. */
function outputs(folder: string, exact: boolean): Outputs {
  const out = join(folder, 'out')
  const found: Outputs = {}
  if (!existsSync(out)) return found
  for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
    const stat = statSync(join(out, name))
    if (name.startsWith('.sluice-') || !stat.isFile()) continue
    const sha256 = createHash('sha256').update(readFileSync(join(out, name)).toString('latin1').replaceAll(folder, '@'), 'latin1').digest('hex')
    found[name] = exact ? `${sha256} ${stat.mode} ${Math.floor(stat.mtimeMs)}` : sha256
  }
  return found
}

function working(folder: string): string[] {
  const work = ['.sluice-convert', '.sluice-sync'].map((own) => join(folder, 'out', own, 'work'))
  return work.flatMap((path) => (existsSync(path) ? readdirSync(path) : []))
}

interface Known {
  /** Name of the scene. */
  name: string
  before: Outputs
  after: Outputs
}
interface Kill {
  scene: Known
  point: string
  how: 'self' | 'parent'
}

const play = (scene: Scene, folder: string, env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; stdout: string; stderr: string }> =>
  sluice([...placed(scene.args, folder), '--json'], env)
const isSync = (scene: Scene): boolean => scene.args[0] === 'sync'

function compare(got: Outputs, expected: Outputs, what: string): void {
  const wrong = [...new Set([...Object.keys(got), ...Object.keys(expected)])].filter((name) => got[name] !== expected[name])
  if (wrong.length > 0) throw new Error(`${what}: ${wrong.map((name) => `${name} ${name in got ? (name in expected ? 'differs' : 'is too many') : 'is missing'}`).join(', ')}`)
}

async function kill({ scene: known, point, how }: Kill): Promise<void> {
  const scene = SCENES.find(({ name }) => name === known.name)
  if (scene === undefined) throw new Error(`there is no scene ${known.name}`)
  await inFolder('copying', async (room) => {
    const folder = join(room, 'x')
    mkdirSync(folder)
    await scene.prepare(folder)
    await play(scene, folder, { SLUICE_FAILPOINT: point.slice(2), SLUICE_FAILPOINT_KILL: how, SLUICE_FAILPOINT_ONCE: join(room, 'killed') })
    if (!existsSync(join(room, 'killed'))) throw new Error('the failpoint was not reached')
    for (const [name, content] of Object.entries(outputs(folder, isSync(scene)))) {
      if (content !== known.before[name] && content !== known.after[name]) throw new Error(`right after the kill ${name} is neither what it was nor what it will be`)
    }
    await calledWell(placed(scene.args, folder), 'the run after it')
    compare(outputs(folder, isSync(scene)), known.after, 'after one more run')
    if (working(folder).length > 0) throw new Error(`left in the working folder: ${working(folder).join(', ')}`)
    const busy: { state: string }[] = []
    for (const item of (await called(placed(scene.args, folder))).items) if (item.state !== 'failed') busy.push(item)
    if (busy.length > 0) throw new Error(`a third run found something to do: ${JSON.stringify(busy[0])}`)
  })
}

async function main(): Promise<void> {
  const kills: Kill[] = []
  const seen = new Set<string>()
  const listing = await runCases(SCENES, 2, (scene) => scene.name, async (scene) => {
    await inFolder('copying', async (room) => {
      const trial = join(room, 'x')
      mkdirSync(trial)
      await scene.prepare(trial)
      const known: Known = { name: scene.name, before: outputs(trial, isSync(scene)), after: {} }
      const log = join(room, 'points.log')
      const said = await play(scene, trial, { SLUICE_FAILPOINT_LOG: log })
      if (said.code !== 0) throw new Error(`it ended with ${said.code}: ${said.stdout.slice(0, 300)} ${said.stderr.slice(0, 300)}`)
      known.after = outputs(trial, isSync(scene))
      for (const point of new Set(readFileSync(log, 'utf8').split('\n'))) {
        const own = /^[pc] (convert|origins|sync)\./.test(point)
        if (!own || seen.has(point)) continue
        seen.add(point)
        kills.push({ scene: known, point, how: 'self' })
        if (point.startsWith('c ')) kills.push({ scene: known, point, how: 'parent' })
      }
    })
  })
  const every = Number(process.env['SLUICE_SWEEP'] ?? 1)
  console.log(`  ${kills.length} kills in ${SCENES.length} scenes`)
  const result = await runInLanes(import.meta.url, kills.filter((_, at) => at % every === 0), 3, ({ scene, point, how }) => `${scene.name}: ${point} (${how})`)
  const source = fileURLToPath(new URL('../../src', import.meta.url))
  const named = new Set(
    readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .flatMap((name) => [...readFileSync(join(source, name), 'utf8').matchAll(NAME)].map((match) => baseName(match[1] ?? ''))),
  )
  const reached = [...seen].map((point) => baseName(point.slice(2)))
  for (const name of named) {
    if (name in UNDISTURBED || reached.some((point) => isPartOf(point, name))) continue
    result.failed++
    console.log(`  failed: ${name} was never reached`)
  }
  result.failed += listing.failed
  close('kill-copying', result, every === 1 ? 60 : 1, `${seen.size} failpoints, ${SCENES.length} scenes`)
}

if (IS_LANE) playAsLane(kill)
else await main()
