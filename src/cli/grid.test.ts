/** Answers as people read them: alignment, what is no value, what does not fit. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { AnswerColumn } from '../core/console.ts'
import { grid, widthOf } from './grid.ts'

const plain = { width: null, dim: (text: string) => text }
const columns: AnswerColumn[] = [{ name: 'id', type: 'int64', declared: 'BIGINT' }, { name: 'name', type: 'string', declared: 'VARCHAR' }, { name: 'price', type: 'decimal(5,2)', declared: 'DECIMAL(5,2)' }]

test('numbers to the right, texts to the left, types below the names', () => {
  const { lines, hidden } = grid(columns, [[1n, 'Widget', '1.10'], [12345n, 'Bolt', null]], plain)
  assert.deepEqual(lines, [
    '   id │ name   │        price',
    'int64 │ string │ decimal(5,2)',
    `${'─'.repeat(5)}─┼─${'─'.repeat(6)}─┼─${'─'.repeat(12)}`,
    '    1 │ Widget │         1.10',
    '12345 │ Bolt   │         null',
  ])
  assert.deepEqual(hidden, [])
})

test('null, the text null and the empty text are told apart; control characters move nothing', () => {
  const { lines } = grid([columns[1] as AnswerColumn], [[null], ['null'], [''], ['a\nb\tc\u001b[31m']], { width: null, dim: (text) => `<${text}>` })
  assert.deepEqual(lines.slice(3), ['<null>', "'null'", "''", 'a↵b→c·[31m'])
})

test('double width and combining characters are counted as a terminal does', () => {
  assert.deepEqual(['abc', '日本', 'é', '🙂'].map(widthOf), [3, 4, 1, 2])
})

test('a narrow terminal cuts the widest columns first and never breaks a line', () => {
  const { lines, hidden } = grid(columns, [[1n, 'x'.repeat(100), '1.10'], [2n, '日本'.repeat(40), '2.20']], { ...plain, width: 40 })
  assert.deepEqual(hidden, [])
  assert.ok(lines.every((line) => widthOf(line) <= 40), lines.join('\n'))
  assert.match(lines[3] ?? '', /x…/)
})

test('columns that find no room at all are named', () => {
  const many = Array.from({ length: 30 }, (_, at): AnswerColumn => ({ name: `column_${at}`, type: 'string', declared: '' }))
  const { lines, hidden } = grid(many, [many.map(({ name }) => name)], { ...plain, width: 60 })
  assert.ok(lines.every((line) => widthOf(line) <= 60))
  assert.ok(hidden.length > 20 && hidden.at(-1) === 'column_29')
})
