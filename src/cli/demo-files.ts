/** The forty files of the demo: records with duplicates, and one of every fault that happens to files. */
import { join } from 'node:path'
import { localFs } from '../storage/local.ts'
import { createPlainFile, makePlainFolder } from '../storage/plain.ts'
import { RecordMaker } from './records.ts'

const SEED = 40
const PER_FILE = 300
const DOCUMENTS = 33
const LINES = 2

export interface DemoFiles {
  files: number
  /** What the table holds when everything is loaded with the key (id, ts). */
  keys: number
  /** The files that are out of the ordinary, and what is wrong with them. */
  odd: { name: string; what: string }[]
}

/** Makes the files; the same bytes every time, and files that have them already are left alone. */
export async function makeDemoFiles(folder: string): Promise<DemoFiles> {
  makePlainFolder(folder)
  const { files, keys } = demoFiles()
  for (const [name, text] of files) {
    const path = join(folder, name)
    const bytes = Buffer.from(text)
    const there = await localFs.read(path)
    if (there !== null && bytes.equals(there)) continue
    const file = createPlainFile(path)
    try {
      file.write(bytes)
    } finally {
      file.close()
    }
  }
  return { files: files.size, keys, odd: ODD }
}

const ODD = [
  { name: 'events-34.json', what: 'the same bytes as events-03.json' },
  { name: 'events-35.json', what: 'a document that was cut off' },
  { name: 'events-36.ndjson', what: 'three lines that are no JSON' },
  { name: 'events-37.json', what: 'a record with two members called data' },
  { name: 'events-38.json', what: 'a document without any record' },
  { name: 'events-01 … 33.json', what: 'duplicates of (id, ts), records without id and ts' },
]

/** Names and contents, and how many keys they hold. */
export function demoFiles(): { files: Map<string, string>; keys: number } {
  // 33 documents, the two files of lines, and the two whose only fault is added below.
  const made = DOCUMENTS + LINES + 2
  const maker = new RecordMaker(SEED, made * PER_FILE, made * 15, 12)
  const next = (): string => {
    const chunks: Buffer[] = []
    maker.file(PER_FILE, (bytes) => chunks.push(Buffer.from(bytes)))
    return Buffer.concat(chunks).toString('latin1')
  }
  const name = (index: number, extension = 'json'): string => `events-${String(index).padStart(2, '0')}.${extension}`
  const files = new Map<string, string>()
  for (let i = 1; i <= DOCUMENTS; i++) files.set(name(i), next())
  const third = files.get(name(3)) ?? ''
  files.set(name(34), third)
  files.set(name(35), third.slice(0, Math.floor(third.length * 0.6)))
  const lines = linesOf(next())
  for (const at of [40, 120, 200]) lines.splice(at, 0, '{"id":"3f0c","data":"the quotation mark of the time stamp is missing","ts":"2026-01-0')
  files.set(name(36, 'ndjson'), `${lines.join('\n')}\n`)
  files.set(name(37), next().replace(']}', ',{"id":"9a1b","data":"one","data":"two","ts":"2026-01-05T10:00:00.000Z"}]}'))
  files.set(name(38), '{"records":[]}\n')
  files.set(name(39, 'ndjson'), `${linesOf(next()).join('\n')}\n`)
  files.set(name(40), `[${linesOf(next()).join(',\n')}]\n`)
  return { files, keys: maker.expected.keys }
}

function linesOf(document: string): string[] {
  const parsed = JSON.parse(document) as { records: unknown[] }
  return parsed.records.map((record) => JSON.stringify(record))
}
