/**
 * Whole histories for the property proof, as fast-check arbitraries: a definition, records that collide in every way that
 * matters, files in every form with copies of them, and runs that find some of the files, moved or removed, perhaps
 * without the ledger. The bytes of a file are drawn once and never change; no name ever brings other bytes.
 *
 * A file may lie empty before it has its bytes. It keeps the number under which it was first seen, so it comes late: below
 * what was committed meanwhile. Without such files hardly any batch would need the history of its keys.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { define } from '../src/core/definition.ts'
import type { Definition, DefinitionRequest } from '../src/core/definition.ts'
import type { ByDate } from '../src/core/interval.ts'
import { KEY_TYPES, canBeKey, hasOrder, isDecimal } from '../src/core/types.ts'
import type { ColumnType } from '../src/core/types.ts'
import { fileOf } from './history-files.ts'
import type { HistoryFile } from './history-files.ts'
import { POOLS, memberName, recordText } from './history-values.ts'
import type { ModelArrival } from './reference.ts'

export type { HistoryFile } from './history-files.ts'

/** What happens in the folder before a run, in this order, and how the run goes. */
export interface HistoryRun {
  remove: string[]
  rename: [from: string, to: string][]
  /** Files that are written, first or again. No bytes: not yet there, by its age a file in work or one that failed. */
  put: { name: string; bytes: string; old: boolean }[]
  loseLedger: boolean
  /** How many processes load the folder at once. */
  processes: number
  /** Files per batch at most. */
  batch: number
  /** Read everything again, under new numbers. Never in append. */
  reload: boolean
  /** Only records of these dates, by the history's date field; null: all. Never with a reload. */
  dates: { since?: string; until?: string } | null
  /** The (first) process dies, and the run is repeated. */
  kill: Kill | null
}

/** A death: at which of the failpoints (modulo their number), at which passing, and who dies. */
export interface Kill {
  point: number
  hit: number
  how: 'self' | 'parent'
  /** Only the first process that comes there dies; else every engine process of the run. */
  once: boolean
}

export interface History {
  request: DefinitionRequest
  /** The definition that the request makes of a table `t`. */
  definition: Definition
  /** A column that has dates; null: there is none. */
  dateField: string | null
  /** Every content once. */
  files: HistoryFile[]
  runs: HistoryRun[]
}

export const TABLE = 't'

interface Shape {
  types: ColumnType[]
  keys: number[]
  keep: string | null
  /**
   * One key, two or three contents of it, many small files, of which many come late. Only so equal contents lie on both
   * sides of a late one often enough: where a table that forgets the places of its losers goes wrong.
   */
  dense: boolean
}

const anyType = fc.constantFrom<ColumnType>(...(Object.keys(POOLS) as ColumnType[]))
/** @param decides may a column of this type be a key or decide the winner? */
const shapeOf = (decides: (type: ColumnType) => boolean): fc.Arbitrary<Shape> => fc
  .tuple(fc.constantFrom<ColumnType>(...[...KEY_TYPES, 'decimal(10,2)' as const].filter(decides)), fc.array(anyType, { minLength: 1, maxLength: 6 }), fc.noBias(fc.boolean()))
  .chain(([first, rest, dense]) => {
    const types = [first, ...(dense ? rest.slice(0, 2) : rest)]
    const able = types.flatMap((type, index) => (canBeKey(type) && decides(type) ? [index] : []))
    const ordered = types.flatMap((type, index) => (!hasOrder(type) || !decides(type) || (dense && index === 0) ? [] : [index]))
    const some = fc.oneof({ weight: 1, arbitrary: fc.constant<number[]>([]) }, { weight: 6, arbitrary: fc.subarray(able, { minLength: 1, maxLength: Math.min(3, able.length) }) })
    const byValue = fc.tuple(fc.constantFrom('max', 'min'), fc.constantFrom(...(ordered.length > 0 ? ordered : [0]))).map(([rule, index]) => `${rule}:${memberName(index)}`)
    return fc.record({
      types: fc.constant(types),
      keys: dense ? fc.constant([0]) : some,
      keep: fc.oneof(fc.constantFrom('first', 'last', 'error'), byValue),
      dense: fc.constant(dense),
    })
  })

