/** Who hears what: results, notes, errors, and the one document. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { SluiceError } from '../core/errors.ts'
import { renderFaults, renderWhere } from './failure.ts'
import { Output, wantsColor, wrapped } from './output.ts'
import type { Globals } from './output.ts'

class Recorder {
  text = ''
  write(text: string): void {
    this.text += text
  }
}

function outputs(globals: Globals, env: NodeJS.ProcessEnv = {}): { output: Output; out: Recorder; err: Recorder } {
  const out = new Recorder()
  const err = new Recorder()
  return { output: new Output(globals, out, err, env), out, err }
}

const error = new SluiceError('TYPE_MISMATCH', 'qty is no number.', { where: { path: 'in/a.json', row: 1042, offset: 61_204, column: 'qty', value: '3O' } })

test('people: results on stdout, notes and errors on stderr', () => {
  const { output, out, err } = outputs({})
  output.result('r')
  output.note('n')
  output.detail('d')
  output.document({ a: 1 })
  output.fail(error)
  assert.equal(out.text, 'r\n')
  assert.equal(err.text, `n\nerror[TYPE_MISMATCH]: qty is no number.\n  --> in/a.json:1042:61204  row 1,042 · byte 61,204 · column qty · value 3O\n  help: ${error.hint}\n`)
})

test('names and values of others command no terminal; a file gets them as they are', () => {
  const hostile = 'in/\u001b[2J\u001b]0;title\u0007\u009bx.csv'
  const { output, out, err } = outputs({}, { FORCE_COLOR: '1' })
  output.note(`${output.style('red', 'failed')}\t${hostile}`)
  output.fault(hostile, 3)
  output.fail(new SluiceError('FILE_EMPTY', 'Nothing.', { where: { path: hostile } }))
  output.result(hostile)
  for (const command of ['\u001b[2J', '\u001b]', '\u0007', '\u009b']) assert.ok(!err.text.includes(command))
  assert.ok(err.text.startsWith('\u001b[31mfailed\u001b[39m\tin/·[2J·]0;title··x.csv\n'))
  assert.equal(out.text, `${hostile}\n`)
  const screen = Object.assign(new Recorder(), { isTTY: true })
  new Output({}, screen, err, {}).result(hostile)
  assert.equal(screen.text, 'in/·[2J·]0;title··x.csv\n')
})

test('a fault of a summary is said under -q only when the command did not end well', () => {
  const { output, err } = outputs({ quiet: true })
  output.fault('passed over', 0)
  output.fault('told', 3)
  assert.equal(err.text, 'told\n')
})

test('--json: one document and no second one, whatever comes', () => {
  const { output, out } = outputs({ json: true })
  output.result('r')
  output.document({ rows: 2n ** 63n - 1n })
  output.document({ second: true })
  output.fail(error)
  assert.equal(out.text, '{"rows":9223372036854775807}\n')
})

test('--json: an error is a document of its own with its place', () => {
  const { output, out, err } = outputs({ json: true })
  output.fail(error)
  assert.deepEqual(JSON.parse(out.text), { schema: 'sluice.error/1', code: 'TYPE_MISMATCH', message: 'qty is no number.', hint: error.hint, exit: 3, path: 'in/a.json', row: 1042, offset: 61_204, column: 'qty', value: '3O' })
  assert.equal(err.text, '')
})

test('-q: nothing but errors', () => {
  const { output, out, err } = outputs({ quiet: true })
  output.result('r')
  output.note('n')
  output.fail(error)
  assert.equal(out.text, '')
  assert.match(err.text, /^error\[TYPE_MISMATCH\]/)
})

test('the data folder: the flag, else the environment, else ./sluice-data', () => {
  assert.equal(outputs({ dataDir: 'a' }, { SLUICE_DATA_DIR: 'b' }).output.dataDir, 'a')
  assert.equal(outputs({}, { SLUICE_DATA_DIR: 'b' }).output.dataDir, 'b')
  assert.equal(outputs({}, { SLUICE_DATA_DIR: '' }).output.dataDir, './sluice-data')
})

test('colour', () => {
  const terminal = { write() {}, isTTY: true }
  const pipe = { write() {} }
  assert.deepEqual(
    [wantsColor(terminal, {}, true), wantsColor(pipe, {}, true), wantsColor(terminal, { NO_COLOR: '1' }, true), wantsColor(terminal, { TERM: 'dumb' }, true), wantsColor(pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }, true), wantsColor(terminal, { FORCE_COLOR: '0' }, true), wantsColor(terminal, { FORCE_COLOR: '1' }, false)],
    [true, false, false, false, true, false, false],
  )
})

test('faults are grouped by code, the first in full, the rest counted', () => {
  const fault = (code: 'KEY_MISSING' | 'FILE_TRUNCATED', path: string) => ({ code, message: `${path} is bad.`, path, row: 3 })
  const texts = renderFaults([fault('KEY_MISSING', 'a'), fault('KEY_MISSING', 'b'), fault('FILE_TRUNCATED', 'c')], { KEY_MISSING: 14 }, (_, text) => text)
  assert.equal(texts.length, 2)
  assert.match(texts[0] ?? '', /^error\[KEY_MISSING\]: a is bad\.\n {2}--> a:3 {2}row 3\n {2}= 13 more with this reason\n {2}help: /)
  assert.doesNotMatch(texts[1] ?? '', /more with this reason/)
})

test('a place says what is known of it', () => {
  assert.equal(renderWhere({}), '')
  assert.equal(renderWhere({ path: 'a', offset: 0 }), 'a:0  byte 0')
  assert.equal(renderWhere({ column: 'c' }), 'column c')
})

test('sentences are broken between words on a terminal, and nowhere else', () => {
  const terminal = (columns: number): { write: () => void; isTTY: boolean; columns: number } => ({ write: () => {}, isTTY: true, columns })
  const text = `\u001b[31merror[X]\u001b[39m: The document ends at byte 50 before it is complete.\n  help: Run the command again when it is whole, or not.\n  next:  sluice rejects ls --run r_0123456789 --json`
  assert.equal(wrapped(text, terminal(40)), `\u001b[31merror[X]\u001b[39m: The document ends at byte 50\n  before it is complete.\n  help: Run the command again when it is\n    whole, or not.\n  next:  sluice rejects ls --run r_0123456789 --json`)
  assert.equal(wrapped(text, terminal(100)), text)
  assert.equal(wrapped(text, { write: () => {} }), text)
  assert.equal(wrapped(text, terminal(20)), text)
  const path = `/${'a'.repeat(60)}`
  assert.equal(wrapped(`at ${path} it ends`, terminal(40)), `at\n  ${path}\n  it ends`)
})

test('what stopped a run brings its own next step', () => {
  const fault = { code: 'TABLE_UNSUPPORTED', message: 'no.', hint: 'Declare it as string.' } as const
  assert.match(renderFaults([fault], {}, (_, text) => text)[0] ?? '', /help: Declare it as string\./)
})
