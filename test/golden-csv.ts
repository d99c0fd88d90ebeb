/** The golden cases of CSV: what a file gives, in the form in which `expected.json` tells it. Run, it writes the list of docs/reference/csv.md. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { csvReading } from '../src/core/csv.ts'
import type { CsvRequest } from '../src/core/csv.ts'
import type { DefinitionRequest } from '../src/core/definition.ts'
import { load } from './splitting.ts'

export const GOLDEN = join(import.meta.dirname, 'golden/csv')

/** `expected.json`: what the case is about, how it is loaded, and what becomes of it. */
export interface Case {
  name: string
  about: string
  /** The kind of pollution of the Pollock benchmark that it stands for. */
  pollution?: string
  options?: CsvRequest
  table?: DefinitionRequest
  outcome: Outcome
}
export interface Outcome {
  /** Set when the file is not loaded. */
  code?: string
  message?: string
  /** Columns with types, and the records in place order. */
  schema?: string
  rows?: unknown[][]
  /** Row, byte offset, code, column if one is at fault, and text. */
  rejects?: unknown[][]
  /** What a person is told. */
  said?: string[]
}

export function cases(): Case[] {
  return globSync('*/expected.json', { cwd: GOLDEN }).toSorted().map((path) => ({ ...(JSON.parse(readFileSync(join(GOLDEN, path), 'utf8')) as Omit<Case, 'name'>), name: basename(dirname(path)) }))
}

/** Loads the input of a case. @param window bytes of the first window */
export async function outcomeOf({ name, options, table }: Case, window?: number): Promise<Outcome> {
  const bytes = readFileSync(join(GOLDEN, name, 'input.csv'))
  const more = { reading: { format: null, csv: csvReading(options ?? {}) }, grace: 0, ...(window === undefined ? {} : { window }) }
  const { ends, result, rows, rejects } = await load({ 'input.csv': bytes }, table ?? {}, more)
  const fault = ends[0]?.fault
  if (fault !== null && fault !== undefined) return { code: fault.code, message: fault.message.replace('input.csv: ', '') }
  return {
    schema: result.schema.map((column) => `${column.name}:${column.type}`).join(','),
    rows: rows.map((row) => result.schema.map((column) => row[column.name] ?? null)),
    rejects: rejects.map((reject) => [Number(BigInt(reject['_place'] as string) & 0xffffffffn), Number(reject['offset']), reject['code'], ...(reject['column'] === null ? [] : [reject['column']]), reject['raw']]),
    said: result.notices,
  }
}

/** What becomes of a file, in a few words. */
function fate({ code, rows = [], rejects = [] }: Outcome): string {
  if (code !== undefined) return `refused: \`${code}\``
  const codes = [...new Set(rejects.map((reject) => `\`${String(reject[2])}\``))]
  const records = `${rows.length} record${rows.length === 1 ? '' : 's'}`
  return rejects.length === 0 ? records : `${records}, ${rejects.length} put aside (${codes.join(', ')})`
}

/** The list of cases in docs/reference/csv.md, which ends with it. */
export function casesList(): string {
  const all = cases()
  const row = ({ name, about, outcome }: Case): string => `| \`${name}\` | ${about.replaceAll('|', '\\|').replaceAll('\\x', '\\\\x')} | ${fate(outcome)} |`
  const kinds = [...new Set(all.flatMap(({ pollution }) => (pollution === undefined ? [] : [pollution])))].toSorted()
  const lines = ['| case | what the file is like, and what is done | outcome |', '|---|---|---|']
  for (const kind of kinds) lines.push(`| **${kind}** | | |`, ...all.filter(({ pollution }) => pollution === kind).map(row))
  lines.push('| **beyond Pollock** | | |', ...all.filter(({ pollution }) => pollution === undefined).map(row))
  return `${lines.join('\n')}\n`
}

if (import.meta.main) {
  const page = join(import.meta.dirname, '../docs/reference/csv.md')
  const text = readFileSync(page, 'utf8')
  writeFileSync(page, text.slice(0, text.indexOf('| case |')) + casesList())
}
