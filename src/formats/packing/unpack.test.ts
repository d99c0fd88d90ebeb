/** gzip and zstd around files: members and frames, every cut, every kind of damage, limits. Packed by Node's own zlib. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { constants, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { load } from '../../../test/splitting.ts'
import { FileFault } from '../sink.ts'
import { Unpacked } from './unpack.ts'

const LINES = Array.from({ length: 40 }, (_, i) => `{"id":${i},"t":"${'abc'.repeat(i % 7)}"}\n`).join('')
const PLAIN = Buffer.from(LINES)
const zstd = (data: Buffer | string, checksum = 1): Buffer => zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: checksum } })

/** All bytes, read in small steps. */
function unpack(packed: Uint8Array, step = 1000, size = packed.length): Buffer {
  let done = 0
  const source = (into: Uint8Array, at: number, length: number): number => {
    const n = Math.min(length, step, packed.length - done)
    into.set(packed.subarray(done, done + n), at)
    done += n
    return n
  }
  const unpacked = new Unpacked(source, size)
  const pieces: Buffer[] = []
  for (;;) {
    const into = Buffer.alloc(4096)
    const n = unpacked.read(into, 3, 4000)
    if (n === 0) return Buffer.concat(pieces)
    pieces.push(into.subarray(3, 3 + n))
  }
}
function faultOf(packed: Uint8Array): string {
  try {
    unpack(packed)
    return 'none'
  } catch (thrown) {
    assert.ok(thrown instanceof FileFault, String(thrown))
    return `${thrown.code} ${thrown.offset}`
  }
}
/** A skippable frame of zstd. */
function skippable(length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0x184d2a53, 0)
  head.writeUInt32LE(length, 4)
  return Buffer.concat([head, Buffer.alloc(length, 7)])
}
/** gzip with name, comment, extra field and check sum of the header. */
function fullHeader(data: Buffer): Buffer {
  const own = Buffer.from(gzipSync(data))
  const head = Buffer.from(own.subarray(0, 10))
  head[3] = 2 | 4 | 8 | 16
  return Buffer.concat([head, Buffer.from([3, 0, 1, 2, 3]), Buffer.from('name.json\0comment\0'), Buffer.from([0, 0]), own.subarray(10)])
}

