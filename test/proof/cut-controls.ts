/**
 * Copies of the sources that forget what a power cut asks for: the proof must catch them. That each edit still meets its line
 * is asked by the tests as well, so a change of the sources is told at once.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Workload } from './power-cut.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Control {
  work: Workload
  /** Of the sources. */
  file: string
  /** Replaced in `file`; each must meet exactly one place. */
  edits: readonly (readonly [RegExp, string])[]
}

export const CONTROLS: readonly Control[] = [
  // The sync of a data file with rows; the one of files of text stays.
  { work: { target: 'delta', mode: 'upsert' }, file: 'src/engines/duckdb/database.ts', edits: [[/await localFs\.sync\(`\$\{point\}\.sync`, uri\)\s+return written\b/g, 'return written']] },
  { work: { target: 'sqlite', mode: 'upsert' }, file: 'src/sql/sqlite.ts', edits: [[/PRAGMA synchronous = EXTRA/g, 'PRAGMA synchronous = OFF'], [/level !== 3/g, 'level !== 0']] },
]

/** @returns the text of the file without what the control takes out · @throws Error when an edit meets no place, or several */
export function edited({ file, edits }: Control): string {
  return edits.reduce((text, [from, to]) => {
    const met = text.match(from)?.length ?? 0
    if (met !== 1) throw new Error(`${from} meets ${met} places in ${file} instead of one`)
    return text.replace(from, to)
  }, readFileSync(join(ROOT, file), 'utf8'))
}

/** Makes the copy in `tree`. @returns the worker's path in it */
export function copyEdited(control: Control, tree: string): string {
  mkdirSync(tree)
  cpSync(join(ROOT, 'src'), join(tree, 'src'), { recursive: true })
  const worker = join(tree, 'test/proof/cut-worker.ts')
  cpSync(join(ROOT, 'test/proof/cut-worker.ts'), worker)
  cpSync(join(ROOT, 'package.json'), join(tree, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
  writeFileSync(join(tree, control.file), edited(control))
  return worker
}
