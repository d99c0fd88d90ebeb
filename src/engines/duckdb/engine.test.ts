/** The engine through its port: small batches of real files, in real child processes. */
import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Arrival } from '../../core/arrival.ts'
import { define } from '../../core/definition.ts'
import type { Definition, DefinitionRequest } from '../../core/definition.ts'
import type { StageEvent, StageJob, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { placeOf, rowOf, seqOf } from '../../core/place.ts'
import type { Row } from '../../core/schema.ts'
import { reference } from '../../resolve/rule.ts'
import { lookAt } from '../../storage/pin.ts'
import { openDuckdbEngine } from './engine.ts'
import { BY_ITSELF } from '../../core/reading.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-engine-'))
const engine = openDuckdbEngine({ memory: 512_000_000, spool: root })
after(async () => {
  await engine.close()
  rmSync(root, { recursive: true, force: true })
})

let batches = 0
const COLUMNS = 'id:string,n:int64,d:double,b:boolean,day:date,at:timestamp,wall:timestamp_local'

/** A job over files with these texts, numbered from 1. */
function jobOf(texts: readonly string[], request: DefinitionRequest, change: Partial<StageJob> = {}, reload: readonly number[] = []): StageJob {
  batches += 1
  const folder = join(root, `batch [${batches}]`)
  const inbox = join(root, `in${batches}`)
  mkdirSync(folder)
  mkdirSync(inbox)
  const arrivals = texts.map((text, at): Arrival => {
    const path = join(inbox, `f${at + 1}.ndjson`)
    writeFileSync(path, text)
    const pin = lookAt(path)
    assert.ok(pin !== null)
    return { seq: at + 1, pin, reload: reload.includes(at + 1), replaced: false }
  })
  const definition: Definition = define('t', { columns: COLUMNS, ...request })
  return {
    batch: { id: `b_${batches}`, lane: 1, fence: 7, table: 't', arrivals },
    attempt: 1,
    definition,
    pinned: null,
    folder,
    reading: BY_ITSELF, onBad: 'quarantine',
    maxBad: null,
    now: Date.now(),
    grace: 0,
    standing: () => Promise.resolve(new Map()),
    reloaded: new Set(),
    ...change,
  }
}

const never = new AbortController().signal
const ignore = (): void => undefined

