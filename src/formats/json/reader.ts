/**
 * Finds the records of a JSON file: lines, a root array, or a list inside a document. Constant memory, one pass, pull
 * based; what is found goes to a sink, what is wrong with the file is thrown as FileFault.
 */
import { checkRecordsPath } from '../../core/records-path.ts'
import type { Sink } from '../sink.ts'
import { MAX_RECORD } from '../window.ts'
import type { Window } from '../window.ts'
import { DocumentReader } from './documents.ts'
import { JsonInput, isSpace } from './input.ts'
import { LineReader } from './lines.ts'
import { DONE } from './scan.ts'

/** `a.b`, `/a/b` or `.` as names from the root; null: by the rule for documents. @throws SluiceError DEFINITION_INVALID */
export function pathOf(records: string | null): string[] | null {
  if (records === null) return null
  checkRecordsPath(records)
  if (records === '.') return []
  if (records.startsWith('/')) return records.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return records.split('.')
}

export class JsonReader {
  private readonly input: JsonInput
  private readonly path: string[] | null
  private readonly key: readonly string[]

  constructor(w: Window, sink: Sink, path: string[] | null, key: readonly string[]) {
    this.input = new JsonInput(w, sink)
    this.path = path
    this.key = key
  }

  async read(linesByName: boolean): Promise<void> {
    const { w } = this.input
    if (linesByName) w.beLenient()
    if (w.end === 0) w.refill()
    if (w.buf[0] === 0xef && w.buf[1] === 0xbb && w.buf[2] === 0xbf && w.end >= 3) w.pos = 3
    if (linesByName) return new LineReader(this.input).read(this.path)
    const c = this.input.peek()
    if (c < 0) throw this.input.ended('EMPTY')
    if (c === 0x7b && this.looksLikeLines()) {
      w.beLenient()
      return new LineReader(this.input).read(this.path)
    }
    const without = await new DocumentReader(this.input, this.path, this.key).read(c)
    if (this.input.peek() >= 0) throw this.input.invalid(w.pos, 'text after the end of the document')
    if (w.badAt >= 0 || w.cut) throw this.input.ended('UNFINISHED')
    if (without !== null) throw without
  }

  /** The first line is one whole object, and more follows. */
  private looksLikeLines(): boolean {
    const { w } = this.input
    let line: number
    while ((line = w.buf.subarray(0, w.end).indexOf(10, w.pos)) < 0) if (w.end - w.pos > MAX_RECORD || !this.input.refill()) return false
    // What follows is looked for first: a document of one line is then not scanned in vain.
    let next = line
    for (;;) {
      while (next < w.end && isSpace(w.buf[next] as number)) next++
      if (next < w.end || w.badAt >= 0) break
      const before = next - w.pos
      const within = line - w.pos
      if (w.end - w.pos > MAX_RECORD || !this.input.refill()) return false
      next = w.pos + before
      line = w.pos + within
    }
    this.input.scanner.buf = w.buf
    return this.input.scanner.object(w.pos, line) === DONE && this.input.scanner.space(this.input.scanner.pos) >= line
  }
}