function requestOf({ types, keys, keep }: Shape): DefinitionRequest {
  const columns = types.map((type, index) => `${memberName(index)}:${type}`).join(',')
  if (keys.length === 0) return { columns }
  return { columns, key: keys.map(memberName).join(','), mode: keep === 'first' || keep === 'error' ? 'dedupe' : 'upsert', keep: keep ?? 'first' }
}

/** Names and bytes of all files, copies included, and what each run does with each of them. */
function historyOf(drawn: Shape): fc.Arbitrary<History> {
  const { types, keys, dense } = drawn
  const request = requestOf(drawn)
  const definition = define(TABLE, request)
  const fresh = recordText(types, keys, dense)
  // Whole records come back in other files: a table must tell equal content from other content of the same key.
  return fc.array(dense ? fc.noBias(fresh) : fresh, dense ? { minLength: 3, maxLength: 3 } : { minLength: 1, maxLength: 4 }).chain((known) => {
    const again = fc.noBias(fc.constantFrom(...known))
    const dated = types.findIndex((type) => DATED.includes(type))
    return filesOf(request, definition, dated < 0 ? null : memberName(dated), dense ? again : fc.oneof({ weight: 2, arbitrary: again }, { weight: 1, arbitrary: fresh }), dense)
  })
}

const oneIn = (n: number): fc.Arbitrary<boolean> => fc.nat(n - 1).map((drawn) => drawn === 0)

/** Types of columns by whose dates a run may load, and the intervals that it may ask for: they part the values that are drawn. */
const DATED: readonly ColumnType[] = ['date', 'timestamp', 'timestamp_local']
const INTERVALS = [{ since: '2026-01-01' }, { until: '2026-01-01' }, { since: '1970-01-01', until: '2026-11-21T10:00:00Z' }, { since: '2024-02-29', until: '2024-03-01' }, { until: '1970-01-01' }]

function filesOf(request: DefinitionRequest, definition: Definition, dateField: string | null, record: fc.Arbitrary<string>, dense: boolean): fc.Arbitrary<History> {
  const file = fc.record({
    form: fc.noBias(fc.constantFrom('wrapper', 'array', 'ndjson', 'jsonl', 'lines', 'single')),
    records: fc.array(record, dense ? { minLength: 1, maxLength: 1 } : { maxLength: 9 }),
    number: fc.noBias(fc.nat(30)),
    folder: fc.constantFrom('', 'd/', 'd/e 2/'),
    copies: fc.oneof({ weight: dense ? 12 : 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
  })
  const fates: Fate[] = dense ? ['there', 'empty'] : ['there', 'there', 'there', 'there', 'empty', 'empty', 'absent', 'moved']
  const run: fc.Arbitrary<Draw> = fc.record({
    fates: fc.noBias(fc.array(fc.constantFrom(...fates), { minLength: 24, maxLength: 24 })),
    old: fc.boolean(),
    loseLedger: oneIn(8),
    processes: rarely(15, fc.constant(1), fc.constantFrom(2, 2, 3, 4)),
    batch: dense ? fc.constantFrom(1, 1, 2) : fc.constantFrom(10_000, 1, 2, 3),
    reload: oneIn(13).map((drawn) => drawn && definition.mode !== 'append'),
    dates: dateField === null ? fc.constant(null) : fc.oneof(fc.constant(null), fc.constantFrom(...INTERVALS)),
    kill: rarely<Kill | null>(12, fc.constant(null), fc.record({ point: fc.nat(10_000), hit: fc.constantFrom(1, 1, 1, 2), how: fc.constantFrom('self', 'self', 'parent'), once: fc.boolean() })),
  })
  const runs = fc.constantFrom(...(dense ? [2, 2, 3] : [1, 2, 2, 3])).chain((n) => fc.array(run, { minLength: n, maxLength: n }))
  return fc.tuple(fc.array(file, { minLength: dense ? 5 : 1, maxLength: 8 }), runs).map(([drafts, runs]) => {
    const files: HistoryFile[] = []
    const names: { name: string; bytes: string }[] = []
    drafts.forEach((draft, index) => {
      const made = fileOf(draft.form, draft.records, definition, index)
      files.push(made)
      for (let copy = 0; copy <= draft.copies; copy++) {
        // Numbers decide the order of arrivals; the tail keeps the names apart.
        names.push({ name: `${draft.folder}f${(draft.number + copy * 7) % 31}-${index}${'c'.repeat(copy)}${made.extension}`, bytes: made.bytes })
      }
    })
    return { request, definition, dateField, files, runs: scheduleOf(names, runs.map((drawn) => (drawn.reload ? { ...drawn, dates: null } : drawn))) }
  })
}

type Fate = 'there' | 'empty' | 'absent' | 'moved'
type Draw = Pick<HistoryRun, 'loseLedger' | 'processes' | 'batch' | 'reload' | 'dates' | 'kill'> & { fates: Fate[]; old: boolean }

function rarely<T>(n: number, often: fc.Arbitrary<T>, seldom: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: n - 1, arbitrary: often }, { weight: 1, arbitrary: seldom })
}

