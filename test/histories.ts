/**
 * Whole histories for the property proof, as fast-check arbitraries: a definition, records that collide in every way that
 * matters, files in every form with copies of them, and runs that find some of the files, moved or removed, perhaps
 * without the ledger. The bytes of a file are drawn once and never change; no name ever brings other bytes.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { define } from '../src/core/definition.ts'
import type { Definition, DefinitionRequest } from '../src/core/definition.ts'
import { KEY_TYPES } from '../src/core/schema.ts'
import type { ColumnType } from '../src/core/schema.ts'
import { fileOf } from './history-files.ts'
import type { HistoryFile } from './history-files.ts'
import { POOLS, memberName, recordText } from './history-values.ts'
import type { ModelArrival } from './reference.ts'

export type { HistoryFile } from './history-files.ts'

/** What happens in the folder before a run, in this order, and how the run goes. */
export interface HistoryRun {
  remove: string[]
  rename: [from: string, to: string][]
  put: { name: string; bytes: string }[]
  loseLedger: boolean
  /** How many processes load the folder at once. */
  processes: number
}

export interface History {
  request: DefinitionRequest
  /** The definition that the request makes of a table `t`. */
  definition: Definition
  /** Every content once. */
  files: HistoryFile[]
  runs: HistoryRun[]
}

export const TABLE = 't'

interface Shape {
  types: ColumnType[]
  keys: number[]
  keep: string | null
}

const anyType = fc.constantFrom<ColumnType>(...(Object.keys(POOLS) as ColumnType[]))
const shape: fc.Arbitrary<Shape> = fc
  .tuple(fc.constantFrom(...KEY_TYPES), fc.array(anyType, { minLength: 1, maxLength: 6 }))
  .chain(([first, rest]) => {
    const types = [first, ...rest]
    const able = types.flatMap((type, index) => (KEY_TYPES.includes(type) ? [index] : []))
    const ordered = types.flatMap((type, index) => (type === 'json' ? [] : [index]))
    return fc.record({
      types: fc.constant(types),
      keys: fc.oneof({ weight: 1, arbitrary: fc.constant<number[]>([]) }, { weight: 6, arbitrary: fc.subarray(able, { minLength: 1, maxLength: Math.min(3, able.length) }) }),
      keep: fc.oneof(
        fc.constantFrom('first', 'last', 'error'),
        fc.tuple(fc.constantFrom('max', 'min'), fc.constantFrom(...ordered)).map(([rule, index]) => `${rule}:${memberName(index)}`),
      ),
    })
  })

function requestOf({ types, keys, keep }: Shape): DefinitionRequest {
  const columns = types.map((type, index) => `${memberName(index)}:${type}`).join(',')
  if (keys.length === 0) return { columns }
  return { columns, key: keys.map(memberName).join(','), mode: keep === 'first' || keep === 'error' ? 'dedupe' : 'upsert', keep: keep ?? 'first' }
}

/** Names and bytes of all files, copies included, and what each run does with each of them. */
function historyOf(drawn: Shape): fc.Arbitrary<History> {
  const request = requestOf(drawn)
  const definition = define(TABLE, request)
  const fresh = recordText(drawn.types, drawn.keys)
  // Whole records come back in other files: a table must tell equal content from other content of the same key.
  return fc.array(fresh, { minLength: 1, maxLength: 4 }).chain((known) => filesOf(request, definition, fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: fresh })))
}

function filesOf(request: DefinitionRequest, definition: Definition, record: fc.Arbitrary<string>): fc.Arbitrary<History> {
  const file = fc.record({
    form: fc.constantFrom('wrapper', 'array', 'ndjson', 'jsonl', 'lines', 'single'),
    records: fc.array(record, { maxLength: 9 }),
    number: fc.nat(30),
    folder: fc.constantFrom('', 'd/', 'd/e 2/'),
    copies: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
  })
  const fate = fc.constantFrom('there', 'there', 'there', 'absent', 'moved')
  const run = fc.record({
    fates: fc.array(fate, { minLength: 24, maxLength: 24 }),
    loseLedger: fc.nat(5).map((n) => n === 0),
    processes: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: 4 }) }),
  })
  return fc.tuple(fc.array(file, { minLength: 1, maxLength: 8 }), fc.array(run, { minLength: 1, maxLength: 4 })).map(([drafts, runs]) => {
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
    return { request, definition, files, runs: scheduleOf(names, runs) }
  })
}

type Draw = { fates: string[]; loseLedger: boolean; processes: number }

function scheduleOf(names: readonly { name: string; bytes: string }[], draws: readonly Draw[]): HistoryRun[] {
  const lying = new Map<number, string>()
  return draws.map((draw, number) => {
    const run: HistoryRun = { remove: [], rename: [], put: [], loseLedger: draw.loseLedger && number > 0, processes: draw.processes }
    names.forEach(({ name, bytes }, index) => {
      const fate = draw.fates[index % draw.fates.length]
      const now = lying.get(index)
      if (fate === 'absent') {
        if (now !== undefined) run.remove.push(now)
        lying.delete(index)
      } else if (now === undefined) {
        run.put.push({ name, bytes })
        lying.set(index, name)
      } else if (fate === 'moved') {
        const to = `m${number}-${name.replaceAll('/', '-')}`
        run.rename.push([now, to])
        lying.set(index, to)
      }
    })
    return run
  })
}

export const histories: fc.Arbitrary<History> = shape.chain(historyOf)

/** Does in `folder` what precedes the run; the ledger is the caller's to lose. */
export function arrange(folder: string, run: HistoryRun): void {
  mkdirSync(folder, { recursive: true })
  for (const name of run.remove) rmSync(join(folder, name))
  for (const [from, to] of run.rename) renameSync(join(folder, from), join(folder, to))
  for (const { name, bytes } of run.put) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
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
export function committedOf(history: History, arrivals: readonly { seq: number; sha256: string; generation: number }[]): ModelArrival[] {
  const bySha = new Map(history.files.map((file) => [shaOf(file.bytes), file]))
  return arrivals.map(({ seq, sha256, generation }) => {
    const file = bySha.get(sha256)
    if (file === undefined) throw new Error(`arrival ${seq} has a content that no file had: ${sha256}`)
    return { seq, content: `${sha256}#${generation}`, records: file.records }
  })
}
