/**
 * Runs the tests: every `*.test.ts` in src/ and test/ (proofs have a command of their own), and `*.live.ts` where the
 * variable that names its server is set. Arguments: parts of paths; without any, all.
 * The last line is `N passed, N failed`. One of them is the canary: a secret that every command of every test is given must
 * be in nothing that was written (test/canary.ts), and enough must have been looked at.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtForTests } from './bundle.ts'

const root = join(import.meta.dirname, '..')
const wanted = process.argv.slice(2)

function chosen(path: string): boolean {
  return wanted.length === 0 || wanted.some((part) => path.includes(part))
}

const tests = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
  .filter((path) => !path.startsWith('test/proof') && chosen(path))
  .toSorted()

// What takes longest of its kind runs in `.ci/run` and in the proof `whole` only.
if (process.env['SLUICE_TEST_WHOLE'] !== undefined) tests.push(...globSync(['src/**/*.whole.ts', 'test/**/*.whole.ts'], { cwd: root }).filter(chosen).toSorted())

// A live test says in its text which variable names its server: process.env['SLUICE_TEST_…_URL'].
for (const path of globSync(['src/**/*.live.ts', 'test/**/*.live.ts'], { cwd: root }).toSorted()) {
  const variable = /SLUICE_TEST_[A-Z0-9_]+_URL/.exec(readFileSync(join(root, path), 'utf8'))?.[0]
  if (variable === undefined) throw new Error(`${path} does not name the variable of its server`)
  if (!chosen(path)) continue
  if (process.env[variable] !== undefined) tests.push(path)
  else process.stderr.write(`not run: ${path} (${variable} is not set)\n`)
}

if (tests.length === 0) {
  process.stderr.write('There is no test to run.\n')
  process.stdout.write('0 passed, 1 failed\n')
  process.exit(1)
}

/** Names of folders in memory, by the process that made them. */
const SCRATCH = /^sluice-tests-(\d+)$/
const MEMORY = '/dev/shm'
/** More than ten times what a run has at once; bytes. */
const ROOM = 4e9

/**
 * Where the tests write: in memory, where there is much of it, for they wait for the disk a third of their time and prove nothing
 * about it. With everything (`.ci/run`), or where TMPDIR says so, it is the disk. @returns null: there
 */
function scratchInMemory(): string | null {
  if (process.env['SLUICE_TEST_WHOLE'] !== undefined || process.env['TMPDIR'] !== undefined) return null
  try {
    // Runs that were killed leave theirs.
    for (const name of readdirSync(MEMORY)) {
      const pid = SCRATCH.exec(name)?.[1]
      if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(MEMORY, name), { recursive: true, force: true })
    }
    const { bavail, bsize } = statfsSync(MEMORY)
    if (bavail * bsize < ROOM) return null
    const folder = join(MEMORY, `sluice-tests-${process.pid}`)
    mkdirSync(folder)
    // As the folder for all that it stands for: some tests are nobody.
    chmodSync(folder, 0o1777)
    return folder
  } catch {
    // No such place here.
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const scratch = scratchInMemory()
process.on('exit', () => {
  try {
    if (scratch !== null) rmSync(scratch, { recursive: true, force: true })
  } catch {
    // Somebody still writes there: the next run removes it.
  }
})
const canary = { secret: `canary${randomBytes(8).toString('hex')}`, folder: mkdtempSync(join(tmpdir(), 'sluice-canary-')) }

// Many tests start worker processes of their own: as many at once as there are cores, and not more than four.
const concurrency = Math.min(4, availableParallelism())
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`, '--test-timeout=600000', ...tests], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
  // The tests see no settings of the person who runs them.
  env: {
    // Every file is a process, and starts others: compiling the same sources is a sixth of the work without it.
    NODE_COMPILE_CACHE: join(tmpdir(), 'sluice-compiled'),
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SLUICE_(?!TEST_)|FORCE_COLOR$|NO_COLOR$|NODE_TEST_CONTEXT$)/.test(name))),
    ...(scratch === null ? {} : { TMPDIR: scratch }),
    SLUICE_TEST_BUILT: builtForTests(),
    SLUICE_TEST_CANARY: canary.secret,
    SLUICE_TEST_CANARY_FOLDER: canary.folder,
  },
})
let tail = ''
let printed = false
child.stdout.setEncoding('utf8')
child.stdout.on('data', (text: string) => {
  process.stdout.write(text)
  printed ||= (tail.slice(-100) + text).includes(canary.secret)
  tail = (tail + text).slice(-200_000)
})
child.on('close', (code) => {
  const count = (name: string): number => Number([...tail.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? Number.NaN)
  const passed = count('pass')
  const failed = count('fail') + count('cancelled')
  const ran = Number.isInteger(passed) && Number.isInteger(failed) && passed + failed > 0
  const safe = canaryIsSafe()
  process.stdout.write(`${tests.length} files\n${(ran ? passed : 0) + Number(safe)} passed, ${(ran ? failed : 1) + Number(!safe)} failed\n`)
  process.exit(ran && failed === 0 && code === 0 && safe ? 0 : 1)
})

/** Sums up what the tests looked at. A look at nothing finds nothing: the whole suite must have shown enough. */
function canaryIsSafe(): boolean {
  const sum = { outputs: 0, files: 0, bytes: 0, hits: Number(printed) }
  for (const name of readdirSync(canary.folder)) {
    for (const line of readFileSync(join(canary.folder, name), 'utf8').trim().split('\n')) {
      const look = JSON.parse(line) as typeof sum
      for (const key of ['outputs', 'files', 'bytes', 'hits'] as const) sum[key] += look[key]
    }
  }
  rmSync(canary.folder, { recursive: true, force: true })
  const enough = wanted.length > 0 || (sum.outputs >= 200 && sum.files >= 1000)
  process.stdout.write(`canary: looked at ${sum.outputs} outputs and ${sum.files} files, ${(sum.bytes / 1e6).toFixed(1)} MB: ${sum.hits} hits${enough ? '' : ', which is too little to mean anything'}\n`)
  return sum.hits === 0 && enough
}
