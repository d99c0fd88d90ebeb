/** Where outputs of a conversion may lie. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkOutputFolder } from './outputs.ts'

test('-o is a folder, or is nothing yet and has not the name of a file', (t) => {
  const room = mkdtempSync(join(tmpdir(), 'sluice-outputs-'))
  t.after(() => rmSync(room, { recursive: true }))
  writeFileSync(join(room, 'file'), '')
  mkdirSync(join(room, 'made.csv'))
  for (const name of ['out', 'deep/out', 'made.csv', 'v1.2', '.']) checkOutputFolder(join(room, name))
  for (const name of ['file', 'file/below', 'file/below/it']) assert.throws(() => checkOutputFolder(join(room, name)), { code: 'USAGE', message: `${join(room, 'file')} is a file, and the outputs want a folder.`, hint: /Name a folder with -o/ })
  for (const name of ['out.csv', 'out/b.JSON', 'out.ndjson.gz']) assert.throws(() => checkOutputFolder(join(room, name)), { code: 'USAGE', message: /has the name of a file/ })
})
