/**
 * The ledger in memory, written apart from the SQLite one: plain maps and loops. Several ledgers may share one state, as
 * processes share a folder; `declareDead` makes one of them look dead to the others.
 */
import type { Arrival, ArrivalOutcome, Pin } from '../../src/core/arrival.ts'
import { addBalance, noBalance } from '../../src/core/balance.ts'
import type { Balance } from '../../src/core/balance.ts'
import type { Clock, Random } from '../../src/core/effects.ts'
import { KEPT_DEATHS } from '../../src/core/death.ts'
import type { Mourned } from '../../src/core/death.ts'
import type { Batch } from '../../src/core/engine.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { Fault } from '../../src/core/errors.ts'
import { union } from '../../src/core/interval.ts'
import type { ByDate, Covered, Interval } from '../../src/core/interval.ts'
import { YOUNG_MS, addReasons, overtaken, readCursor } from '../../src/core/ledger.ts'
import type { Claim, FileCounts, FilesQuery, Ledger, Offer, Offering, Phases, RunRow, RunState, Sifted, Sighting, TableRow } from '../../src/core/ledger.ts'
import type { CommittedArrival, Receipt } from '../../src/core/target.ts'
import { checkState, countsOf, inOrder, rowOf } from './ledger-check.ts'
import { arrivalOf, holderOf, lacking, reopen } from './ledger-partly.ts'
import type { Entry, MemoryState, OpenClaim, RunEntry, TableState } from './ledger-state.ts'

export class MemoryLedger implements Ledger {
  readonly worker: string
  private readonly state: MemoryState
  private readonly clock: Clock
  private readonly random: Random

  constructor(state: MemoryState, deps: { clock: Clock; random: Random }) {
    this.state = state
    this.clock = deps.clock
    this.random = deps.random
    this.worker = `w_${++state.workers}`
  }

  get id(): string {
    return this.state.id
  }
  async adopt(id: string) {
    if (this.state.tables.size > 0) return this.state.id === id
    this.state.id = id
    return true
  }
  async tables() {
    return [...this.state.tables.values()].map((table) => ({ ...table.row }))
  }
  async isEmpty() { return this.state.tables.size === 0 }
  async putTable(row: TableRow) {
    const table = this.state.tables.get(row.uri)
    if (table !== undefined) table.row.definition = row.definition
    else this.state.tables.set(row.uri, { row: { ...row }, last: 0, lost: 0, paths: new Map(), arrivals: new Map(), claims: [], lanes: new Map() })
  }

  async restore(row: TableRow, arrivals: AsyncIterable<CommittedArrival>, lanes: ReadonlyMap<number, number>) {
    await this.putTable(row)
    const table = this.table(row.uri)
    let written = 0
    const told = new Map<number, Interval[] | null>()
    const own = new Set<number>()
    for await (const arrival of arrivals) {
      const { seq, dates } = arrival
      told.set(seq, dates === undefined ? null : union([...(told.get(seq) ?? []), dates]))
      const there = table.arrivals.get(seq)
      if (there?.state === 'IN_PROGRESS') continue
      if (there?.state === 'COMPLETED' || (there !== undefined && there.covered !== null)) {
        if (there.state !== 'COMPLETED') Object.assign(there, { state: 'COMPLETED', claim: null, fault: null })
        there.covered = told.get(seq) ?? null
        if (own.has(seq)) there.counts = arrival.counts
        continue
      }
      own.add(seq)
      for (const [path, { seq }] of table.paths) if (seq === arrival.seq) table.paths.delete(path)
      for (const run of this.state.runs.values()) if (run.row.table === row.uri) run.offers.delete(arrival.seq)
      const pin = { uri: arrival.path, size: arrival.size, stamp: '', modified: 0 }
      const entry = this.enter(table, arrival.seq, pin, false)
      Object.assign(entry, { state: 'COMPLETED', sha256: arrival.sha256, generation: arrival.generation, counts: arrival.counts, covered: told.get(seq) ?? null, endedAt: this.clock.now() })
      const path = table.paths.get(arrival.path)
      const brought = arrival.counts.read > 0 || path?.brought === true
      table.paths.set(arrival.path, { seq: Math.max(path?.seq ?? 0, arrival.seq), young: false, brought })
      table.last = Math.max(table.last, arrival.seq)
      written++
    }
    for (const [lane, fence] of lanes) {
      const own = table.lanes.get(lane) ?? { fence: 0, claim: null }
      if (own.claim === null) table.lanes.set(lane, { fence: Math.max(own.fence, fence), claim: null })
    }
    table.lost = table.last - table.arrivals.size
    return written
  }

