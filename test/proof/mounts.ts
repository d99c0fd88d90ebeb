/**
 * Small file systems of a proof: images on loop devices and tmpfs. Whatever way the proof ends, they are released, and
 * so are the process groups that work on them. Needs root.
 */
import { execFile, execFileSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const runFile = promisify(execFile)
/** One entry per mount: a path may be mounted over. */
const mounted: string[] = []
const groups = new Set<ChildProcess>()

/** Runs a command to its end. @throws with what it said on stderr */
export async function run(command: string, args: readonly string[]): Promise<void> {
  await runFile(command, args)
}

/** @param args of mount(8), without the path. Synchronous: no signal comes between mounting and remembering it. */
export function mount(args: readonly string[], path: string): void {
  execFileSync('mount', [...args, path], { stdio: ['ignore', 'ignore', 'pipe'] })
  mounted.push(path)
}

/** Waits for readers that are about to leave. A loop device goes with its mount. */
export async function unmount(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await run('umount', [path])
      mounted.splice(mounted.lastIndexOf(path), 1)
      return
    } catch (thrown) {
      if (attempt >= 50) throw thrown
      await sleep(100)
    }
  }
}

/** A child that leads its process group: killed when the proof ends before it. */
export function watchGroup(child: ChildProcess): void {
  groups.add(child)
  child.on('close', () => groups.delete(child))
}

/** Sends a signal to everything in the group of `child`; nothing when it is gone. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || !groups.has(child)) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The last of the group has just ended.
  }
}

process.on('exit', () => {
  for (const child of groups) signalGroup(child, 'SIGKILL')
  for (const path of mounted.toReversed()) {
    try {
      execFileSync('umount', ['-l', path], { stdio: 'ignore' })
    } catch {
      console.log(`  ${path} is still mounted`)
    }
  }
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
