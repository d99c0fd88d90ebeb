/** Which inputs must be converted, and what became of the outputs of former runs. */
import type { Pin } from '../core/arrival.ts'
import { asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { Made, Origin } from '../core/origins.ts'
import type { Todo } from './convert.ts'
import { inspect, pathIn, refuseForeign, removeFile } from './place.ts'
import type { Identify, Place } from './place.ts'
import { freeWay } from './way.ts'

/** An input with the names of its output and its rejects, below the folder. */
export interface Wanted {
  pin: Pin
  output: string
  rejects: string
}

/** What the look at lost inputs needs. */
export interface Missing extends Place {
  identify: Identify
  on: (text: string) => void
}

export interface Looking extends Missing {
  options: string
  young(pin: Pin): boolean
  /** Files in the way that are not ours may be replaced. */
  overwrite: boolean
}

export interface Looked {
  todo: Todo[]
  known: Wanted[]
  failed: { wanted: Wanted; fault: Fault }[]
}

export async function look(work: Looking, wanted: readonly Wanted[], origins: ReadonlyMap<string, Origin>): Promise<Looked> {
  const looked: Looked = { todo: [], known: [], failed: [] }
  const fresh: Origin[] = []
  let again = 0
  const folders = new Set<string>()
  /** Nothing stands in the way of the output, or that is its fault. */
  const free = async (item: Wanted, former: Origin | null): Promise<boolean> => {
    try {
      for (const path of [item.output, item.rejects]) {
        await freeWay(work, path, folders, false)
        if (former === null && !work.overwrite) await refuseForeign(work, path)
      }
      return true
    } catch (thrown) {
      const error = asSluiceError(thrown)
      looked.failed.push({ wanted: item, fault: { ...error.where, code: error.code, message: error.message } })
      return false
    }
  }
  for (const item of wanted) {
    const former = origins.get(item.output) ?? null
    if (former === null) {
      if (await free(item, former)) looked.todo.push({ ...item, state: 'converted', former })
      continue
    }
    const lying = await lies(work, former)
    const same = former.source === item.pin.uri && (await isSame(work, former, item.pin))
    if (lying === null) work.on(`${pathIn(work, former.output)}${former.beside === null ? '' : ' or its rejects'} was changed or removed by somebody: it is made again.`)
    if (same && former.options === work.options && lying !== null) {
      looked.known.push(item)
      const now = { ...former, ...lying, stamp: item.pin.stamp, young: work.young(item.pin) }
      if (JSON.stringify(now) !== JSON.stringify(former)) fresh.push(now)
    } else if (await free(item, former)) {
      if (same && former.options !== work.options) again++
      looked.todo.push({ ...item, state: same && former.options === work.options ? 'repaired' : 'replaced', former })
    }
  }
  work.origins.refresh(fresh)
  if (again > 0) work.on(`${again} file${again === 1 ? ' is' : 's are'} converted again because the flags are not those of before.`)
  return looked
}

/** What the folder holds of an origin, with stamps as they are now; null when any of it was changed or removed. */
async function lies(work: Looking, { made, beside }: Origin): Promise<{ made: Made | null; beside: Made | null } | null> {
  const found: (Made | null)[] = []
  for (const file of [made, beside]) {
    const state = file === null ? null : await inspect(work, file, work.identify)
    if (state === 'changed' || state === 'gone') return null
    found.push(state)
  }
  return { made: found[0] ?? null, beside: found[1] ?? null }
}

async function isSame(work: Looking, former: Origin, pin: Pin): Promise<boolean> {
  if (former.stamp === pin.stamp && !former.young) return true
  return former.size === pin.size && (await work.identify(pin.uri))?.sha256 === former.sha256
}

/**
 * Outputs whose input is gone. With `remove` they go, too, unless somebody changed them.
 * @param within tells whether a source is among what this command looks at
 */
export async function findGone(work: Missing, wanted: readonly Pick<Wanted, 'output'>[], within: (path: string, origin: Origin) => boolean, remove: boolean): Promise<{ origin: Origin; removed: boolean }[]> {
  const present = new Set(wanted.map(({ output }) => output))
  const gone: { origin: Origin; removed: boolean }[] = []
  for (const origin of work.origins.all().values()) {
    if (present.has(origin.output) || !within(origin.source, origin)) continue
    const source = await work.fs.stat(origin.source, false)
    // Where there is a folder now the file is gone.
    if (source !== null && source.kind !== 'folder') continue
    const changed = remove && (await anyChanged(work, origin))
    if (changed) work.on(`${pathIn(work, origin.output)} was changed by somebody: it stays although its input is gone.`)
    gone.push({ origin, removed: remove && !changed })
  }
  const folders = new Set<string>()
  for (const { origin, removed } of gone) {
    for (const file of removed ? [origin.made, origin.beside] : []) {
      if (file === null) continue
      await removeFile(work, file.path)
      folders.add(file.path.slice(0, Math.max(0, file.path.lastIndexOf('/'))))
    }
  }
  for (const folder of folders) if ((await work.fs.stat(pathIn(work, folder))) !== null) await work.fs.sync('origins.sync', pathIn(work, folder))
  work.origins.forget(gone.filter(({ removed }) => removed).map(({ origin }) => origin.output))
  return gone
}

async function anyChanged(work: Missing, { made, beside }: Origin): Promise<boolean> {
  for (const file of [made, beside]) {
    if (file === null) continue
    if ((await inspect(work, file, work.identify)) === 'changed') return true
  }
  return false
}