  async lanes(uri: string) {
    return new Map([...(this.state.tables.get(uri)?.lanes ?? [])].map(([lane, { fence }]) => [lane, fence]))
  }
  async forget(uri: string) {
    const table = this.state.tables.get(uri)
    const brought = [...(table?.arrivals.values() ?? [])].some((arrival) => arrival.state === 'COMPLETED' && ((arrival.counts?.read ?? 0) > 0 || arrival.covered !== null))
    if (table === undefined || table.claims.some((claim) => claim.open) || !brought) return 0
    const forgotten = table.arrivals.size
    table.arrivals.clear()
    table.paths.clear()
    table.lost = table.last
    table.row.definition = null
    for (const run of this.state.runs.values()) if (run.row.table === uri) run.offers.clear()
    return forgotten
  }

  async begin({ dates, ...run }: { id: string; table: string; command: string; dates?: Interval }) {
    const files = { total: 0, loaded: 0, known: 0, waiting: 0, failed: 0, ignored: 0 }
    const row: RunRow = {
      ...run, state: 'RUNNING', balance: noBalance(), evicted: 0, files, reasons: {}, fault: null, exit: null, startedAt: this.clock.now(), endedAt: null, phases: null,
    }
    this.state.runs.set(run.id, { row, worker: this.worker, dates: dates ?? null, offers: new Map(), known: 0 })
  }

  async offer(runId: string, uri: string, sightings: readonly Sighting[], { reload, known = 0 }: Offering): Promise<Offer[]> {
    const table = this.table(uri)
    const run = this.runOf(runId)
    run.known += known
    return sightings.map((sighting) => {
      const { pin, sha256 } = sighting
      const path = table.paths.get(pin.uri)
      const latest = path === undefined ? undefined : table.arrivals.get(path.seq)
      const isYoung = this.isYoung(sighting)
      const answer = (state: Offer['state'], seq: number): Offer => {
        if (!run.offers.has(seq)) run.offers.set(seq, false)
        return { pin, state, seq }
      }
      const add = (): Offer => {
        const entry = this.enter(table, ++table.last, pin, reload)
        entry.replaced = latest?.state === 'IN_PROGRESS'
        entry.former = latest?.seq ?? null
        if (path !== undefined) run.offers.delete(path.seq)
        table.paths.set(pin.uri, { seq: entry.seq, young: isYoung, brought: path?.brought ?? false })
        return answer('queued', entry.seq)
      }
      if (path === undefined || latest === undefined) return add()
      const unchanged = latest.pin.stamp === pin.stamp && pin.stamp !== ''
      if (latest.state === 'COMPLETED') {
        if (reload || !(sha256 === undefined ? unchanged : sha256 === latest.sha256)) return add()
        if (!unchanged) latest.deaths = []
        path.young = isYoung || (path.young && unchanged && sha256 === undefined)
        latest.pin = pin
        return answer(holderOf(table, run.dates, latest) === null ? 'known' : 'queued', latest.seq)
      }
      if (latest.state === 'IN_PROGRESS') {
        if (reload ? !latest.reload : !unchanged) return add()
        return answer(latest.claim?.run === runId ? 'queued' : 'elsewhere', latest.seq)
      }
      if (latest.covered !== null) {
        // Its number belongs to the bytes of before.
        Object.assign(latest, { state: 'COMPLETED', claim: null, fault: null, endedAt: null })
        if (reload || !(sha256 === undefined ? unchanged : sha256 === latest.sha256)) return add()
        latest.pin = pin
        path.young = isYoung || (path.young && unchanged && sha256 === undefined)
        if (holderOf(table, run.dates, latest) === null) return answer('known', latest.seq)
        Object.assign(latest, { state: 'PENDING', via: null })
        return answer('queued', latest.seq)
      }
      if (!unchanged) latest.deaths = []
      path.young = isYoung || (path.young && unchanged && sha256 === undefined)
      latest.pin = pin
      latest.reload ||= reload
      if (latest.state === 'FAILED') Object.assign(latest, { state: 'PENDING', fault: null, claim: null, endedAt: null })
      return answer('queued', latest.seq)
    })
  }

