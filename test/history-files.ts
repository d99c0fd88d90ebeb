/** The bytes of a file of a history: the same records in each of the forms that Sluice reads. */
import type { Definition } from '../src/core/definition.ts'
import { fold } from '../src/core/schema.ts'
import { NumberText, parseJson } from './typing.ts'
import type { Json } from './typing.ts'

export interface HistoryFile {
  bytes: string
  extension: '.json' | '.ndjson' | '.jsonl'
  /** In the order of the bytes; a line that is not JSON is a text, which is no record either. */
  records: Json[]
}

/**
 * @param texts one JSON text per record; only lines can carry those that are not JSON
 * @param index of the file: files with the same records differ in their bytes, else the later one would be a mere copy
 */
export function fileOf(form: string, texts: readonly string[], definition: Definition, index: number): HistoryFile {
  const parsed = texts.map(parsedOr)
  const whole = texts.filter((_, at) => parsed[at] !== NOT_JSON)
  const json = parsed.filter((one) => one !== NOT_JSON)
  if ((form === 'ndjson' || form === 'jsonl') && texts.length > 0) {
    // Blank lines are no records. (A file of nothing else would be empty, which is a fault.)
    const lines = texts.map((text, at) => `${text}${at % 4 === 3 ? '\r\n\n' : '\n'}`)
    return { bytes: `${lines.join('')}${'\n'.repeat(index)}`, extension: `.${form}`, records: parsed }
  }
  if (form === 'lines' && json.length > 1 && isObject(json[0])) return { bytes: whole.join('\n'), extension: '.json', records: json }
  if (form === 'single' && isObject(json[0]) && holdsKey(json[0], definition)) {
    return { bytes: `${whole[0]}\n`, extension: '.json', records: json.slice(0, 1) }
  }
  if (form === 'array') return { bytes: `[${' '.repeat(index)}${whole.join(',\n')}]`, extension: '.json', records: json }
  const note = index % 2 === 0 ? `"note":{"list":"none","file":${index}},` : ' '.repeat(index)
  return { bytes: `{${note}"records" : [ ${whole.join(' , ')} ],"total":${json.length}}`, extension: '.json', records: json }
}

const NOT_JSON = 'not JSON'

function parsedOr(text: string): Json {
  try {
    return parseJson(text)
  } catch {
    return NOT_JSON
  }
}

function isObject(json: Json | undefined): json is { [member: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof NumberText)
}

/** A document is itself the record when it has all key columns; without a key no document is one. */
function holdsKey(record: { [member: string]: Json }, definition: Definition): boolean {
  const names = Object.keys(record).map((name) => fold(name.replaceAll(' ', '_')))
  return definition.key.length > 0 && definition.key.every((name) => names.includes(fold(name)))
}
