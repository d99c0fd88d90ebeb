/** Which inputs a conversion has, and what their outputs are called. */
import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import type { OutputFormat } from '../core/convert.ts'
import { SluiceError } from '../core/errors.ts'
import type { Wanted } from '../pipeline/known.ts'
import { openFilesSource } from '../connectors/files/source.ts'

const KNOWN = /\.(json|ndjson|jsonl|csv|tsv|parquet)$/i
const PACKED = /\.(gz|zst)$/i

export interface Inputs {
  wanted: Wanted[]
  ignored: number
  /** True for a path that the arguments lead to, also if nothing is there now. */
  within(path: string): boolean
}

/**
 * @param folder absolute path of the output folder, never entered
 * @throws SluiceError PATH_NOT_FOUND, PERMISSION_DENIED, USAGE when two inputs meet in one output
 */
export async function findInputs(paths: readonly string[], to: OutputFormat, folder: string, dataDir: string, signal: AbortSignal): Promise<Inputs> {
  const outputs = new Map<string, Wanted>()
  const taken = new Set<string>()
  const roots: { path: string; deep: boolean }[] = []
  let ignored = 0
  for (const path of paths) {
    const root = rootOf(path)
    if (root.deep && samePlace(root.path, folder)) throw new SluiceError('USAGE', `${path} is the output folder itself.`, { hint: 'Name another folder with -o.' })
    roots.push(root)
    const source = openFilesSource({ paths: [path], dataDir: folder, tableDirs: [dataDir] })
    const found = await source.discover(signal)
    ignored += found.ignored
    for (const pin of found.pins.toSorted(source.compare)) {
      if (taken.has(pin.uri)) continue
      taken.add(pin.uri)
      const output = outputName(relative(root.deep ? root.path : dirname(root.path), pin.uri), to)
      const other = outputs.get(output)
      if (other !== undefined) throw new SluiceError('USAGE', `${other.pin.uri} and ${pin.uri} would both become ${output}; nothing was written.`, { hint: 'Convert them into two folders, or rename one.' })
      outputs.set(output, { pin, output, rejects: `_rejects/${output}.ndjson` })
    }
  }
  for (const { output } of outputs.values()) {
    const path = `${folder}/${output}`
    if (taken.has(path)) throw new SluiceError('USAGE', `${path} is an input and would be an output; nothing was written.`, { hint: 'Name another folder with -o.' })
  }
  return { wanted: [...outputs.values()], ignored, within: (path) => roots.some((root) => path === root.path || (root.deep && path.startsWith(`${root.path}${sep}`))) }
}

/**
 * -o names a folder, also for one input.
 * @throws SluiceError USAGE when a file lies there or above, or when there is nothing and the name is that of a file
 */
export function checkOutputFolder(folder: string): void {
  const hint = 'Name a folder with -o: each input keeps its name there, with the extension of the format.'
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const lies = whatLies(at)
    if (lies === 'file') throw new SluiceError('USAGE', `${at} is a file, and the outputs want a folder.`, { where: { path: at }, hint })
    if (lies !== 'nothing') break
  }
  if (KNOWN.test(folder.replace(PACKED, '')) && whatLies(folder) === 'nothing') {
    throw new SluiceError('USAGE', `${folder} has the name of a file, and would become a folder of the outputs.`, { where: { path: folder }, hint })
  }
}

function whatLies(path: string): 'folder' | 'file' | 'nothing' | 'unseen' {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat === undefined ? 'nothing' : stat.isDirectory() ? 'folder' : 'file'
  } catch {
    // No right to look: whoever makes the folder says so.
    return 'unseen'
  }
}

/** What names are relative to: a folder, the fixed beginning of a pattern, or the one file. */
function rootOf(written: string): { path: string; deep: boolean } {
  const path = resolve(written)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat !== undefined) return { path, deep: stat.isDirectory() }
  const parts = written.split('/')
  const wild = parts.findIndex((part) => /[*?[\]{}]/.test(part))
  return { path: resolve(wild < 0 ? dirname(written) : parts.slice(0, wild).join('/') || (written.startsWith('/') ? '/' : '.')), deep: true }
}

function samePlace(path: string, folder: string): boolean {
  const real = (name: string): string => {
    try {
      return realpathSync(name)
    } catch {
      return name
    }
  }
  return real(path) === real(folder)
}

/** The same name with the new extension; what follows a name that has none is added. */
export function outputName(name: string, to: OutputFormat): string {
  const path = name.split(sep).join('/')
  const unpacked = path.replace(PACKED, '')
  const stem = KNOWN.test(unpacked) ? unpacked.replace(KNOWN, '') : /[^/]\.[^./]+$/.test(basename(unpacked)) ? unpacked.replace(/\.[^./]+$/, '') : unpacked
  return `${stem}.${to}`
}
