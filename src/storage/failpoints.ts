/**
 * Failpoints of a test process, from the environment. Without these variables nothing is installed.
 *
 *   SLUICE_FAILPOINT       name of the failpoint to die at          SLUICE_FAILPOINT_HIT  at which passing (default 1)
 *   SLUICE_FAILPOINT_KILL  self (default) | parent | group | stop   SLUICE_FAILPOINT_ONCE a file: only its creator dies
 *                          (stop: it goes on when it gets SIGCONT)
 *   SLUICE_FAILPOINT_LOG   a file that gets a line per name reached: `<p|c> <name>` for parent or child
 *   SLUICE_TAMPER          `<point>=drop` or `<point>=double`
 */
import { appendFileSync, closeSync, openSync } from 'node:fs'
import { setFailpointHandler } from '../core/failpoint.ts'
import type { Tampering } from '../core/failpoint.ts'

export function installFailpoints(who: 'parent' | 'child'): void {
  const { SLUICE_FAILPOINT: target, SLUICE_FAILPOINT_LOG: log, SLUICE_TAMPER: tamper } = process.env
  if (target === undefined && log === undefined && tamper === undefined) return
  const [tamperPoint, how] = (tamper ?? '=').split('=')
  let left = Number(process.env['SLUICE_FAILPOINT_HIT'] ?? 1)
  const seen = new Set<string>()
  setFailpointHandler({
    crash(point) {
      if (log !== undefined && !seen.has(point)) {
        seen.add(point)
        appendFileSync(log, `${who === 'parent' ? 'p' : 'c'} ${point}\n`)
      }
      if (point === target && --left === 0 && first()) {
        if (process.env['SLUICE_FAILPOINT_KILL'] === 'stop') process.kill(process.pid, 'SIGSTOP')
        else die(who)
      }
    },
    tamper: (point): Tampering | null => (point === tamperPoint && (how === 'drop' || how === 'double') ? how : null),
  })
}

/** True for one process only when a marker file is named: a retry must get past the point. */
function first(): boolean {
  const once = process.env['SLUICE_FAILPOINT_ONCE']
  if (once === undefined) return true
  try {
    closeSync(openSync(once, 'wx'))
    return true
  } catch {
    return false
  }
}

function die(who: 'parent' | 'child'): never {
  const how = process.env['SLUICE_FAILPOINT_KILL'] ?? 'self'
  if (how === 'group') process.kill(0, 'SIGKILL')
  if (how === 'parent' && who === 'child') process.kill(process.ppid, 'SIGKILL')
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way; nothing may happen until it arrives.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
}
