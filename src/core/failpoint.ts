/**
 * Named failpoints: places where a test may kill the process, and places where a test may falsify rows.
 *
 * Every state-changing call goes through an interface of `effects.ts`, takes the name of its failpoint, and the
 * implementation calls `crash('<name>.before')` and `crash('<name>.after')` around it. So a call without a failpoint
 * does not compile. In production no handler is set and both functions cost one comparison.
 */
export interface FailpointHandler {
  /** Called at every failpoint that is reached; may end the process and never return. */
  crash(point: string): void
  /** What to do to the rows that pass `point`: lose one, double one, or nothing. */
  tamper(point: string): Tampering | null
}
export type Tampering = 'drop' | 'double'

/** What a test does to the process that reads a certain file; `at`: bytes read so far, or `after` all files were read. */
export type PoisonHandler = (path: string, at: number | 'after') => void

let poisoning: PoisonHandler | null = null
let handler: FailpointHandler | null = null

/** Installs the handler of a test process (`storage/failpoints.ts` reads it from the environment). */
export function setFailpointHandler(next: FailpointHandler | null): void {
  handler = next
}

/** A place where the process may be killed. */
export function crash(point: string): void {
  if (handler !== null) handler.crash(point)
}

/** A place where the rows may be falsified, to prove that the balance notices. */
export function tampering(point: string): Tampering | null {
  return handler === null ? null : handler.tamper(point)
}

/** Installs the handler of a test process (`storage/poison.ts` reads it from the environment). */
export function setPoisonHandler(next: PoisonHandler | null): void {
  poisoning = next
}

/** A place behind all limits where a test may make a file deadly to its process. */
export function poison(path: string, at: number | 'after'): void {
  if (poisoning !== null) poisoning(path, at)
}
