/** Loading by date through `load()` and the command: days in any order, again, killed in between, renamed, and everything. */
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { documentOf, scratch, sluice } from '../command.ts'
import { oneOf, thinned } from '../whole.ts'

type Target = 'delta' | 'sqlite'
type Mode = 'append' | 'dedupe' | 'upsert'
const DAYS = ['2020-12-07', '2020-12-08', '2020-12-09'] as const
const day = (n: number): { since: string; until: string } => ({ since: `2020-12-0${n}`, until: `2020-12-${String(n + 1).padStart(2, '0')}` })

/** Two files of three days; keys come again on other days, a column only on one, and its numbers get a fraction on another. */
function events(folder: string): void {
  const record = (n: number, file: string): string => {
    const { [n % 3]: at } = DAYS
    const more = n % 3 === 0 ? { count: n } : n % 3 === 1 ? { count: n + 0.5, plan: `p${n % 2}` } : {}
    return JSON.stringify({ event_id: `e${n % 20}`, file, n, received_at: `${at} 0${n % 10}:03:16.759617`, ...more })
  }
  mkdirSync(join(folder, 'in'), { recursive: true })
  const lines = (file: string): string[] => Array.from({ length: 40 }, (_, n) => record(n, file))
  writeFileSync(join(folder, 'in', 'a.json'), `{"records":[${[...lines('a'), '{"event_id":"none","received_at":null}', '{"event_id":"absent"}', '{"event_id":"","received_at":"2020-12-08 00:00:00"}'].join(',\n')}]}`)
  writeFileSync(join(folder, 'in', 'b.ndjson'), [...lines('b'), 'no record'].join('\n'))
}

interface World {
  options: LoadOptions
  run(more?: Partial<LoadOptions>): Promise<LoadResult>
  /** Rows, losers and rejects with their places, and what doctor finds broken. */
  contents(): Promise<{ rows: string[]; all: string[]; rejects: string[] }>
}

function world(t: TestContext, target: Target, mode: Mode, folder = scratch(t)): World {
  events(folder)
  const data = join(folder, 'data')
  const options: LoadOptions = {
    paths: [join(folder, 'in')], into: 'events', dataDir: data, dateField: 'received_at', jobs: 1, mode, ...(mode === 'append' ? {} : { key: 'event_id' }),
    ...(target === 'delta' ? {} : { to: `sqlite:${join(folder, 't.db')}` }),
  }
  const run = async (more: Partial<LoadOptions> = {}): Promise<LoadResult> => {
    const result = await load({ ...options, ...more })
    assert.equal(result.balance.balances, true)
    return result
  }
  const contents = async (): ReturnType<World['contents']> => {
    const browser = await openBrowser(data)
    try {
      const { findings } = await checkup(browser)
      assert.deepEqual(findings.filter(({ grade }) => grade === 'broken'), [])
      const { schema, rows } = await browser.head('events', 1000, options.to)
      // Columns in the order of their names: new ones come in the order in which they were met.
      const shown = (row: readonly unknown[], place: boolean): string => [...schema.map(({ name }, at) => `${name}=${String(row[at])}`).toSorted(), ...(place ? [String(row.at(-1))] : [])].join(' ')
      const losers: string[] = []
      const rejects: string[] = []
      for await (const table of browser.opened()) {
        for await (const chunk of table.losers()) losers.push(...chunk.map((row) => shown(row, true)))
        rejects.push(...(await table.rejects({ limit: 100 })).map(({ place, code }) => `${place} ${code}`))
      }
      return { rows: rows.map((row) => shown(row, false)).toSorted(), all: [...rows.map((row) => shown(row, true)), ...losers].toSorted(), rejects: rejects.toSorted() }
    } finally {
      await browser.close()
    }
  }
  return { options, run, contents }
}

const ORDERS = [[7, 8, 9], [9, 7, 8], [8, 9, 7]] as const

