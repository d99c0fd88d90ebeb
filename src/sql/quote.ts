/** The one way to write a name or a text into SQL. */
import { SluiceError } from '../core/errors.ts'

/** An identifier in double quotes. @throws SluiceError DEFINITION_INVALID when it holds a NUL */
export function quoteName(name: string): string {
  if (name.includes('\0')) throw new SluiceError('DEFINITION_INVALID', 'A name must not hold a NUL character.')
  return `"${name.replaceAll('"', '""')}"`
}

/** A text literal in single quotes. @throws SluiceError DEFINITION_INVALID when it holds a NUL */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new SluiceError('DEFINITION_INVALID', 'A text in SQL must not hold a NUL character.')
  return `'${text.replaceAll("'", "''")}'`
}
