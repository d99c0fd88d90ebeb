/** Trials find each row that is refused, with few writes, and give up at their limit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowRefused, Tried, findRefused } from './trials.ts'
import type { Search } from './trials.ts'

/** A batch of rows with the places 10, 20, …, of which some are refused; counts what is written. */
function batch(rows: number, bad: (place: bigint) => boolean, losers = false): { search: Search<string[]>; whole: RowRefused; trials: () => number } {
  let trials = 0
  const places = Array.from({ length: rows }, (_, n) => BigInt(10 * (n + 1)))
  const search: Search<string[]> = {
    product: 'This', table: 't', losers,
    commit: (known) => {
      const refused = places.filter((place) => bad(place) && !known.some((row) => row.place === place)).at(-1)
      return refused === undefined ? Promise.resolve(known.map(({ place, why }) => `${place} ${why}`)) : Promise.reject(new RowRefused(`whole ${refused}`, null))
    },
    write: (known, n) => {
      trials++
      const left = places.filter((place) => !known.some((row) => row.place === place))
      const tried = left.slice(0, n)
      const refused = tried.filter(bad).at(-1)
      return Promise.reject(new Tried(left.length, tried.at(-1) ?? 0n, refused === undefined ? null : `no ${refused}`))
    },
  }
  return { search, whole: new RowRefused('the first', null), trials: () => trials }
}

for (const losers of [false, true]) {
  test(`every row is found where it lies, ${losers ? 'with losers' : 'without'}`, async () => {
    for (const at of [1, 2, 3, 7, 8]) {
      const { search, whole } = batch(8, (place) => place === BigInt(at * 10), losers)
      assert.deepEqual(await findRefused(whole, search), [`${at}0 no ${at}0`])
    }
    const { search, whole } = batch(30, (place) => place % 70n === 0n || place === 80n, losers)
    assert.deepEqual(await findRefused(whole, search), [70, 80, 140, 210, 280].map((place) => `${place} no ${place}`))
  })
}

test('a row of 65,536 takes seventeen trials, and the next one begins behind it', async () => {
  const { search, whole, trials } = batch(1 << 16, (place) => place === 377_770n)
  assert.deepEqual(await findRefused(whole, search), ['377770 no 377770'])
  assert.ok(trials() <= 17, String(trials()))
  const tail = batch(1000, (place) => place > 9_000n)
  assert.equal((await findRefused(tail.whole, tail.search)).length, 100)
  assert.ok(tail.trials() < 130, String(tail.trials()))
})

test('more than the limit, and rows that are refused only together', async () => {
  const { search, whole } = batch(500, (place) => place <= 1_010n)
  await assert.rejects(findRefused(whole, search), { code: 'ROWS_REFUSED', message: /more than 100 rows of the batch.*because: whole 1010/ })
  const none = batch(5, () => false)
  await assert.rejects(findRefused(none.whole, none.search), { code: 'ROWS_REFUSED', message: /takes every row.*the first/ })
  const died = { ...none.search, write: () => Promise.reject(new Error('the engine died')) }
  await assert.rejects(findRefused(none.whole, died), /the engine died/)
})