  async sift(uri: string, pins: readonly Pin[], dates?: Interval): Promise<Sifted> {
    const table = this.table(uri)
    const young = new Set<string>()
    const rest = pins.filter((pin) => {
      const path = table.paths.get(pin.uri)
      const latest = path === undefined ? undefined : table.arrivals.get(path.seq)
      if (latest?.state !== 'COMPLETED') return true
      const unchanged = latest.pin.stamp === pin.stamp && pin.stamp !== ''
      if (unchanged && path?.young === false) return holderOf(table, dates ?? null, latest) !== null
      if (unchanged || (latest.pin.stamp === '' && latest.pin.size === pin.size)) young.add(pin.uri)
      return true
    })
    return { known: pins.length - rest.length, rest, young }
  }

  async recognise(uri: string, sightings: readonly Sighting[]): Promise<Map<string, string>> {
    const { paths, arrivals } = this.table(uri)
    return new Map(sightings.flatMap(({ pin, sha256 }) => {
      const path = paths.get(pin.uri)
      const latest = path === undefined ? undefined : arrivals.get(path.seq)
      if (path === undefined || latest?.state !== 'COMPLETED' || latest.sha256 === null) return []
      const same = sha256 === undefined ? latest.pin.stamp === pin.stamp && pin.stamp !== '' && !path.young : sha256 === latest.sha256
      return same ? [[pin.uri, latest.sha256] as const] : []
    }))
  }

  async claim(runId: string, uri: string, limit: { bytes: number; files: number; whole?: boolean }): Promise<Batch | null> {
    const table = this.table(uri)
    const run = this.runOf(runId)
    reopen(table, run)
    const arrivals: Arrival[] = []
    let bytes = 0
    for (const entry of inOrder(table)) {
      if (entry.state !== 'PENDING' || run.offers.get(entry.seq) !== false) continue
      bytes += (entry.via ?? entry.pin).size
      if (limit.whole !== true && arrivals.length > 0 && (bytes > limit.bytes || arrivals.length >= limit.files || entry.deaths.length > 0)) break
      const brought = table.paths.get(entry.pin.uri)?.brought === true
      arrivals.push(arrivalOf(table, entry, (entry.replaced || brought) && entry.covered === null))
      if (limit.whole !== true && entry.deaths.length > 0) break
    }
    return arrivals.length === 0 ? null : this.pin(table, runId, arrivals)
  }

  private pin(table: TableState, runId: string, arrivals: Arrival[]): Batch {
    const uri = table.row.uri
    let lane = 0
    while ((table.lanes.get(lane)?.claim ?? null) !== null) lane++
    const fence = (table.lanes.get(lane)?.fence ?? 0) + 1
    const batch: Batch = { id: `b_${this.random.id(16)}`, lane, fence, table: uri, arrivals }
    const claim: OpenClaim = { batch, run: runId, worker: this.worker, startedAt: this.clock.now(), open: true }
    table.lanes.set(lane, { fence, claim })
    table.claims.push(claim)
    for (const { seq, replaced } of arrivals) {
      const entry = this.entry(table, seq)
      Object.assign(entry, { state: 'IN_PROGRESS', attempts: entry.attempts + 1, claim, replaced, endedAt: null })
    }
    return batch
  }

  async turn(batch: Batch) {
    if (this.openClaim(batch, this.worker) === null) return 'lost'
    const lowest = batch.arrivals[0]?.seq ?? 0
    const before = this.table(batch.table).claims.some((claim) => claim.open && (claim.batch.arrivals[0]?.seq ?? 0) < lowest && this.isAlive(claim.worker))
    return before ? 'wait' : 'go'
  }

