/**
 * Texts of DuckDB as JavaScript's. The library decodes them with a TextDecoder, which takes a U+FEFF at the beginning of a
 * text for a mark of its encoding and drops it: a value would be changed in silence. Its decoder is replaced by Buffer's own,
 * which keeps every character and takes half the time for short texts.
 */
// Imported by its path, so that it is the module that the library itself uses, also in a bundle.
import accessors from '@duckdb/node-api/lib/vectors/dataAccessors.js'
import { SluiceError } from '../../core/errors.ts'

/** Once per process, before anything is read. @throws SluiceError INTERNAL when the library is not the one that is known */
export function keepWholeTexts(): void {
  const { textDecoder } = accessors as Partial<typeof accessors>
  if (typeof textDecoder?.decode !== 'function') throw new SluiceError('INTERNAL', 'The library of DuckDB decodes texts in another way than is known.')
  const decode = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  Object.assign(accessors, { textDecoder: { decode } })
}
