/**
 * What a setting is. One declaration makes its flag, its variable, its member in a configuration file, its line in the
 * JSON Schema, in the help and in the reference: nothing is written twice, so nothing can be forgotten.
 *
 *   onBad   →  --on-bad   SLUICE_ON_BAD   onBad
 */
import { resolve } from 'node:path'
import { isAddress } from '../core/address.ts'
import { SluiceError } from '../core/errors.ts'
import { parseDuration, parseLimit, parseSize } from '../core/units.ts'

/** Kinds of settings that are given as text. */
export type TextKind =
  | 'text'
  /** A list of names: `id,ts`, or an array in a configuration. */
  | 'names'
  /** `id:string,ts:timestamp`, or an object in a configuration. */
  | 'columns'
  /** A target such as `sqlite:FILE`, or several; a relative path in one belongs to the file that it is written in. */
  | 'target'
  /** A file or folder; relative like a target. */
  | 'path'
  /** `512MB` */
  | 'size'
  /** `10m` */
  | 'time'
  /** `5` or `1%` */
  | 'limit'

interface Common {
  /** Word for the value in the help. */
  value?: string
  /** One line for the help and the reference. */
  help: string
  /** `table`: belongs to one table and never to the defaults of a configuration; `run`: how the work is done. */
  of: 'table' | 'run'
  /** The only values. */
  choices?: readonly string[]
  /** Said in the reference; absent: nothing. */
  fallback?: string
  /** False: it makes sense for one command line only, so there is no variable and no member in a configuration. */
  lasting?: false
  /** One letter, such as `-o`. */
  short?: string
  /** False: no variable, because another verb means something else by the name. */
  variable?: false
  /** False: no flag of its own (paths are the command's arguments). */
  flag?: false
  /** True: no command can do without it. */
  needed?: true
}

/** `V` decides the kind: boolean → switch, number → count, list → paths, text → a kind of text. */
export type Setting<V = unknown> = Common & {
  kind: unknown extends V ? TextKind | 'switch' | 'count' | 'paths' : [V] extends [boolean] ? 'switch' : [V] extends [number] ? 'count' : [V] extends [readonly string[]] ? 'paths' : TextKind
}

/** A declaration for every member of `T`; the compiler refuses a table that lacks one. */
export type SettingTable<T> = { readonly [Name in keyof Required<T>]: Setting<Required<T>[Name]> }
/** A table of unknown members. */
export type AnyTable = Readonly<Record<string, Setting>>

export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

export function hasVariable(setting: Setting): boolean {
  return setting.lasting !== false && setting.variable !== false
}

export function variableOf(name: string): string {
  return `SLUICE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** What a setting of any source becomes: text, a switch, a number, or paths. */
export type Plain = string | boolean | number | string[]

const TRUE = new Set(['true', '1', 'yes', 'on'])
const FALSE = new Set(['false', '0', 'no', 'off'])

/**
 * The value of a flag or a variable.
 * @param called how the user wrote it, for the message
 * @throws SluiceError USAGE
 */
export function readText(setting: Setting, called: string, text: string): Plain {
  if (setting.choices !== undefined && !setting.choices.includes(text)) throw new SluiceError('USAGE', `${called} ${text}: expected one of ${setting.choices.join(', ')}.`)
  switch (setting.kind) {
    case 'switch':
      if (TRUE.has(text.toLowerCase())) return true
      if (FALSE.has(text.toLowerCase())) return false
      throw new SluiceError('USAGE', `${called} ${text}: expected true or false.`)
    case 'count':
      if (!/^[1-9]\d{0,14}$/.test(text)) throw new SluiceError('USAGE', `${called} ${text} is not a number from 1.`)
      return Number(text)
    case 'paths':
      return text.split(':').filter((path) => path !== '')
    case 'text':
    case 'names':
    case 'columns':
    case 'target':
    case 'path':
      return text
    // What is no size is said here, where it is known who wrote it; whoever works with it reads it again.
    case 'size':
      parseSize(called, text)
      return text
    case 'time':
      parseDuration(called, text)
      return text
    case 'limit':
      parseLimit(called, text)
      return text
  }
}

/** The value of a configuration file, in the form that the flag has. Paths are made absolute from `folder`. */
export function readMember(setting: Setting, value: unknown, folder: string): Plain {
  switch (setting.kind) {
    case 'names':
      return Array.isArray(value) ? value.join(',') : String(value)
    case 'columns':
      return typeof value === 'object' && value !== null ? Object.entries(value).map(([name, type]) => `${name}:${String(type)}`).join(',') : String(value)
    case 'target':
      return Array.isArray(value) ? value.map((one) => absoluteTarget(String(one), folder)) : absoluteTarget(String(value), folder)
    case 'path':
      return resolve(folder, String(value))
    case 'paths':
      return (Array.isArray(value) ? value : [value]).map((path) => (isUri(String(path)) ? String(path) : isAddress(String(path)) ? absoluteSource(String(path), folder) : resolve(folder, String(path))))
    case 'switch':
    case 'count':
      return value as boolean | number
    case 'text':
    case 'size':
    case 'time':
    case 'limit':
      return String(value)
  }
}

function isUri(path: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(path) || path === '-'
}

/** The file of a source's address, as of a target; what follows the question mark is nobody's path. */
function absoluteSource(address: string, folder: string): string {
  const at = address.indexOf('?')
  const colon = address.indexOf(':')
  return `${address.slice(0, colon + 1)}${resolve(folder, address.slice(colon + 1, at))}${address.slice(at)}`
}

/** `sqlite:x.db` in /etc/s → `sqlite:/etc/s/x.db`. What is no local place stays as it is. */
function absoluteTarget(to: string, folder: string): string {
  if (/^postgres(ql)?:/i.test(to)) return to.replace(/([?&]password=file(?::|%3A))([^&]*)/i, (_, before: string, path: string) => `${before}${encodeURIComponent(resolve(folder, decodeURIComponent(path)))}`)
  const [, scheme, rest = ''] = /^(delta|sqlite|duckdb):(.*)$/s.exec(to) ?? []
  return scheme === undefined || rest === '' || rest.startsWith('//') ? to : `${scheme}:${resolve(folder, rest)}`
}

/** The name that was probably meant, or null. */
export function nearest(name: string, known: Iterable<string>): string | null {
  let best: string | null = null
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/** Insertions, deletions, replacements and exchanges of neighbours that make one word of the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