  async settle(batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null) {
    const claim = this.openClaim(batch, this.worker)
    if (claim === null) return false
    const table = this.table(batch.table)
    const run = this.runOf(claim.run)
    const counted = outcomes.map((outcome) => ({ outcome, counts: outcome.state === 'loaded' ? countsOf(outcome, receipt) : null }))
    for (const { seq } of batch.arrivals) {
      const told = counted.find((each) => each.outcome.seq === seq)
      const entry = this.entry(table, seq)
      if (told === undefined) this.giveBack(table, entry, null)
      else if (told.outcome.state === 'loaded') this.complete(table, entry, told.outcome, told.counts, null)
      else if (told.outcome.state === 'known') this.complete(table, entry, told.outcome, null, told.outcome.sameAs)
      else {
        run.offers.set(seq, true)
        if (told.outcome.state === 'waiting') this.giveBack(table, entry, told.outcome.fault)
        else Object.assign(entry, { state: 'FAILED', sha256: entry.covered === null ? told.outcome.sha256 : entry.sha256, fault: told.outcome.fault, endedAt: this.clock.now() })
      }
    }
    this.endClaim(table, claim, receipt)
    return true
  }

  async release(batch: Batch, fault: Fault | null) {
    const claim = this.openClaim(batch, this.worker)
    if (claim === null) return false
    const table = this.table(batch.table)
    for (const { seq } of batch.arrivals) {
      const entry = this.entry(table, seq)
      this.giveBack(table, entry, fault)
      if (fault === null) entry.attempts--
      else this.runOf(claim.run).offers.set(seq, true)
    }
    this.endClaim(table, claim, null)
    return true
  }

  async split(batch: Batch, groups: readonly (readonly number[])[], death: Mourned | null) {
    const own = batch.arrivals.map(({ seq }) => seq)
    if (groups.flat().toSorted((a, b) => a - b).join() !== own.join() || groups.some((group) => group.length === 0)) throw new SluiceError('INTERNAL', 'Groups that are none.')
    const claim = this.openClaim(batch, this.worker)
    if (claim === null) return null
    const table = this.table(batch.table)
    if (death !== null) {
      const entry = this.entry(table, death.seq)
      entry.deaths = [...entry.deaths, { attempt: entry.attempts, alone: own.length === 1, how: death.how, offset: death.offset, at: this.clock.now(), ...(death.memory === true ? { memory: true as const } : {}) }].slice(-KEPT_DEATHS)
    }
    this.endClaim(table, claim, null)
    return groups.map((group) => this.pin(table, claim.run, own.filter((seq) => group.includes(seq)).map((seq) => arrivalOf(table, this.entry(table, seq), this.entry(table, seq).replaced))))
  }

  async orphans(uri: string) {
    const open = this.state.tables.get(uri)?.claims.filter((claim) => claim.open && !this.isAlive(claim.worker)) ?? []
    return open
      .toSorted((a, b) => (a.batch.arrivals[0]?.seq ?? 0) - (b.batch.arrivals[0]?.seq ?? 0))
      .map(({ batch, run, worker }) => ({ batch, run, worker }))
  }

  async recover(dead: Claim, receipt: Receipt | null, runId: string | null) {
    const claim = this.openClaim(dead.batch, dead.worker)
    if (claim === null) return false
    const table = this.table(dead.batch.table)
    for (const { seq } of dead.batch.arrivals) {
      const entry = this.entry(table, seq)
      const done = receipt?.arrivals.find((arrival) => arrival.seq === seq)
      if (done !== undefined) this.complete(table, entry, done, done.counts, null)
      else if (this.giveBack(table, entry, null) && runId !== null && !this.runOf(runId).offers.has(seq)) this.runOf(runId).offers.set(seq, false)
    }
    this.endClaim(table, claim, receipt)
    return true
  }

