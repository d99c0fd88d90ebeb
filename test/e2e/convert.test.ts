/** Files into files of another format: what is written, what a second run does, what becomes of changed and lost files. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { ConvertResult } from '../../src/service/convert.ts'
import { convert } from '../../src/index.ts'
import { documentOf, scratch, sluice } from '../command.ts'

const OLD = new Date(Date.now() - 3_600_000)

/** A file that was left alone for an hour: its time stamp tells a change. */
function put(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  utimesSync(path, OLD, OLD)
}

async function run(room: string, args: string[]): Promise<ConvertResult> {
  const said = await sluice(['convert', ...args, '--json'], { cwd: room })
  const document = documentOf(said) as unknown as ConvertResult
  assert.equal(document.exit, said.code, said.stdout + said.stderr)
  return document
}

const states = (result: ConvertResult): string[] => result.items.map((item) => `${item.path.split('/').at(-1) ?? ''} ${item.state}`)
/** Names of outputs, without what begins with a dot. */
const outputs = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('.') && statSync(join(folder, name)).isFile()).toSorted()

const A = '{"records":[{"id":"a","n":1,"e":""},{"id":"b","n":-2,"e":null},{"id":"c","id":"d"}]}'

for (const to of ['parquet', 'csv', 'ndjson', 'json'] as const) {
  test(`one to one into ${to}: sub-folders, bad records, bad files, empty files, and a second run that does nothing`, async (t) => {
    const room = scratch(t)
    put(join(room, 'in/a.json'), A)
    put(join(room, 'in/deep/er/b.v2.ndjson'), '{"id":"x","n":1}\nnope\n{"id":"y","n":2}\n')
    put(join(room, 'in/cut.json'), '{"records":[{"id"')
    put(join(room, 'in/none.json'), '{"records":[]}')
    const first = await run(room, ['in', '--to', to, '-o', 'out'])
    assert.deepEqual([first.state, first.exit], ['COMPLETED', 3])
    assert.deepEqual(first.balance, { read: 6, written: 4, skipped: 0, quarantined: 2, balances: true })
    assert.deepEqual(first.files, { total: 4, converted: 3, known: 0, waiting: 0, failed: 1, ignored: 0, gone: 0, removed: 0 })
    assert.deepEqual(first.reasons, { MEMBER_REPEATED: 1, JSON_INVALID: 1 })
    assert.deepEqual(states(first), ['a.json converted', 'cut.json failed', 'b.v2.ndjson converted', 'none.json converted'])
    // An array can say that there is nothing; the others would have to be files that their readers refuse.
    const none = to === 'json' ? ['none.json'] : []
    assert.deepEqual(outputs(join(room, 'out')), [`_rejects/a.${to}.ndjson`, `_rejects/deep/er/b.v2.${to}.ndjson`, `a.${to}`, `deep/er/b.v2.${to}`, ...none])
    const reject = JSON.parse(readFileSync(join(room, `out/_rejects/a.${to}.ndjson`), 'utf8')) as Record<string, unknown>
    assert.deepEqual({ ...reject, message: '' }, { path: join(room, 'in/a.json'), row: 3, offset: A.indexOf('{"id":"c"'), code: 'MEMBER_REPEATED', column: 'id', value: null, message: '', raw: '{"id":"c","id":"d"}' })

    const look = (): string[] => outputs(join(room, 'out')).map((name) => `${name} ${statSync(join(room, 'out', name)).ino} ${statSync(join(room, 'out', name)).mtimeMs}`)
    const before = look()
    const again = await run(room, ['in', '--to', to, '-o', 'out'])
    assert.deepEqual([again.exit, again.balance.read, again.files.known, states(again)], [3, 0, 3, ['cut.json failed']])
    assert.deepEqual(look(), before)
  })
}

