/** Which files a source lists, in which order, and what it refuses. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { lookAt } from '../../storage/pin.ts'
import { lookAtAll } from './look.ts'
import type { Seen, Share } from './look.ts'
import { comparePaths } from './order.ts'
import { hashPinned, openFilesSource } from './source.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-files-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function make(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), name)
  }
}

async function list(...paths: string[]): Promise<{ names: string[]; ignored: number }> {
  const source = openFilesSource({ paths: paths.map((path) => join(root, path)), dataDir: join(root, 'in/data'), tableDirs: [join(root, 'in/t')] })
  const { pins, ignored } = await source.discover()
  return { names: pins.toSorted(source.compare).map((pin) => relative(root, pin.uri)), ignored }
}

test('a folder is walked; hidden names, unfinished copies, links, other extensions and tables are counted, the data folder is not', async () => {
  make('in/f10.json', 'in/f2.ndjson', 'in/sub/a.jsonl', 'in/.h.json', 'in/_x.json', 'in/y.json.part', 'in/z.txt', 'in/.d/q.json', 'in/data/d.json', 'in/t/t.json')
  symlinkSync(join(root, 'in/f2.ndjson'), join(root, 'in/l.json'))
  symlinkSync(join(root, 'in/sub'), join(root, 'in/ls'))
  assert.deepEqual(await list('in'), { names: ['in/f2.ndjson', 'in/f10.json', 'in/sub/a.jsonl'], ignored: 8 })
})

test('files and folders whose names are not UTF-8 are listed, once a name: they fail when they are read', async () => {
  make('in/a.json', 'in/\ufffd.json')
  const bytes = (name: string, byte: number): Buffer => Buffer.concat([Buffer.from(join(root, 'in/')), Buffer.from(name), Buffer.from([byte]), Buffer.from('.json')])
  for (const byte of [0xfe, 0xff]) writeFileSync(bytes('b', byte), '{}')
  mkdirSync(bytes('c', 0xff))
  writeFileSync(bytes('d.txt', 0xff).subarray(0, -5), '')
  assert.deepEqual(await list('in'), { names: ['in/a.json', 'in/b\ufffd.json', 'in/c\ufffd.json', 'in/\ufffd.json'], ignored: 1 })
  assert.deepEqual((await list('in/*.json')).names, ['in/a.json', 'in/b\ufffd.json', 'in/c\ufffd.json', 'in/\ufffd.json'])
})

test('the data folder is left out through a link to its parent, and when it is named itself', async () => {
  make('in/a.json', 'in/data/d.json')
  symlinkSync(join(root, 'in'), join(root, 'other'))
  assert.deepEqual(await list('other'), { names: ['other/a.json'], ignored: 0 })
  assert.deepEqual(await list('in/data'), { names: [], ignored: 0 })
})

test('a file named outright is taken whatever its name, once, and in the order over all arguments', async () => {
  make('in/b.txt', 'in/a.json', 'z/1.json')
  assert.deepEqual(await list('z', 'in/b.txt', 'in', 'in/a.json'), { names: ['in/a.json', 'in/b.txt', 'z/1.json'], ignored: 0 })
})

test('patterns', async () => {
  make('in/a1.json', 'in/a2.ndjson', 'in/b.json', 'in/s/a3.json', 'in/n.log', 'in/_u.json', 'in/data/a.json', 'in/x[1].json', 'in/x1.json')
  assert.deepEqual((await list('in/**/*.json')).names, ['in/a1.json', 'in/b.json', 'in/s/a3.json', 'in/x1.json', 'in/x[1].json'])
  assert.deepEqual((await list('in/{a,b}*')).names, ['in/a1.json', 'in/a2.ndjson', 'in/b.json'])
  assert.deepEqual((await list('in/a?.json', 'in/[b-c].json')).names, ['in/a1.json', 'in/b.json'])
  assert.deepEqual((await list('in/*.log')).names, ['in/n.log'])
  assert.deepEqual((await list('in/x[1].json')).names, ['in/x[1].json'], 'a file of this very name is that file')
  assert.deepEqual(await list('i*'), { names: ['in/a1.json', 'in/a2.ndjson', 'in/b.json', 'in/s/a3.json', 'in/x1.json', 'in/x[1].json'], ignored: 2 })
})

