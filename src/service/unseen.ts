/** Looking at many things of which some may not be to be had: a server that is down takes only its own out of a list. */
import type { Code } from '../core/codes.ts'
import { asSluiceError } from '../core/errors.ts'
import type { Place } from './places.ts'
import { describePlace } from './targets.ts'

/** Why something could not be looked at, while others were. `exit`: what a command ends with that was to look at all. */
export interface Unseen {
  code: Code
  message: string
  hint: string
  exit: number
}

/** Something to look at that may not be to be had. */
export interface Viewed<T> {
  uri: string
  /** Opens it, looks and closes it. What the look throws comes back as a reason; a server that was not reached is asked once. */
  look<R>(work: (it: T) => Promise<R>): Promise<{ seen: R } | { unseen: Unseen }>
}

/** Of these nothing else of the same place can be had either, and waiting for it once is enough. */
const OF_THE_PLACE = new Set<Code>(['UNREACHABLE', 'LOGIN_REFUSED', 'DATABASE_MISSING'])

/** Does it lie elsewhere, or with somebody else, for now? Anything else that keeps from looking is a fault of the thing itself. */
export function isAway({ code, exit }: Unseen): boolean {
  return exit === 5 || exit === 7 || OF_THE_PLACE.has(code)
}

/** @returns looks at something of a place; what is thrown comes back as a reason. It remembers which places did not answer */
export function glances(): <R>(place: Place, work: () => Promise<R>) => Promise<{ seen: R } | { unseen: Unseen }> {
  const closed = new Map<string, Unseen>()
  return async (place, work) => {
    // Tables of one server may tell in different ways where its password is.
    const name = `${describePlace(place)} ${place.options ?? ''}`
    const before = closed.get(name)
    if (before !== undefined) return { unseen: before }
    try {
      return { seen: await work() }
    } catch (thrown) {
      const { code, message, hint, exit } = asSluiceError(thrown)
      const unseen = { code, message, hint, exit }
      if (OF_THE_PLACE.has(code)) closed.set(name, unseen)
      return { unseen }
    }
  }
}