test('a replaced input is converted again, a touched one is not, a lost one is said, and removed with --mirror', async (t) => {
  const room = scratch(t)
  for (const name of ['a', 'b', 'c', 'd']) put(join(room, `in/${name}.json`), `[{"id":"${name}"}]`)
  const args = ['in', '--to', 'ndjson', '-o', 'out']
  await run(room, args)
  put(join(room, 'in/a.json'), '[{"id":"A"}]')
  utimesSync(join(room, 'in/b.json'), OLD, new Date(OLD.getTime() + 60_000))
  rmSync(join(room, 'in/c.json'))
  renameSync(join(room, 'in/d.json'), join(room, 'in/e.json'))
  const second = await run(room, args)
  assert.deepEqual(states(second), ['a.json replaced', 'c.json gone', 'd.json gone', 'e.json converted'])
  assert.deepEqual([second.exit, second.files.known, second.files.gone], [0, 1, 2])
  assert.equal(readFileSync(join(room, 'out/a.ndjson'), 'utf8'), '{"id":"A"}\n')
  assert.ok(existsSync(join(room, 'out/c.ndjson')))
  // Somebody's change is not thrown away with the input.
  appendFileSync(join(room, 'out/d.ndjson'), 'mine\n')
  const third = await run(room, [...args, '--mirror'])
  assert.deepEqual(states(third), ['c.json removed', 'd.json gone'])
  assert.deepEqual(outputs(join(room, 'out')), ['a.ndjson', 'b.ndjson', 'd.ndjson', 'e.ndjson'])
  // Another folder says nothing about these.
  put(join(room, 'other/z.json'), '[]')
  rmSync(join(room, 'in/e.json'))
  assert.deepEqual(states(await run(room, ['other', '--to', 'ndjson', '-o', 'out', '--mirror'])), ['z.json converted'])
})

test('an output that somebody changed or removed is said and made again; other flags make all of them again', async (t) => {
  const room = scratch(t)
  for (const name of ['a', 'b', 'c']) put(join(room, `in/${name}.json`), A)
  const args = ['in', '--to', 'csv', '-o', 'out', '--allow-partial']
  await run(room, args)
  const text = readFileSync(join(room, 'out/a.csv'), 'utf8')
  writeFileSync(join(room, 'out/a.csv'), 'spoiled')
  rmSync(join(room, 'out/b.csv'))
  rmSync(join(room, 'out/_rejects/c.csv.ndjson'))
  const said = await sluice(['convert', ...args, '-v'], { cwd: room })
  assert.equal(said.code, 0)
  for (const name of ['a', 'b', 'c']) assert.match(said.stderr, new RegExp(`note: .*/out/${name}\\.csv.* was changed or removed by somebody`))
  assert.equal(readFileSync(join(room, 'out/a.csv'), 'utf8'), text)
  assert.ok(existsSync(join(room, 'out/b.csv')) && existsSync(join(room, 'out/_rejects/c.csv.ndjson')))
  const skipping = await run(room, [...args, '--on-bad', 'skip'])
  assert.deepEqual([skipping.files.converted, skipping.balance], [3, { read: 9, written: 6, skipped: 3, quarantined: 0, balances: true }])
  assert.ok(!existsSync(join(room, 'out/_rejects/a.csv.ndjson')), 'rejects of former flags stay behind')
})

test('what is not ours is not overwritten, unless it is said', async (t) => {
  const room = scratch(t)
  put(join(room, 'in/a.json'), '[{"id":1}]')
  put(join(room, 'in/b.json'), '[{"id":1}]')
  put(join(room, 'out/a.csv'), 'mine')
  const first = await run(room, ['in', '--to', 'csv', '-o', 'out'])
  assert.deepEqual([first.exit, states(first), first.errors[0]?.code], [3, ['a.json failed', 'b.json converted'], 'OUTPUT_EXISTS'])
  assert.equal(readFileSync(join(room, 'out/a.csv'), 'utf8'), 'mine')
  assert.equal((await run(room, ['in', '--to', 'csv', '-o', 'out', '--overwrite'])).exit, 0)
  assert.equal(readFileSync(join(room, 'out/a.csv'), 'utf8'), 'id\n1\n')
})

