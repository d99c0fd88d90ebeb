/** What a process and its descendants hold, from /proc: memory as summed PSS, processor time, and open handles. Linux only. */
import { readFileSync, readdirSync } from 'node:fs'

/** A process and all below it. */
export function treeOf(root: number): number[] {
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
  const tree: number[] = []
  for (const queue = [root]; queue.length > 0; ) {
    const pid = queue.pop() as number
    tree.push(pid)
    queue.push(...(children.get(pid) ?? []))
  }
  return tree
}

/** Milliseconds of processor time that a process has used; one that is gone used none. */
export function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
    // Counted in hundredths of a second on every Linux.
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return 0
  }
}

/** Bytes of PSS of these processes; those that are gone hold nothing. */
export function memoryOf(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      // It ended.
    }
  }
  return sum * 1024
}

/** Most open handles of one of these processes. */
export function handlesOf(pids: readonly number[]): number {
  let most = 0
  for (const pid of pids) {
    try {
      most = Math.max(most, readdirSync(`/proc/${pid}/fd`).length)
    } catch {
      // It ended.
    }
  }
  return most
}

/** Samples a process tree every 50 ms until `stop` is called, which answers the peaks. */
export function watchTree(root: number): { stop(): { memory: number; handles: number } } {
  const peak = { memory: 0, handles: 0 }
  const look = (): void => {
    const tree = treeOf(root)
    peak.memory = Math.max(peak.memory, memoryOf(tree))
    peak.handles = Math.max(peak.handles, handlesOf(tree))
  }
  const timer = setInterval(look, 50)
  return {
    stop() {
      clearInterval(timer)
      return peak
    },
  }
}
