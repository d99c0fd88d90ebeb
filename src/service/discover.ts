/** From what a source lists to what a run has to read. */
import { hashPinned } from '../connectors/files/source.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Ledger, Sighting } from '../core/ledger.ts'
import type { Discovery } from '../core/source.ts'

/**
 * Offers everything to the ledger. A file whose time stamp was too young to tell a later change is hashed here, so that
 * an untouched folder is known at the next look without being read by a worker.
 */
export async function offerAll(ledger: Ledger, run: string, table: string, discovery: Discovery, options: { reload: boolean; lookedAt: number; on: (event: LoadEvent) => void }): Promise<void> {
  const young = options.reload ? new Set<string>() : await ledger.young(table, discovery.pins)
  const sightings: Sighting[] = []
  for (const pin of discovery.pins) {
    const sha256 = young.has(pin.uri) ? await hashPinned(pin) : null
    sightings.push({ pin, lookedAt: options.lookedAt, ...(sha256 === null ? {} : { sha256 }) })
  }
  const offers = await ledger.offer(run, table, sightings, { reload: options.reload })
  const toRead = offers.filter((offer) => offer.state !== 'known')
  options.on({
    kind: 'discovered',
    files: toRead.length,
    bytes: toRead.reduce((sum, offer) => sum + offer.pin.size, 0),
    known: offers.length - toRead.length,
    ignored: discovery.ignored,
  })
}