test('refused before anything is written', async (t) => {
  const room = scratch(t)
  put(join(room, 'in/a.json'), '[{"id":1}]')
  put(join(room, 'in/a.ndjson'), '{"id":1}\n')
  const refused = async (code: string, exit: number, args: string[]): Promise<string> => {
    const said = await sluice(['convert', ...args, '--json'], { cwd: room })
    assert.deepEqual([said.code, documentOf(said)['code']], [exit, code], said.stdout)
    return String(documentOf(said)['message'])
  }
  assert.match(await refused('USAGE', 2, ['in', '--to', 'csv', '-o', 'out']), /a\.json and .*a\.ndjson would both become a\.csv/)
  assert.match(await refused('USAGE', 2, ['in', '--to', 'csv', '-o', 'in']), /output folder itself/)
  assert.match(await refused('USAGE', 2, ['in/a.json', '--to', 'json', '-o', 'in', '--overwrite']), /is an input and would be an output/)
  await refused('USAGE', 2, ['in', '--to', 'json', '-o', 'out', '--escape-formulas'])
  await refused('PATH_NOT_FOUND', 6, ['nowhere', '--to', 'csv', '-o', 'out'])
  await refused('USAGE', 2, ['in', '--to', 'xml', '-o', 'out'])
  await refused('USAGE', 2, ['in', '--to', 'csv'])
  assert.ok(!existsSync(join(room, 'out')))
  assert.equal((await run(room, ['in/a.json', '--to', 'csv', '-o', 'out'])).exit, 0)
  assert.match(await refused('USAGE', 2, ['in/a.ndjson', '--to', 'csv', '-o', 'out']), /was made from .*a\.json/)
  assert.deepEqual(outputs(join(room, 'out')), ['a.csv'])
})

test('what is written is read back equal: JSON → NDJSON → JSON → NDJSON → CSV → NDJSON, → Parquet → NDJSON', async (t) => {
  const room = scratch(t)
  const records = [
    { s: 'plain', i: '@9007199254740993@', x: 0.1, b: true, d: '2024-02-29', ts: '2024-02-29T01:02:03.004Z', j: { m: [1, '@2.50@'] }, e: '' },
    { s: '=1+1', i: -1, x: -2.5, b: false, d: null, ts: '2024-02-29T01:02:03.000001Z', j: 'text', e: null },
    { s: 'a "q", \u2028 ü 🎈\n', i: null, x: null, b: null, d: '1970-01-01', ts: null, j: null, e: 'x' },
  ]
  const text = JSON.stringify({ records }).replaceAll(/"@([^@]+)@"/g, '$1')
  put(join(room, 'in/a.json'), text)
  const step = (from: string, to: 'json' | 'ndjson' | 'csv' | 'parquet', into: string): Promise<ConvertResult> => convert({ paths: [join(room, from)], to, output: join(room, into) })
  assert.deepEqual((await step('in', 'ndjson', '1')).balance, { read: 3, written: 3, skipped: 0, quarantined: 0, balances: true })
  await step('1', 'json', '2')
  await step('2', 'ndjson', '3')
  assert.equal(readFileSync(join(room, '3/a.ndjson'), 'utf8'), readFileSync(join(room, '1/a.ndjson'), 'utf8'))
  // CSV has no kinds: the columns tell them. Null and the empty text stay apart.
  await step('1', 'csv', '4')
  await convert({ paths: [join(room, '4')], to: 'ndjson', output: join(room, '5'), columns: 's:string,i:int64,x:double,b:boolean,d:date,ts:timestamp,j:json,e:string' })
  assert.equal(readFileSync(join(room, '5/a.ndjson'), 'utf8'), readFileSync(join(room, '1/a.ndjson'), 'utf8'))
  // Parquet keeps every type but json, which is text in it and comes back as text.
  await step('1', 'parquet', '6')
  await convert({ paths: [join(room, '6')], to: 'ndjson', output: join(room, '7'), columns: 's:string,i:int64,x:double,b:boolean,d:date,ts:timestamp,j:json,e:string' })
  const json = readFileSync(join(room, '7/a.ndjson'), 'utf8').replace(/"j":("(?:[^"\\]|\\.)*")/g, (_, text: string) => `"j":${String(JSON.parse(text))}`)
  assert.equal(json, readFileSync(join(room, '1/a.ndjson'), 'utf8'))
  const expected = text.slice('{"records":'.length, -1)
  assert.equal(readFileSync(join(room, '2/a.json'), 'utf8').replaceAll('\n', ''), expected)
})

