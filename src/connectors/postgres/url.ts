/**
 * `postgres://user@host:port/database?sslmode=…`: what may be written there, and what of it may be written down.
 *
 * Only options of a list are taken: whatever else a driver knows could change what a connection means. A password counts
 * for the command that it is given to; what is remembered names at most where it can be found:
 *   ?password=env:NAME     a variable
 *   ?password=file:PATH    the first line of a file
 * Without any, PGPASSWORD and ~/.pgpass (PGPASSFILE) are asked, as psql does.
 */
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { SluiceError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
export type SslMode = (typeof SSL_MODES)[number]

export interface PostgresUrl {
  user: string
  host: string
  port: number
  database: string
  ssl: SslMode
  application: string
  /** Milliseconds for making a connection. */
  patience: number
  /** `env:NAME` or `file:PATH`. */
  reference: string | null
  /** Given in the address itself: for this command only. */
  password: Secret | null
}

const OPTIONS = ['sslmode', 'application_name', 'connect_timeout', 'password']

/** @throws SluiceError TARGET_INVALID saying what is wrong, without the password */
export function parsePostgresUrl(text: string): PostgresUrl {
  const found = /^postgres(?:ql)?:\/\/(.*)$/is.exec(text)
  if (found === null) throw invalid('an address looks like postgres://user@host:5432/database')
  const [before, query] = split(found[1] ?? '', '?')
  const at = before.lastIndexOf('@')
  const [account, rest] = at < 0 ? ['', before] : [before.slice(0, at), before.slice(at + 1)]
  // Hidden before anything can be said about the rest.
  const [userText, passwordText] = splitOrNull(account, ':')
  const password = passwordText === null || passwordText === '' ? null : new Secret(decoded(passwordText, 'the password'))
  const [hostPort, path] = split(rest, '/')
  const database = decoded(path, 'the database')
  const [, host = '', portText = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(hostPort) ?? []
  if (host === '') throw invalid('the host is missing')
  if (host.includes(',')) throw invalid('one host at a time')
  if (!/^\d{0,5}$/.test(portText) || Number(portText) > 65_535) throw invalid(`${portText} is no port`)
  if (/[\0/]/.test(database) || path.includes('#')) throw invalid('the name of the database holds a character that must be written as %23 or the like')
  const user = decoded(userText, 'the user') || (process.env['PGUSER'] ?? '') || userInfo().username
  return {
    user, password, host: host.replace(/^\[|\]$/g, ''), port: portText === '' ? 5432 : Number(portText), database: database === '' ? user : database,
    ...optionsOf(query),
  }
}

function optionsOf(query: string): Pick<PostgresUrl, 'ssl' | 'application' | 'patience' | 'reference'> {
  const given = new Map<string, string>()
  for (const part of query.split('&')) {
    if (part === '') continue
    const [name, value] = split(part, '=')
    if (!OPTIONS.includes(name)) throw invalid(`the option ${name} is not taken; there are ${OPTIONS.join(', ')}`)
    if (given.has(name)) throw invalid(`the option ${name} is given twice`)
    given.set(name, decoded(value, name))
  }
  const ssl = SSL_MODES.find((mode) => mode === (given.get('sslmode') ?? 'disable'))
  if (ssl === undefined) throw invalid(`sslmode is one of ${SSL_MODES.join(', ')}`)
  const patience = given.get('connect_timeout') ?? '15'
  if (!/^[1-9]\d{0,3}$/.test(patience)) throw invalid('connect_timeout is a number of seconds from 1')
  const reference = given.get('password') ?? null
  if (reference !== null && !/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/.test(reference)) {
    // It might be a password itself, which has no place here.
    const hidden = new Secret(reference)
    throw invalid(`password=${String(hidden)} cannot be written down; it takes env:NAME or file:PATH`)
  }
  const file = reference?.startsWith('file:') === true ? `file:${resolve(reference.slice(5))}` : reference
  return { ssl, application: given.get('application_name') ?? 'sluice', patience: Number(patience) * 1000, reference: file }
}

/** The address without password and options: who a table belongs to. */
export function identityOf({ user, host, port, database }: PostgresUrl): string {
  return `postgres://${encodeURIComponent(user)}@${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}`
}

/** Options as they may be written down, with where the password can be found; empty: none. */
export function lastingOptions(url: PostgresUrl): string {
  const options = [
    ...(url.ssl === 'disable' ? [] : [`sslmode=${url.ssl}`]),
    ...(url.application === 'sluice' ? [] : [`application_name=${encodeURIComponent(url.application)}`]),
    ...(url.patience === 15_000 ? [] : [`connect_timeout=${url.patience / 1000}`]),
    ...(url.reference === null ? [] : [`password=${encodeURIComponent(url.reference)}`]),
  ]
  return options.join('&')
}

function split(text: string, sign: string): [string, string] {
  const at = text.indexOf(sign)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function splitOrNull(text: string, sign: string): [string, string | null] {
  return text.includes(sign) ? split(text, sign) : [text, null]
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`${what} holds a % that is not followed by two hexadecimal digits`)
  }
}

function invalid(why: string): SluiceError {
  return new SluiceError('TARGET_INVALID', `The address of the PostgreSQL server cannot be understood: ${why}.`, { hint: 'Write postgres://user@host:5432/database, and leave the password to PGPASSWORD or ~/.pgpass.' })
}
