/** Contract: values of every type come back as they went in; keys tell exactly what differs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'
import { WHOLE, thinned } from '../whole.ts'

const ALL = 'k:int64,s:string,b:boolean,i:int64,d:double,day:date,ts:timestamp,tl:timestamp_local,j:json,p:decimal(10,2),w:decimal(38,9),l:list<string>,st:struct<a:int64,b:list<struct<t:timestamp,d:decimal(20,3),x:double>>,j:json,ok:boolean,day:date,tl:timestamp_local>'

const NOTHING = '{"a":null,"b":null,"j":null,"ok":null,"day":null,"tl":null}'

/** Records as JSON text, and the rows they must come back as (without k and place). */
const EXTREMES: readonly (readonly [string, readonly unknown[]])[] = [
  ['"s":"","b":false,"i":-9223372036854775808,"d":-1.7976931348623157e308,"day":"0001-01-01","ts":"0001-01-01T00:00:00Z","tl":"0001-01-01T00:00:00","j":{},"p":-99999999.99,"w":-99999999999999999999999999999.999999999,"l":[],"st":{}',
    ['', false, -(2n ** 63n), -Number.MAX_VALUE, '0001-01-01', '0001-01-01T00:00:00.000000Z', '0001-01-01T00:00:00.000000', '{}', '-99999999.99', '-99999999999999999999999999999.999999999', '[]', NOTHING]],
  ['"s":"a\\u0000b","b":true,"i":9223372036854775807,"d":5e-324,"day":"9999-12-31","ts":"9999-12-31T23:59:59.999999Z","tl":"9999-12-31T23:59:59.999999","j":[ ],"p":99999999.99,"w":99999999999999999999999999999.999999999,"l":[null,"",1.10,true],"st":{"a":9223372036854775807,"b":[null,{}]}',
    ['a\0b', true, 2n ** 63n - 1n, 5e-324, '9999-12-31', '9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999', '[]', '99999999.99', '99999999999999999999999999999.999999999', '[null,"","1.10","true"]', NOTHING.replace('null,"b":null', '9223372036854775807,"b":[null,{"t":null,"d":null,"x":null}]')]],
  ['"s":"\\uFEFF😀 ￿ \\" \' \\\\ \\n","b":null,"i":9007199254740993,"d":0.1,"day":"2024-02-29","ts":"2026-03-29T02:30:00.5+02:00","tl":"2026-03-29T02:30:00.5","j":{"b": 1.10, "a": [1e3, 18446744073709551616, "x y"]},"p":1e3,"w":1.10,"l":["😀 ￿ \\" \' \\\\ \\n\\u0000\\u001f/"],"st":{ "J" : {"b": 1.10}, "tl":"2026-03-29T02:30:00.5","day":"2024-02-29","ok":false,"b":[{"t":"2026-03-29T02:30:00.5+02:00","d":1.10,"x":0.1},{"x":-0.0,"d":-12345678901234567.890},{"x":1e300}],"a":-9223372036854775808}',
    ['\u{FEFF}😀 \u{FFFF} " \' \\ \n', null, 2n ** 53n + 1n, 0.1, '2024-02-29', '2026-03-29T00:30:00.500000Z', '2026-03-29T02:30:00.500000', '{"b":1.10,"a":[1e3,18446744073709551616,"x y"]}', '1000.00', '1.100000000', '["😀 ￿ \\" \' \\\\ \\n\\u0000\\u001F/"]',
      '{"a":-9223372036854775808,"b":[{"t":"2026-03-29T00:30:00.500000Z","d":1.100,"x":0.1},{"t":null,"d":-12345678901234567.890,"x":0.0},{"t":null,"d":null,"x":1e300}],"j":{"b":1.10},"ok":false,"day":"2024-02-29","tl":"2026-03-29T02:30:00.500000"}']],
  ['"s":1.10,"b":true,"i":1e3,"d":1,"day":"1969-12-31","ts":"1969-12-31T23:59:59.999999Z","tl":"1582-10-10T00:00:00","j":"text","p":0.0100,"w":0,"l":null,"st":null',
    ['1.10', true, 1000n, 1, '1969-12-31', '1969-12-31T23:59:59.999999Z', '1582-10-10T00:00:00.000000', '"text"', '0.01', '0.000000000', null, null]],
  ['"s":null,"i":-0,"d":123456789012345680000,"p":-0,"w":-0.000000001', [null, null, 0n, 123456789012345680000, null, null, null, null, '0.00', '-0.000000001', null, null]],
  ['"x":1', [null, null, null, null, null, null, null, null, null, null, null, null]],
]

