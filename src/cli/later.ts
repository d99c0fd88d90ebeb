/**
 * What the design names and this version does not do. Refused with a sentence, so that nobody takes it for a spelling
 * mistake and nothing is half-obeyed.
 */
import { SluiceError } from '../core/errors.ts'
import { redact } from '../core/secret.ts'

/** Commands, also below a group: `files retry`. */
const VERBS: Readonly<Record<string, string>> = {
  watch: 'Watching a folder',
  up: 'The server with its web pages',
  init: 'Writing a first configuration file',
  undo: 'Withdrawing a file',
  redo: 'Restoring a withdrawn file',
  why: 'Asking where a row came from',
  plan: 'Showing what a load would do',
  replay: 'Replaying rejects',
  schedule: 'Schedules',
  backfill: 'Backfills',
  upload: 'Uploading to a server',
  sources: 'Configured sources',
  targets: 'Configured targets',
  status: 'The server',
  down: 'The server',
  completion: 'Completion for shells',
  service: 'The system service',
  top: 'The live screen',
  tui: 'The split screen',
  'files retry': 'Retrying single files (load tries failed files again)',
  'files skip': 'Skipping files',
  'files verify': 'Verifying files',
  'rejects fix': 'Fixing rejects',
  'rejects replay': 'Replaying rejects',
  'rejects export': 'Exporting rejects',
  'runs logs': 'Logs of runs',
  'runs cancel': 'Cancelling a run of another process',
  'runs retry': 'Retrying a run',
  'tables adopt': 'A command of its own for taking a table over (load --adopt does it)',
}

const FLAGS: Readonly<Record<string, string>> = {
  '--updates': 'Deletion vectors',
  '--history': 'Limiting the history',
  '--on-changed': 'Appending changed files',
  '--check': 'Checks of records',
  '--detach': 'Loading in the background',
  '--dry-run': 'Showing what a load would do',
  '--server': 'A remote server',
  '--profile': 'Profiles',
}

/** Schemes of sources and targets that are named in the design. */
const SCHEMES = new Set(['s3', 'http', 'https', 'kafka', 'rabbitmq', 'amqp', 'postgres', 'postgresql', 'duckdb', 'parquet', 'mysql', 'gs', 'az'])

export function laterVerb(words: readonly string[]): SluiceError | null {
  const verb = [words.join(' '), words[0] ?? ''].find((name) => Object.hasOwn(VERBS, name))
  return verb === undefined ? null : later(`sluice ${verb}`, VERBS[verb] ?? '')
}

/** @param flag as typed, perhaps with `=value` */
export function laterFlag(flag: string): SluiceError | null {
  const name = flag.split('=')[0] ?? ''
  return Object.hasOwn(FLAGS, name) ? later(name, FLAGS[name] ?? '') : null
}

/** @throws SluiceError LATER when the path or target names something that is not local */
export function refuseLaterPlace(role: 'path' | 'target', place: string): void {
  if (role === 'path' && place === '-') throw later('Reading from standard input', 'A load from a pipe')
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(place)?.[1]?.toLowerCase()
  if (scheme === undefined || !SCHEMES.has(scheme)) return
  // A local folder may well be called `s3:`; a path is refused only when it is written as a URI.
  if (role === 'path' && !place.includes('://')) return
  // It is read, only not as a file.
  if (role === 'path' && (scheme.startsWith('postgres') || scheme === 'duckdb')) throw new SluiceError('USAGE', `${redact(place)} is a database, not a file.`, { hint: "Read it with --from, as in --from 'postgres://user@host/database?table=orders&cursor=updated_at&key=id'." })
  if (role === 'target' && (scheme.startsWith('postgres') || scheme === 'duckdb')) return
  throw later(`${role === 'path' ? 'The path' : '--to'} ${place}`, role === 'path' ? `Reading from ${scheme}` : `A ${scheme} target`)
}

function later(what: string, sentence: string): SluiceError {
  return new SluiceError('LATER', `${what}: ${sentence} is not built yet.`)
}
