/** `--identity`: what becomes of a path that returns to bytes that it brought before. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { scratch } from '../command.ts'

const A = '{"id":1,"v":"a"}\n'
const B = '{"id":1,"v":"b"}\n'

for (const to of ['delta', 'sqlite'] as const) {
  test(`${to}: A, B, A again: by revision the last one counts, by content it is known and said`, async (t) => {
    for (const identity of ['revision', 'content'] as const) {
      const folder = scratch(t)
      const path = join(folder, 'f.ndjson')
      const notices: string[] = []
      const options: LoadOptions = {
        paths: [path], into: 't', key: 'id', mode: 'upsert', dataDir: join(folder, 'data'), identity,
        ...(to === 'delta' ? {} : { to: `sqlite:${join(folder, 't.db')}` }),
        onEvent: (event) => void (event.kind === 'notice' && notices.push(event.text)),
      }
      const results: LoadResult[] = []
      for (const text of [A, B, A]) {
        writeFileSync(path, text)
        results.push(await load(options))
      }
      // The same look again, and a touch, are no revision.
      writeFileSync(path, A)
      results.push(await load(options))
      assert.deepEqual(results.map(({ exit, files }) => [exit, files.loaded, files.known]), [[0, 1, 0], [0, 1, 0], identity === 'revision' ? [0, 1, 0] : [0, 0, 1], [0, 0, 1]])
      assert.equal(results[2]?.balance.updated, identity === 'revision' ? 1 : 0)
      assert.equal(notices.some((text) => text.includes('is back to bytes')), identity === 'content')
      const browser = await openBrowser(join(folder, 'data'))
      const { rows } = await browser.head('t', 10, options.to)
      await browser.close()
      assert.deepEqual(rows.map((row) => row[1]), [identity === 'revision' ? 'a' : 'b'])
      await assert.rejects(load({ ...options, identity: identity === 'revision' ? 'content' : 'revision' }), { code: 'DEFINITION_DIFFERS' })
    }
  })
}

test('revision is refused where the former rows would stay', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'f.ndjson'), A)
  await assert.rejects(load({ paths: [folder], into: 't', identity: 'revision', dataDir: join(folder, 'data') }), { code: 'DEFINITION_INVALID', message: /append/ })
})