  async closeDeadRuns(uri: string) {
    const closed: string[] = []
    for (const { row, worker } of this.state.runs.values()) {
      const claimed = this.state.tables.get(uri)?.claims.some((claim) => claim.open && claim.run === row.id) === true
      if (row.table !== uri || row.state !== 'RUNNING' || this.isAlive(worker) || claimed) continue
      const files = { ...(await this.countFiles(row.id)), ignored: 0 }
      Object.assign(row, { state: 'INTERRUPTED', files, endedAt: this.clock.now() })
      closed.push(row.id)
    }
    return closed
  }

  async elsewhere(runId: string) {
    const run = this.runOf(runId)
    const claimed = this.offered(runId).filter((entry) => entry.state === 'IN_PROGRESS' && entry.claim?.run !== runId).length
    return claimed + lacking(this.table(run.row.table), run).length
  }

  async countFiles(runId: string) {
    const entries = this.offered(runId)
    const { known } = this.runOf(runId)
    const count = (is: (entry: Entry) => boolean): number => entries.filter(is).length
    const isLoaded = (entry: Entry): boolean => entry.counts !== null && entry.claim?.run === runId
    return {
      total: entries.length + known,
      loaded: count((entry) => entry.state === 'COMPLETED' && isLoaded(entry)),
      known: count((entry) => entry.state === 'COMPLETED' && !isLoaded(entry)) + known,
      waiting: count((entry) => entry.state === 'PENDING' || entry.state === 'IN_PROGRESS'),
      failed: count((entry) => entry.state === 'FAILED'),
    }
  }

  async end(runId: string, state: RunState, files: FileCounts, exit: number, fault: Fault | null, phases?: Phases) {
    const { row } = this.runOf(runId)
    if (row.state === 'RUNNING') Object.assign(row, { state, files, exit, fault, endedAt: this.clock.now(), phases: phases ?? null })
    return structuredClone(row)
  }

  async files(query: FilesQuery) {
    const all = [...this.state.tables.values()].flatMap((table) => inOrder(table).map((entry) => rowOf(table, entry)))
    const after = query.after === undefined ? 0 : (readCursor(query.after, 1)[0] ?? 0)
    const wanted = all.map((row, at) => ({ row, at: at + 1 })).filter(({ row, at }) =>
      at > after && (query.table ?? row.table) === row.table && (query.state ?? row.state) === row.state && row.path.includes(query.name ?? '') &&
      (query.sha256 === undefined || row.sha256?.startsWith(query.sha256) === true))
    const page = wanted.slice(0, query.limit)
    return { items: page.map(({ row }) => row), next: wanted.length > query.limit ? String(page.at(-1)?.at) : null }
  }
  async runs(query: { table?: string; limit: number; after?: string }) {
    const all = [...this.state.runs.values()].map((run, at) => ({ row: run.row, at: at + 1 })).toReversed()
    const before = query.after === undefined ? Infinity : (readCursor(query.after, 1)[0] ?? 0)
    const wanted = all.filter(({ row, at }) => at < before && (query.table ?? row.table) === row.table)
    const page = wanted.slice(0, query.limit)
    return { items: page.map(({ row }) => structuredClone(row)), next: wanted.length > query.limit ? String(page.at(-1)?.at) : null }
  }
  async run(id: string) {
    const run = this.state.runs.get(id)
    return run === undefined ? null : structuredClone(run.row)
  }
  async runOfBatch(batch: string) {
    const claims = [...this.state.tables.values()].flatMap((table) => table.claims)
    return claims.find((claim) => claim.batch.id === batch)?.run ?? null
  }
  async arrival(uri: string, seq: number) {
    const table = this.state.tables.get(uri)
    const entry = table?.arrivals.get(seq)
    return table === undefined || entry === undefined ? null : rowOf(table, entry)
  }
  async verify() { return [...this.state.tables.values()].flatMap(checkState) }
  async beat() {}
  async close() {
    this.state.declareDead(this.worker)
  }

