/** Errors carry a code, and the code says everything else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CODES, isCode } from './codes.ts'
import { SHOWN_VALUE, SluiceError, asSluiceError, shorten } from './errors.ts'

test('a code has a sentence, a next step, and an exit that goes with its kind', () => {
  const exits: Record<string, readonly number[]> = { usage: [2, 6], config: [4, 5, 6], data: [3], transient: [1, 5, 7, 130], conflict: [1], bug: [1] }
  for (const [code, entry] of Object.entries(CODES)) {
    assert.match(code, /^[A-Z][A-Z0-9_]*$/)
    assert.match(entry.means, /\.$/, code)
    assert.match(entry.hint, /\.$/, code)
    assert.ok(exits[entry.kind]?.includes(entry.exit), `${code}: exit ${entry.exit} for ${entry.kind}`)
    assert.ok(entry.http >= 400 && entry.http < 600, code)
  }
  assert.ok(isCode('FENCED'))
  assert.ok(!isCode('toString'), 'only codes of the table')
})

test('an error has the kind, exit and hint of its code, unless it has a better hint', () => {
  const error = new SluiceError('FILE_GONE', 'a.json is gone.', { where: { path: 'a.json', row: 3 } })
  assert.deepEqual([error.code, error.kind, error.exit, error.hint, error.where], ['FILE_GONE', 'data', 3, CODES.FILE_GONE.hint, { path: 'a.json', row: 3 }])
  assert.equal(error.name, 'SluiceError')
  assert.equal('cause' in error, false)
  assert.equal(new SluiceError('USAGE', 'no', { hint: 'Do this.' }).hint, 'Do this.')
})

test('what is unknown becomes INTERNAL and keeps its cause', () => {
  const known = new SluiceError('BUSY', 'wait')
  assert.equal(asSluiceError(known), known)
  const cause = new TypeError('boom')
  const error = asSluiceError(cause)
  assert.deepEqual([error.code, error.message, error.cause], ['INTERNAL', 'boom', cause])
  assert.equal(asSluiceError('text').message, 'text')
})

test('a long value is cut, a short one is not', () => {
  assert.equal(shorten('x'.repeat(SHOWN_VALUE)), 'x'.repeat(SHOWN_VALUE))
  assert.equal(shorten('x'.repeat(SHOWN_VALUE + 1)), `${'x'.repeat(SHOWN_VALUE)}…`)
})
