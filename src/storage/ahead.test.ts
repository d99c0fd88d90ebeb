/** Bytes and digest of files that a thread reads ahead: the same as of those that are read here, whatever the sizes. */
import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SluiceError } from '../core/errors.ts'
import { SLOTS, SLOT_BYTES } from './ahead-layout.ts'
import { hashedBytes } from './ahead.ts'
import type { HashedBytes } from './ahead.ts'
import { lookAt, openPinned } from './pin.ts'
import type { PinnedFile } from './pin.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-ahead-'))
after(() => rmSync(root, { recursive: true, force: true }))
const never = (): void => undefined

function opened(name: string, bytes: Uint8Array): PinnedFile {
  const path = join(root, name)
  writeFileSync(path, bytes)
  const pin = lookAt(path)
  const file = pin === null ? null : openPinned(pin)
  assert.ok(file !== null)
  return file
}

/** Bytes of no pattern that a slot could hide. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0, x = 1; at < size; at++) bytes[at] = (x = (x * 69_069 + 1) % 4_294_967_296) >>> 24
  return bytes
}

function drained(from: HashedBytes, step: number): Buffer {
  const pieces: Buffer[] = []
  for (;;) {
    const into = Buffer.alloc(step + 3)
    const n = from.read(into, 3, step)
    if (n === 0) return Buffer.concat(pieces)
    pieces.push(into.subarray(3, 3 + n))
  }
}

for (const [size, step] of [[0, 10], [1, 10], [SLOT_BYTES, SLOT_BYTES], [SLOT_BYTES - 1, 7777], [SLOT_BYTES * SLOTS * 2 + 5, 1_000_000]] as const) {
  test(`${size} bytes in steps of ${step}`, () => {
    const bytes = content(size)
    const file = opened(`whole-${size}`, bytes)
    const ahead = hashedBytes(file, size, never, 0)
    assert.ok(drained(ahead, step).equals(bytes))
    assert.equal(ahead.digest(), createHash('sha256').update(bytes).digest('hex'))
    ahead.close()
    file.close()
  })
}

test('the digest is that of what was read, or none: more bytes follow, or no end was looked for', () => {
  const bytes = content(SLOT_BYTES * 2)
  const whole = opened('part', bytes)
  const part = hashedBytes(whole, bytes.length, never, 0)
  assert.equal(part.read(Buffer.alloc(10), 0, 10), 10)
  assert.equal(part.digest(), null)
  part.close()
  whole.close()
  const file = opened('exact', bytes)
  const exact = hashedBytes(file, bytes.length, never, 0)
  for (let left = bytes.length; left > 0; ) left -= exact.read(Buffer.alloc(left), 0, left)
  assert.equal(exact.digest(), createHash('sha256').update(bytes).digest('hex'))
  exact.close()
  file.close()
})

test('a reader that gives up leaves nothing that touches the file', () => {
  const file = opened('left', content(SLOT_BYTES * SLOTS * 3))
  const ahead = hashedBytes(file, 1, never, 0)
  assert.ok(ahead.read(Buffer.alloc(1000), 0, 1000) > 0)
  ahead.close()
  file.close()
})

test('a file that cannot be read says so, with its path', () => {
  const handle = openSync(root, constants.O_RDONLY)
  const ahead = hashedBytes({ path: root, handle, read: () => 0, unchanged: () => true, close: never }, 1, never, 0)
  assert.throws(() => ahead.read(Buffer.alloc(10), 0, 10), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'IO_FAILED' && thrown.where.path === root)
  ahead.close()
  closeSync(handle)
})

test('while the other thread waits for bytes, that is told', () => {
  const path = join(root, 'pipe')
  execFileSync('mkfifo', [path])
  const handle = openSync(path, constants.O_RDWR)
  let told = 0
  let over = false
  const bytesCome = (): void => void ((told++ === 0 || over) && writeSync(handle, 'bytes'))
  const ahead = hashedBytes({ path, handle, read: () => 0, unchanged: () => true, close: never }, 1, bytesCome, 0)
  assert.equal(ahead.read(Buffer.alloc(10), 0, 10), 5)
  assert.ok(told >= 1)
  // The thread reads again already; its next bytes let it see that nobody wants them. Where it had them before it could see that,
  // it reads once more, and gets more when that is told.
  over = true
  writeSync(handle, 'more')
  ahead.close()
  closeSync(handle)
})
