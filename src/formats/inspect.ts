/** Looks into a file as a load would, keeping no record: columns with what their types come from, first rows, faults. */
import type { Fault } from '../core/errors.ts'
import type { InspectJob, Inspected, InspectedColumn, Sighting } from '../core/inspect.ts'
import { isPackedName } from '../core/reading.ts'
import { columnName, fold } from '../core/schema.ts'
import { pathOf } from './json/reader.ts'
import { decode } from './json/text.ts'
import { Unpacked } from './packing/unpack.ts'
import type { ForeignRows, Told } from './parquet-in/reader.ts'
import { Parts } from './parquet/parts.ts'
import { readFile } from './read.ts'
import type { RecordView } from './record.ts'
import { FileFault } from './sink.ts'
import { typeOf } from './typing/infer.ts'
import { Records } from './typing/records.ts'
import { shown } from './typing/write.ts'
import { Window } from './window.ts'
import type { Read } from './window.ts'

/** Faults that are kept. */
const MOST_FAULTS = 20
/** By the bits of infer.ts, lowest first. */
const KINDS = ['boolean', 'integer', 'long integer', 'number that a double would change', 'fraction', 'date', 'timestamp', 'text', 'list or object', 'wall time', 'decimal']

/** Ends the reading: enough was seen. */
class Enough extends Error {}

export async function inspectFile(job: InspectJob, read: Read, parquetRows: ForeignRows): Promise<Inspected> {
  const { pin, definition } = job
  let taken = 0
  const counted: Read = (into, at, length) => {
    const n = read(into, at, length)
    taken += n
    return n
  }
  const bytes = new Unpacked(counted, pin.size)
  const window = new Window((into, at, length) => bytes.read(into, at, length))
  const look = new Look(job)
  const sink = {
    record: (record: RecordView, raw: Buffer, from: number, to: number, offset: number) => look.record(record, raw, from, to, offset),
    // Every record is looked at by itself.
    alike: (_buf: Buffer, from: number) => from,
    bad: (code: Fault['code'], message: string, offset: number) => look.bad({ code, message, offset }),
    // Every kind is to be seen where it comes.
    rehearse: () => false,
    restart: () => look.restart(),
    progress: () => {},
    notice: (text: string) => void look.notices.add(text),
  }
  const manner = { reading: job.reading, records: pathOf(definition.records), key: definition.key, expected: definition.key, copies: `${job.folder}/inspected`, parquetRows, whole: false }
  const result: Inspected = { path: pin.uri, bytes: pin.size, format: null, packed: [], columns: [], first: [], read: 0, bad: 0, rows: { count: 0, exact: true }, faults: [], notices: [] }
  let ended = true
  try {
    await readFile({ input: { seq: 1, path: pin.uri, size: pin.size }, window, bytes, sink, tell: (columns) => look.tell(columns), counted: (rows) => (look.rows = rows) }, manner, (format) => (result.format = format))
  } catch (thrown) {
    ended = false
    if (thrown instanceof FileFault) look.faults.push(faultOf(thrown, pin.uri))
    else if (!(thrown instanceof Enough)) throw thrown
  }
  if (bytes.layers.length === 0 && isPackedName(pin.uri)) look.notices.add('It is named like a packed file, but it is not packed.')
  const seen = Math.max(1, window.base + window.pos)
  // A packed file's unpacked size is not known; what was read of it so far stands for the rest.
  const share = bytes.layers.length === 0 ? pin.size / seen : pin.size / Math.max(1, taken)
  const rows = ended ? { count: look.read, exact: true } : { count: look.rows ?? Math.max(look.read, Math.round(look.read * share)), exact: look.rows !== null }
  return { ...result, packed: [...bytes.layers], columns: look.columns(), first: look.first, read: look.read, bad: look.badCount, rows, faults: look.faults, notices: [...look.notices] }
}

