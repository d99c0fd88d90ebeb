/** Numbering what discovery found. The rules stand at `Ledger.offer`. */
import type { Pin } from '../core/arrival.ts'
import { SluiceError } from '../core/errors.ts'
import { YOUNG_MS } from '../core/ledger.ts'
import type { Offer, Offering, Sighting } from '../core/ledger.ts'
import { MAX_SEQ } from '../core/place.ts'
import type { SqliteRow } from '../sql/sqlite.ts'
import { nextNo, number, runNo, tableNo } from './books.ts'
import type { Books } from './books.ts'
import { datesOf, lackingOf } from './partly.ts'

const LATEST = `SELECT p.no, p.seq, p.young, a.state, a.stamp, a.size, a.sha256, a.reload, a.covered, b.run_no
  FROM paths p JOIN arrivals a ON a.table_no = p.table_no AND a.seq = p.seq LEFT JOIN batches b ON b.no = a.batch_no
  WHERE p.table_no = ? AND p.path = ?`

export function offer(books: Books, run: string, table: string, sightings: readonly Sighting[], { reload, known = 0 }: Offering): Offer[] {
  return books.db.transaction('ledger.offer', () => new Numbering(books, run, table, reload).take(sightings, known))
}

/** Paths that one statement asks for: bounds the text that it is given. */
const ASKED = 20_000
/**
 * Of a list of paths and stamps (an object, path → stamp) those that are committed, and nothing happened since; a stamp that
 * was taken too early proves nothing. CROSS: the list leads, whatever the planner thinks of it.
 */
const UNCHANGED = `json_each(?1) AS j CROSS JOIN paths AS p ON p.table_no = ?2 AND p.path = j.key
  CROSS JOIN arrivals AS a ON a.table_no = p.table_no AND a.seq = p.seq AND a.state = 'COMPLETED'
  WHERE a.stamp = j.value AND a.stamp <> '' AND p.young = 0`

function* lists(pins: readonly Pin[]): Generator<string> {
  for (let at = 0; at < pins.length; at += ASKED) yield JSON.stringify(Object.fromEntries(pins.slice(at, at + ASKED).map(({ uri, stamp }) => [uri, stamp])))
}

/** One transaction's worth of offers. */
class Numbering {
  private readonly books: Books
  private readonly table: bigint
  private readonly run: bigint
  private readonly reload: boolean
  private readonly now: number
  /** Contents of which not all is in that the run asks for. */
  private readonly lacking: ReadonlyMap<string, number>
  private seq: number
  private path: bigint

  constructor(books: Books, run: string, table: string, reload: boolean) {
    this.books = books
    this.table = tableNo(books, table)
    this.run = runNo(books, run)
    this.reload = reload
    this.now = books.clock.now()
    this.lacking = lackingOf(books, this.table, datesOf(books, this.run))
    this.seq = Number(books.db.get('SELECT last_seq FROM tables WHERE no = ?', [this.table])?.['last_seq'])
    this.path = nextNo(books, 'paths')
  }

  take(sightings: readonly Sighting[], known: number): Offer[] {
    if (known > 0) this.books.db.change('UPDATE runs SET known = known + ? WHERE no = ?', [known, this.run])
    const offers = sightings.map((sighting): Offer => {
      const latest = this.books.db.get(LATEST, [this.table, sighting.pin.uri])
      const answer = latest === undefined ? this.first(sighting) : this.again(sighting, latest)
      this.books.db.change('INSERT OR IGNORE INTO offers (run_no, seq) VALUES (?, ?)', [this.run, answer.seq])
      return answer
    })
    this.books.db.change('UPDATE tables SET last_seq = ? WHERE no = ?', [this.seq, this.table])
    return offers
  }

  private first(sighting: Sighting): Offer {
    const path = this.path++
    const seq = this.number(sighting.pin, path, false)
    this.books.db.change('INSERT INTO paths (no, table_no, path, seq, young) VALUES (?, ?, ?, ?, ?)', [
      path, this.table, sighting.pin.uri, seq, this.isYoung(sighting),
    ])
    return { pin: sighting.pin, state: 'queued', seq }
  }

  private again(sighting: Sighting, latest: SqliteRow): Offer {
    const { pin, sha256 } = sighting
    const seq = number(latest, 'seq')
    const unchanged = latest['stamp'] === pin.stamp && pin.stamp !== ''
    switch (String(latest['state'])) {
      case 'COMPLETED': {
        const same = sha256 === undefined ? unchanged : sha256 === latest['sha256']
        if (this.reload || !same) return this.next(sighting, latest, false)
        if (!unchanged || latest['young'] === 1n) this.repin(sighting, latest)
        // The next claim makes it PENDING again.
        return { pin, state: this.lacking.has(String(latest['sha256'])) ? 'queued' : 'known', seq }
      }
      case 'IN_PROGRESS': {
        const reloading = latest['reload'] === 1n
        if (this.reload ? !reloading : !unchanged) return this.next(sighting, latest, true)
        return { pin, state: latest['run_no'] === this.run ? 'queued' : 'elsewhere', seq }
      }
      default:
        if (latest['covered'] !== null) return this.goOn(sighting, latest, sha256 === undefined ? unchanged : sha256 === latest['sha256'])
        // PENDING or FAILED: never committed, so it keeps its number, whatever it holds now.
        this.repin(sighting, latest)
        if (this.reload) this.books.db.change('UPDATE arrivals SET reload = 1 WHERE table_no = ? AND seq = ?', [this.table, seq])
        if (latest['state'] === 'FAILED') this.retry(seq)
        return { pin, state: 'queued', seq }
    }
  }

