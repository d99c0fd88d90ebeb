/** Addresses: what is understood, what is refused, and what of them is ever written down. */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { redact } from '../../core/secret.ts'
import { identityOf, lastingOptions, parsePostgresUrl } from './url.ts'

const parse = (text: string): { identity: string; options: string; password: string | null } => {
  const url = parsePostgresUrl(text)
  return { identity: identityOf(url), options: lastingOptions(url), password: url.password?.reveal() ?? null }
}

test('an address in its parts, with everything that may be left out', () => {
  const cases: [string, string, string, string | null][] = [
    ['postgres://me@h/d', 'postgres://me@h:5432/d', '', null],
    ['postgresql://me:pass%20word@h:6000/d', 'postgres://me@h:6000/d', '', 'pass word'],
    ['POSTGRES://me:p%40ss%3Aword@h/d?sslmode=require', 'postgres://me@h:5432/d', 'sslmode=require', 'p@ss:word'],
    ['postgres://me:un@encoded@h/d', 'postgres://me@h:5432/d', '', 'un@encoded'],
    ['postgres://me@[::1]:7/d', 'postgres://me@[::1]:7/d', '', null],
    ['postgres://m%C3%A9@h/a%2Fb', '', '', null],
    ['postgres://me@h', 'postgres://me@h:5432/me', '', null],
    ['postgres://me@h/d?password=env:PW&connect_timeout=3&application_name=my%20app', 'postgres://me@h:5432/d', 'application_name=my%20app&connect_timeout=3&password=env%3APW', null],
    ['postgres://me@h/d?password=file:pw', 'postgres://me@h:5432/d', `password=${encodeURIComponent(`file:${resolve('pw')}`)}`, null],
  ]
  for (const [text, identity, options, password] of cases) {
    if (identity === '') assert.throws(() => parse(text), { code: 'TARGET_INVALID' }, text)
    else {
      assert.deepEqual(parse(text), { identity, options, password }, text)
      // What is written down is understood again, and has no password.
      assert.deepEqual(parse(`${identity}${options === '' ? '' : `?${options}`}`), { identity, options, password: null })
    }
  }
})

test('what is no address, and options that a driver would understand in its own way', () => {
  const wrong = [
    'postgres:', 'postgres:me@h/d', 'postgres://', 'postgres:///d', 'postgres://me@/d', 'postgres://me@h:port/d', 'postgres://me@h:99999/d', 'postgres://me@a,b/d', 'postgres://me@h/d%',
    'postgres://me@h/d?options=-c%20x', 'postgres://me@h/d?host=/tmp', 'postgres://me@h/d?sslmode=prefer', 'postgres://me@h/d?sslmode=require&sslmode=disable', 'postgres://me@h/d?sslrootcert=x', 'postgres://me@h/d?connect_timeout=0',
    'postgres://me@h/d?password=hunter22', 'postgres://me@h/d#t', 'mysql://me@h/d',
  ]
  for (const text of wrong) assert.throws(() => parse(text), { code: 'TARGET_INVALID' }, text)
})

test('no message repeats a password, wherever it stands', () => {
  for (const text of ['postgres://me:hunter22@h/d?options=x', 'postgres://me:hunter22@h:port/d', 'postgres://me@h/d?password=hunter22', 'postgres://me:hunter22@h/d%']) {
    try {
      parse(text)
      assert.fail(text)
    } catch (thrown) {
      assert.ok(thrown instanceof Error)
      assert.doesNotMatch(`${thrown.message} ${String(thrown.stack)}`, /hunter22/)
    }
  }
  assert.doesNotMatch(redact('the server said: hunter22'), /hunter22/)
})

test('users, databases and passwords of any characters come through', () => {
  const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/[\0/]/.test(text) && text.isWellFormed())
  fc.assert(
    fc.property(part, part, part, (user, password, database) => {
      const url = parsePostgresUrl(`postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/${encodeURIComponent(database)}`)
      assert.deepEqual([url.user, url.password?.reveal(), url.database], [user, password, database])
      const again = parsePostgresUrl(identityOf(url))
      assert.deepEqual([again.user, again.database, again.password], [user, database, null])
    }),
  )
})
