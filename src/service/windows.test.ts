/** The source of a load over a table that knows its windows only in part: what it has by dates does not count as in. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import { parseAddress } from '../core/address.ts'
import { define } from '../core/definition.ts'
import type { Engine, Standing } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { CommittedArrival, Table } from '../core/target.ts'
import { localFs } from '../storage/local.ts'
import { scratch } from '../../test/command.ts'
import type { DataFolder } from './folder.ts'
import { openWindows, refuseByDate } from './windows.ts'

const DATES = { field: 'changed', since: '2026-01-02', until: null }

test('a window of which only some dates are in is read again', async (t) => {
  const path = scratch(t)
  const db = new DatabaseSync(join(path, 'shop.db'))
  db.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, changed INTEGER); INSERT INTO orders VALUES (1, 5000), (2, 6000)')
  db.close()
  const address = parseAddress(`sqlite:${join(path, 'shop.db')}?table=orders&cursor=changed&key=id`)
  const committed: CommittedArrival[] = []
  const standing = new Map<string, Standing>()
  const table = {
    async *recent() {
      yield* committed
    },
    standing: async (shas: readonly string[]) => new Map(shas.flatMap((sha) => (standing.has(sha) ? [[sha, standing.get(sha)]] : []))),
  } as unknown as Table
  const read = async (): Promise<{ path: string; sha256: string }[]> => {
    const source = await openWindows({ folder: { path, fs: localFs } as unknown as DataFolder, engine: {} as unknown as Engine, address, definition: define('orders', { key: 'id', mode: 'upsert' }), table, key: 'orders', reload: false, on: () => {} })
    const { pins, hashes } = await source.discover()
    await source.close()
    return pins.map(({ uri }) => ({ path: uri, sha256: hashes?.get(uri) ?? '' }))
  }
  const [first] = await read()
  assert.ok(first !== undefined)
  await localFs.remove('test.lost', first.path)
  const arrival = { seq: 1, sha256: first.sha256, generation: 0, path: first.path, size: 1, counts: {} } as unknown as CommittedArrival
  committed.push({ ...arrival, dates: DATES })
  standing.set(first.sha256, { generation: 0, seq: 1, covered: { field: 'changed', intervals: [{ since: '2026-01-02', until: null }], read: 2 } })
  const [again, ...more] = await read()
  // From the beginning, under the first number.
  assert.deepEqual([again?.path, again?.sha256, more], [first.path, first.sha256, []])
  await localFs.remove('test.lost', first.path)
  // The rest came, too: it counts, and its rows come again for the overlap alone, byte for byte, so under no name.
  committed.push(arrival)
  standing.set(first.sha256, { generation: 0, seq: 1 })
  assert.deepEqual(await read(), [])
})

test('a source goes with no dates, files do', () => {
  const asked = { since: '2026-01-02', until: null }
  assert.throws(() => refuseByDate(['sqlite:shop.db?table=orders'], asked), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE')
  refuseByDate(['sqlite:shop.db?table=orders'], null)
  refuseByDate(['in'], asked)
})
