/** Values that come out are those that went in: compared with JSON.parse and Date, which share no line with the splitter. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { give, load } from '../../test/splitting.ts'
import { define } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import { openSplitter } from './splitter.ts'
import { plain, survives } from './typing/number.ts'
import { Clockwork, LOCAL, NOT_A_TIME, ZONED } from './typing/temporal.ts'

const text = fc.string({ unit: 'binary', maxLength: 80 })
const record = fc.record(
  { s: fc.option(text), i: fc.maxSafeInteger(), d: fc.double({ noNaN: true, noDefaultInfinity: true }), b: fc.boolean(), j: fc.jsonValue({ depthSize: 'small', noUnicodeString: false }), 'é "q"': text },
  { requiredKeys: [] },
)

/** The same document with other escapes and white space. */
function respelled(json: string, how: number): string {
  const escaped = how % 2 === 0 ? json : json.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return how < 2 ? escaped : ` ${escaped} `
}

const same = (a: unknown, b: unknown): boolean => (typeof a === 'number' && typeof b === 'number' ? a === b : JSON.stringify(a) === JSON.stringify(b))

test('values of declared columns are those that JSON.parse reads, in lines, lists and wrappers, through windows of any size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 12 }), fc.constantFrom('lines', 'list', 'wrapper'), fc.nat(3), fc.integer({ min: 2, max: 200 }), async (records, form, how, window) => {
      const texts = records.map((one) => respelled(JSON.stringify(one), how))
      const body = form === 'lines' ? `${texts.join('\n')}\n` : form === 'list' ? `[${texts.join(',')}]` : `{"n":1,"r":[${texts.join(' , ')}],"o":{}}`
      const { rows, rejects } = await load({ [form === 'lines' ? 'a.ndjson' : 'a.json']: body }, { columns: 's:string,i:int64,d:double,b:boolean,j:json,é_"q":string' }, { window })
      assert.deepEqual(rejects, [])
      assert.equal(rows.length, records.length)
      for (const [n, row] of rows.entries()) {
        const want = JSON.parse(texts[n] as string) as Record<string, unknown>
        const got = { s: row['s'], i: row['i'] === null ? null : Number(row['i']), d: row['d'], b: row['b'], q: row['é_"q"'] }
        assert.deepEqual(got, { s: want['s'] ?? null, i: want['i'] ?? null, d: want['d'] ?? null, b: want['b'] ?? null, q: want['é "q"'] ?? null })
        assert.ok(want['j'] === null || want['j'] === undefined ? row['j'] === null : same(JSON.parse(row['j'] as string), want['j']), `${row['j'] as string} for ${texts[n]}`)
      }
    }),
    { numRuns: 60 },
  )
})

test('a value may begin with U+FEFF, which is no mark of an encoding there', async () => {
  const { rows } = await load({ 'a.ndjson': '\ufeff{"s":"\ufeff","t":"\ufeffa"}\n' }, { columns: 's:string,t:string' })
  assert.deepEqual(rows.map(({ s, t }) => [s, t]), [['\ufeff', '\ufeffa']])
})

test('inferred columns give back what was written, whatever their type became', async () => {
  const value = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), text)
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 6 }), async (values) => {
      const { rows, result } = await load({ 'a.ndjson': values.map((v) => JSON.stringify({ v })).join('\n') })
      const type = result.schema[0]?.type
      const want = values.map((v) => (type === 'string' && typeof v !== 'string' ? JSON.stringify(v) : v))
      const got = rows.map(({ v }) => (type === 'int64' ? Number(v) : v))
      // -0 is written as 0.
      if (type !== 'date' && type !== 'timestamp') assert.deepEqual(got, want.map((v) => (Object.is(v, -0) ? 0 : v)))
    }),
    { numRuns: 60 },
  )
})

test('timestamps of the usual form are the microseconds that Date counts', () => {
  const clockwork = new Clockwork()
  const check = (shown: string, micros: bigint): void => {
    const bytes = Buffer.from(`"${shown}"`)
    assert.equal(clockwork.time(bytes, 1, bytes.length - 1), ZONED, shown)
    assert.equal(BigInt.asIntN(64, (BigInt(clockwork.high) << 32n) + BigInt(clockwork.low)), micros, shown)
  }
  const [first, last] = [Date.parse('0001-01-01T00:00:00.000Z'), Date.parse('9999-12-31T23:59:59.999Z')]
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(first, last, 0, -1, 1, 951_782_400_000 - 1), fc.integer({ min: first, max: last })), fc.nat(999), (ms, micros) => {
      const shown = new Date(ms).toISOString()
      check(shown, BigInt(ms) * 1000n)
      check(shown.replace('Z', `${String(micros).padStart(3, '0')}+00:00`), BigInt(ms) * 1000n + BigInt(micros))
    }),
    { numRuns: 2000 },
  )
})

test('one wrong character makes the usual form another one or none', () => {
  const clockwork = new Clockwork()
  const right = '2024-02-29T23:59:59.999Z'
  for (let at = 0; at < right.length; at++) {
    const bytes = Buffer.from(`${right.slice(0, at)}x${right.slice(at + 1)}`)
    assert.equal(clockwork.time(bytes, 0, bytes.length), NOT_A_TIME, bytes.toString())
  }
  for (const wrong of ['2023-02-29T00:00:00.000Z', '2024-01-01T24:00:00.000Z', '2024-01-01T00:60:00.000Z', '2024-01-01T00:00:60.000Z', '2024-13-01T00:00:00.000Z', '0000-01-01T00:00:00.000Z']) {
    assert.equal(clockwork.time(Buffer.from(wrong), 0, 24), NOT_A_TIME, wrong)
  }
  assert.equal(clockwork.time(Buffer.from('2024-02-29T23:59:59.9990'), 0, 24), LOCAL)
})

test('plain decimals are the nearest doubles, and survive', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999_999n }), fc.integer({ min: 1, max: 14 }), fc.boolean(), (digits, point, negative) => {
      const all = digits.toString().padStart(point + 1, '0')
      const written = `${negative ? '-' : ''}${all.slice(0, -point)}.${all.slice(-point)}`
      const bytes = Buffer.from(`[${written}]`)
      assert.ok(Object.is(plain(bytes, 1, bytes.length - 1), Number(written)), written)
      assert.ok(survives(written), written)
    }),
    { numRuns: 3000 },
  )
  for (const other of ['1e5', '1.5E2', '0.1234567890123456', '1234567890123456.5']) assert.ok(Number.isNaN(plain(Buffer.from(other), 0, other.length)), other)
})

const folder = mkdtempSync(join(tmpdir(), 'small-disk-'))
const disk = join(folder, 'disk')
mkdirSync(disk)
const mounted = process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0

test('a full disk stops the job and names the part', { skip: mounted ? false : 'a small disk can only be mounted by root' }, async () => {
  const splitter = openSplitter({ folder: disk, prefix: 'b', definition: define('t', {}), pinned: null, onBad: 'quarantine', maxBad: null, grace: 0, now: 0, limits: { groupRows: 1000 } })
  const lines = `{"s":"${'x'.repeat(1000)}"}\n`.repeat(3000)
  await assert.rejects(give(splitter, 1, 'a.ndjson', lines), (thrown) => thrown instanceof SluiceError && thrown.code === 'DISK_FULL' && thrown.message.includes('records-1.parquet'))
})

test.after(() => {
  if (mounted) spawnSync('umount', ['-l', disk])
  rmSync(folder, { recursive: true, force: true })
})
