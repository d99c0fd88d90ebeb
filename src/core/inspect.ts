/** The inspector port: what would be understood of a file, without keeping anything of it. */
import type { Pin } from './arrival.ts'
import type { Definition } from './definition.ts'
import type { Fault } from './errors.ts'
import type { Format, Reading } from './reading.ts'
import type { ColumnType } from './schema.ts'

export interface InspectJob {
  pin: Pin
  definition: Definition
  reading: Reading
  /** Existing folder for a copy of a packed Parquet file. */
  folder: string
  /** Records that are shown. */
  show: number
  /** Records after which reading ends; null: the whole file. */
  most: number | null
}

/** What a column's type comes from: one value for each kind that was seen. */
export interface Sighting {
  /** text, date, timestamp, integer, long integer, wide number, fraction, boolean, nested; declared by the file. */
  kind: string
  value: string
  row: number
}
export interface InspectedColumn {
  name: string
  /** The member's name when it differs. */
  original: string | null
  /** Null: nothing but nulls was seen. */
  type: ColumnType | null
  /** declared: --columns · file: the file's own schema · inferred */
  from: 'declared' | 'file' | 'inferred'
  saw: Sighting[]
}
export interface Inspected {
  path: string
  bytes: number
  format: Format | null
  /** Outermost first. */
  packed: string[]
  columns: InspectedColumn[]
  /** The first good records, as they are read: JSON texts. */
  first: string[]
  /** Records that were looked at, good and bad. */
  read: number
  bad: number
  /** Records of the whole file; exact when all of it was read. */
  rows: { count: number; exact: boolean }
  /** The first faults of records, and that of the file last. */
  faults: Fault[]
  notices: string[]
}

export interface Inspector {
  /** A bad file is a result, not an error. @throws SluiceError ENGINE_DIED, or the signal's reason */
  inspect(job: InspectJob, signal: AbortSignal): Promise<Inspected>
}
