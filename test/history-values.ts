/**
 * Values and records of histories, as JSON text. The pools are small so that keys collide and contents repeat, and hold
 * what is hard: the ends of ranges, texts that differ in one byte, several spellings of one value.
 */
import fc from 'fast-check'
import type { ColumnType } from '../src/core/schema.ts'

const texts = (...values: string[]): string[] => values.map((value) => JSON.stringify(value))

/** JSON texts of good values. */
export const POOLS: Readonly<Record<ColumnType, readonly string[]>> = {
  string: [...texts('a', 'b', 'A', 'a ', 'é', 'e\u0301', '\u{FF5E}', '\u{1F600}', 'a\0', "it's \"so\"\n", '1'), '1', '1.10'],
  boolean: ['true', 'false'],
  int64: ['0', '1', '-1', '1.0', '1e3', '1000', '9007199254740992', '9007199254740993', '9223372036854775807', '-9223372036854775808'],
  double: ['0', '-0.0', '0.0', '1.5', '15e-1', '-2.5', '1e300', '5e-324', '0.1', '9007199254740993'],
  date: texts('0001-01-01', '1969-12-31', '2024-02-29', '2026-11-21', '9999-12-31'),
  timestamp: texts(
    '2026-11-21T10:00:00Z', '2026-11-21T11:00:00.000000+01:00', '2026-11-21T10:00:00.000001Z', '2026-11-21 10:00:00.5Z',
    '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999Z',
  ),
  timestamp_local: texts('2026-03-29T02:30:00', '2026-03-29T02:30:00.000000', '2026-03-29T02:30:00.000001', '0001-01-01T00:00:00', '9999-12-31T23:59:59.999999'),
  'decimal(10,2)': ['1.10', '1.1', '110e-2', '0', '-0', '-0.01', '99999999.99', '-99999999.99', '1', '1.000'],
  'decimal(38,4)': ['0.0001', '1234567890123456789012345678901234.5678', '-1234567890123456789012345678901234.5678', '1e33', '1', '0.0002'],
  'list<int64>': ['[]', '[1,2]', '[ 1 , 2.0 ]', '[2,1]', '[null]', '[9007199254740993]', '[1]'],
  'struct<a:double,b:list<struct<t:timestamp,d:decimal(20,3)>>,s:string>': [
    '{}', '{"a":-0.0}', '{"a":0.0,"b":null}', '{"A":1.5,"s":"é\\n\\u0001"}', '{"s":1.10,"b":[]}', '{"b":[null,{},{"t":"2026-11-21T10:00:00Z","d":1.10}]}',
    '{"b":[null,{"d":null},{"d":1.1,"t":"2026-11-21T11:00:00+01:00"}],"left out":[1]}', '{"a":1e300}',
  ],
  json: ['{"a":1.10,"b":[1,2]}', '{ "a": 1.10, "b": [1, 2] }', '{"b":[1,2],"a":1.10}', '[1e3]', '[1000]', '"x"', 'true', '12', '{}'],
}

/** JSON texts that do not fit the type. Every value fits json; text columns refuse only what is unsettled elsewhere. */
const BAD: Readonly<Partial<Record<ColumnType, readonly string[]>>> = {
  boolean: ['"true"', '1'],
  int64: ['"1"', '1.5', '9223372036854775808', 'true'],
  double: ['"1"', '1e999'],
  'decimal(10,2)': ['"1.10"', '1.101', '100000000', 'true', '[1]'],
  'list<int64>': ['["1"]', '1', '{}', '[1,[2]]', '[1.5]'],
  'struct<a:double,b:list<struct<t:timestamp,d:decimal(20,3)>>,s:string>': ['[]', '"x"', '{"a":"1"}', '{"b":[{"t":"noon"}]}', '{"b":[{"d":1.1111}]}', '{"s":{}}'],
  date: ['"2023-02-29"', '"21.11.2026"', '20261121'],
  timestamp: ['"2026-11-21T25:00:00Z"', '"2026-11-21T10:00:00.0000001Z"', '0'],
  timestamp_local: ['"noon"', '"2026-03-29T02:30:00.1234567"'],
}

/** Members as they are in the records; some need quoting or another name in the table. */
export function memberName(index: number): string {
  return ['id', 'Value', 'order by', 'q"t', 'é', 'c5', 'select'][index] ?? `c${index}`
}

/**
 * The JSON text of one record, good or bad; one in twenty-five is not JSON at all.
 * @param dense one value of each key column, and two of every other one
 */
export function recordText(types: readonly ColumnType[], keys: readonly number[], dense = false): fc.Arbitrary<string> {
  const members = types.map((type, index) => {
    // Few different keys, so that most records meet another one.
    const all = POOLS[type] ?? []
    const few: readonly string[] = keys.includes(index) ? [0, 1, 2].map((step) => all[(index * 3 + step) % all.length] ?? '1') : all
    // The first and the last are never two spellings of one value.
    const pool = dense ? [few[0] ?? '1', ...(keys.includes(index) ? [] : few.slice(-1))] : few
    const bad = BAD[type] ?? []
    const name = JSON.stringify(memberName(index))
    const part = (value: fc.Arbitrary<string>): fc.Arbitrary<string> => value.map((text) => `${name}:${text}`)
    return fc.oneof(
      { weight: 40, arbitrary: part(fc.constantFrom(...pool)) },
      { weight: keys.includes(index) ? 1 : 6, arbitrary: fc.constantFrom('', `${name}:null`) },
      { weight: bad.length > 0 ? 1 : 0, arbitrary: part(fc.constantFrom(...bad, 'null')) },
      { weight: type === 'string' ? 1 : 0, arbitrary: part(fc.constant('""')) },
    )
  })
  const extra = fc.constantFrom('', '', '', '"extra":[5]', `"ID":${POOLS[types[0] ?? 'string']?.[0] ?? '1'}`)
  const object = fc.tuple(fc.tuple(...members), fc.nat(12).chain((n) => (n === 0 ? extra : fc.constant(''))))
  const good = object.map(([parts, more]) => `{${[...parts, more].filter((part) => part !== '').join(',')}}`)
  const odd = fc.constantFrom('5', 'null', '"text"', '[]', '{"id":', '{id:1}', '{}')
  return fc.oneof({ weight: 24, arbitrary: good }, { weight: 1, arbitrary: odd })
}
