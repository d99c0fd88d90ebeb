/**
 * Files in, typed Parquet parts out. The gate: what passes it is valid, typed and final.
 *
 * Measured on a busy two-core machine, 26 MB of 128 kB wrapper documents (uuid, 40 characters, timestamp), hash and parts
 * included, warm: 190 MB per second of processor time, 1.5 million records. One writer per type and a timestamp that is
 * read once, not twice, brought it there from 135. What is left is mostly the scanner's look at every byte.
 */
import { availableParallelism } from 'node:os'
import type { Definition } from '../core/definition.ts'
import type { Part, StageJob } from '../core/engine.ts'
import { REJECT_COLUMNS } from '../core/engine.ts'
import type { Fault } from '../core/errors.ts'
import type { Aside, ByDate, Covered } from '../core/interval.ts'
import { tampering } from '../core/failpoint.ts'
import { closeLikes, openLikes } from '../core/likes.ts'
import type { Likes } from '../core/likes.ts'
import { MAX_ROW, placeOf } from '../core/place.ts'
import type { LeftOut } from '../core/proposal.ts'
import type { Column, Schema } from '../core/schema.ts'
import { BY_ITSELF, isPackedName } from '../core/reading.ts'
import type { Reading } from '../core/reading.ts'
import { WriteBehind } from '../storage/behind.ts'
import { pathOf } from './json/reader.ts'
import type { ForeignRows } from './parquet-in/reader.ts'
import { Unpacked } from './packing/unpack.ts'
import { Parts } from './parquet/parts.ts'
import type { PartLimits } from './parquet/parts.ts'
import { readFile } from './read.ts'
import type { Manner } from './read.ts'
import { RAW_LIMIT } from '../core/target.ts'
import { FileFault } from './sink.ts'
import type { Sink } from './sink.ts'
import { DateFilter } from './typing/dates.ts'
import { Records } from './typing/records.ts'
import type { BadRecord } from './typing/refused.ts'
import type { Hypothesis } from './typing/records.ts'
import { Window } from './window.ts'

export type { Hypothesis } from './typing/records.ts'

export interface SplitOptions {
  folder: string
  /** File name prefix of the attempt. */
  prefix: string
  definition: Definition
  /** Default: everything is told from the file. */
  reading?: Reading
  pinned: Schema | null
  onBad: StageJob['onBad']
  maxBad: StageJob['maxBad']
  /** Milliseconds. */
  grace: number
  now: number
  /** Only records of these dates; absent: all of them. */
  dates?: ByDate
  /** By arrival: what is in, and is left out. */
  covered?: ReadonlyMap<number, Covered>
  hypothesis?: Hypothesis
  /** These files are a range of a batch: what its columns come to is not known yet. */
  range?: boolean
  /** Bytes of the first window; tests make it small. */
  window?: number
  /** Decodes Parquet files; without it they are refused. */
  parquetRows?: ForeignRows
  /** Most rows of a row group and of a part; tests make them small. */
  limits?: PartLimits
  /** Most records of a file; tests make it small. */
  rows?: number
  /** Bytes of a file from which its parts are written from a thread; tests make it small. */
  behind?: number
  /** Bytes of all files. */
  size?: number
  /** Bytes of memory of which a fourth may be taken to look for keys that come again while a large file is written; absent: none is looked for. */
  looking?: number
  /** False: every record goes the long way; tests compare. */
  lane?: boolean
}
export interface SplitInput {
  seq: number
  path: string
  /** Milliseconds since 1970. */
  modified: number
  /** Bytes of the file as it lies. */
  size: number
  /** Up to `length` next bytes into `into` from index `at`; 0 at the end. */
  read(into: Uint8Array, at: number, length: number): number
  /** Called every second while the splitter sleeps because a thread of its own writes. */
  waits?(): void
}
export interface SplitEnd {
  state: 'loaded' | 'failed' | 'waiting'
  read: number
  skipped: number
  rejected: number
  fault: Fault | null
  /** Loaded by date: what of `skipped` is left out for its date. */
  aside?: Aside
}
export type SplitResult =
  | { again: Hypothesis }
  | {
      again: null
      schema: Schema
      /** What was seen of the columns whose types were inferred. */
      open: Hypothesis
      records: Part[]
      rejects: Part[]
      faults: Fault[]
      reasons: Record<string, number>
      notices: string[]
      leftOut: LeftOut[]
      /** Records that had a value, per key column. */
      keySeen: Record<string, number>
      /** Columns that records without their key had: the first 20 names. */
      keyless: string[]
      lowest: bigint | null
      highest: bigint | null
      /** Records that went through the fast lane. */
      taken: number
      /** Of the groups of `records` that were looked at, to be closed; null: none was. */
      likes: Likes | null
    }
