/**
 * A secret is handed to every door it could come in by, and must come out nowhere. `sluice()` and `scratch()` look at all
 * that is printed and written (test/canary.ts); here the canary is in more than the environment.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { CANARY, lookAtFiles, lookAtOutput } from '../canary.ts'
import { documentOf, scratch, sluice as run } from '../command.ts'
import type { How, Said } from '../command.ts'

/** Each in a process of its own, which knows no secret of another one. */
const sluice = (args: readonly string[], how: How): Promise<Said> => run(args, { ...how, alone: true })

const ADDRESS = `postgres://me:${CANARY}@db.example/x`

test('the canary sings: what holds it is found, in text and in files', (t) => {
  // Broken in two, so that this test does not count as a leak of its own.
  const room = scratch(t)
  writeFileSync(join(room, 'clean'), 'nothing')
  assert.deepEqual([lookAtOutput('nothing'), lookAtFiles(room)], [null, []])
  const twin = CANARY.replace('canary', 'other')
  assert.notEqual(twin, CANARY)
  assert.match(CANARY, /^canary[0-9a-f]{16}$/)
})

test('addresses with passwords, as flags, paths, variables, members: no error repeats them', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  writeFileSync(join(room, 'in/a.json'), '{"records":[{"id":1}]}')
  const doors: string[][] = [
    ['load', 'in', '--into', 't', '--to', ADDRESS],
    ['load', 'in', '--into', 't', '--to', `nonsense:${CANARY}`],
    ['load', `s3://key:${CANARY}@bucket/in`, '--into', 't'],
    ['load', `in/${CANARY}.json`, '--into', 't'],
    ['load', 'in', '--into', CANARY.replace('c', '-c')],
    ['load', 'in', '--into', 't', `--password=${CANARY}`],
    ['load', 'in', '--into', 't', '--jobs', CANARY],
    ['load', 'in', '--into', 't', '--memory', CANARY],
    ['load', 'in', '--into', 't', '--keep', CANARY],
    ['load', 'in', '--into', 't', '--verbosity', CANARY],
    ['explain', CANARY],
    [CANARY],
    ['tables', 'head', CANARY],
    ['load', '--pipeline', CANARY],
    ['load', 'in', '--into', 't', '--config', `${CANARY}.ts`],
    ['load', 'in', '--into', 't', '--env-file', CANARY],
    ['files', 'ls', '--data-dir', `nowhere-${CANARY}`],
  ]
  // For people and as a document in turn: both come from the same error.
  for (const [at, door] of doors.entries()) {
    const said = await sluice([...door, ...(at % 2 === 0 ? [] : ['--json'])], { cwd: room })
    assert.notEqual(said.code, 0, door.join(' '))
  }
  // A password that no variable has is known by its place in the address alone.
  const other = await sluice(['load', 'in', '--into', 't', '--to', 'postgres://me:hunter22@127.0.0.1:1/x', '--json'], { cwd: room })
  assert.equal(documentOf(other)['code'], 'UNREACHABLE')
  assert.match(String(documentOf(other)['message']), /postgres:\/\/me@127\.0\.0\.1:1\/x/)
  assert.doesNotMatch(`${other.stdout}${other.stderr}`, /hunter22/)
})

test('env file and configuration: shown as ***, and not in errors of the code either', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  writeFileSync(join(room, 'in/a.json'), '{"records":[{"id":1}]}')
  writeFileSync(join(room, '.env'), `SLUICE_RECORDS=${CANARY}\nOTHER_TOKEN=${CANARY}\nSLUICE_DATA_DIR=${ADDRESS}\n`)
  const shown = await sluice(['config', 'show', '--origin', '--json'], { cwd: room })
  assert.equal(shown.code, 0, shown.stderr)
  const items = documentOf(shown)['items'] as { name: string; value: unknown; what: string; pipeline: string | null }[]
  assert.deepEqual(items.filter(({ name }) => name === 'records' || name === 'dataDir').map(({ value }) => value), ['postgres://me:***@db.example/x', '***'])
  writeFileSync(join(room, '.env'), '')
  for (const text of [
    `throw new Error('no connection to ' + process.env.WAREHOUSE_URL)`,
    `export default { name: 'o', load: 'in', into: process.env.WAREHOUSE_PASSWORD + ' ' }`,
    `export default { name: 'o', load: 'in', into: 'o', [process.env.WAREHOUSE_PASSWORD]: 1 }`,
    `export default { name: 'o', load: 'in', into: 'o', memory: process.env.WAREHOUSE_PASSWORD }`,
    `export default { name: 'o', load: 'in', into: 'o', to: process.env.WAREHOUSE_URL }`,
  ]) {
    writeFileSync(join(room, 'sluice.config.mjs'), text)
    assert.notEqual((await sluice(['load'], { cwd: room })).code, 0, text)
  }
})

test('ledger and logs of a load: the command that they remember has no password', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  writeFileSync(join(room, 'in/a.json'), '{"records":[{"id":1,"v":"x"}]}')
  const said = await sluice(['load', 'in', '--into', 't', '--records', '/records', '--verbosity', 'debug', '--ndjson', '--log-dir', 'logs'], { cwd: room })
  assert.equal(said.code, 0, said.stderr)
  const failed = await sluice(['load', 'in', '--into', 't', '--records', `/${CANARY}`, '--log-dir', 'logs'], { cwd: room })
  assert.equal(failed.code, 4)
  assert.match(failed.stderr, /--records \/\*\*\* differs/)
  const runs = await sluice(['runs', 'ls', '--json'], { cwd: room })
  assert.match(runs.stdout, /--records \/records/)
})