function faultOf(fault: FileFault, path: string): Fault {
  const code = fault.code === 'UNFINISHED' ? 'FILE_UNFINISHED' : fault.code === 'EMPTY' ? 'FILE_EMPTY' : fault.code
  return { code, message: fault.message, path, offset: fault.offset }
}

class Look {
  readonly faults: Fault[] = []
  readonly notices = new Set<string>()
  first: string[] = []
  read = 0
  badCount = 0
  /** Known without reading all: Parquet's footer says it. */
  rows: number | null = null
  private readonly job: InspectJob
  private records: Records
  private told = new Map<string, number>()
  private readonly saw = new Map<string, Sighting[]>()
  private flags = new Map<string, number>()

  constructor(job: InspectJob) {
    this.job = job
    this.records = this.fresh()
  }
  private fresh(): Records {
    // Nothing is ever written: rows are only looked at.
    const records = new Records(new Parts(() => `${this.job.folder}/never`), this.job.definition, null, null)
    records.collecting = true
    return records
  }
  tell(columns: readonly Told[]): void {
    if (columns.length === 0) return
    this.records.tell(columns)
    this.told = new Map(columns.map(({ member, flags }) => [fold(columnName(member)), flags]))
    for (const { name, flags } of this.records.hypothesis()) this.flags.set(name, flags)
  }
  record(record: RecordView, raw: Buffer, from: number, to: number, offset: number): void {
    this.count()
    const bad = this.records.add(record, 1, this.read, offset, 1)
    if (bad !== null) {
      this.fault({ ...bad, offset })
      return
    }
    this.note(record)
    if (this.first.length < this.job.show) this.first.push(raw.toString('utf8', from, to))
  }
  bad(fault: Pick<Fault, 'code' | 'message'> & { offset: number }): void {
    this.count()
    this.fault(fault)
  }
  restart(): void {
    this.records = this.fresh()
    this.first = []
    this.read = 0
    this.badCount = 0
    this.saw.clear()
    this.flags.clear()
    this.faults.length = 0
  }
  private count(): void {
    if (this.job.most !== null && this.read >= this.job.most) throw new Enough()
    this.read++
  }
  private fault(fault: Fault & { offset: number }): void {
    this.badCount++
    if (this.faults.length < MOST_FAULTS) this.faults.push({ ...fault, path: this.job.pin.uri, row: this.read })
  }

  /** When a column's kinds grow, the value that did it is kept. */
  private note(s: RecordView): void {
    for (const { name, original, flags } of this.records.hypothesis()) {
      const before = this.flags.get(name) ?? 0
      if (flags === before) continue
      this.flags.set(name, flags)
      const value = this.valueOf(s, original ?? name)
      const list = this.saw.get(name) ?? []
      this.saw.set(name, list)
      for (const [bit, kind] of KINDS.entries()) if (((flags & ~before) >> bit) & 1) list.push({ kind, value: value ?? '', row: this.read })
    }
  }
  private valueOf(s: RecordView, member: string): string | null {
    for (let i = 0; i < s.count; i++) {
      const name = s.names?.[i] ?? decode(s.buf, s.nameFrom[i] as number, s.nameTo[i] as number, s.nameEscaped[i] === 1)
      if (fold(columnName(name)) === fold(columnName(member))) return shown(s.buf, s.kind[i] as number, s.valueFrom[i] as number, s.valueTo[i] as number, s.escaped[i] === 1)
    }
    return null
  }

  columns(): InspectedColumn[] {
    const declared = (this.job.definition.columns ?? []).map((column): InspectedColumn => ({ name: column.name, original: column.original ?? null, type: column.type, from: 'declared', saw: [] }))
    const open = this.records.hypothesis().map(({ name, original, flags, digits }): InspectedColumn => ({ name, original, type: typeOf(flags, digits), from: this.told.has(fold(name)) ? 'file' : 'inferred', saw: this.saw.get(name) ?? [] }))
    for (const notice of this.records.notices) this.notices.add(notice)
    return [...declared, ...open]
  }
}
