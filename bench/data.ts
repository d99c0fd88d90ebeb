/** Input of the bench, written fast and the same each time. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Number n as 16 hexadecimal digits without order: the multiplication scatters it. */
export function scattered(n: number): string {
  return ((BigInt(n) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn).toString(16).padStart(16, '0')
}

function written(path: string, chunks: Iterable<string>): void {
  const file = openSync(path, 'w')
  try {
    for (const chunk of chunks) writeSync(file, chunk)
  } finally {
    closeSync(file)
  }
}

/** Text of records [0, rows) in pieces of 1,000. */
function* pieces(rows: number, record: (n: number) => string, between: string): Generator<string> {
  for (let from = 0; from < rows; from += 1000) {
    const some: string[] = []
    for (let n = from; n < Math.min(rows, from + 1000); n++) some.push(record(n))
    yield (from === 0 ? '' : between) + some.join(between)
  }
}

/** Every eleventh record repeats an earlier key: 68 bytes each. */
export function narrow(n: number): string {
  const of = n % 11 === 10 ? Math.floor(n / 2) : n
  return `{"id":"${String(of).padStart(10, '0')}","ts":"2024-01-01T${String(of % 24).padStart(2, '0')}:00:00.000Z","v":${n % 1000}}`
}

/** `document.json` with all records in one list, and `records.ndjson` with the same ones; about `bytes` each. */
export function writeDocument(folder: string, bytes: number): number {
  const rows = Math.round(bytes / 68)
  written(join(folder, 'document.json'), (function* () {
    yield '{"records":['
    yield* pieces(rows, narrow, ',')
    yield ']}'
  })())
  written(join(folder, 'records.ndjson'), (function* () {
    yield* pieces(rows, narrow, '\n')
    yield '\n'
  })())
  return rows
}

const WORDS = ['bolt', 'hinge, brass', 'the "good" lamp', 'table', 'chair', 'screw M4', 'cable 2 m', 'paint (white)', 'glue', 'saw']

/** sku, name, description: 466,693 skus and 212,751 names among 500,000 rows. */
export function writeProducts(path: string, rows: number): void {
  const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const product = (n: number): string => {
    const sku = n < 466_693 ? n : (n * 7919) % 466_693
    const name = `${WORDS[n % 10] ?? ''} ${n % 212_751}`
    return `${cell(name)},sku-${scattered(sku).slice(0, 12)},${cell(`${WORDS[(n >> 3) % 10] ?? ''} for ${WORDS[(n >> 5) % 10] ?? ''}, kind ${n % 97}${n % 50 === 0 ? '\nsecond line' : ''}`)}\n`
  }
  written(path, (function* () {
    yield 'name,sku,description\n'
    yield* pieces(rows, product, '')
  })())
}

/** Eight columns of mixed types; about 100 bytes a row. */
export function writeMixed(path: string, bytes: number): number {
  const rows = Math.round(bytes / 100)
  const row = (n: number): string => {
    const h = scattered(n)
    return `${n},${h}${h},${(n % 100_000) / 100},2024-0${1 + (n % 9)}-1${n % 9}T0${n % 9}:15:${10 + (n % 49)}.${100 + (n % 899)}Z,${n % 3 === 0 ? 'true' : 'false'},${n % 7 === 0 ? '' : n % 1000},2023-1${n % 3}-0${1 + (n % 8)},${WORDS[n % 9 === 1 || n % 9 === 2 ? 3 : n % 9] ?? ''}\n`
  }
  written(path, (function* () {
    yield 'id,token,price,at,active,amount,day,word\n'
    yield* pieces(rows, row, '')
  })())
  return rows
}

/** `files` NDJSON files of about 1 kB in one folder, 10 records each. */
export function writeSmallFiles(folder: string, files: number): void {
  mkdirSync(folder)
  for (let f = 0; f < files; f++) {
    let text = ''
    for (let n = 0; n < 10; n++) text += `{"id":${f * 10 + n},"text":"${scattered(f * 10 + n).repeat(4)}","n":${n}}\n`
    writeFileSync(join(folder, `f${f}.ndjson`), text)
  }
}

/** Rows with random text keys of 32 characters: numbers [from, from + rows). */
export function writeKeyed(path: string, from: number, rows: number): void {
  written(path, (function* () {
    yield* pieces(rows, (n) => `{"key":"${scattered(from + n)}${scattered(from + n + 7)}","v":${n}}`, '\n')
    yield '\n'
  })())
}
