/** `--mode replace`: one run, one commit; the same set again changes nothing; nothing is lost for a file that is bad. */
import assert from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { documentOf, scratch, sluice } from '../command.ts'

const old = new Date(Date.now() - 3_600_000)

for (const to of ['delta', 'sqlite'] as const) {
  test(`${to}: files come, stay, change, go and come back`, async (t) => {
    const folder = scratch(t)
    const at = (name: string): string => join(folder, 'in', name)
    const options: LoadOptions = {
      paths: [join(folder, 'in')], into: 't', mode: 'replace', key: 'id', dataDir: join(folder, 'data'), grace: '0s',
      ...(to === 'delta' ? {} : { to: `sqlite:${join(folder, 't.db')}` }),
    }
    const rows = async (): Promise<string> => {
      const browser = await openBrowser(join(folder, 'data'))
      const { rows: found } = await browser.head('t', 100, options.to)
      const { findings } = await checkup(browser)
      await browser.close()
      assert.deepEqual(findings.filter(({ grade }) => grade === 'broken'), [])
      return found.map((row) => `${row[0]}${row[1]}`).toSorted().join(' ')
    }
    const brief = ({ exit, version, files, balance }: LoadResult): unknown[] => [exit, version, files.loaded, files.known, balance.inserted]
    const { mkdirSync, utimesSync } = await import('node:fs')
    mkdirSync(join(folder, 'in'))
    const put = (name: string, text: string): void => {
      writeFileSync(at(name), text)
      utimesSync(at(name), old, old)
    }
    put('a.ndjson', '{"id":1,"v":"a"}\n{"id":2,"v":"a"}\n')
    put('b.ndjson', '{"id":2,"v":"b"}\n{"id":3,"v":"b"}\n')
    put('copy.ndjson', '{"id":2,"v":"b"}\n{"id":3,"v":"b"}\n')
    const first = await load(options)
    assert.deepEqual(brief(first).slice(2), [2, 1, 3])
    assert.equal(await rows(), '1a 2b 3b')

    // Nothing new, and a file under another name: the same set of contents.
    assert.deepEqual(brief(await load(options)), [0, first.version, 0, 3, 0])
    renameSync(at('copy.ndjson'), at('elsewhere.ndjson'))
    const renamed = await load(options)
    assert.equal(renamed.exit, 0)
    assert.equal(await rows(), '1a 2b 3b')

    // One changes, one goes: known content is read again, for its rows must be in the new table.
    put('a.ndjson', '{"id":1,"v":"new"}\n')
    rmSync(at('elsewhere.ndjson'))
    assert.deepEqual(brief(await load(options)).slice(2), [2, 0, 3])
    assert.equal(await rows(), '1new 2b 3b')
    rmSync(at('b.ndjson'))
    assert.deepEqual(brief(await load(options)).slice(2), [1, 0, 1])
    assert.equal(await rows(), '1new')

    // Back to what there was before.
    put('a.ndjson', '{"id":1,"v":"a"}\n{"id":2,"v":"a"}\n')
    put('b.ndjson', '{"id":2,"v":"b"}\n{"id":3,"v":"b"}\n')
    assert.deepEqual(brief(await load(options)).slice(2), [2, 0, 3])
    assert.equal(await rows(), '1a 2b 3b')

    // A file that cannot be loaded keeps the table as it is, unless it is said that the rest will do.
    put('bad.json', '{"records":[{"id":9')
    put('b.ndjson', '{"id":7,"v":"b"}\n')
    const refused = await load(options)
    assert.deepEqual([refused.state, refused.exit, refused.errors[0]?.code], ['FAILED', 1, 'REPLACE_INCOMPLETE'])
    assert.match(refused.errors[0]?.message ?? '', /bad\.json: FILE_TRUNCATED/)
    assert.equal(await rows(), '1a 2b 3b')
    const partial = await load({ ...options, allowPartial: true })
    assert.deepEqual([partial.exit, partial.files.loaded, partial.files.failed], [0, 2, 1])
    assert.equal(await rows(), '1a 2a 7b')
    await assert.rejects(load({ ...options, mode: 'upsert' }), { code: 'DEFINITION_DIFFERS' })
  })
}

test('without a key every record is kept; a rule needs a key', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.ndjson'), '{"id":1}\n{"id":1}\n')
  const result = await load({ paths: [join(folder, 'a.ndjson')], into: 't', mode: 'replace', dataDir: join(folder, 'data') })
  assert.deepEqual([result.exit, result.balance.inserted], [0, 2])
  await assert.rejects(load({ paths: [folder], into: 'u', mode: 'replace', keep: 'last', dataDir: join(folder, 'data') }), { code: 'DEFINITION_INVALID' })
})

test('what a killed replace of other files left is no part of this one', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.ndjson'), '{"id":1}\n')
  writeFileSync(join(folder, 'b.ndjson'), '{"id":2}\n')
  const replace = (file: string, env: Record<string, string> = {}): ReturnType<typeof sluice> => sluice(['load', file, '--into', 't', '--mode', 'replace', '--json'], { cwd: folder, env })
  const rows = async (): Promise<unknown> => documentOf(await sluice(['tables', 'head', 't', '--json'], { cwd: folder }))['items']
  assert.equal((await replace('a.ndjson')).code, 0)
  const before = await rows()
  assert.equal((await replace('b.ndjson', { SLUICE_FAILPOINT: 'delta.link.before' })).signal, 'SIGKILL')
  // The same set as the table is made of: nothing changes.
  const again = await replace('a.ndjson')
  assert.equal(again.code, 0)
  assert.deepEqual(await rows(), before)
  assert.equal((await replace('b.ndjson')).code, 0)
  assert.deepEqual((documentOf(await replace('b.ndjson'))['files'] as Record<string, number>)['known'], 1)
})
