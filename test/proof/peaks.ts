/** A command and how much memory it took: the summed PSS of its processes and that of the parent alone, sampled from /proc. */
import { readFileSync, readdirSync } from 'node:fs'
import { start } from './harness.ts'
import type { Ended } from './harness.ts'

export interface Measured extends Ended {
  seconds: number
  /** Bytes. */
  whole: number
  parent: number
}

/** Bytes of PSS of a process; 0 when it is gone. */
function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** A process and its descendants. */
function familyOf(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) \S /s, '').split(' ')[0])
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    } catch {
      // It ended between the listing and the look.
    }
  }
  const family = [root]
  for (const pid of family) family.push(...(children.get(pid) ?? []))
  return family
}

export async function measure(args: readonly string[], env: NodeJS.ProcessEnv = {}, every = 100): Promise<Measured> {
  const began = performance.now()
  const { child, ended } = start(args, env)
  const root = child.pid ?? 0
  const peaks = { whole: 0, parent: 0 }
  let running = true
  const sampling = (async () => {
    while (running) {
      const sizes = familyOf(root).map(pssOf)
      peaks.parent = Math.max(peaks.parent, sizes[0] ?? 0)
      peaks.whole = Math.max(peaks.whole, sizes.reduce((sum, bytes) => sum + bytes, 0))
      await new Promise((resolve) => setTimeout(resolve, every))
    }
  })()
  const end = await ended
  running = false
  await sampling
  return { ...end, ...peaks, seconds: (performance.now() - began) / 1000 }
}