export interface Splitter {
  /** Never throws for bad data. @throws SluiceError DISK_FULL and its like */
  split(input: SplitInput, onProgress: (bytes: number, records: number) => void): Promise<SplitEnd>
  /** Discards what the last split() wrote. */
  undo(): void
  /** Closes the parts; nothing may be called afterwards but discard(). */
  finish(): SplitResult
  /** Closes and removes what was written: for work that failed. An open file would keep its room on a full disk. */
  discard(): void
}

/** Bytes of a window that the next file uses again. */
const KEPT_WINDOW = 9 << 20
/** Bytes of a file from which a thread pays that writes its parts: it takes up to 0.1 s to start. */
const BEHIND_FROM = 256 << 20
/** A part of that: by then it shows how many records there will be. What was written earlier is looked at afterwards. */
const LOOK_SHARE = 8
/** First faults that are kept for the summary. */
const MOST_FAULTS = 100
const REJECT_SCHEMA: Schema = REJECT_COLUMNS.map((name, i): Column => ({ name, type: i < 2 ? 'int64' : 'string' }))

interface Tally {
  faults: Fault[]
  reasons: Record<string, number>
  lowest: bigint | null
  highest: bigint | null
}

/** Stops a file whose bad records are too many. */
class TooManyBad extends Error {}

class FileSplitter implements Splitter {
  private readonly options: SplitOptions
  private readonly records: Records
  private readonly manner: Manner
  private readonly good: Parts
  private readonly rejects: Parts
  private tally: Tally = { faults: [], reasons: {}, lowest: null, highest: null }
  private saved: Tally | null = null
  private end: SplitEnd = ended()
  private firstFault: Fault | null = null
  private spare: Buffer | null = null
  private taken = 0
  private likes: Likes | null = null
  /** Where the last record began, or the first one of many alike. */
  private offset = 0
  /** Null: every record of the file is loaded. */
  private filter: DateFilter | null = null

  constructor(options: SplitOptions) {
    this.options = options
    const expected = [...options.definition.key, ...(options.definition.columns ?? []).map(memberOf), ...(options.pinned ?? []).map(memberOf)]
    const { folder, prefix, parquetRows, definition, reading } = options
    this.manner = { reading: reading ?? BY_ITSELF, records: pathOf(definition.records), key: definition.key, expected, copies: `${folder}/${prefix}-copy`, parquetRows, whole: true }
    this.good = new Parts((n) => `${options.folder}/${options.prefix}-records-${n}.parquet`, options.limits)
    this.rejects = new Parts((n) => `${options.folder}/${options.prefix}-rejects-${n}.parquet`, options.limits)
    this.records = new Records(this.good, options.definition, options.pinned, options.hypothesis ?? null)
    for (const { name, type } of REJECT_SCHEMA) this.rejects.add(name, type)
  }

  async split(input: SplitInput, onProgress: (bytes: number, records: number) => void): Promise<SplitEnd> {
    const behind = input.size >= (this.options.behind ?? BEHIND_FROM) && availableParallelism() > 1 ? new WriteBehind(() => input.waits?.()) : null
    this.good.behind = behind
    try {
      const end = await this.splitFile(input, onProgress)
      this.good.settle()
      return end
    } finally {
      this.good.behind = null
      behind?.close()
    }
  }

