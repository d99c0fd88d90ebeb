/** The contract on ledger.db with real processes, and what only a file can do: formats, damage, locks. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { ledgerContract } from '../../test/contract/ledger.ts'
import { NOW, sight } from '../../test/contract/ledger-scene.ts'
import { startLedgerProcess } from '../../test/contract/ledger-process.ts'
import type { Clock } from '../core/effects.ts'
import { SqliteSession } from '../sql/sqlite.ts'
import { systemClock, systemRandom } from '../storage/system.ts'
import { openLedger } from './sqlite.ts'
import { SILENCE_MS } from './workers.ts'

const T = 'delta:/tables/events'
const at = (clock: Partial<Clock> = {}) => ({ clock: { ...systemClock, now: () => NOW, ...clock }, random: systemRandom })

function temp(t?: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'))
  t?.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

ledgerContract('sqlite', async () => {
  const folder = temp()
  const ledger = await openLedger(folder, at())
  const started: { kill(): Promise<void> }[] = []
  return {
    ledger,
    async other() {
      const other = await startLedgerProcess(folder)
      started.push(other)
      return other
    },
    async dispose() {
      await Promise.all(started.map((each) => each.kill()))
      await ledger.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})

test('four processes claim 400 arrivals, each exactly once; a killed one leaves an orphan at once', async (t) => {
  const folder = temp(t)
  const ledger = await openLedger(folder, at())
  await ledger.putTable({ uri: T, name: 'events', definition: null })
  const others = await Promise.all([1, 2, 3, 4].map(() => startLedgerProcess(folder)))
  t.after(() => Promise.all(others.map((other) => other.kill())))
  const sightings = Array.from({ length: 400 }, (_, i) => sight(`f${i}`))
  const limit = { bytes: 1e9, files: 7 }
  await Promise.all(
    others.map(async ({ ledger: own }, n) => {
      await own.begin({ id: `r_${n}`, table: T, command: 'load' })
      await own.offer(`r_${n}`, T, sightings, { reload: false })
    }),
  )
  // The first round gives everybody a share.
  const claimed = await Promise.all(others.map(async ({ ledger: own }, n) => [await own.claim(`r_${n}`, T, limit)]))
  await Promise.all(
    others.map(async ({ ledger: own }, n) => {
      for (let batch = await own.claim(`r_${n}`, T, limit); batch !== null; batch = await own.claim(`r_${n}`, T, limit)) claimed[n]?.push(batch)
    }),
  )
  const numbers = claimed.flat().flatMap((batch) => (batch?.arrivals ?? []).map((arrival) => arrival.seq))
  assert.deepEqual(numbers.toSorted((a, b) => a - b), Array.from({ length: 400 }, (_, i) => i + 1))
  assert.deepEqual(await ledger.orphans(T), [])
  await others[2]?.kill()
  assert.deepEqual((await ledger.orphans(T)).map((claim) => claim.batch), claimed[2])
  assert.deepEqual(await ledger.verify(), [])
  await ledger.close()
})

test('a stopped process counts as dead after its beat stood still, by the clock of the observer; its claim is lost to it', async (t) => {
  const folder = temp(t)
  let now = 0
  const observer = await openLedger(folder, at({ monotonic: () => now }))
  const sleeper = await openLedger(folder, at())
  await sleeper.putTable({ uri: T, name: 'events', definition: null })
  await sleeper.begin({ id: 'r_1', table: T, command: 'load' })
  await sleeper.offer('r_1', T, [sight('a')], { reload: false })
  const batch = await sleeper.claim('r_1', T, { bytes: 1e9, files: 9 })
  assert.ok(batch !== null)
  assert.deepEqual(await observer.orphans(T), [])
  now = SILENCE_MS - 1
  assert.deepEqual(await observer.orphans(T), [])
  await sleeper.beat()
  now = SILENCE_MS + 1
  assert.deepEqual(await observer.orphans(T), [], 'the beat went on')
  now = 3 * SILENCE_MS
  const [claim] = await observer.orphans(T)
  assert.ok(claim !== undefined)
  assert.equal(await observer.recover(claim, null, null), true)
  // Of himself nobody thinks so, however long he did not beat.
  await observer.begin({ id: 'r_2', table: T, command: 'load' })
  await observer.offer('r_2', T, [sight('a')], { reload: false })
  assert.ok((await observer.claim('r_2', T, { bytes: 1e9, files: 9 })) !== null)
  assert.deepEqual(await observer.orphans(T), [])
  now = 9 * SILENCE_MS
  assert.deepEqual(await observer.orphans(T), [])
  assert.equal(await sleeper.turn(batch), 'lost')
  assert.equal(await sleeper.settle(batch, [], null), false)
  await sleeper.close()
  await observer.close()
})

test('a closed process leaves no file; a dead one is removed by whoever comes next', async (t) => {
  const folder = temp(t)
  const other = await startLedgerProcess(folder)
  const file = join(folder, 'workers', `${other.ledger.worker}.db`)
  assert.ok(existsSync(file))
  await other.kill()
  assert.ok(existsSync(file), 'nobody could remove it')
  const ledger = await openLedger(folder, at())
  assert.deepEqual(readdirSync(join(folder, 'workers')), [`${ledger.worker}.db`])
  await ledger.close()
  assert.deepEqual(readdirSync(join(folder, 'workers')), [])
})

test('several processes may make the ledger at once', async (t) => {
  const folder = temp(t)
  const others = await Promise.all([1, 2, 3, 4].map(() => startLedgerProcess(folder)))
  t.after(() => Promise.all(others.map((other) => other.kill())))
  const ledger = await openLedger(folder, at())
  assert.deepEqual(await ledger.verify(), [])
  assert.equal(readdirSync(join(folder, 'workers')).length, 5)
  await ledger.close()
})

test('after an unclean stop a damaged ledger is named, before anything is done with it', async (t) => {
  const folder = temp(t)
  const other = await startLedgerProcess(folder)
  await other.ledger.putTable({ uri: T, name: 'events', definition: null })
  await other.ledger.begin({ id: 'r_1', table: T, command: 'load' })
  await other.ledger.offer('r_1', T, Array.from({ length: 2000 }, (_, i) => sight(`f${i}`)), { reload: false })
  const db = new SqliteSession(join(folder, 'ledger.db'))
  db.all('PRAGMA wal_checkpoint(TRUNCATE)')
  const page = Number(db.get("SELECT rootpage FROM sqlite_schema WHERE name = 'arrivals_by_state'")?.['rootpage'])
  db.close()
  await other.kill()
  const bytes = readFileSync(join(folder, 'ledger.db'))
  bytes.fill(0, (page - 1) * 4096, page * 4096)
  writeFileSync(join(folder, 'ledger.db'), bytes)
  await assert.rejects(openLedger(folder, at()), { code: 'LEDGER_BROKEN' })
})

test('a process that died while it made the file leaves a journal that is rolled back, not stumbled over', async (t) => {
  const folder = temp(t)
  const source = join(folder, 'source.db')
  const dying = new DatabaseSync(source)
  dying.exec('PRAGMA cache_size = 2; BEGIN IMMEDIATE; CREATE TABLE x (a)')
  for (let i = 0; i < 50; i++) dying.prepare('INSERT INTO x VALUES (?)').run('y'.repeat(3000))
  for (const end of ['', '-journal']) copyFileSync(`${source}${end}`, join(folder, `ledger.db${end}`))
  dying.close()
  const ledger = await openLedger(folder, at())
  assert.deepEqual(await ledger.verify(), [])
  assert.equal(await ledger.isEmpty(), true)
  await ledger.close()
})

test('a ledger of an older format becomes one of this format and goes on', async (t) => {
  const folder = temp(t)
  const before = await openLedger(folder, at())
  await before.putTable({ uri: T, name: 'events', definition: null })
  await before.begin({ id: 'r_1', table: T, command: 'load' })
  await before.close()
  const db = new SqliteSession(join(folder, 'ledger.db'))
  db.exec('test', 'ALTER TABLE runs DROP COLUMN phases; DROP INDEX arrivals_partly; ALTER TABLE runs DROP COLUMN dates; ALTER TABLE arrivals DROP COLUMN covered; ALTER TABLE arrivals DROP COLUMN via; ALTER TABLE runs DROP COLUMN known; ALTER TABLE arrivals DROP COLUMN deaths; ALTER TABLE arrivals DROP COLUMN former; PRAGMA user_version = 1')
  db.close()
  const ledger = await openLedger(folder, at())
  await ledger.offer('r_1', T, [sight('a')], { reload: false, known: 2 })
  assert.equal((await ledger.countFiles('r_1')).known, 2)
  const phases = { discovered: 1, staged: 2, committed: 3, models: 4, settled: 5 }
  assert.deepEqual((await ledger.end('r_1', 'COMPLETED', { total: 3, loaded: 1, known: 2, waiting: 0, failed: 0, ignored: 0 }, 0, null, phases)).phases, phases)
  assert.deepEqual(await ledger.verify(), [])
  await ledger.close()
})

test('a ledger of a newer format is refused and left as it is', async (t) => {
  const folder = temp(t)
  await (await openLedger(folder, at())).close()
  const path = join(folder, 'ledger.db')
  const db = new SqliteSession(path)
  db.exec('test', 'PRAGMA user_version = 99')
  db.close()
  const before = readFileSync(path)
  await assert.rejects(openLedger(folder, at()), { code: 'DATA_DIR_NEWER', exit: 4, message: /format 99/ })
  assert.deepEqual(readFileSync(path), before)
  assert.deepEqual(readdirSync(join(folder, 'workers')), [])
})

test('a file that is no ledger, or is cut or overwritten, is called broken, with the way out, and left as it is', async (t) => {
  const folder = temp(t)
  const path = join(folder, 'ledger.db')
  await (await openLedger(folder, at())).close()
  const whole = readFileSync(path)
  const damaged = { 'no database': Buffer.from('not a database, '.repeat(100)), 'a cut file': whole.subarray(0, 6000), 'an overwritten schema': Buffer.concat([whole.subarray(0, 100), Buffer.alloc(whole.length - 100, 0x5a)]) }
  for (const [what, bytes] of Object.entries(damaged)) {
    writeFileSync(path, bytes)
    await assert.rejects(openLedger(folder, at()), { code: 'LEDGER_BROKEN', exit: 4, hint: /^Move ledger\.db .* aside/, where: { path } }, what)
    assert.deepEqual(readFileSync(path), bytes, what)
  }
})

test('verify finds what cannot be', async (t) => {
  const folder = temp(t)
  const ledger = await openLedger(folder, at())
  await ledger.putTable({ uri: T, name: 'events', definition: null })
  await ledger.begin({ id: 'r_1', table: T, command: 'load' })
  await ledger.offer('r_1', T, [sight('a'), sight('b'), sight('c')], { reload: false })
  await ledger.claim('r_1', T, { bytes: 1e9, files: 1 })
  await ledger.claim('r_1', T, { bytes: 1e9, files: 1 })
  assert.deepEqual(await ledger.verify(), [])
  const db = new SqliteSession(join(folder, 'ledger.db'))
  const broken: [string, RegExp][] = [
    ['UPDATE batches SET lane = 0', /2 open batches/],
    ["UPDATE arrivals SET state = 'IN_PROGRESS' WHERE seq = 3", /IN_PROGRESS without a claim/],
    ["UPDATE arrivals SET state = 'PENDING' WHERE seq = 1", /PENDING in the open batch/],
    ["UPDATE runs SET state = 'FAILED'", /has an open batch/],
    ['DELETE FROM arrivals WHERE seq = 3', /3 numbers given/],
  ]
  for (const [sql, finds] of broken) {
    db.exec('test', 'BEGIN IMMEDIATE')
    db.exec('test', sql)
    db.exec('test', 'COMMIT')
    assert.match((await ledger.verify()).join('\n'), finds, sql)
  }
  db.close()
  await ledger.close()
})

test('whoever opens a new ledger at the same instant gets it, and none is told that it is locked', async (t) => {
  const folder = temp(t)
  const rounds = 60
  const threads = 4
  const ready = new SharedArrayBuffer(4 * rounds)
  const opening = `
    const { parentPort, workerData: { folder, ready, rounds, threads } } = require('node:worker_threads')
    const arrived = new Int32Array(ready)
    const run = async () => {
      const [{ openLedgerFile }, { systemRandom }] = await Promise.all([import(${JSON.stringify(import.meta.resolve('./schema.ts'))}), import(${JSON.stringify(import.meta.resolve('../storage/system.ts'))})])
      for (let round = 0; round < rounds; round++) {
        Atomics.add(arrived, round, 1)
        while (Atomics.load(arrived, round) < threads);
        openLedgerFile(folder + '/' + round + '.db', systemRandom).close()
      }
    }
    run().catch((thrown) => {
      // Nobody waits for this one any more.
      for (let round = 0; round < rounds; round++) Atomics.add(arrived, round, threads)
      parentPort.postMessage(String(thrown))
    })`
  const said: unknown[] = []
  await Promise.all(Array.from({ length: threads }, () => {
    const worker = new Worker(opening, { eval: true, workerData: { folder, ready, rounds, threads } })
    worker.on('message', (message) => said.push(message))
    return once(worker, 'exit')
  }))
  assert.deepEqual(said, [])
})
