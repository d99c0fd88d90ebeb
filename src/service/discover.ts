/** From what a source lists to what a run has to read. */
import { hashPinned } from '../connectors/files/source.ts'
import type { LoadEvent } from '../core/events.ts'
import { SluiceError } from '../core/errors.ts'
import type { Ledger, Sighting } from '../core/ledger.ts'
import type { Table } from '../core/target.ts'
import type { Discovery } from '../core/source.ts'

/**
 * Offers everything to the ledger. A file whose time stamp was too young to tell a later change is hashed here, so that
 * an untouched folder is known at the next look without being read by a worker. `replacing`: the table that the files are
 * to replace.
 * @returns how many arrivals are to be read
 */
export async function offerAll(ledger: Ledger, run: string, table: string, discovery: Discovery, options: { reload: boolean; lookedAt: number; replacing: Table | null; on: (event: LoadEvent) => void }): Promise<number> {
  const young = options.reload ? new Set<string>() : await ledger.young(table, discovery.pins)
  const sightings: Sighting[] = []
  for (const pin of discovery.pins) {
    const sha256 = young.has(pin.uri) ? await hashPinned(pin) : null
    sightings.push({ pin, lookedAt: options.lookedAt, ...(sha256 === null ? {} : { sha256 }) })
  }
  // Other files than the table is made of: all of them are read, also those that are known.
  const reload = options.reload || (options.replacing !== null && !(await isIn(ledger, table, options.replacing, sightings)))
  const offers = await ledger.offer(run, table, sightings, { reload })
  if (options.replacing !== null && offers.some(({ state }) => state === 'elsewhere')) {
    throw new SluiceError('BUSY', 'Another process is at some of these files; a replace wants all of them in its one commit.')
  }
  const toRead = offers.filter((offer) => offer.state !== 'known')
  options.on({
    kind: 'discovered',
    files: toRead.length,
    bytes: toRead.reduce((sum, offer) => sum + offer.pin.size, 0),
    known: offers.length - toRead.length,
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
