/** From an address to what a connection needs: TLS, and the password from wherever it is kept. */
import { readFileSync } from 'node:fs'
import { SluiceError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { Access } from './session.ts'
import { identityOf } from './url.ts'
import type { PostgresUrl } from './url.ts'

/** @param secret counts before what the address refers to. @throws SluiceError LOGIN_REFUSED when a reference leads to nothing */
export function accessTo(url: PostgresUrl, secret: Secret | null): Access {
  const { user, host, port, database, ssl, application, patience } = url
  const location = identityOf(url)
  const password = passwordOf(url, secret, location)
  return {
    user, host, port, database, application, patience, location,
    ssl: ssl === 'disable' ? false : ssl === 'require' ? { rejectUnauthorized: false } : ssl === 'verify-ca' ? { rejectUnauthorized: true, checkServerIdentity: () => undefined } : { rejectUnauthorized: true },
    ...(password === null ? {} : { password: password.reveal() }),
  }
}

/** Of the address, of what it refers to, or PGPASSWORD; null: pg looks into ~/.pgpass. */
function passwordOf({ reference }: PostgresUrl, secret: Secret | null, location: string): Secret | null {
  if (secret !== null) return secret
  if (reference === null) return process.env['PGPASSWORD'] === undefined ? null : new Secret(process.env['PGPASSWORD'])
  const name = reference.slice(reference.indexOf(':') + 1)
  if (reference.startsWith('env:')) {
    const value = process.env[name]
    if (value === undefined) throw new SluiceError('LOGIN_REFUSED', `${location}: the variable ${name}, which holds its password, is not set.`)
    return new Secret(value)
  }
  try {
    return new Secret(readFileSync(name, 'utf8').split(/\r?\n/)[0] ?? '')
  } catch (thrown) {
    throw new SluiceError('LOGIN_REFUSED', `${location}: its password cannot be read from ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}
