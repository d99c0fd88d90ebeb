/** Models as a user keeps them: in loads, in a configuration, by `sluice models`, on every embedded target. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { uuid5 } from '../../src/models/uuid.ts'
import { documentOf, scratch, sluice } from '../command.ts'

const COUNT = `-- model: product_count
-- depends_on: product
-- key: name
-- incremental: group name

select uuid5(name) as id, name, count(*) as count from product group by name
`
const NAMES = `-- model: counts
-- depends_on: product_count
select count, count(*) as names from product_count group by count
`

interface Outcome {
  name: string
  state: string
  how: string
  groups: number | null
  rows: number | null
  message: string | null
}

for (const to of ['delta:', 'sqlite:x.db']) {
  test(`kept up to date with every load: ${to}`, async (t) => {
    const room = scratch(t)
    const put = (name: string, ...skus: [string, string][]): void => writeFileSync(join(room, 'in', name), JSON.stringify({ records: skus.map(([sku, label]) => ({ sku, name: label })) }))
    const run = (args: string[], env: Record<string, string> = {}): ReturnType<typeof sluice> => sluice(args, { cwd: room, env })
    const load = async (): Promise<[code: number | null, ...Outcome[]]> => {
      const said = await run(['load', '--json'])
      return [said.code, ...((documentOf(said)['models'] ?? []) as Outcome[])]
    }
    const shown = async (name: string): Promise<unknown[]> => (documentOf(await run(['models', 'show', name, '--json']))['items'] as Record<string, unknown>[]).map((row) => Object.values(row).map(String).join(' ')).toSorted()
    mkdirSync(join(room, 'in'))
    mkdirSync(join(room, 'models'))
    writeFileSync(join(room, 'models/count.sql'), COUNT)
    writeFileSync(join(room, 'models/names.sql'), NAMES)
    writeFileSync(join(room, 'sluice.config.mjs'), `export default { name: 'products', load: 'in', into: 'product', key: 'sku', mode: 'upsert', to: '${to}', models: 'models/' }`)
    put('a.json', ['1', 'pen'], ['2', 'pen'], ['3', 'cup'])
    const first = await load()
    assert.deepEqual([first[0], first[1]?.how, first[2]?.how], [0, 'full', 'full'])
    assert.deepEqual(await shown('product_count'), [`${uuid5('cup')} cup 1`, `${uuid5('pen')} pen 2`].toSorted())
    put('b.json', ['3', 'pen'], ['4', 'ink'])
    const second = await load()
    assert.deepEqual([second[0], second[1]?.groups, second[2]?.how], [0, 3, 'full'])
    assert.deepEqual(await shown('product_count'), [`${uuid5('ink')} ink 1`, `${uuid5('pen')} pen 3`].toSorted())
    assert.deepEqual(await shown('counts'), ['1 1', '3 1'])
    assert.deepEqual((await load()).slice(1).map((one) => (one as Outcome).how), ['none', 'none'])

    // The table of a model is no table to load into, and the listing of tables has none of it.
    assert.equal((await run(['load', 'in', '--into', 'product_count', '--to', to])).code, 4)
    assert.doesNotMatch((await run(['tables', 'ls'])).stdout, /product_count/)
    assert.match((await run(['doctor'])).stdout, /✓ clean: 1 table/)
    const listed = await run(['models', 'ls'])
    assert.match(listed.stdout, /^model +state +rows +inputs .*\ncounts +fresh +2 +product_count \d+ .*\nproduct_count +fresh +2 +product \d+ /)

    // One that fails leaves the load and its neighbours alone, says so, and is run again when it is put right.
    writeFileSync(join(room, 'models/names.sql'), NAMES.replace('count(*)', 'max(colour)'))
    put('c.json', ['5', 'ink'])
    const said = await run(['load'])
    assert.equal(said.code, 3)
    assert.match(said.stdout, /^1 read = 1 inserted .*✓ balances/)
    assert.match(said.stderr, /error\[MODEL_FAILED\]: The model counts could not be computed: .*colour/s)
    assert.match((await run(['models', 'ls'])).stdout, /\ncounts +failed +2 .*colour/)
    assert.deepEqual(await shown('product_count'), [`${uuid5('ink')} ink 2`, `${uuid5('pen')} pen 3`].toSorted())
    assert.deepEqual(await shown('counts'), ['1 1', '3 1'])
    assert.equal((await run(['load', '--allow-partial'])).code, 0)
    assert.equal((await run(['models', 'run'])).code, 3)
    writeFileSync(join(room, 'models/names.sql'), NAMES)
    const ran = await run(['models', 'run', 'counts'])
    assert.deepEqual([ran.code, ran.stdout], [0, '✓ counts  recomputed · 2 rows\n'])
    assert.deepEqual(await shown('counts'), ['2 1', '3 1'])
    assert.match((await run(['models', 'run', '--full-refresh'])).stdout, /✓ product_count {2}recomputed · 2 rows\n✓ counts {2}recomputed/)
    assert.equal((await run(['models', 'run', 'nothing'])).code, 6)
    assert.equal((await run(['models', 'show', 'nothing'])).code, 6)

    // By flags, from elsewhere, without the configuration.
    rmSync(join(room, 'sluice.config.mjs'))
    put('d.json', ['6', 'ink'])
    const flags = ['--to', to, '--models', 'models/count.sql:models/names.sql']
    assert.equal((await run(['load', 'in', '--into', 'product', ...flags])).code, 0)
    assert.match((await run(['models', 'show', 'product_count', ...flags, '--limit', '1'])).stderr, /is fresh: product \d+ .*select uuid5\(name\)/s)
    // A load that does not name them leaves them behind, and that is seen.
    put('e.json', ['7', 'jar'])
    assert.equal((await run(['load', 'in', '--into', 'product', '--to', to])).code, 0)
    assert.match((await run(['models', 'ls'])).stdout, /\nproduct_count +stale +2 +product \d+ of \d+/)
    assert.match((await run(['models', 'run', ...flags])).stdout, /✓ product_count/)
    assert.match((await run(['sql', 'select count from product_count order by 1 desc', '--to', to, '--format', 'csv'])).stdout, /^count\n3\n3\n1\n$/)
  })

  test(`killed between the rows and the models: the next load catches up: ${to}`, async (t) => {
    const room = scratch(t)
    mkdirSync(join(room, 'in'))
    writeFileSync(join(room, 'count.sql'), COUNT)
    writeFileSync(join(room, 'in/a.json'), '{"records":[{"sku":"1","name":"pen"},{"sku":"2","name":"cup"}]}')
    const load = (env: Record<string, string> = {}): ReturnType<typeof sluice> => sluice(['load', 'in', '--into', 'product', '--key', 'sku', '--mode', 'upsert', '--to', to, '--models', 'count.sql', '--json'], { cwd: room, env })
    assert.equal((await load()).code, 0)
    writeFileSync(join(room, 'in/b.json'), '{"records":[{"sku":"2","name":"pen"}]}')
    const point = to.startsWith('delta') ? 'delta.model.link.before' : 'models.insert.before'
    assert.equal((await load({ SLUICE_FAILPOINT: point })).signal, 'SIGKILL')
    const again = documentOf(await load())
    assert.equal(again['exit'], 0)
    const [outcome] = again['models'] as Outcome[]
    assert.deepEqual([outcome?.how, outcome?.groups, outcome?.rows], ['groups', 2, 1])
    const { items } = documentOf(await sluice(['models', 'show', 'product_count', '--json'], { cwd: room })) as unknown as { items: unknown[] }
    assert.deepEqual(items, [{ id: uuid5('pen'), name: 'pen', count: 2 }])
    assert.equal((await sluice(['doctor'], { cwd: room })).code, 0)
  })
}

test('what is wrong with a model is said with file and line, before anything is read', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'models'))
  writeFileSync(join(room, 'a.json'), '[{"sku":"1"}]')
  const load = (): ReturnType<typeof sluice> => sluice(['load', 'a.json', '--into', 'product', '--models', 'models'], { cwd: room })
  assert.match((await load()).stderr, /MODEL_INVALID.*holds no model/)
  writeFileSync(join(room, 'models/a.sql'), COUNT.replace('incremental', 'incremantal'))
  const wrong = await load()
  assert.equal(wrong.code, 4)
  assert.match(wrong.stderr, /error\[MODEL_INVALID\]: .*models\/a\.sql:4: "incremantal" is no line of a header\./)
  writeFileSync(join(room, 'sluice.config.mjs'), `export default { name: 'p', load: 'a.json', into: 'product', models: 'models' }`)
  for (const verb of [['load'], ['config', 'validate']]) assert.equal((await sluice(verb, { cwd: room })).code, 4, verb.join(' '))
  writeFileSync(join(room, 'models/a.sql'), '-- model: a\n-- depends_on: b\nselect 1 as x from b')
  writeFileSync(join(room, 'models/b.sql'), '-- model: b\n-- depends_on: a\nselect 1 as x from a')
  assert.match((await sluice(['config', 'validate'], { cwd: room })).stderr, /models wait for one another: a → b → a/)
  assert.equal((await sluice(['files', 'ls'], { cwd: room, env: {} })).code, 4)
  rmSync(join(room, 'sluice.config.mjs'))
  writeFileSync(join(room, 'models/b.sql'), '-- model: modelled.b\n-- depends_on: product\nselect count(*) as x from product')
  writeFileSync(join(room, 'models/a.sql'), '-- model: a\n-- depends_on: product\nselect count(*) as x from product')
  for (const to of ['delta:', 'sqlite:x.db']) assert.match((await sluice(['load', 'a.json', '--into', 'product', '--models', 'models', '--to', to], { cwd: room })).stderr, /TABLE_UNSUPPORTED.*modelled\.b/)
})
