/**
 * Where a command speaks: results on stdout, everything else on stderr.
 *
 * With --json stdout gets exactly one document, whatever happens; with -q nothing but errors is said.
 */
import { stripVTControlCharacters } from 'node:util'
import type { SluiceError } from '../core/errors.ts'
import { redact } from '../core/secret.ts'
import { renderError } from './failure.ts'
import type { Surroundings } from './settings.ts'

export type ProgressMode = 'auto' | 'bar' | 'plain' | 'none'

/** The options that every command takes. */
export interface Globals {
  /** Absent: SLUICE_DATA_DIR, the configuration, ./sluice-data. */
  dataDir?: string
  config?: string
  envFile?: string
  json?: boolean
  /** Events on stdout while it runs, then the document of --json. */
  ndjson?: boolean
  quiet?: boolean
  verbose?: boolean
  /** False under --no-color. */
  color?: boolean
  progress?: ProgressMode
}

export type Style = 'red' | 'yellow' | 'green' | 'dim' | 'bold'
const CODES: Readonly<Record<Style, readonly [number, number]>> = { red: [31, 39], yellow: [33, 39], green: [32, 39], dim: [2, 22], bold: [1, 22] }

export interface Stream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** --no-color, then FORCE_COLOR, NO_COLOR and TERM=dumb, then whether anybody looks. */
export function wantsColor(stream: Stream, env: NodeJS.ProcessEnv, flag: boolean | undefined): boolean {
  if (flag === false) return false
  const force = env['FORCE_COLOR']
  if (force !== undefined) return force !== '0' && force !== 'false'
  if ((env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb') return false
  return stream.isTTY === true
}

export class Output {
  readonly globals: Globals
  readonly stdout: Stream
  readonly stderr: Stream
  /** True once the document of --json is out. */
  documented = false
  /** Clears a progress line that stands on the terminal; set while there is one. */
  beforeNote: (() => void) | null = null
  /** Environment and configuration, once they are read. */
  surroundings: Surroundings | null = null
  private readonly env: NodeJS.ProcessEnv

  constructor(globals: Globals, stdout: Stream = process.stdout, stderr: Stream = process.stderr, env: NodeJS.ProcessEnv = process.env) {
    this.globals = globals
    this.stdout = stdout
    this.stderr = stderr
    this.env = env
  }

  get json(): boolean {
    return this.globals.json === true || this.globals.ndjson === true
  }

  /** The data folder that this command works in. */
  get dataDir(): string {
    const named = this.globals.dataDir ?? this.surroundings?.globals.values.dataDir ?? this.env['SLUICE_DATA_DIR']
    return named === undefined || named === '' ? './sluice-data' : named
  }

  style(style: Style, text: string, stream: Stream = this.stderr): string {
    const [on, off] = CODES[style]
    return wantsColor(stream, this.env, this.globals.color) ? `\u001b[${on}m${text}\u001b[${off}m` : text
  }

  /** A result for people. Nothing under --json or -q. */
  result(text: string): void {
    if (this.json || this.globals.quiet === true) return
    this.beforeNote?.()
    this.stdout.write(`${this.stdout.isTTY === true ? harmless(text) : text}\n`)
  }

  /** The one document of --json. A second one would be a fault in Sluice, so it is not written. */
  document(document: object): void {
    if (!this.json || this.documented) return
    this.documented = true
    this.beforeNote?.()
    this.stdout.write(`${toJson(document)}\n`)
  }

  /** A line of --ndjson while the command runs. */
  event(event: object): void {
    if (this.globals.ndjson !== true || this.documented) return
    this.stdout.write(`${toJson(event)}\n`)
  }

  /** What else is worth knowing. */
  note(text: string): void {
    if (this.globals.quiet === true) return
    this.beforeNote?.()
    this.stderr.write(`${wrapped(harmless(redact(text)), this.stderr)}\n`)
  }

  /** A fault in a summary: said under -q, too, when the command did not end well. */
  fault(text: string, exit: number): void {
    if (this.globals.quiet !== true) this.note(text)
    else if (exit !== 0) this.stderr.write(`${harmless(redact(text))}\n`)
  }

  /** One line per arrival and phase, under -v. */
  detail(text: string): void {
    if (this.globals.verbose === true) this.note(text)
  }

  /** An error that ends the command: on stderr for people, as the document under --json. */
  fail(error: SluiceError, exit = error.exit): void {
    this.beforeNote?.()
    if (this.json && !this.documented) this.document(errorDocument(error, exit))
    else this.stderr.write(`${wrapped(harmless(redact(renderError(error, (style, text) => this.style(style, text)))), this.stderr)}\n`)
  }
}

const COLOR = /^\[\d{1,2}m/

/** Names of files and values are of others: what would command a terminal (move, clear, set its title) shows as a dot. */
export function harmless(text: string): string {
  return text.replace(/\p{Cc}/gu, (control, at: number) => {
    // Line feeds and tabs are ours, and so are colours.
    if (control === '\n' || control === '\t') return control
    return control === '\u001b' && COLOR.test(text.slice(at + 1, at + 5)) ? control : '·'
  })
}

/** Narrower than this nothing is wrapped: words would stand one below the other. */
const NARROWEST = 40

/**
 * Sentences that are longer than the terminal is wide, broken between words and indented; what is not a terminal gets them
 * as they are. A command to copy (`next:`) stays in one piece.
 */
export function wrapped(text: string, { isTTY, columns = 0 }: Stream): string {
  if (isTTY !== true || columns < NARROWEST) return text
  return text.split('\n').map((line) => (line.startsWith('  next:') ? line : broken(line, columns))).join('\n')
}

function broken(line: string, columns: number): string {
  const indent = ' '.repeat(/^ */.exec(line)?.[0].length === 0 ? 2 : 4)
  let text = ''
  let width = 0
  for (const word of line.split(/(?<=[^ ]) (?=[^ ])/)) {
    const length = stripVTControlCharacters(word).length
    const fits = text === '' || width + 1 + length <= columns
    text += text === '' ? word : fits ? ` ${word}` : `\n${indent}${word}`
    width = text === word || !fits ? (fits ? 0 : indent.length) + length : width + 1 + length
  }
  return text
}

/** `{"schema":"sluice.error/1",…}` with what is known of the place. */
export function errorDocument(error: SluiceError, exit: number): object {
  return { schema: 'sluice.error/1', code: error.code, message: error.message, hint: error.hint, exit, ...error.where }
}

/** JSON in which integers keep all their digits. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => (typeof member === 'bigint' ? rawJson(member.toString()) : member))
}

// TypeScript's library does not know it yet; Node has had it since 21.
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** A JSON text as a value whose numbers keep all their digits when it is written again. */
export function exactJson(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { source?: string }): unknown => (typeof value === 'number' ? rawJson(context?.source ?? String(value)) : value)
  return JSON.parse(text, exact)
}