test('a relative pattern works in a folder whose own name looks like a pattern', async (t) => {
  make('a [b] {c}*?/in/1.json', 'a [b] {c}*?/in/2.json', 'a [b] {c}*?/data/3.json', 'a b c/in/9.json')
  const here = process.cwd()
  process.chdir(join(root, 'a [b] {c}*?/in'))
  t.after(() => process.chdir(here))
  for (const pattern of ['*.json', './*.json', '../in/?.json', '../**/*.json']) {
    const source = openFilesSource({ paths: [pattern], dataDir: '../data', tableDirs: [] })
    const { pins } = await source.discover()
    assert.deepEqual(pins.toSorted(source.compare).map(({ uri }) => uri), [join(process.cwd(), '1.json'), join(process.cwd(), '2.json')], pattern)
  }
})

test('what is not there is named', async () => {
  make('in/a.json')
  await assert.rejects(list('in', 'gone.json'), { code: 'PATH_NOT_FOUND', exit: 6, message: /gone\.json/ })
  await assert.rejects(list('in/*.jsonl'), { code: 'PATH_NOT_FOUND', message: /\*\.jsonl/ })
  mkdirSync(join(root, 'empty'))
  assert.deepEqual(await list('empty'), { names: [], ignored: 0 })
})

test('a folder without permission is named', { skip: process.getuid?.() === 0 ? 'root may read everything' : false }, async () => {
  make('in/shut/a.json')
  chmodSync(join(root, 'in/shut'), 0)
  await assert.rejects(list('in'), { code: 'PERMISSION_DENIED', exit: 5, message: /in\/shut/ })
  chmodSync(join(root, 'in/shut'), 0o700)
})

test('digit runs compare as numbers of any length, the rest by UTF-8 bytes', () => {
  const ordered = ['a', 'a/f2', 'a/f9/z', 'a/f10', 'a/f99999999999999999998', 'a/f99999999999999999999', 'b01', 'b1', 'b1a', 'b2', 'é', '\uff5e', '😀']
  assert.deepEqual(ordered.toReversed().toSorted(comparePaths), ordered)
  assert.equal(comparePaths('b1', 'b1'), 0)
  // Ties of number are decided last, so that the order is total.
  assert.ok(comparePaths('x01/b', 'x1/a') > 0)
  assert.ok(comparePaths('x01/a', 'x1/a') < 0)
})

test('hashPinned: the hash of what was pinned, or null', async () => {
  make('a.json')
  const pin = lookAt(join(root, 'a.json'))
  assert.ok(pin !== null)
  assert.equal(await hashPinned(pin), createHash('sha256').update('a.json').digest('hex'))
  writeFileSync(join(root, 'large.json'), 'x'.repeat(3 << 20))
  const large = lookAt(join(root, 'large.json'))
  assert.ok(large !== null)
  const hashing = hashPinned(large)
  appendFileSync(join(root, 'large.json'), 'y')
  assert.equal(await hashing, null, 'changed while it was read')
  writeFileSync(join(root, 'a.json'), 'other')
  assert.equal(await hashPinned(pin), null)
  rmSync(join(root, 'a.json'))
  assert.equal(await hashPinned(pin), null)
})

test('very many files are looked at in two threads; what is gone is left out, and a fault is that of the file', async () => {
  const paths = Array.from({ length: 25_000 }, (_, n) => join(root, `n/${n}.json`))
  make('n/0.json')
  for (const [n, path] of paths.entries()) if (n % 7 !== 3) writeFileSync(path, 'x'.repeat(n % 5))
  const pins = await lookAtAll(paths)
  assert.deepEqual(pins, paths.map(lookAt).filter((pin) => pin !== null))
  assert.equal(pins.length, paths.filter((_, n) => n % 7 !== 3).length)
  const tooLong = [...paths.slice(0, 22_000), join(root, 'x'.repeat(300)), ...paths.slice(22_000)]
  await assert.rejects(lookAtAll(tooLong), { code: 'IO_FAILED', message: /xxx/ })
  await assert.rejects(lookAtAll(paths, AbortSignal.abort(new Error('stopped'))), /stopped/)
})

test('the second thread tells of every chunk that it takes, and of nothing where nothing is', async () => {
  make('a.json')
  const share: Share = { paths: [join(root, 'a.json'), join(root, 'gone.json')], next: new SharedArrayBuffer(4) }
  const worker = new Worker(new URL('./look-thread.ts', import.meta.url), { workerData: share })
  const [seen] = (await once(worker, 'message')) as [Seen]
  const pin = lookAt(share.paths[0] ?? '')
  assert.deepEqual([seen.chunk, seen.stamps, [...seen.sizes], [...seen.modified]], [0, [pin?.stamp, ''], [pin?.size, 0], [pin?.modified, 0]])
  await worker.terminate()
})
