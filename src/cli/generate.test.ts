/** `sluice generate`: what it promises is recomputed from the files it wrote. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { load } from '../index.ts'
import { documentOf, scratch, sluice } from '../../test/command.ts'
import { writeFiles } from './generate.ts'

interface Made {
  id?: string | null
  data: string
  ts?: string | null
}

function read(folder: string): { name: string; records: Made[] }[] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, records: (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { records: Made[] }).records }))
}

/** Counts what the files hold, and in which of them keys are repeated. */
function recount(folder: string) {
  const files = read(folder)
  const first = new Map<string, { file: string; data: string }>()
  const sum = { files: files.length, records: 0, keys: 0, duplicates: 0, bad: 0, bytes: files.reduce((all, { name }) => all + statSync(join(folder, name)).size, 0) }
  let elsewhere = 0
  for (const { name, records } of files) {
    for (const record of records) {
      sum.records++
      if (typeof record.id !== 'string' || typeof record.ts !== 'string') {
        assert.equal(record.id ?? null, record.ts ?? null)
        sum.bad++
        continue
      }
      const key = `${record.id} ${record.ts}`
      const known = first.get(key)
      if (known === undefined) {
        first.set(key, { file: name, data: record.data })
        sum.keys++
        continue
      }
      sum.duplicates++
      assert.notEqual(record.data, known.data, 'a duplicate has other data')
      if (known.file !== name) elsewhere++
    }
  }
  return { sum, elsewhere, files }
}

test('the files hold what was promised: records, keys, duplicates, bad, half of the duplicates in other files', async (t) => {
  const folder = scratch(t)
  const said = await sluice(['generate', '--files', '40', '--records', '250', '--dup', '5%', '--bad', '0.5%', '--seed', '7', '-o', folder, '--json'])
  assert.equal(said.code, 0, said.stderr)
  const { files, records, keys, duplicates, bad, bytes } = documentOf(said)
  const found = recount(folder)
  assert.deepEqual({ files, records, keys, duplicates, bad, bytes }, found.sum)
  assert.deepEqual(found.sum, { bytes: 1_277_360, files: 40, records: 10_000, keys: 9450, duplicates: 500, bad: 50 })
  assert.ok(Math.abs(found.elsewhere - 250) <= 5, `${found.elsewhere} of 500 duplicates are in other files`)
})

test('records look as promised, and every kind of bad record occurs', (t) => {
  const folder = scratch(t)
  writeFiles(folder, { files: 2, records: 500, dup: 0, bad: 0.1, seed: 3 })
  const records = read(folder).flatMap((file) => file.records)
  for (const record of records) {
    assert.match(record.data, /^[A-Za-z0-9 .]{40}$/)
    if (typeof record.id !== 'string' || typeof record.ts !== 'string') continue
    assert.match(record.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(new Date(record.ts).toISOString(), record.ts)
  }
  assert.ok(records.some((record) => record.id === null && record.ts === null))
  assert.ok(records.some((record) => !('id' in record) && !('ts' in record)))
})

test('the seed decides the bytes', (t) => {
  const [one, same, other] = [scratch(t), scratch(t), scratch(t)]
  const wanted = { files: 3, records: 50, dup: 0.2, bad: 0.05 }
  for (const [folder, seed] of [[one, 7], [same, 7], [other, 8]] as const) writeFiles(folder, { ...wanted, seed })
  const bytes = (folder: string): string[] => readdirSync(folder).toSorted().map((name) => readFileSync(join(folder, name), 'latin1'))
  assert.deepEqual(bytes(one), bytes(same))
  assert.notDeepEqual(bytes(one), bytes(other))
})

/** Records of lines and CSV, read without Sluice: CSV by the quotes that its data always has. */
function readLines(folder: string): Made[] {
  const files = readdirSync(folder).toSorted().map((name) => ({ name, lines: readFileSync(join(folder, name), 'utf8').split('\n') }))
  return files.flatMap(({ name, lines }) => {
    assert.equal(lines.pop(), '', `${name} ends with its last line`)
    if (name.endsWith('.ndjson')) return lines.map((line) => JSON.parse(line) as Made)
    assert.equal(lines.shift(), 'id,data,ts')
    return lines.map((line) => {
      const [, id = '', data = '', , ts = ''] = /^([^,]*),"([^"]*)"(,(.*))?$/.exec(line) ?? assert.fail(line)
      return id === '' ? { data } : { id, data, ts }
    })
  })
}

