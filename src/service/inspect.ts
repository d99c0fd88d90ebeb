/** `inspect()`: what a load would understand of files. Nothing is loaded, and nothing is written but scratch that goes. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InspectSettings } from '../config/inspect.ts'
import { openFilesSource } from '../connectors/files/source.ts'
import { define } from '../core/definition.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Inspected } from '../core/inspect.ts'
import { ENGINES } from '../registry.ts'
import { localFs } from '../storage/local.ts'
import { systemRandom } from '../storage/system.ts'
import { dataFolder, settingsOf } from './options.ts'

/** Options of `inspect()`: its settings, and what only a program can give. */
export interface InspectOptions extends InspectSettings {
  /** Files, folders or patterns. */
  paths: string[]
  /** Records that are shown of each file (5). */
  rows?: number
  /** Read whole files; else the first 10,000 records of each. */
  full?: boolean
  /** Left out when a folder is walked. */
  dataDir?: string
  signal?: AbortSignal
}

/** What files are: the `--json` document of `sluice inspect`. */
export interface Inspection {
  schema: 'sluice.inspect/1'
  /** 0, or 3 when a file or a record of one would not be loaded. */
  exit: number
  items: Inspected[]
}

/** Records of a file that are looked at. */
const MOST = 10_000
const SHOWN = 5

/** @throws SluiceError USAGE, PATH_NOT_FOUND, DEFINITION_INVALID and faults of the machine; a bad file is a result */
export async function inspect(options: InspectOptions): Promise<Inspection> {
  const { paths, rows = SHOWN, full, dataDir, signal = new AbortController().signal, ...rest } = options
  if (paths.length === 0) throw new SluiceError('USAGE', 'inspect needs at least one path: a file, a folder or a pattern.')
  if (!(Number.isSafeInteger(rows) && rows >= 0)) throw new SluiceError('USAGE', `--rows ${rows}: expected a number from 0.`)
  const settings = settingsOf({ ...rest, paths, into: 'inspected' })
  const definition = define('inspected', rest)
  const source = openFilesSource({ paths, dataDir: dataFolder(dataDir), tableDirs: [] })
  const pins = (await source.discover(signal)).pins.toSorted(source.compare)
  const openEngine = ENGINES['duckdb']
  if (openEngine === undefined) throw new SluiceError('INTERNAL', 'There is no engine.')
  const folder = await scratch()
  const engine = await openEngine({ memory: settings.memory, jobs: 1, spool: () => folder })
  const items: Inspected[] = []
  try {
    for (const pin of pins) {
      const job = { pin, definition, reading: settings.reading, folder, show: rows, most: full === true ? null : MOST }
      items.push(await engine.inspect(job, signal).catch((thrown: unknown) => lost(pin, thrown, signal)))
    }
  } finally {
    await engine.close()
    await localFs.remove('inspect.scratch', folder)
  }
  return { schema: 'sluice.inspect/1', exit: items.some(({ faults }) => faults.length > 0) ? 3 : 0, items }
}

async function scratch(): Promise<string> {
  const folder = join(tmpdir(), `sluice-inspect-${systemRandom.id(12)}`)
  await localFs.makeFolder('inspect.make', folder)
  return folder
}

/** A file that kills its reader, or cannot be read, is told of like any other fault; a stop is none. */
function lost({ uri, size }: { uri: string; size: number }, thrown: unknown, signal: AbortSignal): Inspected {
  signal.throwIfAborted()
  const { code, message, where } = asSluiceError(thrown)
  if (code === 'INTERNAL') throw thrown
  return { path: uri, bytes: size, format: null, packed: [], columns: [], first: [], read: 0, bad: 0, rows: { count: 0, exact: false }, faults: [{ ...where, code, message, path: uri }], notices: [] }
}
