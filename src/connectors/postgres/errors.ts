/** What goes wrong with a PostgreSQL server, as codes of Sluice: by SQLSTATE, and by what the network says. */
import { SluiceError } from '../../core/errors.ts'
import type { Code } from '../../core/errors.ts'

/** SQLSTATEs that mean one thing. */
const STATES: Readonly<Record<string, Code>> = {
  '28P01': 'LOGIN_REFUSED',
  '28000': 'LOGIN_REFUSED',
  '3D000': 'DATABASE_MISSING',
  '42501': 'PRIVILEGE_MISSING',
  '55P03': 'BUSY',
  '57014': 'BUSY',
  '25006': 'TARGET_READ_ONLY',
  '57P03': 'UNREACHABLE',
  '57P01': 'UNREACHABLE',
  '57P02': 'UNREACHABLE',
  '57P05': 'UNREACHABLE',
  '25P03': 'UNREACHABLE',
  '53300': 'BUSY',
  '53100': 'DISK_FULL',
  '40P01': 'DEADLOCK',
  '40001': 'SERIALIZATION',
}

/** What follows is told after the message of the server. */
const HINTS: Partial<Record<Code, string>> = {
  DISK_FULL: 'Free some room on the disk of the server and run the same command again; nothing was lost.',
}

interface ServerError extends Error {
  code?: string
  detail?: string
  constraint?: string
  column?: string
}

/** The SQLSTATE that a server answered with; null: it is no answer of a server. */
export function stateOf(thrown: unknown): string | null {
  const cause = thrown instanceof SluiceError ? thrown.cause : thrown
  const code = cause instanceof Error ? (cause as ServerError).code : undefined
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : null
}

/** Name of the constraint or index that was violated. */
export function constraintOf(thrown: unknown): string | undefined {
  return causeOf(thrown)?.constraint
}

/** What the server says of a row, in one line. */
export function saidBy(thrown: unknown): string {
  const cause = causeOf(thrown)
  return [cause?.message ?? String(thrown), ...(cause?.detail === undefined ? [] : [cause.detail])].join(' · ').replaceAll(/\s+/g, ' ')
}

function causeOf(thrown: unknown): ServerError | undefined {
  const cause = thrown instanceof SluiceError ? thrown.cause : thrown
  return cause instanceof Error ? cause : undefined
}

/** Did the connection break, so that nothing is known of what was asked last? */
export function isLost(thrown: unknown): boolean {
  const state = stateOf(thrown)
  if (state !== null) return state.startsWith('57P') || state.startsWith('08') || state === '25P03'
  return true
}

/** @param where the server and the database, without a password */
export function postgresError(thrown: unknown, where: string): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const error: ServerError = thrown instanceof Error ? thrown : new Error(String(thrown))
  const state = stateOf(error)
  const code = state === null ? networkCode(error) : codeOf(state)
  const detail = error.detail === undefined ? '' : ` (${error.detail})`
  const hint = HINTS[code]
  return new SluiceError(code, `${where}: ${said(error)}${detail}${state === null ? '' : ` [${state}]`}`, { cause: error, ...(hint === undefined ? {} : { hint }) })
}

/** Node gives several addresses of a host one error without a message. */
function said(error: Error): string {
  if (/client password must be/.test(error.message)) return 'the server wants a password, and none was given'
  if (error instanceof AggregateError && error.message === '') return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join('; ')
  return error.message
}

function codeOf(state: string): Code {
  const known = STATES[state]
  if (known !== undefined) return known
  if (state.startsWith('08')) return 'UNREACHABLE'
  // Memory and the like of the server: of a file here that would make a suspect.
  if (state.startsWith('53')) return 'IO_FAILED'
  if (state.startsWith('58')) return 'IO_FAILED'
  return 'DATABASE_FAILED'
}

/** pg itself refuses before it asks when a server wants a password and there is none. */
function networkCode(error: Error): Code {
  if (/password must be a string|client password|SASL/.test(error.message)) return 'LOGIN_REFUSED'
  return 'UNREACHABLE'
}
