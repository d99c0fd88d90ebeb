/** Cuts a small file into its records, for the engine in memory. */
import type { Definition } from '../../src/core/definition.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { Code } from '../../src/core/errors.ts'
import { columnName, fold } from '../../src/core/schema.ts'
import { NumberText, parseJson } from '../typing.ts'
import type { Json } from '../typing.ts'

/** One record: its value, or the reason why there is none. */
export interface Split {
  json: Json | undefined
  code?: Code
  /** Bytes from the beginning of the file; null in documents. */
  offset: number | null
  /** Its text; null in documents. */
  raw: string | null
}

/** @throws SluiceError UTF8_INVALID, JSON_INVALID, FILE_TRUNCATED, RECORDS_NOT_FOUND, RECORDS_AMBIGUOUS */
export function splitText(bytes: Uint8Array, path: string, definition: Definition): Split[] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new SluiceError('UTF8_INVALID', `${path} is not UTF-8.`)
  }
  if (/\.(ndjson|jsonl)$/.test(path) || looksLikeLines(text)) return lines(text)
  let root: Json
  try {
    root = parseJson(text)
  } catch (thrown) {
    const cut = thrown instanceof SyntaxError && /end of JSON input|Unterminated|after property name/.test(thrown.message)
    throw new SluiceError(cut ? 'FILE_TRUNCATED' : 'JSON_INVALID', `${path}: ${String(thrown)}`)
  }
  return recordsOf(root, path, definition).map((json) => ({ json, offset: null, raw: null }))
}

/** The first line is one whole object, and more follows. */
function looksLikeLines(text: string): boolean {
  const end = text.indexOf('\n')
  if (end < 0 || text.slice(end).trim() === '' || !text.trimStart().startsWith('{')) return false
  return tryParse(text.slice(0, end)) !== undefined
}

function lines(text: string): Split[] {
  const split: Split[] = []
  let offset = 0
  for (const line of text.split('\n')) {
    if (line.trim() !== '') split.push({ json: tryParse(line), code: 'JSON_INVALID', offset, raw: line })
    offset += Buffer.byteLength(line) + 1
  }
  return split
}

function tryParse(text: string): Json | undefined {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

function isObject(json: Json | undefined): json is { [member: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof NumberText)
}

function recordsOf(root: Json, path: string, definition: Definition): Json[] {
  if (definition.records !== null) return listed(at(root, definition.records), path)
  if (Array.isArray(root)) return root
  if (!isObject(root)) throw new SluiceError('RECORDS_NOT_FOUND', `${path} holds no list of records.`)
  const names = Object.keys(root).map((member) => fold(columnName(member)))
  if (definition.key.length > 0 && definition.key.every((name) => names.includes(fold(name)))) return [root]
  const arrays = Object.entries(root).filter(([, value]) => Array.isArray(value))
  if (arrays.length === 0) throw new SluiceError('RECORDS_NOT_FOUND', `${path} holds no list of records.`)
  if (arrays.length > 1) throw new SluiceError('RECORDS_AMBIGUOUS', `${path} holds several lists: ${arrays.map(([name]) => name).join(', ')}.`)
  return listed(arrays[0]?.[1], path)
}

function listed(json: Json | undefined, path: string): Json[] {
  if (Array.isArray(json)) return json
  if (isObject(json)) return [json]
  throw new SluiceError('RECORDS_NOT_FOUND', `${path} holds no list of records there.`)
}

function at(root: Json, records: string): Json | undefined {
  if (records === '.') return root
  const steps = records.startsWith('/') ? records.slice(1).split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')) : records.split('.')
  let json: Json | undefined = root
  for (const step of steps) json = Array.isArray(json) ? json[Number(step)] : isObject(json) ? json[step] : undefined
  return json
}