  private isAlive(worker: string): boolean {
    return worker === this.worker || !this.state.dead.has(worker)
  }
  private isYoung(sighting: Sighting): boolean {
    const now = this.clock.now()
    return sighting.pin.modified >= (sighting.lookedAt ?? now) - YOUNG_MS && sighting.pin.modified <= now + YOUNG_MS
  }
  private table(uri: string): TableState {
    const table = this.state.tables.get(uri)
    if (table === undefined) throw new SluiceError('NOT_FOUND', `The ledger does not know the table ${uri}.`)
    return table
  }
  private runOf(id: string): RunEntry {
    const run = this.state.runs.get(id)
    if (run === undefined) throw new SluiceError('NOT_FOUND', `The ledger does not know the run ${id}.`)
    return run
  }
  private entry(table: TableState, seq: number): Entry {
    const entry = table.arrivals.get(seq)
    if (entry === undefined) throw new SluiceError('INTERNAL', `There is no arrival ${seq}.`)
    return entry
  }
  private offered(runId: string): Entry[] {
    const run = this.runOf(runId)
    const table = this.table(run.row.table)
    return [...run.offers.keys()].map((seq) => this.entry(table, seq))
  }
  private enter(table: TableState, seq: number, pin: Pin, reload: boolean): Entry {
    const entry: Entry = {
      seq, pin, reload, state: 'PENDING', replaced: false, former: null, sha256: null, generation: 0, sameAs: null, attempts: 0, deaths: [],
      fault: null, counts: null, covered: null, via: null, claim: null, offeredAt: this.clock.now(), endedAt: null,
    }
    table.arrivals.set(seq, entry)
    return entry
  }
  private openClaim(batch: Batch, worker: string): OpenClaim | null {
    return this.table(batch.table).claims.find((claim) => claim.open && claim.batch.id === batch.id && claim.batch.fence === batch.fence && claim.worker === worker) ?? null
  }
  private complete(table: TableState, entry: Entry, content: { sha256: string | null; generation: number; dates?: ByDate; covered?: Covered }, counts: Balance | null, sameAs: number | null): void {
    const first = inOrder(table).find((other) => other !== entry && other.state === 'COMPLETED' && other.sameAs === null && other.sha256 === content.sha256)
    const copy = counts === null ? (sameAs ?? first?.seq ?? null) : null
    const { dates, covered } = content
    if (counts === null && copy !== null) Object.assign(this.entry(table, copy), { covered: covered === undefined ? null : [...covered.intervals] })
    if (counts !== null) entry.covered = dates === undefined ? null : union([...(entry.covered ?? []), dates])
    else if (copy !== entry.seq) entry.covered = null
    entry.via = null
    Object.assign(entry, {
      state: 'COMPLETED', sha256: content.sha256, generation: content.generation, counts, fault: null, endedAt: this.clock.now(),
      sameAs: copy === entry.seq ? null : copy, attempts: entry.attempts - (counts === null ? 1 : 0),
    })
    const read = (counts ?? (entry.sameAs === null ? null : table.arrivals.get(entry.sameAs)?.counts))?.read ?? 1
    const path = table.paths.get(entry.pin.uri)
    if (path !== undefined && read > 0) path.brought = true
  }
  private giveBack(table: TableState, entry: Entry, fault: Fault | null): boolean {
    const latest = entry.via !== null ? entry.seq : (table.paths.get(entry.pin.uri)?.seq ?? entry.seq)
    if (latest === entry.seq) Object.assign(entry, { state: 'PENDING', claim: null, fault: fault ?? entry.fault })
    else if (entry.covered !== null) Object.assign(entry, { state: 'COMPLETED', claim: null })
    else Object.assign(entry, { state: 'FAILED', fault: overtaken(entry.pin.uri, latest), endedAt: this.clock.now() })
    return latest === entry.seq
  }
  private endClaim(table: TableState, claim: OpenClaim, receipt: Receipt | null): void {
    claim.open = false
    const lane = table.lanes.get(claim.batch.lane)
    if (lane !== undefined) lane.claim = null
    const { row } = this.runOf(claim.run)
    if (row.state !== 'RUNNING') return
    for (const entry of table.arrivals.values()) if (entry.claim === claim && entry.counts !== null) addBalance(row.balance, entry.counts)
    row.evicted += receipt?.evicted ?? 0
    addReasons(row.reasons, receipt?.reasons ?? {})
  }
}