  private async splitFile(input: SplitInput, onProgress: (bytes: number, records: number) => void): Promise<SplitEnd> {
    const { maxBad, grace, now } = this.options
    this.good.savepoint()
    this.rejects.savepoint()
    this.records.savepoint()
    this.saved = { ...this.tally, faults: [...this.tally.faults], reasons: { ...this.tally.reasons } }
    this.reset(input.seq)
    let failure: FileFault | null = null
    const bytes = new Unpacked((into, at, length) => input.read(into, at, length), input.size)
    const window = new Window((into, at, length) => bytes.read(into, at, length), this.options.window, this.spare)
    this.spare = null
    try {
      await readFile({ input, window, bytes, sink: this.sink(input, onProgress), tell: (columns) => this.records.tell(columns) }, this.manner)
      const percent = maxBad !== null && 'percent' in maxBad ? maxBad.percent : null
      if (this.options.onBad !== 'fail' && percent !== null && this.bad() * 100 > percent * this.end.read) throw new TooManyBad()
    } catch (thrown) {
      if (thrown instanceof FileFault) failure = thrown
      else if (!(thrown instanceof TooManyBad)) throw thrown
      else failure = this.tooMany()
    }
    if (failure === null && bytes.layers.length === 0 && isPackedName(input.path)) this.records.notices.add(`${input.path} is named like a packed file, but it is not packed; it was read as it is.`)
    // A window that a large record made wide is not kept.
    if (this.options.window === undefined && window.buf.length <= KEPT_WINDOW) this.spare = window.buf
    const end = this.end
    if (failure !== null) {
      this.undo()
      const early = failure.code === 'UNFINISHED' || failure.code === 'EMPTY'
      const young = early && now - input.modified < grace
      const code = failure.code === 'UNFINISHED' || failure.code === 'EMPTY' ? (young ? 'FILE_UNFINISHED' : failure.code === 'EMPTY' ? 'FILE_EMPTY' : 'FILE_TRUNCATED') : failure.code
      const fault: Fault = { code, message: `${input.path}: ${failure.message}`, path: input.path, offset: failure.offset }
      if (failure.row !== undefined) fault.row = failure.row
      return { ...end, state: young ? 'waiting' : 'failed', fault }
    }
    if (end.read > 0) {
      this.tally.lowest ??= placeOf(input.seq, 1)
      this.tally.highest = placeOf(input.seq, end.read)
    }
    onProgress(window.base + window.end, end.read)
    return end
  }

  private reset(seq: number): void {
    const { dates, covered } = this.options
    const before = covered?.get(seq)
    const field = dates?.field ?? before?.field
    this.filter = field === undefined ? null : new DateFilter(field, dates ?? null, before)
    this.end = ended()
    this.offset = 0
    if (this.filter !== null) this.end.aside = this.filter.aside
    this.firstFault = null
  }
  private bad(): number {
    const { rejected, skipped, aside } = this.end
    return rejected + skipped - (aside === undefined ? 0 : aside.outside + aside.undated)
  }
  private tooMany(): FileFault {
    const first = this.firstFault
    return new FileFault('TOO_MANY_BAD', `${this.bad()} of ${this.end.read} records are bad; the first is row ${first?.row}: ${first?.code}: ${first?.message}`, first?.offset ?? 0, first?.row)
  }

  /** A row has 32 bits of the place: one more would be the first row of the next arrival. */
  private count(offset: number): void {
    this.offset = offset
    const most = this.options.rows ?? MAX_ROW
    if (this.end.read >= most) throw new FileFault('ROWS_TOO_MANY', `The file holds more than ${most} records; the first beyond begins at byte ${offset}.`, offset)
    this.end.read++
  }

  private sink(input: SplitInput, onProgress: (bytes: number, records: number) => void): Sink {
    let asked = false
    return {
      record: (record, raw, from, to, offset) => {
        this.count(offset)
        if (this.filter?.takes(record) === false) {
          this.end.skipped++
          this.records.teach(record, input.seq, this.end.read)
          return
        }
        const tamper = asked ? null : tampering('split')
        asked = true
        const times = tamper === null ? 1 : tamper === 'drop' ? 0 : 2
        const bad = this.records.add(record, input.seq, this.end.read, offset, times)
        if (bad !== null) this.reject(input, bad, offset, raw, from, Math.min(to, from + RAW_LIMIT))
      },
      alike: (buf, from, to, how, offset) => {
        // The first record goes the long way, where a test may falsify it.
        // The lane does not look at dates.
        if (!asked || this.options.lane === false || this.filter !== null) return from
        this.offset = offset
        const most = (this.options.rows ?? MAX_ROW) - this.end.read
        const taken = this.records.alike(buf, from, to, how, input.seq, this.end.read + 1, offset, most)
        this.end.read += taken.records
        this.taken += taken.records
        return from + taken.bytes
      },
      bad: (code, message, offset, buf, from, to) => {
        this.count(offset)
        if (this.filter?.takesBad() === false) this.end.skipped++
        else this.reject(input, { code, message }, offset, buf, from, to)
      },
      restart: () => {
        this.undo()
        this.reset(input.seq)
      },
      progress: (bytes) => {
        onProgress(bytes, this.end.read)
        this.look(input)
      },
      rehearse: (record) => this.records.rehearse(record),
      notice: (text) => void this.records.notices.add(text),
    }
  }

