/** Headers of models: what they say, and where what is wrong stands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SluiceError } from '../core/errors.ts'
import { inOrder, reachedBy } from './graph.ts'
import { readModel } from './header.ts'

const COUNT = 'select uuid5(name) as id, name, count(*) as count from product group by name'
const header = (...lines: string[]): string => `${lines.map((line) => `-- ${line}`).join('\n')}\n${COUNT}\n`

test('a header says the table, its inputs, its key and how it is recomputed', () => {
  const model = readModel('m.sql', header('model: product_count', 'depends_on: product', 'incremental: group name'))
  const { name, inputs, key, grouping } = model
  assert.deepEqual({ name, inputs, key, grouping }, { name: 'product_count', inputs: ['product'], key: ['name'], grouping: { by: 'value', columns: [{ input: 'name', output: 'name' }], of: ['product'] } })
  const days = readModel('d.sql', `-- model: modelled.daily\r\n-- depends_on: raw.events, organizations\n-- key: day, org\n-- incremental: day received_at of raw.events\n\n-- a remark: with a colon\nselect 1 from raw.events e join organizations o on o.id = e.org`)
  assert.deepEqual(days.grouping, { by: 'day', columns: [{ input: 'received_at', output: 'day' }], of: ['raw.events'] })
  assert.deepEqual(days.key, ['day', 'org'])
  const two = readModel('g.sql', header('model: m', 'depends_on: product', 'incremental: group name as label, kind'))
  assert.deepEqual(two.grouping?.columns, [{ input: 'name', output: 'label' }, { input: 'kind', output: 'kind' }])
  assert.equal(readModel('f.sql', header('model: m', 'depends_on: product', 'incremental: full')).grouping, null)
  assert.deepEqual(readModel('f.sql', header('model: m', 'depends_on: product')).key, [])
})

test('the hash is of what the model is, not of its remarks above or where it lies', () => {
  const of = (path: string, ...lines: string[]): string => readModel(path, header('model: m', 'depends_on: product', ...lines)).hash
  assert.equal(of('a.sql'), of('b.sql', 'incremental: full'))
  assert.notEqual(of('a.sql'), of('a.sql', 'incremental: group name'))
})

const WRONG: [what: string, text: string, row: number, message: RegExp][] = [
  ['no header', COUNT, 1, /no line "-- model/],
  ['a word that is none', header('model: m', 'depends: product'), 2, /"depends" is no line of a header/],
  ['said twice', header('model: m', 'model: n'), 2, /said twice/],
  ['nothing said', header('model: m', 'key:'), 2, /says nothing/],
  ['a name that is none', header('model: 1m', 'depends_on: product'), 1, /1m is not the name of a table/],
  ['itself', header('model: m', 'depends_on: product, M'), 2, /depends on itself/],
  ['a comma too many', header('model: m', 'depends_on: product,'), 2, /comma/],
  ['a form that is none', header('model: m', 'depends_on: product', 'incremental: hourly ts'), 3, /does not say how/],
  ['two days', header('model: m', 'depends_on: product', 'incremental: day a, b'), 3, /days of one column/],
  ['a key without its group', header('model: m', 'depends_on: product', 'key: id', 'incremental: group name'), 3, /the key lacks name/],
  ['a table that it does not read', header('model: m', 'depends_on: product, other'), 2, /does not read other/],
  ['a table that is not named', header('model: m', 'depends_on: other'), 2, /reads product, which depends_on does not name/],
  ['several inputs, none said to be cut', `-- model: m\n-- depends_on: a, b\n-- incremental: group x\nselect 1 from a, b`, 3, /does not say which/],
  ['cut by a stranger', header('model: m', 'depends_on: product', 'incremental: group name of other'), 3, /other is not among/],
  ['a header below', `-- model: m\n\n-- depends_on: product\n${COUNT}`, 3, /stands below/],
  ['no SQL', '-- model: m\n-- depends_on: product\n', 3, /no SQL/],
  ['no SELECT', '-- model: m\n-- depends_on: product\n\ndelete from product', 3, /begins with delete/],
  ['a window', `-- model: m\n-- depends_on: product\n-- incremental: group name\nselect name, sum(1) over () from product`, 4, /OVER/],
  ['a clock', `-- model: m\n-- depends_on: product\n-- incremental: group name\nselect name, now() from product`, 4, /now\(\)/],
]
for (const [what, text, row, message] of WRONG) {
  test(`refused with its line: ${what}`, () => {
    assert.throws(() => readModel('m.sql', text), (thrown: unknown) => {
      assert.ok(thrown instanceof SluiceError)
      assert.equal(thrown.code, 'MODEL_INVALID')
      assert.match(thrown.message, message)
      assert.match(thrown.message, new RegExp(`^m\\.sql:${row}: `))
      return true
    })
  })
}

const model = (name: string, ...inputs: string[]): ReturnType<typeof readModel> => readModel(`${name}.sql`, `-- model: ${name}\n-- depends_on: ${inputs.join(', ')}\nselect 1 from ${inputs.join(', ')}`)

test('models come after those that they read; a circle is refused and named', () => {
  const all = [model('a', 'c', 't'), model('b', 't'), model('c', 'b'), model('d', 'u')]
  assert.deepEqual(inOrder(all).map(({ name }) => name), ['b', 'c', 'a', 'd'])
  assert.deepEqual(reachedBy('t', inOrder(all)).map(({ name }) => name), ['b', 'c', 'a'])
  assert.deepEqual(reachedBy('u', inOrder(all)).map(({ name }) => name), ['d'])
  assert.throws(() => inOrder([model('a', 'b'), model('b', 'c'), model('c', 'a')]), /a → b → c → a/)
  assert.throws(() => inOrder([model('a', 't'), model('a', 'u')]), { code: 'MODEL_INVALID' })
})
