/** The one error class. What a code means and what to do about it stands in `codes.ts`. */
import { CODES } from './codes.ts'
import type { Code, CodeEntry } from './codes.ts'
import { redact } from './secret.ts'

export type { Code, Kind } from './codes.ts'

/** Where in the input a fault lies. Rows count from 1, offsets are bytes from 0. */
export interface Where {
  path?: string
  row?: number
  offset?: number
  column?: string
  value?: string
}

/** A fault of a file or a record, as it is stored, listed and printed. */
export interface Fault extends Where {
  code: Code
  message: string
  /** Of what stopped a run: the next step, where it is another one than that of the code. */
  hint?: string
}

/** Whatever an error says is free of secrets: it ends in logs, in the ledger and on screens. */
export class SluiceError extends Error {
  readonly code: Code
  readonly where: Where
  readonly hint: string
  constructor(code: Code, message: string, options: { where?: Where; hint?: string; cause?: unknown } = {}) {
    super(redact(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SluiceError'
    this.code = code
    this.where = clean(options.where ?? {})
    this.hint = options.hint === undefined ? this.entry.hint : redact(options.hint)
  }
  get entry(): CodeEntry {
    return CODES[this.code]
  }
  get kind(): CodeEntry['kind'] {
    return this.entry.kind
  }
  get exit(): number {
    return this.entry.exit
  }
}

function clean(where: Where): Where {
  const { path, value } = where
  return { ...where, ...(path === undefined ? {} : { path: redact(path) }), ...(value === undefined ? {} : { value: redact(value) }) }
}

/** A fault that comes from another process, where secrets may be unknown, as it may be stored and told. */
export function cleanFault(fault: Fault): Fault {
  return { ...fault, ...clean(fault), message: redact(fault.message) }
}

/** Anything thrown as a SluiceError; what is unknown becomes INTERNAL and keeps its cause. */
export function asSluiceError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  return new SluiceError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown })
}

/** At most this many characters of a value are shown in a message. */
export const SHOWN_VALUE = 120

export function shorten(text: string): string {
  return text.length <= SHOWN_VALUE ? text : `${text.slice(0, SHOWN_VALUE)}…`
}
