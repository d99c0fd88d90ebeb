/** From what a source lists to what a run has to read. */
import { hashPinned } from '../connectors/files/source.ts'
import type { LoadEvent } from '../core/events.ts'
import { SluiceError } from '../core/errors.ts'
import type { Interval } from '../core/interval.ts'
import type { Ledger, Sighting } from '../core/ledger.ts'
import type { Table } from '../core/target.ts'
import type { Discovery, Source } from '../core/source.ts'

export interface Offering {
  reload: boolean
  /** Wall time just before discovery looked. */
  lookedAt: number
  /** Order of numbers. */
  compare: Source['compare']
  /** What is asked for of each file; null: everything. */
  dates: Interval | null
  /** The table that the files are to replace; null: none. */
  replacing: Table | null
  on: (event: LoadEvent) => void
}

/**
 * Offers to the ledger what it does not know by its pin, in the order of numbers. A file whose time stamp was too young to
 * tell a later change is hashed here, so that an untouched folder is known at the next look without being read by a worker.
 * @returns how many arrivals are to be read
 */
export async function offerAll(ledger: Ledger, run: string, table: string, discovery: Discovery, options: Offering): Promise<number> {
  const { lookedAt, compare, replacing } = options
  const sifted = options.reload ? { known: 0, rest: discovery.pins, young: new Set<string>() } : await ledger.sift(table, discovery.pins, options.dates ?? undefined)
  let { known } = sifted
  let { reload } = options
  let sightings: Sighting[] = []
  for (const pin of sifted.rest.toSorted(compare)) {
    const sha256 = discovery.hashes?.get(pin.uri) ?? (sifted.young.has(pin.uri) ? await hashPinned(pin) : null)
    sightings.push({ pin, lookedAt, ...(sha256 === null ? {} : { sha256 }) })
  }
  if (replacing !== null && !reload) {
    const looked = new Map(sightings.map((sighting) => [sighting.pin.uri, sighting]))
    const all = discovery.pins.toSorted(compare).map((pin) => looked.get(pin.uri) ?? { pin, lookedAt })
    if (!(await isIn(ledger, table, replacing, all))) {
      // Other files than the table is made of: all of them are read, also those that are known.
      reload = true
      sightings = all
      known = 0
    }
  }
  const offers = await ledger.offer(run, table, sightings, { reload, known })
  if (replacing !== null && offers.some(({ state }) => state === 'elsewhere')) {
    throw new SluiceError('BUSY', 'Another process is at some of these files; a replace wants all of them in its one commit.')
  }
  const toRead = offers.filter((offer) => offer.state !== 'known')
  options.on({
    kind: 'discovered',
    files: toRead.length,
    bytes: toRead.reduce((sum, offer) => sum + offer.pin.size, 0),
    known: known + offers.length - toRead.length,
    ignored: discovery.ignored,
  })
  return toRead.length
}

/** The same set of contents as the table is made of: nothing would change. */
async function isIn(ledger: Ledger, key: string, table: Table, sightings: readonly Sighting[]): Promise<boolean> {
  const known = await ledger.recognise(key, sightings)
  const offered = new Set(known.values())
  const held = new Set((await table.latest()).map(({ sha256 }) => sha256))
  return known.size === sightings.length && offered.size === held.size && [...offered].every((sha256) => held.has(sha256))
}
