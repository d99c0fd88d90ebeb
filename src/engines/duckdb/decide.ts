/**
 * Which of the arrivals that were read count, once the table has said which contents it has.
 *
 * The same bytes are one arrival under any name: within a batch the lowest number stays. Rows of arrivals that do not
 * count lie in the parts and are left out by number.
 */
import type { Arrival, ArrivalOutcome } from '../../core/arrival.ts'
import type { Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { isCovered, joinCovered, sameCovered } from '../../core/interval.ts'
import type { ByDate, Covered } from '../../core/interval.ts'

/**
 * @param read outcomes after reading, in seq order; `loaded` means readable here
 * @param reloaded contents that this run reloaded itself
 * @param asked dates that are asked for, and what was taken to be in while the arrivals were read
 * @param rule append: a path that brought other bytes before is refused; revision: its bytes count again, also known ones
 */
export function decide(
  arrivals: readonly Arrival[],
  read: readonly ArrivalOutcome[],
  standing: ReadonlyMap<string, Standing>,
  reloaded: ReadonlySet<string>,
  rule: { append?: boolean; revision?: boolean },
  asked: { dates?: ByDate | undefined; covered?: ReadonlyMap<number, Covered> | undefined } = {},
): { outcomes: ArrivalOutcome[]; excluded: number[] } {
  const excluded: number[] = []
  const taken = new Map<string, Standing>()
  // What is in of it, once this batch is.
  const take = (sha256: string, { seq, generation, state, after, dates, covered, read }: ArrivalOutcome): void => {
    const then = state === 'known' ? covered : joinCovered(after, dates, read)
    taken.set(sha256, { seq, generation, ...(then === undefined ? {} : { covered: then }) })
  }
  const outcomes = read.map((outcome, at): ArrivalOutcome => {
    const arrival = arrivals[at]
    const { sha256, seq } = outcome
    if (outcome.state !== 'loaded' || sha256 === null || arrival === undefined) return outcome
    const stands = standing.get(sha256)
    if (arrival.content !== undefined && arrival.content.sha256 !== sha256) {
      excluded.push(seq)
      const path = arrival.pin.uri
      return { ...outcome, state: 'waiting', fault: { code: 'FILE_CHANGING', message: `${path} holds other bytes than those of which some dates are in.`, path } }
    }
    const after = asked.covered?.get(seq)
    if (after !== undefined) {
      const on = goOn(arrival, outcome, after, stands, asked.dates)
      if (on.state !== 'failed') take(sha256, on)
      if (on.state !== 'loaded') excluded.push(seq)
      return on
    }
    const again = arrival.reload || (rule.revision === true && arrival.replaced && arrival.former !== sha256)
    const first = taken.get(sha256) ?? (!again || reloaded.has(sha256) ? stands : undefined)
    if (first !== undefined) {
      excluded.push(seq)
      return { ...outcome, state: 'known', generation: first.generation, sameAs: first.seq, ...(first.covered === undefined ? {} : { covered: first.covered }) }
    }
    if (rule.append === true && arrival.replaced && !arrival.reload) {
      excluded.push(seq)
      const path = arrival.pin.uri
      const message = `${path} brought other content before, whose rows are in the table; its new content was left out. Deliver it under a new name.`
      return { ...outcome, state: 'failed', fault: { code: 'FILE_CHANGED', message, path } }
    }
    const loaded: ArrivalOutcome = { ...outcome, generation: again && stands !== undefined ? stands.generation + 1 : 0, ...(asked.dates === undefined ? {} : { dates: asked.dates }) }
    take(sha256, loaded)
    return loaded
  })
  return { outcomes, excluded }
}

/**
 * An arrival of which some dates are in: more of the same bytes, under the same number.
 * @throws SluiceError ARRIVAL_COMMITTED when more is in by now than was left out while it was read
 */
function goOn({ pin }: Arrival, outcome: ArrivalOutcome, after: Covered, stands: Standing | undefined, dates: ByDate | undefined): ArrivalOutcome {
  const { seq } = outcome
  if (stands?.seq !== seq || !sameCovered(stands.covered, after)) throw new SluiceError('ARRIVAL_COMMITTED', `More of arrival ${seq} was committed while it was read.`)
  const { generation } = stands
  if (isCovered(after.intervals, dates ?? null)) return { ...outcome, state: 'known', generation, sameAs: seq, covered: after }
  if (outcome.read !== after.read) {
    const message = `${pin.uri} was read as ${after.read} records when some of its dates were loaded, and as ${outcome.read} now; nothing of it was loaded.`
    return { ...outcome, generation, state: 'failed', fault: { code: 'READ_DIFFERS', message, path: pin.uri } }
  }
  return { ...outcome, generation, after, ...(dates === undefined ? {} : { dates }) }
}
