/** What a load may be told, checked before anything is touched. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { isAddress } from '../core/address.ts'
import { MODES } from '../core/definition.ts'
import { csvReading, saysCsv } from '../core/csv.ts'
import type { StageJob } from '../core/engine.ts'
import { DEFAULT_MEMORY } from '../config/load.ts'
import type { LoadSettings } from '../config/load.ts'
import { SluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import { parseInterval } from '../core/interval.ts'
import type { Interval } from '../core/interval.ts'
import { FORMATS } from '../core/reading.ts'
import type { Reading } from '../core/reading.ts'
import { isTableName } from '../core/schema.ts'
import { parseDuration, parseLimit, parseSize } from '../core/units.ts'

/** Options of `load()`: its settings, and what only a program can give. */
export interface LoadOptions extends Omit<LoadSettings, 'to'> {
  /** One target; `loadEach()` takes several. */
  to?: string
  /** Default: SLUICE_DATA_DIR, else ./sluice-data. */
  dataDir?: string
  onEvent?: (event: LoadEvent) => void
  /** Aborted: finish the batches in work and stop. */
  signal?: AbortSignal
  /** Aborted: stop at once; the same call goes on where it stopped. */
  now?: AbortSignal
}

/** Compiles only while every option is declared in `config/load.ts`, so that no source of settings can miss one. */
type Undeclared = Exclude<keyof LoadOptions, keyof LoadSettings | 'dataDir' | 'onEvent' | 'signal' | 'now'>
const DECLARED: [Undeclared] extends [never] ? true : Undeclared = true
void DECLARED

export interface Settings {
  dataDir: string
  memory: number
  grace: number
  reading: StageJob['reading']
  onBad: StageJob['onBad']
  maxBad: StageJob['maxBad']
  /** What --since and --until enclose; null: neither is given. */
  asked: Interval | null
}

const MIN_MEMORY = 512e6
const ON_BAD = ['quarantine', 'fail', 'skip']

export function dataFolder(given: string | undefined): string {
  const named = given ?? process.env['SLUICE_DATA_DIR']
  return resolve(named === undefined || named === '' ? 'sluice-data' : named)
}

/** @throws SluiceError USAGE, MEMORY_TOO_SMALL, DEFINITION_INVALID */
export function settingsOf(options: LoadOptions): Settings {
  if (options.paths.length === 0) throw new SluiceError('USAGE', 'load needs at least one path: a file, a folder or a pattern.')
  if (options.paths.length > 1 && options.paths.some(isAddress)) throw new SluiceError('USAGE', 'One table is read at a time, and no files beside it.')
  if (!isTableName(options.into)) {
    throw new SluiceError('DEFINITION_INVALID', `--into ${options.into} is not a table name.`, { hint: 'Letters, digits and _, not beginning with a digit, at most 63; in a database perhaps with a schema, as in raw.events.' })
  }
  if (options.onBad !== undefined && !ON_BAD.includes(options.onBad)) throw new SluiceError('USAGE', `--on-bad ${options.onBad}: expected one of ${ON_BAD.join(', ')}.`)
  if (options.mode !== undefined && options.mode !== 'replace' && !(MODES as readonly string[]).includes(options.mode)) {
    throw new SluiceError('USAGE', `--mode ${options.mode}: expected one of ${MODES.join(', ')}.`)
  }
  if (options.jobs !== undefined && !(Number.isSafeInteger(options.jobs) && options.jobs >= 1)) throw new SluiceError('USAGE', `--jobs ${options.jobs}: expected a number from 1.`)
  if (options.delta !== undefined && !isTableName(options.delta)) {
    throw new SluiceError('DEFINITION_INVALID', `--delta ${options.delta} is not a table name.`, { hint: 'Letters, digits and _, not beginning with a digit, at most 63.' })
  }
  const memory = parseSize('--memory', options.memory ?? DEFAULT_MEMORY)
  if (memory < MIN_MEMORY) throw new SluiceError('MEMORY_TOO_SMALL', `--memory ${options.memory ?? ''} is less than 512MB.`)
  // A path that is no pattern must be there; said before a data folder is made for nothing.
  const missing = options.paths.find((path) => !/[*?[\]{}]/.test(path) && !isAddress(path) && !existsSync(path))
  if (missing !== undefined) throw new SluiceError('PATH_NOT_FOUND', `There is nothing at ${resolve(missing)}.`, { where: { path: resolve(missing) } })
  const onBad = options.onBad ?? 'quarantine'
  const maxBad = options.maxBad === undefined ? null : parseLimit('--max-bad', options.maxBad)
  if (onBad === 'fail' && maxBad !== null) throw new SluiceError('USAGE', '--on-bad fail means --max-bad 0; give one of them.')
  return {
    dataDir: dataFolder(options.dataDir),
    memory,
    grace: parseDuration('--grace', options.grace ?? '10m'),
    reading: readingOf(options),
    onBad,
    maxBad: onBad === 'fail' ? { count: 0 } : maxBad,
    asked: options.since === undefined && options.until === undefined ? null : parseInterval(options.since, options.until),
  }
}

function readingOf(options: LoadOptions): Reading {
  const { format } = options
  const known = FORMATS.find((name) => name === format)
  if (format !== undefined && known === undefined) throw new SluiceError('USAGE', `--format ${format}: expected one of ${FORMATS.join(', ')}.`)
  if (known !== undefined && known !== 'csv' && known !== 'tsv' && saysCsv(options)) throw new SluiceError('USAGE', `--format ${known} and flags of CSV (--csv-…) do not go together.`)
  return { format: known ?? null, csv: csvReading(options) }
}