function scheduleOf(names: readonly { name: string; bytes: string }[], draws: readonly Draw[]): HistoryRun[] {
  const lying = new Map<number, { name: string; whole: boolean }>()
  return draws.map(({ fates, old, ...draw }, number) => {
    const run: HistoryRun = { remove: [], rename: [], put: [], ...draw, loseLedger: draw.loseLedger && number > 0 }
    names.forEach(({ name, bytes }, index) => {
      const fate = fates[index % fates.length]
      const now = lying.get(index)
      if (fate === 'absent') {
        if (now !== undefined) run.remove.push(now.name)
        lying.delete(index)
      } else if (now?.whole !== true) {
        const whole = fate !== 'empty'
        const at = now?.name ?? name
        if (now === undefined || whole) run.put.push({ name: at, bytes: whole ? bytes : '', old: old && !whole })
        lying.set(index, { name: at, whole })
      } else if (fate === 'moved') {
        const to = `m${number}-${name.replaceAll('/', '-')}`
        run.rename.push([now.name, to])
        lying.set(index, { name: to, whole: true })
      }
    })
    return run
  })
}

export const histories: fc.Arbitrary<History> = shapeOf(() => true).chain(historyOf)
/** For a target that keeps decimals as text: there they are no keys and decide nothing. */
export const historiesWithoutDecimalKeys: fc.Arbitrary<History> = shapeOf((type) => !isDecimal(type)).chain(historyOf)

/** Older than any grace. */
const LONG_AGO = new Date('2020-01-01T00:00:00Z')

/** Does in `folder` what precedes the run; the ledger is the caller's to lose. */
export function arrange(folder: string, run: HistoryRun): void {
  mkdirSync(folder, { recursive: true })
  for (const name of run.remove) rmSync(join(folder, name))
  for (const [from, to] of run.rename) renameSync(join(folder, from), join(folder, to))
  for (const { name, bytes, old } of run.put) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    if (old) utimesSync(path, LONG_AGO, LONG_AGO)
  }
}

export function shaOf(bytes: string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * SHA-256 of every content that must be committed at the end: it lay in the folder at some run and holds a record.
 * (Contents without records may be missing while there is no table.)
 */
export function contentsOf(history: History): Set<string> {
  const laid = new Set(history.runs.flatMap((run) => run.put.map((put) => shaOf(put.bytes))))
  return new Set(history.files.filter((file) => file.records.length > 0).map((file) => shaOf(file.bytes)).filter((sha) => laid.has(sha)))
}

/** What the model takes as committed, from what the table says is in. @throws Error for a content that nobody wrote */
export function committedOf(history: History, arrivals: readonly { seq: number; sha256: string; generation: number; dates?: ByDate }[]): ModelArrival[] {
  const bySha = new Map(history.files.map((file) => [shaOf(file.bytes), file]))
  const commits = Map.groupBy(arrivals, ({ seq }) => seq)
  return [...commits.values()].flatMap((all) => all.slice(0, 1)).map(({ seq, sha256, generation }) => {
    const file = bySha.get(sha256)
    if (file === undefined) throw new Error(`arrival ${seq} has a content that no file had: ${sha256}`)
    return { seq, content: `${sha256}#${generation}`, records: file.records, commits: (commits.get(seq) ?? []).map(({ dates }) => dates) }
  })
}