describe('what comes out', () => {
  const large = Buffer.concat(Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i * 7919}`.padStart(200, String(i)))))
  const cases: [string, Buffer, Buffer][] = [
    ['plain bytes', PLAIN, PLAIN],
    ['one member', gzipSync(PLAIN), PLAIN],
    ['three members', Buffer.concat([gzipSync(PLAIN), gzipSync(Buffer.alloc(0)), gzipSync(PLAIN)]), Buffer.concat([PLAIN, PLAIN])],
    ['a header with everything', fullHeader(PLAIN), PLAIN],
    ['padded with zeros', Buffer.concat([gzipSync(PLAIN), Buffer.alloc(1500)]), PLAIN],
    ['stored, not deflated', gzipSync(PLAIN, { level: 0 }), PLAIN],
    ['one frame', zstd(PLAIN), PLAIN],
    ['a frame without check sum', zstd(PLAIN, 0), PLAIN],
    ['frames and skippable frames', Buffer.concat([skippable(3), zstd(PLAIN), skippable(0), zstd(''), zstd(PLAIN), skippable(3000)]), Buffer.concat([PLAIN, PLAIN])],
    ['gzip in zstd', zstd(gzipSync(PLAIN)), PLAIN],
    ['zstd in gzip', gzipSync(zstd(PLAIN)), PLAIN],
    ['nothing in gzip', gzipSync(Buffer.alloc(0)), Buffer.alloc(0)],
    ['600 kB in gzip', gzipSync(large), large],
    ['600 kB in zstd', zstd(large), large],
  ]
  for (const [name, packed, expected] of cases) {
    test(name, () => {
      for (const step of [1, 7, 1000, 1 << 20]) assert.ok(unpack(packed, step).equals(expected), `steps of ${step}`)
    })
  }
})

describe('what is not whole', () => {
  for (const [name, packed] of [['gzip', gzipSync(PLAIN)], ['zstd', zstd(PLAIN)], ['a full header', fullHeader(PLAIN)]] as const) {
    test(`${name} cut at every byte is unfinished`, () => {
      for (let end = 4; end < packed.length; end++) assert.equal(faultOf(packed.subarray(0, end)), `UNFINISHED ${end}`)
    })
    test(`${name} with any byte changed never gives other bytes unnoticed`, () => {
      let noticed = 0
      for (let at = 0; at < packed.length; at++) {
        const damaged = Buffer.from(packed)
        damaged[at] = (damaged[at] as number) ^ 0x41
        try {
          const out = unpack(damaged)
          // Header fields that carry no content (time, system, name) and a magic that is none any more.
          assert.ok(out.equals(PLAIN) || out.equals(damaged), `byte ${at}`)
        } catch (thrown) {
          assert.ok(thrown instanceof FileFault, String(thrown))
          noticed++
        }
      }
      assert.ok(noticed > packed.length / 2, `${noticed} of ${packed.length}`)
    })
  }
  test('check sums, lengths and what follows have their offset', () => {
    const one = gzipSync(PLAIN)
    const crc = Buffer.from(one)
    crc[one.length - 8] = (crc[one.length - 8] as number) ^ 1
    const length = Buffer.from(one)
    length[one.length - 4] = (length[one.length - 4] as number) ^ 1
    assert.equal(faultOf(crc), `COMPRESSED_INVALID ${one.length - 8}`)
    assert.equal(faultOf(length), `COMPRESSED_INVALID ${one.length - 4}`)
    assert.equal(faultOf(Buffer.concat([one, Buffer.from('garbage')])), `COMPRESSED_INVALID ${one.length}`)
    assert.equal(faultOf(Buffer.concat([one, Buffer.alloc(5), one])), `COMPRESSED_INVALID ${one.length + 5}`)
    const other = zstd(PLAIN)
    assert.equal(faultOf(Buffer.concat([other, Buffer.from('garbage')])), `COMPRESSED_INVALID ${other.length}`)
    assert.equal(faultOf(Buffer.concat([other, Buffer.from('{}')])), `COMPRESSED_INVALID ${other.length}`)
  })
})

describe('limits', () => {
  const zeros = Buffer.alloc(11_000_000)
  test('more than 200 times the size, above 10 MB', () => {
    assert.match(faultOf(gzipSync(zeros)), /^RATIO_EXCEEDED/)
    assert.match(faultOf(zstd(zeros)), /^RATIO_EXCEEDED/)
    assert.match(faultOf(gzipSync(zstd(zeros))), /^RATIO_EXCEEDED/)
    assert.equal(unpack(gzipSync(zeros.subarray(0, 9_900_000)), 100_000).length, 9_900_000)
    assert.equal(unpack(gzipSync(zeros), 100_000, 60_000).length, 11_000_000, 'the size of the file counts, not what was read so far')
  })
  test('three layers', () => {
    assert.equal(faultOf(gzipSync(zstd(gzipSync(PLAIN)))), 'LAYERS_EXCEEDED 0')
  })
  test('a window of 256 MB', () => {
    const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3]), Buffer.from([1, 0, 0])])
    assert.equal(faultOf(frame), 'COMPRESSED_INVALID 0')
  })
  test('a dictionary', () => {
    assert.equal(faultOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 9, 0, 1, 0, 0])), 'COMPRESSED_INVALID 0')
  })
  test('a name without an end', () => {
    const head = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0])
    assert.equal(faultOf(Buffer.concat([head, Buffer.alloc(70_000, 65)])), 'COMPRESSED_INVALID 0')
  })
  test('another method than deflate', () => {
    assert.equal(faultOf(Buffer.concat([Buffer.from([0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0]), deflateRawSync(PLAIN)])), 'COMPRESSED_INVALID 0')
  })
})

describe('through the splitter', () => {
  test('rows have the offsets of the unpacked bytes, whatever the packing and the name', async () => {
    const plain = await load({ 'a.ndjson': LINES })
    for (const [name, bytes] of [['a.ndjson.gz', gzipSync(LINES)], ['a.ndjson.zst', zstd(LINES)], ['a.json', gzipSync(LINES)]] as const) {
      const packed = await load({ [name]: bytes })
      assert.deepEqual(packed.rows, plain.rows, name)
      assert.deepEqual(packed.result.notices, [])
    }
  })
  test('nothing of a cut file is kept: it waits, then fails', async () => {
    const packed = gzipSync(LINES, { level: 0 })
    for (const [age, state, code] of [[0, 'waiting', 'FILE_UNFINISHED'], [2000, 'failed', 'FILE_TRUNCATED']] as const) {
      const { ends, rows } = await load({ 'a.ndjson.gz': packed.subarray(0, packed.length - 3), 'b.ndjson': LINES }, {}, { age, window: 64 })
      assert.deepEqual([ends[0]?.state, ends[0]?.fault?.code, ends[1]?.state, rows.length], [state, code, 'loaded', 40])
    }
  })
  test('damage behind the last record fails the file', async () => {
    const packed = Buffer.from(gzipSync('{"records":[{"id":1}]}'))
    packed[packed.length - 8] = (packed[packed.length - 8] as number) ^ 1
    const { ends, rows } = await load({ 'a.json.gz': packed })
    assert.deepEqual([ends[0]?.fault?.code, ends[0]?.fault?.offset, rows.length], ['COMPRESSED_INVALID', packed.length - 8, 0])
  })
  test('a name that promises a packing is no fault, and is said', async () => {
    const { ends, result } = await load({ 'a.ndjson.gz': LINES })
    assert.equal(ends[0]?.state, 'loaded')
    assert.match(result.notices.join(), /a\.ndjson\.gz is named like a packed file, but it is not packed/)
  })
})
