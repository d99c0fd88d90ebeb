/** Files that a thread writes: the same bytes as those that are written here, and no error is lost. */
import { strict as assert } from 'node:assert'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SluiceError } from '../core/errors.ts'
import { openAppendFile } from './appendFile.ts'
import { SLOTS, SLOT_BYTES } from './behind-layout.ts'
import { WriteBehind } from './behind.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-behind-'))
after(() => rmSync(root, { recursive: true, force: true }))
const never = (): void => undefined

test('two files in turns, by both ways, cut back in between', () => {
  const writer = new WriteBehind(never)
  const expected = new Map<string, Buffer[]>([['one', []], ['two', []]])
  const files = new Map([...expected.keys()].map((name) => [name, openAppendFile('stage.part', join(root, name))]))
  for (const [at, size] of [0, 1, 10, SLOT_BYTES, SLOT_BYTES + 1, SLOT_BYTES * (SLOTS + 2) + 7, 5, 3 * SLOT_BYTES].entries()) {
    for (const [name, file] of files) {
      const run = Buffer.alloc(size, 65 + at)
      const small = Buffer.from(`${name} ${at}`)
      if (at % 3 === 2) file.append(run, small)
      else file.appendBehind(writer, [run, small])
      expected.get(name)?.push(Buffer.from(run), Buffer.from(small))
      // What was taken may change.
      run.fill(0)
      small.fill(0)
      if (at === 3) {
        const before = file.size
        file.appendBehind(writer, [Buffer.alloc(100)])
        file.truncate(before)
      }
    }
  }
  for (const [name, file] of files) {
    file.close()
    assert.ok(readFileSync(join(root, name)).equals(Buffer.concat(expected.get(name) ?? [])), name)
  }
  writer.close()
})

test('a full disk is told once, by whoever waits for it, and what follows is written', () => {
  const writer = new WriteBehind(never)
  const full = openSync('/dev/full', 'w')
  const is = (thrown: unknown): boolean => thrown instanceof SluiceError && thrown.code === 'DISK_FULL' && thrown.where.path === 'there'
  assert.throws(() => {
    writer.write(full, 0, [Buffer.alloc(SLOT_BYTES * SLOTS * 2)], 'there')
    writer.settle('there')
  }, is)
  writer.settle('there')
  const file = openAppendFile('stage.part', join(root, 'later'))
  file.appendBehind(writer, [Buffer.from('later')])
  file.settle()
  assert.equal(readFileSync(join(root, 'later'), 'utf8'), 'later')
  writer.close()
  closeSync(full)
})

test('a file that is thrown away does not ask whether its bytes were written', () => {
  const writer = new WriteBehind(never)
  const full = openSync('/dev/full', 'w')
  const file = openAppendFile('stage.part', join(root, 'gone'))
  file.appendBehind(writer, [Buffer.from('fine')])
  for (;;) {
    try {
      writer.write(full, 0, [Buffer.alloc(10)], 'there')
      break
    } catch {
      // Told at once, by chance.
    }
  }
  file.discard()
  assert.throws(() => readFileSync(join(root, 'gone')))
  // The bytes of the other file are not written, and it hears of that.
  assert.throws(() => writer.settle('there'), (thrown) => thrown instanceof SluiceError && thrown.code === 'DISK_FULL')
  writer.close()
  closeSync(full)
})

test('the thread has ended with what it was given when the writer closes', () => {
  const writer = new WriteBehind(never)
  const file = openAppendFile('stage.part', join(root, 'closed'))
  file.appendBehind(writer, [Buffer.alloc(SLOT_BYTES * 3, 66)])
  writer.close()
  assert.equal(readFileSync(join(root, 'closed')).length, SLOT_BYTES * 3)
  file.settle()
  file.close()
})
