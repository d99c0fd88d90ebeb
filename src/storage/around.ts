/** One change of a file with its failpoints on both sides, and what goes wrong said as an error of ours. */
import { crash } from '../core/failpoint.ts'
import { storageError } from './errors.ts'

/**
 * @param point failpoints `<point>.before` and `.after`
 * @param doing the verb of the message: Cannot `doing` `path`
 */
export function around<T>(point: string, doing: string, path: string, work: () => T): T {
  crash(`${point}.before`)
  try {
    const result = work()
    crash(`${point}.after`)
    return result
  } catch (thrown) {
    throw storageError(thrown, doing, path)
  }
}
