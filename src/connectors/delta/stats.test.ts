/** Statistics are wide enough for every value, and pruning by them never loses a key. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ColumnStats } from '../../core/engine.ts'
import { compareValues } from '../../resolve/rule.ts'
import type { Column } from '../../core/schema.ts'
import { mayHold } from './prune.ts'
import { CUT, HIGHEST, readBounds, statsText } from './stats.ts'

function text(column: Column, stats: ColumnStats, rows = 3): string {
  return statsText([column], { uri: '', rows, bytes: 0, stats: { [column.name]: stats } })
}
function bounds(column: Column, stats: ColumnStats): { min: string | undefined; max: string | undefined } | undefined {
  return readBounds(text(column, stats), [column.name]).get(column.name)
}
const s: Column = { name: 's', type: 'string' }
const n: Column = { name: 'n', type: 'int64' }
const t: Column = { name: 't', type: 'timestamp' }
const d: Column = { name: 'd', type: 'double' }

describe('statistics', () => {
  test('64-bit integers are raw digits and come back exactly', () => {
    const stats = text(n, { min: '-9223372036854775808', max: '9007199254740993', nulls: 1 })
    assert.ok(stats.includes('"maxValues":{"n":9007199254740993}'))
    assert.deepEqual(readBounds(stats, ['n']).get('n'), { min: '-9223372036854775808', max: '9007199254740993' })
    assert.equal((JSON.parse(stats) as { numRecords: number }).numRecords, 3)
  })
  test('decimals are raw digits, and prune as numbers however they are written', () => {
    const p: Column = { name: 'p', type: 'decimal(38,2)' }
    const stats = text(p, { min: '-99999999999999999999999999999999.99', max: '9.00', nulls: 0 })
    assert.ok(stats.includes('"maxValues":{"p":9.00}'))
    const add = (told: string): Parameters<typeof mayHold>[0] => ({ path: 'x', partitionValues: {}, size: 1, modificationTime: 0, dataChange: true, stats: told })
    const holds = (told: string, min: string, max: string): boolean => mayHold(add(told), [p], [{ name: 'p', min, max }])
    assert.ok(holds(stats, '9.00', '10.00') && !holds(stats, '9.01', '10.00') && !holds(stats, '-99999999999999999999999999999999999.00', '-99999999999999999999999999999999.995'))
    const foreign = '{"numRecords":1,"minValues":{"p":1E+1},"maxValues":{"p":2.0e1}}'
    assert.ok(holds(foreign, '10.00', '10.00') && holds(foreign, '15.00', '15.00') && !holds(foreign, '20.01', '20.01') && !holds(foreign, '9.99', '9.99'))
  })
  test('texts are cut by code points, and a cut maximum reaches further', () => {
    const long = '😀'.repeat(CUT + 5)
    assert.deepEqual(bounds(s, { min: long, max: long, nulls: 0 }), { min: '😀'.repeat(CUT), max: '😀'.repeat(CUT) + HIGHEST })
    assert.deepEqual(bounds(s, { min: 'a"\n', max: '\u0000b', nulls: 0 }), { min: 'a"\n', max: '\u0000b' })
  })
  test('no maximum where the next code point is the highest one', () => {
    const long = `${'a'.repeat(CUT)}${HIGHEST}z`
    assert.equal(bounds(s, { min: 'a', max: long, nulls: 0 })?.max, undefined)
  })
  test('the minimum of a timestamp is cut down, the maximum rounded up', () => {
    const told = bounds(t, { min: '2024-01-01 00:00:09.123999+00', max: '2024-12-31 23:59:59.999001+00', nulls: 0 })
    assert.deepEqual(told, { min: '2024-01-01T00:00:09.123Z', max: '2025-01-01T00:00:00.000Z' })
    assert.equal(bounds(t, { min: '2024-01-01 00:00:09+00', max: '2024-01-01 00:00:09.5+00', nulls: 0 })?.max, '2024-01-01T00:00:09.500Z')
    assert.equal(bounds({ name: 'l', type: 'timestamp_local' }, { min: '2024-01-01 00:00:09', max: '2024-01-01 00:00:09', nulls: 0 })?.min, '2024-01-01T00:00:09.000')
  })
  test('a bound beyond the year 9999 is not told', () => {
    assert.equal(bounds(t, { min: '2024-01-01 00:00:00+00', max: '9999-12-31 23:59:59.999999+00', nulls: 0 })?.max, undefined)
  })
  test('NaN, booleans, json and columns of nulls have null counts only', () => {
    assert.deepEqual(bounds(d, { min: '1', max: '2', nulls: 0, nan: true })?.min, undefined)
    assert.deepEqual(bounds({ name: 'b', type: 'boolean' }, { min: '0', max: '1', nulls: 0 })?.min, undefined)
    assert.deepEqual(bounds({ name: 'j', type: 'json' }, { min: '1', max: '2', nulls: 0 })?.min, undefined)
    assert.deepEqual(bounds(s, { nulls: 3 })?.min, undefined)
    assert.deepEqual(JSON.parse(text(s, { nulls: 3 })), { numRecords: 3, minValues: {}, maxValues: {}, nullCount: { s: 3 } })
  })
  test('doubles: infinite bounds are not told, zeros take both signs', () => {
    assert.equal(bounds(d, { min: '-inf', max: '1', nulls: 0 })?.min, undefined)
    assert.deepEqual(bounds(d, { min: '0.0', max: '-0.0', nulls: 0 }), { min: '-0.0', max: '0.0' })
  })
})

function add(column: Column, min: string, max: string): Parameters<typeof mayHold>[0] {
  return { path: 'f', partitionValues: {}, size: 1, modificationTime: 0, dataChange: true, stats: text(column, { min, max, nulls: 0 }) }
}
function holds(column: Column, file: [string, string], range: [string, string]): boolean {
  return mayHold(add(column, ...file), [column], [{ name: column.name, min: range[0], max: range[1] }])
}
/** The reader of texts orders by UTF-8 bytes; values of the property come from few letters, so that prefixes meet. */
const letters = fc.string({ unit: fc.constantFrom('a', 'é', '～', '😀', HIGHEST, '\u0000'), maxLength: 40 })
const sorted = (values: readonly string[]): string[] => values.toSorted((a, b) => compareValues(a, b))