test('an exact path of a configuration: sluice convert PIPELINE', async (t) => {
  const room = scratch(t)
  put(join(room, 'in/a.json'), '[{"id":1}]')
  writeFileSync(join(room, 'sluice.config.mjs'), "export default { pipelines: { tidy: { convert: 'in', to: 'csv', output: 'out', mirror: true } }, defaults: { to: 'sqlite:x.db' } }\n")
  const said = await run(room, ['tidy'])
  assert.deepEqual([said.exit, said.to, said.output], [0, 'csv', join(room, 'out')])
  const other = await run(room, ['tidy', '--to', 'json', '-o', 'json'])
  assert.deepEqual([other.exit, readFileSync(join(room, 'json/a.json'), 'utf8')], [0, '[\n{"id":1}\n]\n'])
})

test('two at once in one folder: the second is told', async (t) => {
  const room = scratch(t)
  const lines = Array.from({ length: 200_000 }, (_, n) => `{"id":${n}}\n`).join('')
  put(join(room, 'in/a.ndjson'), lines)
  const args = ['convert', 'in', '--to', 'csv', '-o', 'out']
  const both = await Promise.all([sluice(args, { cwd: room }), sluice(args, { cwd: room })])
  // Whoever came later finds the other at work, or done.
  assert.ok(both.some(({ code }) => code === 0))
  for (const { code, stderr } of both) if (code !== 0) assert.match(`${code} ${stderr}`, /^7 .*error\[BUSY\]/s)
  assert.equal((await run(room, args.slice(1))).files.known, 1)
})

test('small files that are written together, of several schemas, bad ones and a large one among them, become what each would alone', async (t) => {
  const room = scratch(t)
  const large = Array.from({ length: 5_001 }, (_, n) => `{"id":${n}}`)
  put(join(room, 'in/a.json'), '[{"id":1,"v":"x"},{"id":2,"v":null}]')
  put(join(room, 'in/b.json'), '[{"id":3,"v":"é\\n"}]')
  put(join(room, 'in/c.json'), '[{"w":1.5}]')
  put(join(room, 'in/d.json'), '[{"id":4')
  put(join(room, 'in/e.json'), `[${large.join(',')}]`)
  put(join(room, 'in/f.json'), '[{"id":5,"v":"y"},{"id":6,"v":7}]')
  const result = await run(room, ['in', '--to', 'json', '-o', 'out', '--grace', '0s'])
  assert.deepEqual([result.files.converted, result.files.failed, result.balance.balances], [5, 1, true])
  const out = (name: string): string => readFileSync(join(room, 'out', `${name}.json`), 'utf8')
  assert.equal(out('a'), '[\n{"id":1,"v":"x"},\n{"id":2,"v":null}\n]\n')
  assert.equal(out('b'), '[\n{"id":3,"v":"é\\n"}\n]\n')
  assert.equal(out('c'), '[\n{"w":1.5}\n]\n')
  assert.equal(out('e'), `[\n${large.join(',\n')}\n]\n`)
  assert.equal(out('f'), '[\n{"id":5,"v":"y"},\n{"id":6,"v":"7"}\n]\n')
})

