/**
 * Runs the command as a user does and tells what it said: in a process of its own, or, where nothing depends on it and not
 * everything is played, in the one that runs the commands of this test file one after another (test/command-server.ts).
 */
import { fork, spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { canaryVariables, lookAtFiles, lookAtOutput } from './canary.ts'
import type { Answered, Asked } from './command-server.ts'
import { WHOLE } from './whole.ts'

/** The command: as a package has it where a run of the tests has built it, else the sources. */
export const BIN = join(process.env['SLUICE_TEST_BUILT'] ?? join(import.meta.dirname, '..'), 'bin/sluice.js')

export interface Said {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface How {
  node?: string
  cwd?: string
  env?: Record<string, string>
  bin?: string
  /** In a process of its own, whatever is played: what one command knows as a secret the next one would not show. */
  alone?: true
  /** In a process group of its own, which `process.kill(-pid)` reaches at once, as a terminal does. */
  group?: true
  /** Called with the running process. */
  onStart?: (child: ChildProcess) => void
}

/** The environment without anybody's settings of Sluice, of colours, of CI. */
export function plainEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(SLUICE_|FORCE_COLOR$|NO_COLOR$|CI$|NODE_|npm_)/.test(name))
  return { ...Object.fromEntries(kept), ...canaryVariables(), ...more }
}

export function sluice(args: readonly string[], how: How = {}): Promise<Said> {
  const { cwd = process.cwd(), env = {}, ...more } = how
  if (!WHOLE && !busy && SERVER !== null && Object.keys(env).length + Object.keys(more).length === 0) return served(SERVER, args, cwd)
  const child = spawn(how.node ?? process.execPath, ['--', how.bin ?? BIN, ...args], { cwd: how.cwd, env: plainEnv(how.env), stdio: ['ignore', 'pipe', 'pipe'], detached: how.group === true })
  const said = saidBy(child)
  how.onStart?.(child)
  return said
}

const SERVER = process.env['SLUICE_TEST_BUILT'] === undefined ? null : join(process.env['SLUICE_TEST_BUILT'], 'dist/command-server.js')
let server: ChildProcess | null = null
/** A command runs: one that is to run beside it gets a process of its own. */
let busy = false

async function served(path: string, args: readonly string[], cwd: string): Promise<Said> {
  busy = true
  server ??= started(path)
  const child = server
  const { promise, resolve, reject } = Promise.withResolvers<Answered>()
  const died = (code: number | null): void => reject(new Error(`the process of the commands ended with ${code} during ${args.join(' ')}`))
  child.once('message', (answer) => resolve(answer as Answered)).once('exit', died)
  hold(child, true)
  child.send({ args, cwd } satisfies Asked)
  try {
    const { code, stdout, stderr } = await promise
    const leak = lookAtOutput(`${stdout}\n${stderr}`)
    if (leak !== null) throw new Error(`a secret was printed by ${args.join(' ')}: ${leak}`)
    return { code, signal: null, stdout, stderr }
  } finally {
    child.off('exit', died)
    hold(child, false)
    busy = false
  }
}

function started(path: string): ChildProcess {
  const child = fork(path, [], { cwd: tmpdir(), env: plainEnv(), execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  // What goes past the streams of Node: a crash.
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => process.stderr.write(text))
  return child.on('exit', () => (server = null))
}

/** Whether this process waits for it. */
function hold(child: ChildProcess, held: boolean): void {
  for (const handle of [child, child.channel, child.stdout as Socket | null, child.stderr as Socket | null]) {
    if (held) handle?.ref()
    else handle?.unref()
  }
}

/** What a process said until it ended. */
export function saidBy(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>()
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.on('error', reject)
  child.on('close', (code, signal) => {
    const leak = lookAtOutput(`${stdout}\n${stderr}`)
    if (leak === null) resolve({ code, signal, stdout, stderr })
    else reject(new Error(`a secret was printed by ${child.spawnargs.slice(1).join(' ')}: ${leak}`))
  })
  return promise
}

/** The one document of --json. Throws when stdout is anything but one line of JSON. */
export function documentOf(said: Said): Record<string, unknown> {
  const lines = said.stdout.split('\n')
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`stdout is not one line: ${JSON.stringify(said)}`)
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>
}

/** A folder that goes when the test ends. */
export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.after(() => {
    const leaks = lookAtFiles(folder)
    rmSync(folder, { recursive: true, force: true })
    if (leaks.length > 0) throw new Error(`a secret was written: ${leaks.join('; ')}`)
  })
  return folder
}
