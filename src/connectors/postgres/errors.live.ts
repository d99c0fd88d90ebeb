/** What goes wrong with a server, each with its code. process.env['SLUICE_TEST_POSTGRES_URL'] names a server whose user may do all. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { Scene, counted } from '../../../test/contract/scene.ts'
import type { Variant } from '../../../test/contract/scene.ts'
import { ask, ownDatabase, serverUrl, withDatabase } from '../../../test/postgres.ts'
import type { OwnDatabase } from '../../../test/postgres.ts'
import type { Code } from '../../core/errors.ts'
import { SluiceError } from '../../core/errors.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { quoteName } from '../../sql/quote.ts'
import { postgresError } from './errors.ts'
import { PostgresSession } from './session.ts'
import { openPostgresTarget } from './target.ts'

let database: OwnDatabase
let folder: string
let variant: Variant
const role = `sluice_role_${randomBytes(4).toString('hex')}`
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-errors-'))
  database = await ownDatabase()
  await database.ask(`CREATE ROLE ${role} LOGIN PASSWORD 'role-password'`)
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  variant = { engine, target: () => openPostgresTarget({ url: database.url }), tampered: () => engine, folder, nulText: false, dispose: () => engine.close() }
})
after(async () => {
  await variant.dispose()
  await database.ask(`DROP OWNED BY ${role}`).catch(() => undefined)
  await database.drop()
  await ask(serverUrl(), `DROP ROLE IF EXISTS ${role}`)
  rmSync(folder, { recursive: true })
})

const changed = (change: (url: URL) => void): string => {
  const url = new URL(database.url)
  change(url)
  return url.href
}

async function refused(url: string, code: Code, exit: number, message: RegExp): Promise<void> {
  await assert.rejects(openPostgresTarget({ url }).open('t', null, variant.engine), (thrown) => {
    assert.ok(thrown instanceof SluiceError, String(thrown))
    assert.deepEqual([thrown.code, thrown.exit], [code, exit], thrown.message)
    assert.match(thrown.message, message)
    assert.ok(thrown.hint.length > 0)
    return true
  })
}

test('no server, no answer, a wrong password, no such user, no such database', async () => {
  await refused('postgres://me:pw@127.0.0.1:1/d', 'UNREACHABLE', 5, /me@127\.0\.0\.1:1\/d: .*ECONNREFUSED/)
  await refused('postgres://me:pw@no-such-host.invalid/d', 'UNREACHABLE', 5, /no-such-host/)
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  try {
    await refused(`postgres://me:pw@127.0.0.1:${(silent.address() as AddressInfo).port}/d?connect_timeout=1`, 'UNREACHABLE', 5, /timeout/)
  } finally {
    silent.close()
  }
  await refused(changed((url) => (url.password = 'wrong-password')), 'LOGIN_REFUSED', 5, /password authentication failed/)
  await refused(changed((url) => (url.username = 'nobody_here')), 'LOGIN_REFUSED', 5, /nobody_here/)
  await refused(changed((url) => (url.pathname = '/no_such_database')), 'DATABASE_MISSING', 4, /"no_such_database" does not exist \[3D000\]/)
})

test('a missing privilege is named, and nothing is half made', async () => {
  const scene = await Scene.open({ ...variant, target: () => openPostgresTarget({ url: changed((url) => ([url.username, url.password] = [role, 'role-password'])) }) }, { columns: 'id:int64' })
  await assert.rejects(scene.load([{ seq: 1, records: [{ id: 1 }] }]), { code: 'PRIVILEGE_MISSING', exit: 5, message: /permission denied/ })
  await database.ask(`GRANT CREATE ON DATABASE ${database.name} TO ${role}; GRANT CREATE ON SCHEMA public TO ${role}`)
  counted(await scene.load([{ seq: 1, records: [{ id: 1 }] }]), { 1: { inserted: 1 } })
  await scene.check()
  await database.ask(`DROP OWNED BY ${role}`)
})

test('a table that somebody holds is waited for, and then BUSY', async () => {
  const scene = await Scene.open(variant, { columns: 'id:int64', key: 'id' })
  await scene.load([{ seq: 1, records: [{ id: 1 }] }])
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  await other.query(`BEGIN; INSERT INTO ${scene.definition.table} (id, _place) VALUES (99, 1)`)
  const staged = await scene.stage(scene.batch([{ seq: 2, records: [{ id: 2 }] }]))
  // Readers go on meanwhile.
  const held = scene.commit(staged)
  const waited = await Promise.race([held.then(() => 'committed'), new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500))])
  assert.equal(waited, 'waiting')
  assert.equal((await scene.rows()).length, 1)
  await other.query('ROLLBACK')
  counted(await held, { 2: { inserted: 1 } })
  await other.end()
  await scene.check()
  assert.equal(postgresError(Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' }), 'x').exit, 7)
})

test('an abort ends the wait for a lock, and nothing is committed', async () => {
  const scene = await Scene.open(variant, { columns: 'id:int64' })
  await scene.load([{ seq: 1, records: [{ id: 1 }] }])
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  await other.query(`BEGIN; LOCK TABLE ${scene.definition.table} IN EXCLUSIVE MODE`)
  const staged = await scene.stage(scene.batch([{ seq: 2, records: [{ id: 2 }] }]))
  const controller = new AbortController()
  const applied = scene.table.apply(staged, scene.definition, { signal: controller.signal })
  setTimeout(() => controller.abort(new SluiceError('INTERRUPTED', 'stopped')), 500)
  await assert.rejects(applied, { code: 'INTERRUPTED' })
  await other.query('ROLLBACK')
  await other.end()
  counted(await scene.commit(staged), { 2: { inserted: 1 } })
  await scene.check()
})

test('a database that is read only', async () => {
  const scene = await Scene.open(variant, { columns: 'id:int64' })
  await database.ask(`ALTER DATABASE ${database.name} SET default_transaction_read_only = on`)
  try {
    await assert.rejects(scene.load([{ seq: 1, records: [{ id: 1 }] }]), { code: 'TARGET_READ_ONLY', exit: 5 })
  } finally {
    await database.ask(`BEGIN READ WRITE; ALTER DATABASE ${database.name} RESET default_transaction_read_only; COMMIT`)
  }
  counted(await scene.load([{ seq: 1, records: [{ id: 1 }] }]), { 1: { inserted: 1 } })
})

for (const [name, state, code] of [['deadlock', '40P01', 'DEADLOCK'], ['serialization failure', '40001', 'SERIALIZATION'], ['full disk', '53100', 'DISK_FULL']] as const) {
  test(`a ${name} of the server: ${code === 'DISK_FULL' ? 'told, and nothing is committed' : 'the commit is made again'}`, async () => {
    const scene = await Scene.open(variant, { columns: 'id:int64', key: 'id' })
    await scene.load([{ seq: 1, records: [{ id: 1 }] }])
    const table = scene.definition.table
    // The server itself raises it, from a trigger, a given number of times (a sequence is not rolled back).
    await database.ask(`CREATE SEQUENCE times_${table}; CREATE FUNCTION fail_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('times_${table}') <= 2 THEN RAISE EXCEPTION 'raised by a test' USING ERRCODE = '${state}'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER fail BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION fail_${table}()`)
    const load = scene.load([{ seq: 2, records: [{ id: 2 }] }])
    if (code === 'DISK_FULL') await assert.rejects(load, { code, exit: 1 })
    else counted(await load, { 2: { inserted: 1 } })
    assert.equal((await database.ask(`SELECT last_value::int AS n FROM times_${table}`))[0]?.['n'], code === 'DISK_FULL' ? 1 : 3)
    await scene.check()
  })
}

test('two that lock in turns: the server ends one of them, and it is made again', async () => {
  const scene = await Scene.open(variant, { columns: 'id:int64', key: 'id', mode: 'upsert' })
  await scene.load([{ seq: 1, records: [{ id: 1 }] }])
  const table = scene.definition.table
  await database.ask(`CREATE TABLE other_${table} (n int); INSERT INTO other_${table} VALUES (1);
    CREATE FUNCTION touch_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE other_${table} SET n = n + 1; RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION touch_${table}()`)
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  await other.query(`SET deadlock_timeout = '5s'; BEGIN; UPDATE other_${table} SET n = n + 10`)
  const load = scene.load([{ seq: 2, records: [{ id: 2 }] }])
  await waiting(1)
  const blocked = other.query(`LOCK TABLE ${table} IN SHARE MODE`)
  const ended = await Promise.allSettled([blocked.then(() => other.query('COMMIT')), load])
  await other.query('ROLLBACK')
  await other.end()
  const [theirs, ours] = ended
  assert.equal(ours.status, 'fulfilled', String(ours.status === 'rejected' ? ours.reason : ''))
  assert.ok(theirs.status === 'fulfilled' || (theirs.reason as { code?: string }).code === '40P01')
  await scene.check()
})

/** Until so many sessions of the database wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const [row] = await database.ask(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
    if (Number(row?.['n']) >= count) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a backend that ends at any statement: nothing is half in, and the load made again is whole', async () => {
  const points = new Set<string>()
  const open = async (): Promise<Scene> => {
    const scene = await Scene.open(variant, { columns: 'id:int64,v:string', key: 'id', mode: 'upsert' })
    await scene.load([{ seq: 1, records: [{ id: 1, v: 'a' }, { id: 2, v: 'b' }] }])
    return scene
  }
  const second = [{ seq: 2, records: [{ id: 2, v: 'c' }, { id: 2, v: 'd' }, { id: 3, v: 'e' }, 'bad'] }]
  const first = await open()
  setFailpointHandler({ tamper: () => null, crash: (point) => /^(database|postgres)\./.test(point) && points.add(point) })
  await first.load(second).finally(() => setFailpointHandler(null))
  assert.ok(points.size >= 20, `only ${points.size} points`)
  for (const point of points) {
    const scene = await open()
    const staged = await scene.stage(scene.batch(second))
    const killed: Promise<unknown>[] = []
    setFailpointHandler({
      tamper: () => null,
      crash(name) {
        if (killed.length === 0 && name === point) killed.push(database.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice' AND pid <> pg_backend_pid()`))
      },
    })
    const receipt = await scene.commit(staged).catch((thrown: unknown) => thrown).finally(() => setFailpointHandler(null))
    await Promise.all(killed)
    if (receipt instanceof Error) {
      assert.ok(receipt instanceof SluiceError && ['UNREACHABLE', 'COMMIT_UNKNOWN'].includes(receipt.code), `${point}: ${String(receipt)}`)
      await scene.commit(staged)
    }
    counted((await scene.table.committed(staged.batch.id)) ?? assert.fail(point), { 2: { inserted: 1, updated: 1, stale: 1, quarantined: 1 } })
    await scene.check()
  }
})

test('a table and a schema that somebody else put where ours would be', async () => {
  await database.ask('CREATE TABLE theirs (id int); CREATE VIEW a_view AS SELECT 1 AS id')
  for (const name of ['theirs', 'a_view']) await assert.rejects(openPostgresTarget({ url: database.url }).open(name, 'l_x', variant.engine), { code: 'TABLE_FOREIGN' })
  const other = await ownDatabase()
  try {
    await other.ask('CREATE SCHEMA sluice; CREATE TABLE sluice.meta (x int)')
    await assert.rejects(openPostgresTarget({ url: other.url }).open('t', 'l_x', variant.engine), { code: 'TABLE_FOREIGN', message: /sluice\.meta that Sluice did not make/ })
  } finally {
    await other.drop()
  }
})

test('a database that is not in UTF-8 is refused', async () => {
  const name = `${database.name}_latin`
  await ask(serverUrl(), `CREATE DATABASE ${name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`)
  try {
    await refused(withDatabase(database.url, name), 'TABLE_UNSUPPORTED', 4, /LATIN1/)
  } finally {
    await ask(serverUrl(), `DROP DATABASE ${name} WITH (FORCE)`)
  }
})

test('a name of any characters is the name that the server knows', async () => {
  const session = await PostgresSession.open({ ...accessOf(database.url), ssl: false, application: 'sluice', patience: 5000, location: 'x' }, false)
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 15 }).filter((text) => !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= 63)
  try {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 20, maxLength: 20 }), async (list) => {
        const [row] = await session.all(`SELECT ${list.map((one, i) => `${i} AS ${quoteName(one)}`).join(', ')}`)
        assert.deepEqual(Object.keys(row ?? {}).toSorted(), list.toSorted())
      }),
      { numRuns: 50 },
    )
  } finally {
    await session.close()
  }
})

function accessOf(text: string): { host: string; port: number; database: string; user: string; password: string } {
  const url = new URL(text)
  return { host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
}
