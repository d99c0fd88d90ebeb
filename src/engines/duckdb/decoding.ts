/**
 * Texts of DuckDB as JavaScript's. The library decodes them with a TextDecoder, which takes a U+FEFF at the beginning of a
 * text for a mark of its encoding and drops it: a value would be changed in silence. Its decoder is replaced by Buffer's own,
 * which keeps every character and takes half the time for short texts.
 */
import { createRequire } from 'node:module'
import { SluiceError } from '../../core/errors.ts'

interface Accessors {
  textDecoder: { decode(bytes: Uint8Array): string }
}

/** Once per process, before anything is read. @throws SluiceError INTERNAL when the library is not the one that is known */
export function keepWholeTexts(): void {
  const accessors = createRequire(import.meta.url)('@duckdb/node-api/lib/vectors/dataAccessors') as Partial<Accessors>
  if (typeof accessors.textDecoder?.decode !== 'function') throw new SluiceError('INTERNAL', 'The library of DuckDB decodes texts in another way than is known.')
  accessors.textDecoder = { decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') }
}
