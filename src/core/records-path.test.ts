/** Which texts of --records are paths. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SluiceError } from './errors.ts'
import { checkRecordsPath } from './records-path.ts'

test('the root, dotted names and JSON Pointers are paths', () => {
  for (const text of ['.', 'records', 'data.items', 'ü.0.$', 'a b', '/data/items', '/a~1b/c~0d/a.b', '/', '/a/']) assert.doesNotThrow(() => checkRecordsPath(text), text)
})

test('what is malformed is refused by name, with the forms that are known', () => {
  for (const text of ['', 'data..items', '.items', 'items.', '..', 'data/items', '#/data', './data', '/a~', '/a~2b']) {
    const named = (thrown: unknown): boolean => thrown instanceof SluiceError && thrown.code === 'DEFINITION_INVALID' && thrown.message.includes(text === '' ? 'empty' : `--records ${text}`) && /data\.items/.test(thrown.hint)
    assert.throws(() => checkRecordsPath(text), named, text)
  }
})
