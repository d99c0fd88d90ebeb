/** The text of `--records`: where in a document the records are. */
import { SluiceError } from './errors.ts'

/**
 * Refuses what is neither `.` (the root), nor dotted names (`data.items`), nor a JSON Pointer (`/data/items`, RFC 6901).
 * A member whose name holds a dot or a slash is reached by a pointer: `/a.b`, `/a~1b`.
 * @throws SluiceError DEFINITION_INVALID
 */
export function checkRecordsPath(text: string): void {
  if (text === '.') return
  if (text === '') throw invalid('--records is empty.')
  if (text.startsWith('/')) {
    if (/~(?![01])/.test(text)) throw invalid(`--records ${text}: in a JSON Pointer ~ is written ~0, and / inside a name ~1.`)
  } else if (text.includes('/')) throw invalid(`--records ${text}: a JSON Pointer begins with /.`)
  else if (text.split('.').includes('')) throw invalid(`--records ${text} has an empty name.`)
}

function invalid(message: string): SluiceError {
  return new SluiceError('DEFINITION_INVALID', message, { hint: 'Write data.items, /data/items, or . for the root.' })
}