describe('pruning', () => {
  test('a file is left out when its keys lie apart', () => {
    assert.equal(holds(n, ['1', '9'], ['10', '20']), false)
    assert.equal(holds(n, ['21', '30'], ['10', '20']), false)
    assert.equal(holds(s, ['b', 'c'], ['d', 'e']), false)
    assert.equal(holds(t, ['2024-01-01 00:00:00+00', '2024-01-01 00:00:00.000001+00'], ['2024-01-01T00:00:00.002000Z', '2024-01-01T00:00:01.000000Z']), false)
    assert.equal(holds({ name: 'd', type: 'date' }, ['2024-01-01', '2024-01-02'], ['2024-01-03', '2024-01-03']), false)
  })
  test('integers compare as integers, far beyond 2^53', () => {
    assert.equal(holds(n, ['9007199254740992', '9007199254740993'], ['9007199254740993', '9007199254740994']), true)
    assert.equal(holds(n, ['9', '9'], ['10', '10']), false)
  })
  test('a timestamp within the rounded millisecond stays', () => {
    assert.equal(holds(t, ['2024-01-01 00:00:00.000900+00', '2024-01-01 00:00:00.000999+00'], ['2024-01-01T00:00:00.000950Z', '2024-01-01T00:00:00.000950Z']), true)
  })
  test('a timestamp equal to a bound stays', () => {
    assert.equal(holds(t, ['2024-01-01 00:00:00+00', '2024-01-01 00:00:00.123+00'], ['2024-01-01T00:00:00.123000Z', '2024-01-02T00:00:00.000000Z']), true)
    assert.equal(holds(t, ['2024-01-01 00:00:00.123+00', '2024-01-02 00:00:00+00'], ['2023-01-01T00:00:00.000000Z', '2024-01-01T00:00:00.123000Z']), true)
  })
  test('without statistics, or without a range, a file stays', () => {
    assert.equal(mayHold({ ...add(n, '1', '2'), stats: undefined }, [n], [{ name: 'n', min: '5', max: '6' }]), true)
    assert.equal(mayHold(add(n, '1', '2'), [n], null), true)
  })
  test('of several key columns one apart is enough', () => {
    const stats = statsText([n, s], { uri: '', rows: 1, bytes: 0, stats: { n: { min: '1', max: '5', nulls: 0 }, s: { min: 'a', max: 'c', nulls: 0 } } })
    const file = { ...add(n, '1', '2'), stats }
    const ranges = (min: string): { name: string; min: string; max: string }[] => [{ name: 'n', min: '1', max: '1' }, { name: 's', min, max: 'z' }]
    assert.equal(mayHold(file, [n, s], ranges('b')), true)
    assert.equal(mayHold(file, [n, s], ranges('d')), false)
  })
  test('a file that holds a key of the batch is never left out', () => {
    fc.assert(fc.property(fc.array(letters, { minLength: 1 }), fc.array(letters), fc.array(letters), (shared, ours, theirs) => {
      const file = sorted([...shared, ...theirs])
      const batch = sorted([...shared, ...ours])
      return holds(s, [file[0] ?? '', file.at(-1) ?? ''], [batch[0] ?? '', batch.at(-1) ?? ''])
    }))
  })
})
