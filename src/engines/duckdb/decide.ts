/**
 * Which of the arrivals that were read count, once the table has said which contents it has.
 *
 * The same bytes are one arrival under any name: within a batch the lowest number stays. Rows of arrivals that do not
 * count lie in the parts and are left out by number.
 */
import type { Arrival, ArrivalOutcome } from '../../core/arrival.ts'
import type { Standing } from '../../core/engine.ts'

/**
 * @param read outcomes after reading, in seq order; `loaded` means readable here
 * @param reloaded contents that this run reloaded itself
 * @param rule append: a path that brought other bytes before is refused; revision: its bytes count again, also known ones
 */
export function decide(
  arrivals: readonly Arrival[],
  read: readonly ArrivalOutcome[],
  standing: ReadonlyMap<string, Standing>,
  reloaded: ReadonlySet<string>,
  rule: { append?: boolean; revision?: boolean },
): { outcomes: ArrivalOutcome[]; excluded: number[] } {
  const excluded: number[] = []
  const taken = new Map<string, { seq: number; generation: number }>()
  const outcomes = read.map((outcome, at): ArrivalOutcome => {
    const arrival = arrivals[at]
    const { sha256, seq } = outcome
    if (outcome.state !== 'loaded' || sha256 === null || arrival === undefined) return outcome
    const stands = standing.get(sha256)
    const again = arrival.reload || (rule.revision === true && arrival.replaced && arrival.former !== sha256)
    const first = taken.get(sha256) ?? (!again || reloaded.has(sha256) ? stands : undefined)
    if (first !== undefined) {
      excluded.push(seq)
      return { ...outcome, state: 'known', generation: first.generation, sameAs: first.seq }
    }
    if (rule.append === true && arrival.replaced && !arrival.reload) {
      excluded.push(seq)
      const path = arrival.pin.uri
      const message = `${path} brought other content before, whose rows are in the table; its new content was left out. Deliver it under a new name.`
      return { ...outcome, state: 'failed', fault: { code: 'FILE_CHANGED', message, path } }
    }
    const generation = again && stands !== undefined ? stands.generation + 1 : 0
    taken.set(sha256, { seq, generation })
    return { ...outcome, generation }
  })
  return { outcomes, excluded }
}