  /** Some of its dates are in, so its number belongs to the bytes of before, whatever stands in its way now. */
  private goOn(sighting: Sighting, latest: SqliteRow, same: boolean): Offer {
    const seq = number(latest, 'seq')
    const lacking = this.lacking.has(String(latest['sha256']))
    if (same && !this.reload) {
      this.repin(sighting, latest)
      this.books.db.change('UPDATE arrivals SET via = NULL WHERE table_no = ? AND seq = ?', [this.table, seq])
    }
    const state = same && !this.reload && lacking ? 'PENDING' : 'COMPLETED'
    this.books.db.change('UPDATE arrivals SET state = ?, fault = NULL, batch_no = NULL, ended_at = NULL WHERE table_no = ? AND seq = ?', [state, this.table, seq])
    return !same || this.reload ? this.next(sighting, latest, false) : { pin: sighting.pin, state: lacking ? 'queued' : 'known', seq }
  }

  /** A failed arrival gets one more turn. A run in which it failed does not claim it again. */
  private retry(seq: number): void {
    this.books.db.change("UPDATE arrivals SET state = 'PENDING', fault = NULL, batch_no = NULL, ended_at = NULL WHERE table_no = ? AND seq = ?", [this.table, seq])
  }

  /** A new arrival at a path that has one. `replaced`: what the former one holds is being committed right now. */
  private next(sighting: Sighting, latest: SqliteRow, replaced: boolean): Offer {
    const path = BigInt(String(latest['no']))
    const seq = this.number(sighting.pin, path, replaced, number(latest, 'seq'))
    this.books.db.change('UPDATE paths SET seq = ?, young = ? WHERE no = ?', [seq, this.isYoung(sighting), path])
    // A run counts paths: the former arrival is not its concern any more.
    this.books.db.change('DELETE FROM offers WHERE run_no = ? AND seq = ?', [this.run, number(latest, 'seq')])
    return { pin: sighting.pin, state: 'queued', seq }
  }

  private number(pin: Pin, path: bigint, replaced: boolean, former: number | null = null): number {
    if (this.seq >= MAX_SEQ) throw new SluiceError('INTERNAL', `The table has no numbers left after ${MAX_SEQ} arrivals.`)
    const seq = ++this.seq
    this.books.db.change(
      "INSERT INTO arrivals (table_no, seq, path_no, state, reload, replaced, former, size, stamp, modified, offered_at) VALUES (?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?)",
      [this.table, seq, path, this.reload, replaced, former, pin.size, pin.stamp, pin.modified, this.now],
    )
    return seq
  }

  /** Deaths tell of the bytes that were there: they do not pass to others. */
  private repin(sighting: Sighting, latest: SqliteRow): void {
    const { pin } = sighting
    const seq = number(latest, 'seq')
    this.books.db.change('UPDATE arrivals SET deaths = CASE WHEN stamp = ?2 THEN deaths END, size = ?1, stamp = ?2, modified = ?3 WHERE table_no = ?4 AND seq = ?5', [pin.size, pin.stamp, pin.modified, this.table, seq])
    // Without a hash a second look at an unchanged pin proves nothing: once young, it stays so until it is hashed.
    const young = this.isYoung(sighting) || (latest['young'] === 1n && latest['stamp'] === pin.stamp && sighting.sha256 === undefined)
    this.books.db.change('UPDATE paths SET young = ? WHERE no = ?', [young, BigInt(String(latest['no']))])
  }

  /** From two seconds before the look until now: a later change might leave this very stamp. */
  private isYoung(sighting: Sighting): boolean {
    const looked = sighting.lookedAt ?? this.now
    return sighting.pin.modified >= looked - YOUNG_MS && sighting.pin.modified <= this.now + YOUNG_MS
  }
}

export function recognise(books: Books, table: string, sightings: readonly Sighting[]): Map<string, string> {
  const no = tableNo(books, table)
  const held = new Map<string, string>()
  for (const list of lists(sightings.filter(({ sha256 }) => sha256 === undefined).map(({ pin }) => pin))) {
    for (const [path, sha256] of books.db.arrays(`SELECT j.key, a.sha256 FROM ${UNCHANGED}`, [list, no])) held.set(String(path), String(sha256))
  }
  // Hashed, because the stamp alone could not tell.
  for (const { pin, sha256 } of sightings) {
    if (sha256 === undefined) continue
    const latest = books.db.get(LATEST, [no, pin.uri])
    if (latest?.['state'] === 'COMPLETED' && latest['sha256'] === sha256) held.set(pin.uri, sha256)
  }
  return held
}