  /** Lets the thread look for keys that come again, once it shows how many records there will be. */
  private look({ size }: SplitInput): void {
    const { good, options } = this
    if (good.behind === null || good.behind.looks || !good.hashed || options.looking === undefined) return
    if (this.offset < (options.behind ?? BEHIND_FROM) / LOOK_SHARE) return
    this.likes ??= openLikes((this.end.read * Math.max(size, options.size ?? 0)) / this.offset, options.looking)
    good.behind.look(this.likes)
  }

  private reject(input: SplitInput, bad: BadRecord, offset: number, buf: Buffer, from: number, to: number): void {
    const { onBad, maxBad } = this.options
    const fault: Fault = { code: bad.code, message: bad.message, path: input.path, row: this.end.read, offset }
    if (bad.column !== undefined) fault.column = bad.column
    if (bad.value !== undefined) fault.value = bad.value
    this.firstFault ??= fault
    if (this.tally.faults.length < MOST_FAULTS) this.tally.faults.push(fault)
    this.tally.reasons[bad.code] = (this.tally.reasons[bad.code] ?? 0) + 1
    if (onBad === 'skip') this.end.skipped++
    else {
      this.end.rejected++
      this.writeReject(input.seq, fault, buf, from, to)
    }
    const most = onBad === 'fail' ? 0 : maxBad !== null && 'count' in maxBad ? maxBad.count : Infinity
    if (this.bad() > most) throw new TooManyBad()
  }
  private writeReject(seq: number, fault: Fault, buf: Buffer, from: number, to: number): void {
    const row = this.rejects.row
    const [place, offset] = this.rejects.columns
    const at = fault.offset ?? 0
    place?.i64(row, fault.row ?? 0, seq)
    offset?.i64(row, at, Math.floor(at / 4_294_967_296))
    // Bytes that are not UTF-8, and a character that the cut halves, become U+FFFD.
    const texts = [fault.code, fault.column, fault.value, fault.message, buf.toString('utf8', from, to)]
    texts.forEach((text, i) => {
      if (text === undefined) return
      const bytes = Buffer.from(text, 'utf8')
      this.rejects.columns[i + 2]?.text(row, bytes, 0, bytes.length)
    })
    this.rejects.endRow(to - from + 200)
  }

  undo(): void {
    this.good.rollback()
    this.rejects.rollback()
    this.records.rollback()
    if (this.saved !== null) this.tally = { ...this.saved, faults: [...this.saved.faults], reasons: { ...this.saved.reasons } }
  }

  discard(): void {
    this.good.discard()
    this.rejects.discard()
    closeLikes(this.likes)
    this.likes = null
  }

  finish(): SplitResult {
    if (this.records.collecting) {
      this.discard()
      return { again: this.records.hypothesis() }
    }
    const schema = this.records.schema(this.options.range !== true)
    // From here on they are whose the result is.
    const { likes } = this
    this.likes = null
    const own: Schema = [...schema, { name: '_place', type: 'int64' }, { name: '_sluice_offset', type: 'int64' }]
    return {
      again: null,
      schema,
      open: this.records.hypothesis(),
      records: this.good.finish(own),
      rejects: this.rejects.finish(REJECT_SCHEMA),
      ...this.tally,
      notices: [...this.records.notices],
      leftOut: this.records.leftOut(),
      keySeen: this.records.keySeen(),
      keyless: this.records.keyless(),
      taken: this.taken,
      likes,
    }
  }
}

function memberOf({ name, original }: Column): string {
  return original ?? name
}

function ended(): SplitEnd {
  return { state: 'loaded', read: 0, skipped: 0, rejected: 0, fault: null }
}

export function openSplitter(options: SplitOptions): Splitter {
  return new FileSplitter(options)
}