test('a file that kills its process is found alone; its neighbours are converted', async (t) => {
  const room = scratch(t)
  for (let n = 0; n < 20; n++) put(join(room, `in/f${n}.json`), `[{"id":${n}}]`)
  const said = await sluice(['convert', 'in', '--to', 'csv', '-o', 'out', '--json'], { cwd: room, env: { SLUICE_TEST_ONLY: 'poison', SLUICE_POISON: 'f7.json=SIGSEGV@1,f13.json=exit@after' } })
  const result = documentOf(said) as unknown as ConvertResult
  assert.deepEqual([said.code, result.files.converted, result.files.failed], [3, 18, 2])
  assert.deepEqual(result.errors.map((fault) => `${fault.path?.split('/').at(-1) ?? ''} ${fault.code}`).toSorted(), ['f13.json FILE_POISONED', 'f7.json FILE_POISONED'])
  assert.match(JSON.stringify(result.errors), /died 3 times.*attempt 3 was killed by SIGSEGV \(read up to byte/)
  assert.equal((await run(room, ['in', '--to', 'csv', '-o', 'out'])).files.converted, 2)
})

test('decimals, lists and structs keep their digits and members through every format; no record keeps the declared columns', async (t) => {
  const room = scratch(t)
  const columns = 'id:int64,d:decimal(20,3),l:list<double>,s:struct<a:int64,b:string>'
  put(join(room, 'in/a.json'), '[{"id":1,"d":12345678901234567.890,"l":[1,0.5,null],"s":{"b":"x","a":9007199254740993}},{"id":2,"d":null,"l":null,"s":{"a":null}}]')
  put(join(room, 'in/none.json'), '[]')
  const lines = '{"id":1,"d":12345678901234567.890,"l":[1.0,0.5,null],"s":{"a":9007199254740993,"b":"x"}}\n{"id":2,"d":null,"l":null,"s":{"a":null,"b":null}}\n'
  const step = (from: string, to: 'ndjson' | 'csv' | 'parquet', into: string): Promise<ConvertResult> => convert({ paths: [join(room, from)], to, output: join(room, into), columns })
  await step('in', 'ndjson', '1')
  assert.equal(readFileSync(join(room, '1/a.ndjson'), 'utf8'), lines)
  await step('1', 'ndjson', '2')
  assert.equal(readFileSync(join(room, '2/a.ndjson'), 'utf8'), lines)
  await step('in', 'csv', '3')
  assert.equal(readFileSync(join(room, '3/a.csv'), 'utf8'), 'id,d,l,s\n1,12345678901234567.890,"[1.0,0.5,null]","{""a"":9007199254740993,""b"":""x""}"\n2,,,"{""a"":null,""b"":null}"\n')
  assert.equal(readFileSync(join(room, '3/none.csv'), 'utf8'), 'id,d,l,s\n')
  await step('in', 'parquet', '4')
  assert.deepEqual(outputs(join(room, '4')), ['a.parquet', 'none.parquet'])
})

test('decimals of nothing but fraction are numbers that every reader takes, and Parquet says itself that they are decimals', async (t) => {
  const room = scratch(t)
  put(join(room, 'in/a.ndjson'), '{"d":0.05,"l":[-0.50,null]}\n{"d":-0.1,"l":[]}\n')
  const columns = 'd:decimal(2,2),l:list<decimal(2,2)>'
  for (const to of ['ndjson', 'csv', 'parquet'] as const) await convert({ paths: [join(room, 'in')], to, output: join(room, to), columns })
  assert.equal(readFileSync(join(room, 'ndjson/a.ndjson'), 'utf8'), '{"d":0.05,"l":[-0.50,null]}\n{"d":-0.10,"l":[]}\n')
  assert.equal(readFileSync(join(room, 'csv/a.csv'), 'utf8'), 'd,l\n0.05,"[-0.50,null]"\n-0.10,[]\n')
  const back = await convert({ paths: [join(room, 'parquet')], to: 'ndjson', output: join(room, 'back') })
  assert.equal(back.exit, 0)
  assert.equal(readFileSync(join(room, 'back/a.ndjson'), 'utf8'), '{"d":0.05,"l":[-0.50,null]}\n{"d":-0.10,"l":[]}\n')
})