for (const target of ['delta', 'sqlite'] as const) {
  for (const mode of ['append', 'dedupe', 'upsert'] as const) {
    test(`${target} ${mode}: days in any order and then everything are everything at once`, async (t) => {
      const whole = world(t, target, mode)
      const once = await whole.run()
      assert.deepEqual([once.balance.read, once.balance.skipped, once.balance.quarantined, once.dates], [84, 0, mode === 'append' ? 1 : 2, null])
      const expected = await whole.contents()
      for (const order of mode === 'append' ? oneOf(ORDERS, target === 'delta' ? 2 : 0) : ORDERS.slice(1, 2)) {
        const { run, contents } = world(t, target, mode)
        for (const [at, n] of order.entries()) {
          const result = await run(day(n))
          assert.deepEqual([result.files.loaded, result.balance.read], [2, 84], 'every record of the file is accounted for')
          assert.deepEqual(result.aside.undated, 2)
          // The same day again: nothing is read, nothing changes.
          if (at > 0) continue
          const before = await contents()
          const again = await run(day(n))
          assert.deepEqual([again.exit, again.files.known, again.balance.read, again.version], [0, 2, 0, result.version])
          assert.deepEqual(await contents(), before)
        }
        const rest = await run()
        assert.deepEqual([rest.files.loaded, rest.balance.inserted, rest.balance.quarantined], [2, 2, 0], 'what has no date')
        assert.deepEqual(await contents(), expected)
        assert.deepEqual((await run()).files, { total: 2, loaded: 0, known: 2, waiting: 0, failed: 0, ignored: 0 })
        assert.deepEqual((await run(day(8))).balance.read, 0, 'after everything every day is in')
      }
    })
  }

  test(`${target}: intervals that overlap bring what is not in yet; a lost ledger knows what is in`, async (t) => {
    const folder = scratch(t)
    const { run, contents } = world(t, target, 'append', folder)
    const one = await run({ since: '2020-12-08', until: '2020-12-08T05:00:00Z' })
    const two = await run({ since: '2020-12-07T22:00:00-02:00', until: '2020-12-09' })
    const { rmSync } = await import('node:fs')
    for (const end of ['', '-wal', '-shm']) rmSync(join(folder, 'data', `ledger.db${end}`), { force: true })
    const known = await run(day(8))
    assert.deepEqual([known.files.known, known.balance.read], [2, 0])
    const three = await run({ until: '2020-12-10' })
    const four = await run({ since: '2020-12-10' })
    assert.equal(four.balance.inserted, 0)
    assert.deepEqual([one, two, three].map(({ balance }) => balance.inserted).reduce((a, b) => a + b, 0), 81, 'one of the records without a key has a date')
    assert.equal((await contents()).all.length, 81)
  })

  test(`${target}: a file that was renamed keeps its number; one that changed is a new file`, async (t) => {
    const folder = scratch(t)
    const { run, contents } = world(t, target, 'upsert', folder)
    await run(day(8))
    renameSync(join(folder, 'in', 'a.json'), join(folder, 'in', 'z.json'))
    const renamed = await run(day(9))
    assert.deepEqual([renamed.exit, renamed.files.loaded, renamed.files.known], [0, 2, 0])
    writeFileSync(join(folder, 'in', 'b.ndjson'), '{"event_id":"new","file":"b","n":1,"received_at":"2020-12-07 01:00:00"}\n')
    await run()
    const places = new Set((await contents()).all.map((row) => BigInt(row.split(' ').at(-1) ?? '0') >> 32n))
    assert.deepEqual([...places].toSorted((a, b) => Number(a - b)), [1n, 2n, 4n], 'the copy has number 3, and no rows')
  })

  test(`${target}: killed at any step of a day, the same command goes on, and every record is in once`, async (t) => {
    const whole = world(t, target, 'append')
    await whole.run()
    const expected = await whole.contents()
    const own = target === 'delta' ? ['delta.link.before', 'delta.link.after'] : ['database.arrival.after', 'database.commit.after']
    for (const point of thinned(['ledger.claim.after', ...own, 'ledger.settle.before'], 3)) {
      const folder = scratch(t)
      const { options, run, contents } = world(t, target, 'append', folder)
      await run(day(8))
      const flags = ['load', ...options.paths, '--into', 'events', '--data-dir', options.dataDir ?? '', '--since', '2020-12-09', '--until', '2020-12-10', '--jobs', '1', ...(options.to === undefined ? [] : ['--to', options.to])]
      const dead = await sluice(flags, { env: { SLUICE_FAILPOINT: point, SLUICE_FAILPOINT_KILL: 'self' } })
      assert.equal(dead.signal, 'SIGKILL', `${point}: ${dead.stderr}`)
      const back = await run(day(9))
      assert.ok([0, 3].includes(back.exit), point)
      await run(day(7))
      await run()
      assert.deepEqual(await contents(), expected, point)
    }
  })

  test(`${target}: two processes ask for different days at once`, async (t) => {
    const { options, run, contents } = world(t, target, 'append')
    const command = (n: number): Promise<unknown> => sluice(['load', ...options.paths, '--into', 'events', '--data-dir', options.dataDir ?? '', '--since', day(n).since, '--until', day(n).until, '--date-field', 'received_at', '--jobs', '1', '--json', ...(options.to === undefined ? [] : ['--to', options.to])])
    const said = await Promise.all([7, 8, 9].map(command))
    for (const one of said) assert.ok([0, 3].includes(Number((one as { code: number }).code)), JSON.stringify(one))
    await run()
    assert.equal((await contents()).all.length, 83)
  })
}

