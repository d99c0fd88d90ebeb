/** Bombs of text and of packings, made when they are needed. Each with what must become of it. */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'

/** `CODE`: the file fails with it. `loaded N`: that many records of it are in; ` CODE` behind: others are put aside with it. */
type Bomb = [name: string, expected: string, bytes: Buffer]

const MB = 1 << 20
const text = (value: string): Buffer => Buffer.from(value)
const wrap = (record: string): Buffer => text(`{"records":[{"id":1},${record},{"id":2}]}`)
const lines = (...rows: string[]): Buffer => text(`${rows.join('\n')}\n`)
const zstd = (data: Buffer): Buffer => zstdCompressSync(data, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })

export function jsonBombs(): Bomb[] {
  const long = 'x'.repeat(17 * MB)
  return [
    ['j-deep-arrays.json', 'RECORD_NOT_OBJECT', text(`{"records":[${'['.repeat(1e6)}${']'.repeat(1e6)}]}`)],
    ['j-deep-objects.json', 'loaded 2 DEPTH_EXCEEDED', wrap(`{"id":3,"d":${'{"d":'.repeat(1e5)}1${'}'.repeat(1e5)}}`)],
    ['j-deep-open.json', 'FILE_TRUNCATED', text('['.repeat(5e6))],
    ['j-deep-257.json', 'loaded 2 DEPTH_EXCEEDED', wrap(`{"id":3,"d":${'['.repeat(256)}${']'.repeat(256)}}`)],
    ['j-string-17mb.json', 'loaded 2 RECORD_TOO_LARGE', wrap(`{"id":3,"s":"${long}"}`)],
    ['j-line-17mb.ndjson', 'loaded 2 RECORD_TOO_LARGE', lines('{"id":1}', `{"id":3,"s":"${long}"}`, '{"id":2}')],
    ['j-number-17mb.json', 'loaded 2 RECORD_TOO_LARGE', wrap(`{"id":${'9'.repeat(17 * MB)}}`)],
    ['j-number-1mb.json', 'loaded 2 TYPE_MISMATCH', wrap(`{"id":${'9'.repeat(MB)}}`)],
    ['j-exponent.json', 'loaded 2 TYPE_MISMATCH', wrap('{"id":1e999999999}')],
    ['j-exponent-small.json', 'loaded 2 TYPE_MISMATCH', wrap('{"id":1e-999999999}')],
    ['j-name-2mb.json', 'loaded 1', text(`{"${'n'.repeat(2 * MB)}":[{"id":1}]}`)],
    ['j-members-100000.json', 'loaded 3', wrap(`{"id":3,${Array.from({ length: 1e5 }, (_, i) => `"m${i}":0`).join(',')}}`)],
    ['j-member-repeated.json', 'loaded 2 MEMBER_REPEATED', wrap(`{"id":3${',"id":3'.repeat(1e5)}}`)],
    ['j-nested-repeated.json', 'loaded 3', wrap('{"id":3,"n":{"a":1,"a":2}}')],
    ['j-prototype.json', 'loaded 3', wrap('{"id":3,"__proto__":{"x":1},"constructor":{}}')],
    ['j-surrogate.json', 'loaded 2 TEXT_INVALID', wrap('{"id":3,"s":"\\ud800"}')],
    ['j-nul.json', 'JSON_INVALID', Buffer.alloc(MB)],
    ['j-spaces.json', 'FILE_EMPTY', Buffer.alloc(20 * MB, 0x20)],
    ['j-commas.json', 'JSON_INVALID', text(`[${','.repeat(5e6)}]`)],
    ['j-open-string.json', 'FILE_TRUNCATED', text(`{"records":[{"id":"${'y'.repeat(20 * MB)}`)],
    ['j-utf16.json', 'UTF8_INVALID', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('{"id":1}', 'utf16le')])],
    ['j-no-objects.json', 'RECORD_NOT_OBJECT', text(`[${'0,'.repeat(2e5)}0]`)],
    ['j-two-lists.json', 'RECORDS_AMBIGUOUS', text(`{"a":[${'{},'.repeat(2e5)}{}],"b":[]}`)],
    ['j-many-lists.json', 'RECORDS_AMBIGUOUS', text(`{${Array.from({ length: 5e4 }, (_, i) => `"l${i}":[]`).join(',')}}`)],
  ]
}

