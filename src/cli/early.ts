/**
 * Starts a process of the engine before anything else is read, for the commands that will want one: its start is half of
 * what a small load takes (docs/decisions/cold-start.md). A guess: if another memory or number of jobs turns out to be
 * asked for, that process is ended and another one started.
 */
import { DEFAULT_MEMORY } from '../config/load.ts'
import { parseSize } from '../core/units.ts'
import { EARLY } from '../registry.ts'

const COMMANDS = new Set(['load'])
const OTHER = /^(--memory|--jobs|--help|-h)(=|$)/

/** What is started and not used ends with the command. */
export async function startEngineEarly(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const [command = '', ...rest] = args
  if (!COMMANDS.has(command) || rest.some((word) => OTHER.test(word)) || set(env['SLUICE_MEMORY']) || set(env['SLUICE_JOBS'])) return
  await EARLY['duckdb']?.(parseSize('--memory', DEFAULT_MEMORY))
}

function set(value: string | undefined): boolean {
  return value !== undefined && value !== ''
}