test('what cannot be loaded by date is refused before anything is read', async (t) => {
  const { run, options } = world(t, 'sqlite', 'upsert')
  const asked = day(8)
  const { dateField: _, ...without } = options
  await assert.rejects(load({ ...without, ...asked }), { code: 'USAGE' })
  await assert.rejects(run({ since: '2020-12-09', until: '2020-12-08' }), { code: 'USAGE' })
  await assert.rejects(run({ since: 'yesterday' }), { code: 'USAGE' })
  await assert.rejects(run({ ...asked, mode: 'replace' }), { code: 'DEFINITION_INVALID' })
  await assert.rejects(run({ ...asked, columns: 'event_id:string,received_at:string' }), { code: 'DEFINITION_INVALID' })
  await assert.rejects(run({ ...asked, columns: 'event_id:string' }), { code: 'DEFINITION_INVALID' })
  for (const dateField of ['file', 'n', 'nowhere']) {
    const failed = await run({ ...asked, dateField })
    assert.deepEqual([failed.state, failed.errors[0]?.code, failed.version], ['FAILED', 'DEFINITION_INVALID', null], dateField)
  }
  await run(asked)
  await assert.rejects(run({ ...day(9), dateField: 'file' }), { code: 'DEFINITION_DIFFERS' })
  assert.equal((await load({ ...without, ...day(9) })).files.loaded, 2, 'the column is remembered')
})

test('a file without any record makes no table, and no table is missed', async (t) => {
  const folder = scratch(t)
  const data = join(folder, 'data')
  for (const name of ['a', 'b']) writeFileSync(join(folder, `${name}.json`), '{"records":[]}')
  const result = await load({ paths: [folder], into: 't', columns: 'id:string,at:timestamp', key: 'id', dataDir: data, dateField: 'at', jobs: 1, ...day(8) })
  assert.deepEqual([result.balance.read, result.version], [0, null])
  const browser = await openBrowser(data)
  t.after(() => browser.close())
  assert.deepEqual((await checkup(browser)).findings, [])
})

test('a file that is read as other records than before is not loaded', async (t) => {
  const folder = scratch(t)
  const data = join(folder, 'data')
  const path = join(folder, 'a.csv')
  writeFileSync(path, 'id,at\n1,2020-12-08\n2,2020-12-09\n3,2020-12-09\n')
  const options: LoadOptions = { paths: [path], into: 't', dataDir: data, dateField: 'at', jobs: 1 }
  assert.equal((await load({ ...options, ...day(8) })).balance.inserted, 1)
  const other = await load({ ...options, ...day(9), csvHeader: 'id,at', csvSkip: '2' })
  assert.deepEqual([other.exit, other.files.failed, other.errors[0]?.code], [3, 1, 'READ_DIFFERS'])
  assert.equal((await load({ ...options, ...day(9) })).balance.inserted, 2)
})

test('the command says what was left out, files ls shows what is in, and --delta holds the last load', async (t) => {
  const folder = scratch(t)
  const { options } = world(t, 'sqlite', 'upsert', folder)
  const base = ['load', ...options.paths, '--into', 'events', '--key', 'event_id', '--mode', 'upsert', '--data-dir', join(folder, 'data'), '--to', options.to ?? '', '--jobs', '1', '--delta', 'events_delta']
  const said = await sluice([...base, '--since', '2020-12-08', '--until', '2020-12-09', '--date-field', 'received_at'])
  assert.equal(said.code, 3)
  assert.match(said.stderr, /by received_at, 2020-12-08 to 2020-12-09 · left out: 54 records of other dates or brought before, 2 records without a date/)
  const listed = await sluice(['files', 'ls', '--data-dir', join(folder, 'data')])
  assert.match(listed.stdout, /a\.json +only 2020-12-08 to 2020-12-09/)
  const db = new DatabaseSync(join(folder, 't.db'), { readOnly: true })
  t.after(() => db.close())
  const delta = (): unknown[] => db.prepare('SELECT event_id, n, _place FROM events_delta ORDER BY event_id').all()
  const table = (where: string): unknown[] => db.prepare(`SELECT event_id, n, _place FROM events WHERE ${where} ORDER BY event_id`).all()
  assert.deepEqual(delta(), table('true'))
  await sluice([...base, '--since', '2020-12-09', '--until', '2020-12-10'])
  assert.deepEqual(delta(), table("received_at LIKE '2020-12-09%'"))
  const again = documentOf(await sluice([...base, '--since', '2020-12-09', '--until', '2020-12-10', '--json']))
  assert.deepEqual([(again['balance'] as { read: number }).read, (again['dates'] as { field: string }).field], [0, 'received_at'])
  assert.deepEqual(delta(), [], 'the last load brought nothing')
  const refused = await sluice([...base.filter((word) => word !== '--to' && word !== options.to), '--into', 'd'])
  assert.deepEqual([refused.code, /no --delta/.test(refused.stderr)], [4, true])
})
