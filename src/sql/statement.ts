/** A text of SQL that somebody typed: where its first statement ends, and where in it a fault lies. */

// What may hold a semicolon that ends nothing: texts, names, comments, dollar quotes.
const PIECES = /[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|;/g

/** The text up to the semicolon that ends its first statement. Who runs it must have made sure that nothing follows. */
export function firstStatement(sql: string): string {
  for (const { 0: piece, index } of sql.matchAll(PIECES)) if (piece === ';') return sql.slice(0, index)
  return sql
}

/** `line 2, column 8`, counted from 1, of an index into the text. */
export function lineAndColumn(sql: string, at: number): string {
  const before = sql.slice(0, at)
  return `line ${before.split('\n').length}, column ${at - before.lastIndexOf('\n')}`
}
