/** Secrets show themselves as ***, and no text that passes `redact` has one. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { inspect } from 'node:util'
import { SluiceError } from './errors.ts'
import { Secret, hideSecretsOf, isSecretName, redact } from './secret.ts'

test('a secret can be used and not be printed', () => {
  const secret = new Secret('open sesame')
  assert.equal(secret.reveal(), 'open sesame')
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }), inspect(secret, { showHidden: true }), secret.toString()]
  assert.deepEqual(shown.filter((text) => text.includes('open sesame')), [])
  assert.deepEqual(shown.filter((text) => !text.includes('***')), [])
})

test('passwords in addresses are taken out, whatever is in them; the rest of the address stays', () => {
  const cases: [string, string][] = [
    ['to postgres://me:p4ss@db:5432/x failed', 'to postgres://me:***@db:5432/x failed'],
    ['redis://:p4ss@host', 'redis://:***@host'],
    ['s3://key:pa/ss@bucket/in', 's3://key:***@bucket/in'],
    ['amqp://u:p@ss@host/v', 'amqp://u:***@host/v'],
    ["a 'postgres://a:b@h' and \"mysql://c:d@i\"", "a 'postgres://a:***@h' and \"mysql://c:***@i\""],
    ['https://h/x?user=a&password=p4ss&z=1', 'https://h/x?user=a&password=***&z=1'],
    ['https://b.s3/k?X-Amz-Credential=AK&X-Amz-Signature=abc#f', 'https://b.s3/k?X-Amz-Credential=***&X-Amz-Signature=***#f'],
    ['http://localhost:4870/quarantine', 'http://localhost:4870/quarantine'],
    ['me@example.org and 12:30', 'me@example.org and 12:30'],
  ]
  for (const [text, clean] of cases) assert.equal(redact(text), clean)
})

test('values of variables that are secrets by name, or in an address, are in no text', () => {
  hideSecretsOf({ DB_PASSWORD: 'tiger"tiger', API_KEY: 'k-123456', DATABASE_URL: 'postgres://u:sl%40sh1@h/d', HOME: '/srv/somebody', PWD: '/somewhere/else', SHORT_TOKEN: 'abc' })
  assert.equal(redact('tiger"tiger'), '***')
  assert.equal(redact(JSON.stringify({ text: 'a tiger"tiger b' })), '{"text":"a *** b"}')
  assert.equal(redact(`x=${encodeURIComponent('tiger"tiger')}`), 'x=***')
  assert.equal(redact('k-123456, sl%40sh1, sl@sh1'), '***, ***, ***')
  assert.equal(redact('/srv/somebody /somewhere/else abc'), '/srv/somebody /somewhere/else abc')
})

test('names of secrets', () => {
  for (const name of ['DB_PASSWORD', 'AWS_SECRET_ACCESS_KEY', 'GITHUB_TOKEN', 'my-api-key', 'APIKEY', 'Secret']) assert.ok(isSecretName(name), name)
  for (const name of ['PWD', 'OLDPWD', 'SLUICE_KEY', 'PATH', 'TOKENIZER', 'KEYBOARD']) assert.ok(!isSecretName(name), name)
})

test('an error is clean in message, hint and place', () => {
  hideSecretsOf({ X_SECRET: 'xyzzy-plugh' })
  const error = new SluiceError('TARGET_INVALID', 'no xyzzy-plugh at postgres://a:b@h', { hint: 'not xyzzy-plugh', where: { path: 's3://a:b@c', value: 'xyzzy-plugh', row: 3 } })
  assert.deepEqual([error.message, error.hint, error.where], ['no *** at postgres://a:***@h', 'not ***', { path: 's3://a:***@c', value: '***', row: 3 }])
})
