/** Is this text one JSON document? With the scanner that reads records, not with JSON.parse. */
import { BAD, DONE, Scanner } from './scan.ts'
import { firstInvalid } from '../window.ts'

export type Verdict = { valid: true } | { valid: false; offset: number; message: string }

export function validateDocument(bytes: Uint8Array): Verdict {
  const end = firstInvalid(bytes, 0, bytes.length)
  const buf = Buffer.allocUnsafeSlow(bytes.length + 1)
  buf.set(bytes)
  buf[bytes.length] = 0
  const s = new Scanner(buf)
  const no = (offset: number, message: string): Verdict =>
    end < bytes.length && offset >= end ? { valid: false, offset: end, message: 'not UTF-8' } : { valid: false, offset, message }
  buf[end] = 0
  const start = s.space(0)
  if (start >= end) return no(end, 'the text is empty')
  const status = s.value(start, end)
  if (status !== DONE) return no(s.at, status === BAD ? s.why : 'the text ends too early')
  const rest = s.space(s.pos)
  if (rest < end) return no(rest, 'text after the end of the document')
  return end < bytes.length ? no(end, '') : { valid: true }
}