async function all(chunks: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

async function idsOf(staged: Staged, what: 'winners' | 'losers'): Promise<string[]> {
  return (await all(engine.read(staged, what))).map((row) => `${String(row[0])}@${seqOf(row.at(-1) as bigint)}.${rowOf(row.at(-1) as bigint)}`)
}

const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

describe('a stage', () => {
  test('reads good, bad and repeated files, and says what became of each', async () => {
    const good = lines({ id: 'a', n: 1 }, { id: 'b', n: 2 })
    const job = jobOf([good, `${lines({ id: 'c' })}{"id":\n`, good, lines({ id: 'a', n: 9 })], { key: 'id' })
    const events: StageEvent[] = []
    const staged = await engine.stage(job, (event) => events.push(event), never)
    assert.deepEqual(staged.outcomes.map(({ state, read, sameAs }) => [state, read, sameAs]), [['loaded', 2, null], ['loaded', 2, null], ['known', 2, 1], ['loaded', 1, null]])
    assert.deepEqual(staged.excluded, [3])
    assert.deepEqual(await idsOf(staged, 'winners'), ['a@1.1', 'b@1.2', 'c@2.1'])
    assert.deepEqual(await idsOf(staged, 'losers'), ['a@4.1'])
    assert.equal(staged.winners, 3)
    assert.deepEqual(staged.places, { lowest: placeOf(1, 1), highest: placeOf(4, 1) })
    assert.equal(staged.keyRange, null, 'there is no table')
    const rejects = await all(engine.rejects(staged))
    assert.deepEqual(rejects.map((row) => row[0]), [placeOf(2, 2)])
    assert.equal(Object.values(staged.reasons).reduce((a, b) => a + b, 0), 1)
    assert.deepEqual(events.flatMap((event) => (event.kind === 'arrival.begin' ? [event.seq] : [])), [1, 2, 3, 4])
    assert.equal(events.filter(({ kind }) => kind === 'arrival.end').length, 4)
    const progress = events.findLast((event) => event.kind === 'progress')
    assert.equal(progress?.files, 4)
  })

  test('knows what the table has, leaves out its rejects, and reloads on request', async () => {
    const text = `${lines({ id: 'a' })}{"id":\n`
    const standing: StageJob['standing'] = (shas) => Promise.resolve(new Map(shas.map((sha) => [sha, { generation: 2, seq: 40 }])))
    const known = await engine.stage(jobOf([text], { key: 'id' }, { standing }), ignore, never)
    assert.deepEqual(known.outcomes.map(({ state, sameAs, generation }) => [state, sameAs, generation]), [['known', 40, 2]])
    assert.deepEqual([known.winners, known.places, known.keyRange, known.faults, known.reasons], [0, null, null, [], {}])
    assert.deepEqual(await all(engine.rejects(known)), [])
    const again = await engine.stage(jobOf([text], { key: 'id' }, { standing }, [1]), ignore, never)
    assert.deepEqual(again.outcomes.map(({ state, generation }) => [state, generation]), [['loaded', 3]])
    const sha = again.outcomes[0]?.sha256 ?? ''
    const pinned = await engine.stage(jobOf([lines({ id: 'a' }, { id: 'c' })], { key: 'id' }, { pinned: again.schema }), ignore, never)
    assert.deepEqual(pinned.keyRange, [{ name: 'id', min: 'a', max: 'c' }])
    const twice = await engine.stage(jobOf([text], { key: 'id' }, { standing, reloaded: new Set([sha]) }, [1]), ignore, never)
    assert.equal(twice.outcomes[0]?.state, 'known')
  })

  test('passes every type as Value, also in years below 1000', async () => {
    const record = { id: 'ü\u{1F600}', n: '9007199254740993', d: 0.1, b: true, day: '0044-03-15', at: '0999-01-02T03:04:05.000006Z', wall: '2020-02-29T00:00:00' }
    const text = `${JSON.stringify(record).replace('"9007199254740993"', '9007199254740993')}\n${lines({ id: 'x' })}`
    const staged = await engine.stage(jobOf([text], {}), ignore, never)
    assert.deepEqual(await all(engine.read(staged, 'winners')), [
      ['ü\u{1F600}', 9007199254740993n, 0.1, true, '0044-03-15', '0999-01-02T03:04:05.000006Z', '2020-02-29T00:00:00.000000', placeOf(1, 1)],
      ['x', null, null, null, null, null, null, placeOf(1, 2)],
    ])
  })

  for (const keep of ['first', 'error', 'last', 'max:n', 'min:n', 'max:day', 'min:wall']) {
    test(`separates as the rule says under ${keep}`, async () => {
      const records = Array.from({ length: 300 }, (_, at) => {
        const pick = (at * 7919) % 101
        return { id: ['a', 'ｚ', '\u{1F600}', 'b'][pick % 4], b: pick % 3 === 0, n: pick % 5 === 0 ? null : Math.floor(pick / 4) % 6, day: pick % 7 === 0 ? null : `2020-01-0${1 + (Math.floor(pick / 5) % 3)}`, wall: null }
      })
      const mode = keep === 'first' || keep === 'error' ? 'dedupe' : 'upsert'
      const job = jobOf([lines(...records.slice(0, 100)), lines(...records.slice(100))], { key: 'id,b', mode, keep })
      const staged = await engine.stage(job, ignore, never)
      const rule = job.definition.keep
      assert.ok(rule !== null)
      const column = 'column' in rule ? rule.column : null
      const candidates = records.map((record, at) => {
        const value = column === 'n' ? record.n : column === 'day' ? record.day : null
        return { key: `${record.id}|${record.b}`, value, place: at < 100 ? placeOf(1, at + 1) : placeOf(2, at - 99) }
      })
      const winners = [...Map.groupBy(candidates, ({ key }) => key).values()].map((group) => reference(rule, group)?.place)
      const places = (await all(engine.read(staged, 'winners'))).map((row) => row.at(-1))
      assert.deepEqual(places, winners.toSorted((a, b) => Number((a ?? 0n) - (b ?? 0n))))
      assert.equal(staged.winners, winners.length)
      assert.equal((await all(engine.read(staged, 'losers'))).length, 300 - winners.length)
    })
  }

  test('refuses a key that no record has, naming what was seen', async () => {
    const job = jobOf([lines({ id: 'a' })], { key: 'n', columns: undefined })
    await assert.rejects(engine.stage(job, ignore, never), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'KEY_UNKNOWN' && /column n/.test(thrown.message))
  })

  test('names the columns of records that were put aside without their key, and where they begin', async () => {
    const job = jobOf([lines({ uuid: 'a', 'Name': null, 'at x': 1 }, { uuid: 'b', more: [1] }), lines({ uuid: 'c' })], { key: 'uid', columns: undefined })
    const path = job.batch.arrivals[0]?.pin.uri ?? ''
    await assert.rejects(engine.stage(job, ignore, never), (thrown: unknown) => {
      assert.ok(thrown instanceof SluiceError)
      assert.equal(thrown.message, `None of the first 3 records, from ${path} row 1 on, has the key column uid. Columns seen: uuid, Name, at_x, more.`)
      assert.deepEqual([thrown.code, thrown.where], ['KEY_UNKNOWN', { path, row: 1, column: 'uid' }])
      return true
    })
  })

  test('passes on what standing throws', async () => {
    const mine = new SluiceError('BUSY', 'the table is busy')
    const job = jobOf([lines({ id: 'a' })], {}, { standing: () => Promise.reject(mine) })
    await assert.rejects(engine.stage(job, ignore, never), (thrown: unknown) => thrown === mine)
  })

  test('may ask for the standing through a session, with one process', async () => {
    const small = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: root })
    try {
      const held = await small.session()
      const standing: StageJob['standing'] = async () => {
        const session = await small.session()
        await session.rows('SELECT 1')
        await session.close()
        return new Map()
      }
      const staged = await small.stage(jobOf([lines({ id: 'a' })], {}, { standing }), ignore, never)
      assert.equal(staged.winners, 1)
      await held.close()
    } finally {
      await small.close()
    }
  })
})

test('sessions that are opened at once in one process are not one session', async () => {
  const small = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: root })
  try {
    const [a, b] = await Promise.all([small.session(), small.session()])
    await a.exec('CREATE TEMP TABLE mine (i INTEGER)')
    assert.deepEqual(await b.rows("SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'mine'"), [{ n: 0n }])
    await a.close()
    assert.deepEqual(await b.rows('SELECT 1::BIGINT AS n'), [{ n: 1n }])
    await b.close()
  } finally {
    await small.close()
  }
})
