/** The converter port: one file in, one file out, by an engine that keeps nothing. */
import type { ArrivalOutcome, Pin } from './arrival.ts'
import type { Definition } from './definition.ts'
import type { StageJob } from './engine.ts'
import type { Fault } from './errors.ts'

export const OUTPUT_FORMATS = ['parquet', 'csv', 'ndjson', 'json'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

/** One input, and the working names of what is made of it. */
export interface ConvertFile {
  /** A number from 1 that is its own within the job. */
  n: number
  pin: Pin
  /** Absolute paths of new files; their folder exists. */
  output: string
  rejects: string
}

export interface ConvertJob extends Pick<StageJob, 'reading' | 'onBad' | 'maxBad' | 'now' | 'grace'> {
  files: readonly ConvertFile[]
  to: OutputFormat
  /** Append, without a key: columns, types and the path to the records. */
  definition: Definition
  /** CSV: cells that a spreadsheet would run are written as text. */
  escapeFormulas: boolean
  /** Folder for parts; exists and is this job's own. */
  folder: string
}

/** A file that was written and synced under its working name. */
export interface WrittenFile {
  sha256: string
  size: number
}

/** What became of one input. Counts are not computed from one another. */
export interface Converted {
  n: number
  /** State loaded, failed or waiting; read and skipped as the splitter counted them. */
  outcome: ArrivalOutcome
  /** Records in the output, counted by its writer. */
  written: number
  /** Lines in the rejects file. */
  quarantined: number
  /** Null: no output, because there is neither a record nor a column. */
  output: WrittenFile | null
  rejects: WrittenFile | null
  faults: readonly Fault[]
  reasons: Readonly<Record<string, number>>
  notices: readonly string[]
  leftOut: Readonly<Record<string, number>>
}

export type ConverterEvent =
  /** What it made is on disk; a death of the process later does not undo it. */
  | { kind: 'end'; converted: Converted }
  /** Of the file in work, so far. */
  | { kind: 'progress'; n: number; bytes: number; records: number }

export interface Converter {
  /**
   * Converts the files one after another. A bad file is an outcome, not an error.
   * @throws SluiceError ENGINE_DIED, DISK_FULL and other faults of the machine, or the signal's reason; files whose end
   * was told are done
   */
  convert(job: ConvertJob, on: (event: ConverterEvent) => void, signal: AbortSignal): Promise<void>
}
