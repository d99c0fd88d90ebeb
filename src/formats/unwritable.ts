/** A value that a text format has no way to write. Nothing is put in its place: the file fails. */
export class UnwritableValue extends Error {
  readonly column: string
  readonly value: string
  constructor(column: string, value: string, why: string) {
    super(why)
    this.column = column
    this.value = value
  }
}

/** The shortest text that reads back as the same double; whole numbers keep a fraction, so that they stay doubles to others. */
export function doubleText(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/** A timestamp of a `Value` with milliseconds, or with microseconds where it has any. */
export function timestampText(value: string): string {
  return value.replace(/(\.\d{3})000(?=Z?$)/, '$1')
}
