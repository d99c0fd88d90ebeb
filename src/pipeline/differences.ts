/** What a sync has to do: sources compared with what was copied, copies with how they were left. */
import type { Made, Origin } from '../core/origins.ts'
import { SluiceError } from '../core/errors.ts'
import { inspect, pathIn, refuseForeign, stampOf } from './place.ts'
import type { Identify } from './place.ts'
import { freeWay } from './way.ts'
import { end, optionsOf, originOf, refused } from './sync.ts'
import type { Seen, SyncTally, SyncTodo, Syncing } from './sync.ts'

export interface Comparing extends Syncing {
  identify: Identify
  overwrite: boolean
  verify: boolean
  mirror: boolean
}

/** So many files are hashed by one order under --verify. */
const HASHED = 64

/**
 * Known files are dressed like their source where only mode or time changed.
 * @returns what is to be copied; files that failed or were verified are in the tally
 */
export async function differences(work: Comparing, sources: readonly Seen[], origins: ReadonlyMap<string, Origin>, tally: SyncTally): Promise<{ todo: SyncTodo[]; known: number }> {
  const todo: SyncTodo[] = []
  const known: { seen: Seen; origin: Origin }[] = []
  const fresh: Origin[] = []
  for (const seen of sources) {
    const former = origins.get(seen.path)
    try {
      if (former === undefined) {
        const state = await compareNew(work, seen, fresh)
        if (state === 'same') end(work, tally, seen, 'verified', { sha256: fresh.at(-1)?.sha256 ?? null, bytes: seen.pin.size })
        else todo.push({ ...seen, state })
        continue
      }
      if (former.source !== seen.pin.uri && (await work.fs.stat(former.source, false)) !== null) {
        throw new SluiceError('OUTPUT_EXISTS', `${pathIn(work, seen.path)} is the copy of ${former.source}.`, { where: { path: seen.pin.uri } })
      }
      const made = former.made === null ? 'gone' : await inspect(work, former.made, work.identify)
      const same = await isSame(work, former, seen)
      const lies = made !== 'gone' && made !== 'changed'
      if (!lies) work.on({ kind: 'notice', text: `${pathIn(work, seen.path)} was ${made === 'gone' ? 'removed' : 'changed'} by somebody: it is copied again.` })
      if (!same || !lies) todo.push({ ...seen, state: same ? 'repaired' : 'replaced' })
      else known.push({ seen, origin: await dress(work, seen, former, made, fresh) })
    } catch (thrown) {
      end(work, tally, seen, 'failed', { fault: refused(thrown, seen.pin.uri) })
    }
  }
  work.origins.refresh(fresh)
  if (work.verify) await verify(work, known, todo, tally)
  return { todo: await free(work, todo, tally), known: work.verify ? 0 : known.length }
}

/** Those that nothing stands in the way of. */
async function free(work: Comparing, todo: readonly SyncTodo[], tally: SyncTally): Promise<SyncTodo[]> {
  const folders = new Set<string>()
  const left: SyncTodo[] = []
  for (const item of todo) {
    try {
      await freeWay(work, item.path, folders, work.mirror)
      left.push(item)
    } catch (thrown) {
      end(work, tally, item, 'failed', { fault: refused(thrown, item.pin.uri) })
    }
  }
  return left
}

/** A file that nobody noted: its copy may be there all the same. */
async function compareNew(work: Comparing, seen: Seen, fresh: Origin[]): Promise<'same' | 'copied'> {
  const path = pathIn(work, seen.path)
  const stat = await work.fs.stat(path, false)
  if (stat === null) return 'copied'
  // A folder there is looked at with those that stand in the way of others (way.ts).
  if (stat.kind === 'file' && stat.size === seen.pin.size) {
    const [source, copy] = [await work.identify(seen.pin.uri), await work.identify(path)]
    if (source !== null && copy !== null && source.sha256 === copy.sha256) {
      work.copier.dress(path, seen.mode, seen.mtime)
      const now = await work.identify(path)
      if (now !== null) {
        fresh.push(originOf(work, seen, { sha256: source.sha256, size: seen.pin.size }, now.stamp))
        return 'same'
      }
    }
  }
  if (stat.kind !== 'folder' && (!work.overwrite || stat.kind !== 'file')) await refuseForeign(work, seen.path)
  return 'copied'
}

async function isSame(work: Comparing, former: Origin, { pin }: Seen): Promise<boolean> {
  if (former.stamp === pin.stamp && !former.young) return true
  return former.size === pin.size && (await work.identify(pin.uri))?.sha256 === former.sha256
}

/** Notes how both ends look now; gives the copy the mode and time of its source where either end was touched. */
async function dress(work: Comparing, seen: Seen, former: Origin, made: Made, fresh: Origin[]): Promise<Origin> {
  let stamp = made.stamp
  if (former.options !== optionsOf(seen) || stamp !== former.made?.stamp) {
    work.copier.dress(pathIn(work, seen.path), seen.mode, seen.mtime)
    const stat = await work.fs.stat(pathIn(work, seen.path), false)
    stamp = stat === null ? '' : stampOf(stat)
  }
  const now = originOf(work, seen, { sha256: former.sha256, size: former.size }, stamp)
  if (JSON.stringify(now) !== JSON.stringify(former)) fresh.push(now)
  return now
}

/** Reads both ends of what is known. A source that rotted must not spoil its copy. */
async function verify(work: Comparing, known: readonly { seen: Seen; origin: Origin }[], todo: SyncTodo[], tally: SyncTally): Promise<void> {
  const chunks = Array.from({ length: Math.ceil(known.length / HASHED) }, (_, at) => known.slice(at * HASHED, (at + 1) * HASHED))
  const lane = async (): Promise<void> => {
    for (let chunk = chunks.shift(); chunk !== undefined && !work.stop.aborted; chunk = chunks.shift()) {
      const hashes = await work.copier.hash(chunk.flatMap(({ seen }) => [seen.pin.uri, pathIn(work, seen.path)]), work.halt)
      for (const [at, { seen, origin }] of chunk.entries()) {
        const [source, copy] = [hashes[2 * at] ?? null, hashes[2 * at + 1] ?? null]
        if (source === null) end(work, tally, seen, 'waiting', { fault: { code: 'FILE_CHANGING', message: `${seen.pin.uri} changed while it was read.`, path: seen.pin.uri } })
        else if (source !== origin.sha256) {
          const message = `${seen.pin.uri} has SHA-256 ${source}, and had ${origin.sha256} when it was copied, although its size and time stamps are the same. Its copy ${pathIn(work, seen.path)} ${copy === origin.sha256 ? 'still has what was copied' : 'differs, too'}.`
          end(work, tally, seen, 'failed', { sha256: source, fault: { code: 'COPY_DIFFERS', message, path: seen.pin.uri } })
        } else if (copy !== origin.sha256) {
          work.on({ kind: 'notice', text: `${pathIn(work, seen.path)} has SHA-256 ${copy ?? 'none'} instead of ${origin.sha256}: it is copied again.` })
          todo.push({ ...seen, state: 'repaired' })
        } else end(work, tally, seen, 'verified', { sha256: source, bytes: seen.pin.size })
      }
    }
  }
  await Promise.all(Array.from({ length: work.width }, lane))
  if (chunks.length > 0) tally.interrupted = true
}