test('lines and CSV hold the same records as documents, and loading them gives what was promised', async (t) => {
  const wanted = { files: 3, records: 400, dup: 0.1, bad: 0.02, seed: 9 }
  const json = scratch(t)
  writeFiles(json, wanted)
  const records = read(json).flatMap((file) => file.records).map(({ id, data, ts }) => (typeof id === 'string' ? { id, data, ts } : { data }))
  for (const format of ['json', 'ndjson', 'csv'] as const) {
    const folder = scratch(t)
    const said = await sluice(['generate', '--files', '3', '--records', '400', '--dup', '10%', '--bad', '2%', '--seed', '9', '--format', format, '-o', join(folder, 'in'), '--json'])
    const promised = documentOf(said)
    assert.deepEqual([promised['format'], promised['keys'], promised['duplicates'], promised['bad']], [format, 1056, 120, 24])
    assert.equal(promised['bytes'], readdirSync(join(folder, 'in')).reduce((sum, name) => sum + statSync(join(folder, 'in', name)).size, 0))
    if (format !== 'json') assert.deepEqual(readLines(join(folder, 'in')).map(({ id, data, ts }) => (typeof id === 'string' ? { id, data, ts } : { data })), records)
    const { balance } = await load({ paths: [join(folder, 'in')], into: 'events', key: 'id,ts', dataDir: join(folder, 'data'), jobs: 1 })
    assert.deepEqual([balance.read, balance.inserted, balance.duplicate, balance.quarantined], [1200, promised['keys'], promised['duplicates'], promised['bad']], format)
  }
})

test('files without a record are files of their format', (t) => {
  const folder = scratch(t)
  const texts = (['json', 'ndjson', 'csv'] as const).map((format) => {
    writeFiles(folder, { files: 1, records: 0, dup: 0, bad: 0, seed: 1, format })
    return readFileSync(join(folder, `events-1.${format}`), 'utf8')
  })
  assert.deepEqual(texts, ['{"records":[]}\n', '\n', 'id,data,ts\n'])
})

test('extremes keep their promises', (t) => {
  for (const [dup, bad] of [[1, 0], [0, 1], [0.5, 0.5]] as const) {
    const folder = scratch(t)
    const expected = writeFiles(folder, { files: 2, records: 20, dup, bad, seed: 1 })
    assert.deepEqual(recount(folder).sum, expected)
    assert.equal(expected.keys + expected.duplicates + expected.bad, 40)
  }
})

test('other files in the folder are left alone, and said', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'mine.json'), '{}')
  const said = await sluice(['generate', '--files', '1', '--records', '1', '-o', folder])
  assert.equal(said.code, 0)
  assert.match(said.stderr, /also holds 1 other entry/)
  assert.equal(readFileSync(join(folder, 'mine.json'), 'utf8'), '{}')
})

test('nonsense is refused', async () => {
  for (const flags of [['--files', '0'], ['--records', '1.5'], ['--dup', '101%'], ['--bad', 'x'], ['--dup', '60%', '--bad', '60%'], ['--seed', '-1']]) {
    const said = await sluice(['generate', ...flags, '-o', '/nowhere/at/all', '--json'])
    assert.equal(said.code, 2, flags.join(' '))
    assert.equal(documentOf(said)['code'], 'USAGE')
  }
})
