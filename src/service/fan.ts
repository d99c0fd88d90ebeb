/**
 * One load into several targets: a run and a balance for each, one after the other, so that they never need more memory than
 * one. What stops one of them does not stop the others; it catches up alone at the next load.
 */
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Code } from '../core/errors.ts'
import type { RunState } from '../core/ledger.ts'
import { redact } from '../core/secret.ts'
import { load } from './load.ts'
import type { LoadResult } from './result.ts'
import { dataFolder } from './options.ts'
import type { LoadOptions } from './options.ts'
import { describePlace, parseTarget, samePlace } from './targets.ts'

/** A target whose run could not begin. */
export interface TargetFailed {
  schema: 'sluice.error/1'
  to: string
  code: Code
  message: string
  hint: string
  exit: number
}

/** What a load into several targets did: the `--json` document of `sluice load` with more than one `--to`. */
export interface EachResult {
  schema: 'sluice.load.each/1'
  state: RunState
  /** The worst of the targets'. */
  exit: number
  /** In the order in which they were named; after a stop those that were not begun are missing. */
  targets: (LoadResult | TargetFailed)[]
}

/** Exit codes, the worst last. A stop counts before everything: the others were not asked. */
const WORSE = [0, 3, 6, 2, 7, 4, 5, 1, 143, 130]

export function worstOf(exits: readonly number[]): number {
  return exits.reduce((worst, exit) => (WORSE.indexOf(exit) > WORSE.indexOf(worst) ? exit : worst), 0)
}

/** @throws SluiceError USAGE when a target is named twice, TARGET_INVALID */
export function refuseTwice(targets: readonly string[], dataDir: string | undefined): void {
  const places = targets.map((to) => parseTarget(to, dataFolder(dataDir)))
  for (const [at, place] of places.entries()) {
    if (places.slice(0, at).some((other) => samePlace(place, other))) throw new SluiceError('USAGE', `--to ${redact(describePlace(place))} is named twice.`)
  }
}

/**
 * Loads the same files into each target. Resolves whatever becomes of them: see `exit`.
 * @param one loads into one of them (`load` for programs)
 * @throws SluiceError USAGE, TARGET_INVALID before anything is begun
 */
export async function loadEach(options: Omit<LoadOptions, 'to'> & { to: readonly string[] }, one: (options: LoadOptions) => Promise<LoadResult> = load): Promise<EachResult> {
  refuseTwice(options.to, options.dataDir)
  const targets: EachResult['targets'] = []
  for (const to of options.to) {
    try {
      targets.push(await one({ ...options, to }))
    } catch (thrown) {
      const { code, message, hint, exit } = asSluiceError(thrown)
      targets.push({ schema: 'sluice.error/1', to: redact(to), code, message, hint, exit })
      if (code === 'INTERRUPTED') break
    }
    const last = targets.at(-1)
    if (last !== undefined && 'state' in last && last.state === 'INTERRUPTED') break
    if (options.signal?.aborted === true || options.now?.aborted === true) break
  }
  const exit = worstOf(targets.map((target) => target.exit))
  return { schema: 'sluice.load.each/1', state: exit === 130 || exit === 143 ? 'INTERRUPTED' : exit === 0 || exit === 3 ? 'COMPLETED' : 'FAILED', exit, targets }
}
