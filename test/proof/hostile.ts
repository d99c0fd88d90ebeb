/** Hostile files for the proof of poison, made when it runs: what each is, and what must become of it. */
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, closeSync, mkdirSync, openSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

export interface Hostile {
  name: string
  /** Makes it in the folder; what it answers ends whatever it keeps going. */
  make(folder: string): Promise<(() => void) | void> | (() => void) | void
  /** Code of its fault or of its rejected records; null: it is left out, or loaded. */
  code: string | null | readonly (string | null)[]
  /** Exit code of the load; 3 unless said. */
  exit?: number | readonly number[]
  /** Not in the folder that is loaded, but named outright. */
  outright?: string
}

const REPEAT = 1 << 20

/** A file of `times` repetitions between two texts, never whole in memory. */
function long(path: string, before: string, unit: string, bytes: number, after: string): void {
  const chunk = unit.repeat(Math.max(1, Math.floor(REPEAT / unit.length)))
  const file = openSync(path, 'w')
  writeSync(file, before)
  for (let left = Math.ceil(bytes / chunk.length); left > 0; left--) writeSync(file, chunk)
  writeSync(file, after)
  closeSync(file)
}

const document = (record: string): string => `{"records":[{"id":"good"},${record}]}`
const text = (name: string, content: string | Buffer, code: Hostile['code'], exit?: number): Hostile => ({
  name, code, make: (folder) => writeFileSync(join(folder, name), content), ...(exit === undefined ? {} : { exit }),
})
const latin = (content: string): Buffer => Buffer.from(content, 'latin1')
const utf8 = (where: string, content: string): Hostile => text(`utf8-${where}.json`, latin(content), ['UTF8_INVALID', 'JSON_INVALID'])

export const HOSTILE: readonly Hostile[] = [
  text('deep-20000.json', document(`{"id":"x","v":${'['.repeat(20_000)}${']'.repeat(20_000)}}`), 'DEPTH_EXCEEDED'),
  text('deep-unclosed.json', document(`{"id":"x","v":${'['.repeat(200_000)}`), 'JSON_INVALID'),
  { name: 'string-100MB.json', code: 'RECORD_TOO_LARGE', make: (folder) => long(join(folder, 'string-100MB.json'), '{"records":[{"id":"good"},{"id":"x","v":"', 'x', 1e8, '"}]}') },
  { name: 'array-of-10-million.json', code: 'RECORD_NOT_OBJECT', make: (folder) => long(join(folder, 'array-of-10-million.json'), '{"records":[{"id":"good"},[', '{},', 3e7, '{}]]}') },
  text('columns-5000.json', document(JSON.stringify({ id: 'x', ...Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`c${n}`, n])) })), 'COLUMNS_TOO_MANY'),
  { name: 'number-endless.json', code: ['FILE_UNFINISHED', 'FILE_TRUNCATED'], make: (folder) => long(join(folder, 'number-endless.json'), '{"records":[{"id":"good"},{"id":"x","v":1', '1', 4e7, '') },
  { name: 'number-20MB.ndjson', code: 'RECORD_TOO_LARGE', make: (folder) => long(join(folder, 'number-20MB.ndjson'), '{"id":"good"}\n{"id":"x","v":1', '1', 2e7, '}\n') },
  { name: 'key-1MB.ndjson', code: 'KEY_TOO_LARGE', make: (folder) => long(join(folder, 'key-1MB.ndjson'), '{"id":"good"}\n{"id":"', 'k', 1e6, '"}\n') },
  { name: 'name-2MB.ndjson', code: 'NAME_INVALID', make: (folder) => long(join(folder, 'name-2MB.ndjson'), '{"id":"good"}\n{"id":"x","', 'n', 2e6, '":1}\n') },
  text('name-NUL.ndjson', '{"id":"good"}\n{"id":"x","a\\u0000b":1}\n', 'NAME_INVALID'),
  text('lone-surrogate.ndjson', '{"id":"good"}\n{"id":"x","v":"\\ud800"}\n{"id":"y","\\udc00":1}\n', 'TEXT_INVALID'),
  utf8('in-a-string', document('{"id":"a\xffb"}')),
  utf8('in-a-name', document('{"id":"x","a\xc3":1}')),
  utf8('between-tokens', document('{"id":\x80"x"}')),
  utf8('in-a-number', document('{"id":"x","v":1\xfe2}')),
  utf8('at-the-start', `\xf5${document('{"id":"x"}')}`),
  // Half a character at the end: it may still be written.
  text('utf8-at-the-end.json', latin(`${document('{"id":"x"}')}\xe2\x82`), 'FILE_UNFINISHED'),
  utf8('overlong', document('{"id":"\xc0\xaf"}')),
  utf8('surrogate', document('{"id":"\xed\xa0\x80"}')),
  utf8('beyond-unicode', document('{"id":"\xf4\x90\x80\x80"}')),
  { name: 'sparse-4GiB.json', code: ['JSON_INVALID', 'FILE_UNFINISHED'], make: (folder) => sparse(join(folder, 'sparse-4GiB.json'), '{"records":[{"id":"good"}]') },
  { name: 'sparse-1GiB.ndjson', code: 'RECORD_TOO_LARGE', make: (folder) => sparse(join(folder, 'sparse-1GiB.ndjson'), '{"id":"good"}\n', 2 ** 30) },
  { name: 'fifo.json', code: null, exit: 0, make: (folder) => void execFileSync('mkfifo', [join(folder, 'fifo.json')]) },
  { name: 'fifo.json, named outright', code: null, exit: 6, outright: 'fifo.json', make: (folder) => void execFileSync('mkfifo', [join(folder, 'fifo.json')]) },
  { name: 'socket.json', code: null, exit: 0, make: (folder) => listening(join(folder, 'socket.json')) },
  { name: '/dev/zero, named outright', code: null, exit: 6, outright: '/dev/zero', make: () => {} },
  { name: 'link to itself.json', code: null, exit: 0, make: (folder) => symlinkSync('loop.json', join(folder, 'loop.json')) },
  { name: 'link to itself.json, named outright', code: null, exit: [5, 6, 1], outright: 'loop.json', make: (folder) => symlinkSync('loop.json', join(folder, 'loop.json')) },
  { name: 'folder linked into itself', code: null, exit: 0, make: (folder) => symlinkSync('.', join(folder, 'inside')) },
  { name: 'a folder named a.json', code: null, exit: 0, make: (folder) => folderOf(join(folder, 'a.json')) },
  { name: 'growing.ndjson', code: [null, 'FILE_CHANGING'], exit: [0, 3], make: (folder) => growing(join(folder, 'growing.ndjson')) },
]

function sparse(path: string, begins: string, bytes = 2 ** 32): void {
  writeFileSync(path, begins)
  truncateSync(path, bytes)
}

function listening(path: string): Promise<() => void> {
  const server = createServer()
  return new Promise((resolve) => server.listen(path, () => resolve(() => void server.close())))
}

function folderOf(path: string): void {
  mkdirSync(path)
  writeFileSync(join(path, 'b.json'), document('{"id":"inside"}'))
}

/** A process that appends a whole record every few milliseconds. */
function growing(path: string): () => void {
  appendFileSync(path, '{"id":"good"}\n'.repeat(200_000))
  const program = `const { appendFileSync } = require('node:fs'); setInterval(() => appendFileSync(process.argv[1], '{"id":"more"}\\n'), 2)`
  const writer = spawn(process.execPath, ['-e', program, path], { stdio: 'ignore' })
  return () => void writer.kill('SIGKILL')
}