/** Two values of each key type that lie as near as can be. */
const KEYS: readonly (readonly [string, unknown, unknown])[] = [
  ['string', 'a', 'A'], ['string', 'a', '\uFEFFa'], ['string', 'a', 'a '], ['string', 'é', 'e\u0301'], ['string', '\u{FF5E}', '\u{1F600}'], ['string', 'a\0', 'a\0b'], ['string', '1', '01'],
  ['boolean', true, false], ['int64', '9007199254740993', '9007199254740992'], ['int64', '-9223372036854775808', '9223372036854775807'],
  ['date', '2024-02-28', '2024-02-29'], ['timestamp', '2026-01-01T00:00:00.000001Z', '2026-01-01T00:00:00.000002Z'],
  ['timestamp_local', '9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999998'],
]
const text = (type: string, value: unknown): string => (type === 'int64' ? String(value) : JSON.stringify(value))

export function valueCases(get: () => Variant): void {
  describe('values', () => {
    for (const [name, request] of [['append', { columns: ALL }], ['upsert', { columns: ALL, key: 'k', mode: 'upsert' }]] as const) {
      test(`every type comes back exactly from rows and losers (${name})`, async () => {
        const scene = await Scene.open(get(), request)
        const held = EXTREMES.map(([members, row]) => (get().nulText === false ? ([members.replace('"a\\u0000b"', '"ab"'), row.map((value) => (value === 'a\0b' ? 'ab' : value))] as const) : ([members, row] as const)))
        const records = held.map(([members], index) => `{"k":${index},${members}}`)
        await scene.load([{ seq: 1, records }])
        assert.deepEqual((await scene.rows()).map((row) => row.slice(1, -1)), held.map(([, row]) => row))
        await scene.check()
        // Equal content in every type is known again, and what is replaced keeps its values among the losers.
        await scene.load([{ seq: 2, records: [...records, ' '] }])
        const newer = await scene.load([{ seq: 3, records: EXTREMES.map((_, index) => `{"k":${index},"s":"newer"}`) }])
        if (name === 'upsert') counted(newer, { 3: { updated: EXTREMES.length } })
        await scene.check()
      })
    }

    for (const [type, a, b] of thinned(KEYS, 2)) {
      test(`key of ${type}: ${JSON.stringify(a)} is not ${JSON.stringify(b)}`, async () => {
        const scene = await Scene.open(get(), { columns: `k:${type},v:int64`, key: 'k', mode: 'upsert' })
        const record = (key: unknown, v: number): string => `{"k":${text(type, key)},"v":${v}}`
        if (get().nulText === false && String(a).includes('\0')) {
          counted(await scene.load([{ seq: 1, records: [record(a, 1), record(b, 2), record('a', 3)] }]), { 1: { inserted: 1, quarantined: 2 } })
          return
        }
        counted(await scene.load([{ seq: 1, records: [record(a, 1), record(b, 2), record(a, 3)] }]), { 1: { inserted: 2, stale: 1 } })
        counted(await scene.load([{ seq: 2, records: [record(b, 4), record(a, 3)] }]), { 2: { updated: 1, duplicate: 1 } })
        await scene.check()
      })
    }

    test('decimals are compared as numbers: as keys, and by max; a target that cannot refuses the definition', async () => {
      const columns = 'k:decimal(12,3),v:decimal(38,2)'
      if (get().exactDecimals === false) {
        await assert.rejects(Scene.open(get(), { columns, key: 'k' }), { code: 'TABLE_UNSUPPORTED', message: /--key k: .*decimal\(12,3\)/ })
        await assert.rejects(Scene.open(get(), { columns: 'k:int64,v:decimal(38,2)', key: 'k', mode: 'upsert', keep: 'max:v' }), { code: 'TABLE_UNSUPPORTED', message: /--keep max:v: / })
        return
      }
      const scene = await Scene.open(get(), { columns, key: 'k', mode: 'upsert', keep: 'max:v' })
      counted(await scene.load([{ seq: 1, records: ['{"k":9,"v":9.5}', '{"k":10.000,"v":-1}', '{"k":1e1,"v":-2}', '{"k":-0,"v":100000000000000000000000000000000000.01}'] }]), { 1: { inserted: 3, stale: 1 } })
      counted(await scene.load([{ seq: 2, records: ['{"k":9.0,"v":10}', '{"k":10,"v":-3}', '{"k":0.0,"v":100000000000000000000000000000000000.02}', '{"k":9.001,"v":1}', '{"k":9.0001}'] }]), { 2: { inserted: 1, updated: 2, stale: 1, quarantined: 1 } })
      await scene.check()
    })

    test('lists and structs: equal content is known again, every other content is not', async () => {
      const scene = await Scene.open(get(), { columns: 'k:int64,v:struct<a:list<double>,s:string>', key: 'k', mode: 'upsert' })
      const contents = ['{"a":[0.1,null],"s":""}', '{"a":[0.1],"s":""}', '{"a":[null,0.1],"s":""}', '{"a":[],"s":""}', '{"a":null,"s":""}', '{"a":[],"s":null}', 'null', '{}']
      const records = contents.map((v, k) => `{"k":${k},"v":${v}}`)
      counted(await scene.load([{ seq: 1, records }]), { 1: { inserted: 8 } })
      counted(await scene.load([{ seq: 2, records: [...records.map((record) => record.replace('"a":[0.1', '"more":{"a":1}, "A" : [ 1e-1')), ' '] }]), { 2: { duplicate: 8 } })
      // Every record gets the content of the next one.
      counted(await scene.load([{ seq: 3, records: contents.map((v, k) => `{"k":${(k + 1) % 8},"v":${v}}`) }]), { 3: { updated: 8 } })
      await scene.check()
    })

    test('a bad value inside says where it is', async () => {
      const scene = await Scene.open(get(), { columns: 'k:int64,v:list<struct<q:int64,d:decimal(4,1)>>' })
      const bad = ['[{"q":1},{"q":"1"}]', '[{"d":1.11}]', '[{"d":1000}]', '[1]', '{}', '[{"q":1,"Q":1}]', '[[]]', '[{"q":1.5}]']
      counted(await scene.load([{ seq: 1, records: [...bad.map((v) => `{"k":1,"v":${v}}`), '{"k":1,"v":[{"q":1.0}]}'] }]), { 1: { inserted: 1, quarantined: 8 } })
      assert.deepEqual((await scene.rejects()).map(({ code }) => code), ['TYPE_MISMATCH', 'PRECISION_LOST', 'TYPE_MISMATCH', 'TYPE_MISMATCH', 'TYPE_MISMATCH', 'MEMBER_REPEATED', 'TYPE_MISMATCH', 'TYPE_MISMATCH'])
      await scene.check()
    })

    test('a text of limited length: characters are counted, what is longer is put aside, and the length stays', async () => {
      const scene = await Scene.open(get(), { columns: 'k:string(3),v:string(2)', key: 'k', mode: 'upsert' })
      const receipt = await scene.load([{ seq: 1, records: [{ k: 'abc', v: '\u{1F600}\u{1F600}' }, { k: 'abcd', v: 'a' }, { k: 'b', v: 'a\u{1F600}b' }, { k: 'c', v: 12 }, { k: 'd', v: 123 }, { k: 'e', v: '\n\t' }] }])
      counted(receipt, { 1: { inserted: 3, quarantined: 3 } })
      assert.deepEqual((await scene.rejects()).map(({ code, column }) => [code, column]), [['LENGTH_EXCEEDED', 'k'], ['LENGTH_EXCEEDED', 'v'], ['LENGTH_EXCEEDED', 'v']])
      const head = await (await scene.another()).head()
      assert.deepEqual(head.schema.map(({ type }) => type), ['string(3)', 'string(2)'])
      counted(await scene.load([{ seq: 2, records: [{ k: 'abc', v: '\u{1F600}\u{1F600}' }, { k: 'abc', v: 'xyz' }, { k: 'c', v: 'no' }] }]), { 2: { duplicate: 1, updated: 1, quarantined: 1 } })
      await scene.check()
    })

    test('a record with a text that the target cannot hold is put aside, and the next one of its key is in its place', async () => {
      const scene = await Scene.open(get(), { columns: 'k:int64,v:string', key: 'k', mode: 'upsert' })
      const receipt = await scene.load([{ seq: 1, records: [{ k: 1, v: 'a' }, { k: 1, v: 'b' }, { k: 1, v: 'c\0' }, { k: 2, v: '\0' }] }])
      if (get().nulText !== false) {
        counted(receipt, { 1: { inserted: 2, stale: 2 } })
        return
      }
      counted(receipt, { 1: { inserted: 1, stale: 1, quarantined: 2 } })
      assert.deepEqual(receipt.reasons, { ROW_REFUSED: 2 })
      assert.deepEqual((await scene.rows()).map((row) => row[1]), ['b'])
      assert.deepEqual((await scene.rejects()).map(({ code, column, value, raw }) => [code, column, value, JSON.parse(raw ?? '')]), [
        ['ROW_REFUSED', 'v', 'c\u2400', { k: 1, v: 'c\0' }],
        ['ROW_REFUSED', 'v', '\u2400', { k: 2, v: '\0' }],
      ])
      assert.deepEqual((await scene.table.verify()).filter(({ grade }) => grade === 'broken'), [])
    })

    test('one instant written in three ways is one key', async () => {
      const scene = await Scene.open(get(), { columns: 'ts:timestamp,v:int64', key: 'ts' })
      const instants = ['2026-05-01T17:25:43.111Z', '2026-05-01T17:25:43.111+00:00', '2026-05-01T19:25:43.111000+02:00']
      counted(await scene.load([{ seq: 1, records: [{ ts: instants[0], v: 1 }, { ts: instants[1], v: 2 }] }]), { 1: { inserted: 1, duplicate: 1 } })
      counted(await scene.load([{ seq: 2, records: [{ ts: instants[2], v: 3 }] }]), { 2: { duplicate: 1 } })
      await scene.check()
    })

    test('a key of every key type at once', async () => {
      const columns = 's:string,b:boolean,i:int64,day:date,ts:timestamp,tl:timestamp_local,v:int64'
      const scene = await Scene.open(get(), { columns, key: 's,b,i,day,ts,tl', mode: 'upsert' })
      const base = { s: 'x', b: true, i: 1, day: '2026-01-01', ts: '2026-01-01T00:00:00Z', tl: '2026-01-01T00:00:00' }
      const others = [{ s: 'y' }, { b: false }, { i: 2 }, { day: '2026-01-02' }, { ts: '2026-01-01T00:00:01Z' }, { tl: '2026-01-01T00:00:01' }]
      const records = [base, ...others.map((other) => ({ ...base, ...other }))]
      counted(await scene.load([{ seq: 1, records: records.map((record) => ({ ...record, v: 1 })) }]), { 1: { inserted: 7 } })
      counted(await scene.load([{ seq: 2, records: records.map((record) => ({ ...record, v: 2 })) }]), { 2: { updated: 7 } })
      counted(await scene.load([{ seq: 3, records: [...records.map((record) => ({ ...record, v: 2 })), { ...base, s: '' }, { ...base, b: null }] }]), { 3: { duplicate: 7, quarantined: 2 } })
      await scene.check()
    })

    test('concatenated keys do not meet', async () => {
      const scene = await Scene.open(get(), { columns: 'a:string,b:string', key: 'a,b' })
      const withNul = get().nulText === false ? [['x\n', 'y'], ['x', '\ny']] : [['x\0', 'y'], ['x', '\0y']]
      const pairs = [['x', 'yz'], ['xy', 'z'], ['x|', 'y'], ['x', '|y'], ['"', ','], ['",', '"'], ...withNul]
      counted(await scene.load([{ seq: 1, records: pairs.map(([a, b]) => ({ a, b })) }]), { 1: { inserted: 8 } })
      counted(await scene.load([{ seq: 2, records: pairs.toReversed().map(([a, b]) => ({ a, b })) }]), { 2: { duplicate: 8 } })
      await scene.check()
    })

    test('new columns come at the end; older rows have null there; absent equals null', async () => {
      const scene = await Scene.open(get(), { key: 'id', mode: 'upsert' })
      await scene.load([{ seq: 1, records: [{ id: 1, a: 'x' }, { id: 2, a: 'y' }, { id: 3, a: 'z' }] }])
      const second = await scene.load([{ seq: 2, records: [{ id: 1, a: 'x', n: null }, { id: 2, a: 'y', n: 5 }, { id: 4, N: 6, t: true }] }])
      counted(second, { 2: { inserted: 1, updated: 1, duplicate: 1 } })
      const head = await scene.table.head()
      assert.deepEqual(head.schema.map((column) => [column.name, column.type]), [['id', 'int64'], ['a', 'string'], ['n', 'int64'], ['t', 'boolean']])
      assert.equal(head.made, 2)
      await scene.check()
      counted(await scene.load([{ seq: 3, records: [{ id: 1, a: 'x' }, { id: 2, a: 'y' }, { id: 3, a: 'z', t: null }] }]), { 3: { updated: 1, duplicate: 2 } })
      await scene.check()
    })

    test('names of columns may be those that a statement of ours uses', async () => {
      const names = ['place', 'file', 's_row', 'outcome', 'equal', 'path', 'code', 'message', 'raw', 'offset', 'value', 'winner', 'target', 'row', 'c0', 'n', 'h', 'v']
      const record = (id: number, value: string): object => Object.fromEntries([['place', id], ...names.slice(1).map((name) => [name, value])])
      for (const keep of WHOLE ? ['first', 'last', 'error', 'max:v'] : ['error', 'max:v']) {
        const scene = await Scene.open(get(), { key: 'place', mode: keep === 'first' || keep === 'error' ? 'dedupe' : 'upsert', keep })
        await scene.load([{ seq: 2, records: [record(1, 'b'), record(2, 'b'), record(2, 'c'), record(3, 'b')] }])
        await scene.load([{ seq: 3, records: [record(1, 'c'), record(1, 'd'), record(2, 'b')] }])
        await scene.load([{ seq: 1, records: [record(1, 'a'), record(3, 'b'), record(4, 'a')] }])
        await scene.check()
      }
    })

    test('-0.0 and 0.0 are equal content; names of columns may be words of SQL', async () => {
      const scene = await Scene.open(get(), { columns: 'select:int64,order by:double,"q\'é:string', key: 'select', mode: 'upsert' })
      await scene.load([{ seq: 1, records: ['{"select":1,"order by":-0.0,"\\"q\'é":"a"}'] }])
      counted(await scene.load([{ seq: 2, records: ['{"select":1,"order by":0.0,"\\"q\'é":"a"}'] }]), { 2: { duplicate: 1 } })
      assert.equal((await scene.table.head()).schema[1]?.original, 'order by')
    })
  })
}