export function csvBombs(): Bomb[] {
  return [
    ['c-quote-open.csv', '!', text(`id,t\n1,"${'q'.repeat(20 * MB)}`)],
    ['c-columns-5000.csv', '!', text(`${Array.from({ length: 5000 }, (_, i) => `c${i}`).join(',')}\n${'1,'.repeat(4999)}1\n`)],
    ['c-line-17mb.csv', '!', text(`id,t\n1,a\n2,${'b'.repeat(17 * MB)}\n3,c\n`)],
    ['c-delimiters.csv', '!', text(`id,t\n1,a\n${','.repeat(1e6)}\n`)],
    ['c-nul.csv', '!', Buffer.concat([text('id,t\n1,a\n'), Buffer.alloc(MB)])],
    ['c-quotes.csv', '!', text(`id,t\n${'"'.repeat(2e6)}\n`)],
  ]
}

export function packedBombs(): Bomb[] {
  const zeros = Buffer.alloc(64 * MB, 0x20)
  const good = gzipSync('{"id":1}\n')
  const nested = gzipSync(gzipSync(zeros, { level: 9 }), { level: 9 })
  return [
    ['z-spaces.json.gz', 'RATIO_EXCEEDED', gzipSync(zeros)],
    ['z-spaces.json.zst', 'RATIO_EXCEEDED', zstd(zeros)],
    ['z-records.ndjson.gz', 'RATIO_EXCEEDED', gzipSync('{"id":1}\n'.repeat(4e6))],
    ['z-rows.csv.gz', 'RATIO_EXCEEDED', gzipSync(`id,t\n${'1,a\n'.repeat(4e6)}`)],
    ['z-rle.json.zst', 'RATIO_EXCEEDED', runLengths(100_000)],
    ['z-twice.json.gz', 'RATIO_EXCEEDED', nested],
    ['z-three-times.json.gz', 'LAYERS_EXCEEDED', gzipSync(nested)],
    ['z-ten-times.json.gz', 'LAYERS_EXCEEDED', Array.from({ length: 10 }).reduce<Buffer>((inner) => gzipSync(inner), good)],
    ['z-empty-members.ndjson.gz', 'loaded 1', Buffer.concat([...Array.from({ length: 20_000 }, () => gzipSync('')), good])],
    ['z-cut.ndjson.gz', 'FILE_TRUNCATED', good.subarray(0, good.length - 3)],
    ['z-sum.ndjson.gz', 'COMPRESSED_INVALID', good.map((byte, at) => (at === good.length - 8 ? byte ^ 1 : byte)) as Buffer],
    ['z-garbage.ndjson.gz', 'COMPRESSED_INVALID', Buffer.concat([good, text('garbage')])],
    ['z-header.ndjson.gz', 'COMPRESSED_INVALID', Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 16, 0, 0, 0, 0, 0, 0]), Buffer.alloc(5 * MB, 65)])],
    ['z-window.json.zst', 'COMPRESSED_INVALID', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0])],
    ['z-size-exabytes.json.zst', 'COMPRESSED_INVALID', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0]), Buffer.alloc(8, 0x7f), Buffer.from([1, 0, 0])])],
    ['z-dictionary.json.zst', 'COMPRESSED_INVALID', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 9, 0, 1, 0, 0])],
    ['z-skip-4gb.json.zst', 'FILE_TRUNCATED', Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 0])],
  ]
}

/** zstd's own bomb: four bytes for 128 kB. */
function runLengths(blocks: number): Buffer {
  const header = ((128 << 10) << 3) | 2
  const body = Buffer.alloc(blocks * 4)
  for (let i = 0; i < blocks; i++) {
    body.writeUIntLE(i === blocks - 1 ? header | 1 : header, i * 4, 3)
    body[i * 4 + 3] = 0x20
  }
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]), body])
}
