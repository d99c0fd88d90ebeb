/** A setting is declared once: every flag of the command is in the table, and every other form follows from it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { SluiceError } from '../core/errors.ts'
import { Output } from '../cli/output.ts'
import { programOf } from '../cli/program.ts'
import { GLOBAL_SETTINGS } from './globals.ts'
import { LOAD_SETTINGS } from './load.ts'
import { defaultsSchema, jsonSchema, pipelineSchema } from './schema.ts'
import { flagOf, nearest, readMember, readText, variableOf } from './settings.ts'
import type { AnyTable, Setting } from './settings.ts'

const program = programOf('0.0.0', () => new Output({}), () => {})
const load = program.commands.find((command) => command.name() === 'load')

test('every flag of load is a declared setting, and every declared setting a flag', () => {
  const flags = (load?.options ?? []).map((option) => option.long ?? '').filter((flag) => !flag.startsWith('--no-'))
  // --pipeline says where settings come from, --from is another way to write a path: neither is a setting itself.
  assert.deepEqual(flags.toSorted(), [...Object.entries(LOAD_SETTINGS as AnyTable).flatMap(([name, setting]) => (setting.flag === false ? [] : [flagOf(name)])), '--pipeline', '--from'].toSorted())
  const globals = program.options.map((option) => option.long)
  for (const [name, setting] of Object.entries(GLOBAL_SETTINGS as AnyTable)) assert.equal(globals.includes(flagOf(name)), setting.flag !== false, name)
})

test('every lasting setting is a member of a configuration and of the JSON Schema', () => {
  const lasting = Object.entries(LOAD_SETTINGS as AnyTable).filter(([, setting]) => setting.lasting !== false)
  assert.ok(lasting.length > 10)
  assert.deepEqual(Object.keys(pipelineSchema('load').shape).toSorted(), ['name', ...lasting.map(([name]) => (name === 'paths' ? 'load' : name))].toSorted())
  const shared = [...Object.keys(GLOBAL_SETTINGS), ...lasting.filter(([, setting]) => setting.of === 'run').map(([name]) => name)]
  assert.deepEqual(Object.keys(defaultsSchema.shape).toSorted(), shared.toSorted())
  const text = JSON.stringify(jsonSchema())
  for (const [name, setting] of lasting) assert.ok(text.includes(setting.help) && text.includes(`"${name === 'paths' ? 'load' : name}"`), name)
})

test('flag, variable and member of a setting are one name', () => {
  assert.deepEqual([flagOf('onBad'), variableOf('onBad'), flagOf('into'), variableOf('allowPartial')], ['--on-bad', 'SLUICE_ON_BAD', '--into', 'SLUICE_ALLOW_PARTIAL'])
})

const setting = (kind: Setting['kind'], more: Partial<Setting> = {}): Setting => ({ kind, of: 'run', help: '', ...more })

test('text of flags and variables becomes the value, or is refused by its name', () => {
  assert.equal(readText(setting('switch'), 'SLUICE_X', 'Yes'), true)
  assert.equal(readText(setting('switch'), 'SLUICE_X', '0'), false)
  assert.equal(readText(setting('count'), '--jobs', '12'), 12)
  assert.deepEqual(readText(setting('paths'), 'SLUICE_PATHS', 'in:other/*.json'), ['in', 'other/*.json'])
  for (const [given, value, says] of [[setting('switch'), 'perhaps', /SLUICE_X perhaps: expected true or false/], [setting('count'), '0', /not a number from 1/], [setting('count'), '1e3', /not a number/], [setting('text', { choices: ['a', 'b'] }), 'c', /expected one of a, b/], [setting('size'), 'lots', /SLUICE_X lots: expected a size/], [setting('time'), 'soon', /SLUICE_X soon: expected a duration/], [setting('limit'), 'few', /SLUICE_X few: expected a number of records/]] as const) {
    assert.throws(() => readText(given, 'SLUICE_X', value), (error) => error instanceof SluiceError && error.exit === 2 && says.test(error.message))
  }
})

test('members of a configuration become what a flag would be, with paths from its folder', () => {
  assert.equal(readMember(setting('names'), ['id', 'ts'], '/c'), 'id,ts')
  assert.equal(readMember(setting('columns'), { id: 'string', ts: 'timestamp' }, '/c'), 'id:string,ts:timestamp')
  assert.deepEqual(readMember(setting('paths'), ['in/*.json', '/abs', 's3://b/k'], '/c'), ['/c/in/*.json', '/abs', 's3://b/k'])
  assert.deepEqual(readMember(setting('paths'), '../in', '/c/d'), ['/c/in'])
  assert.deepEqual(['delta:lake', 'delta:', 'sqlite:/x.db', 'sqlite:x.db', 'postgres://h/d'].map((to) => readMember(setting('target'), to, '/c')), ['delta:/c/lake', 'delta:', 'sqlite:/x.db', 'sqlite:/c/x.db', 'postgres://h/d'])
  assert.equal(readMember(setting('limit'), 5, '/c'), '5')
})

test('the name that was meant is the nearest one, and nothing when none is near', () => {
  const names = ['key', 'keep', 'mode', 'memory', 'allowPartial']
  assert.deepEqual(['kye', 'keeep', 'memroy', 'alowpartial', 'nonsense', 'xyz'].map((name) => nearest(name, names)), ['key', 'keep', 'memory', 'allowPartial', null, null])
})
