/** Variables: those of the process, and those of an `.env` file, which never override them. */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { SluiceError } from '../core/errors.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/** An `.env` file that was read. */
export interface EnvFile {
  path: string
  /** Variables that it set: those that the process did not have. By name, the line. */
  lines: ReadonlyMap<string, number>
}

/**
 * Sets the variables of the file that is named, or of `.env` in the folder, in `env`. What is set already stays.
 * @returns null when there is no file and none was named
 * @throws SluiceError PATH_NOT_FOUND
 */
export function loadEnvFile(named: string | undefined, folder: string, env: NodeJS.ProcessEnv): EnvFile | null {
  const path = resolve(folder, named ?? '.env')
  if (!existsSync(path)) {
    if (named === undefined) return null
    throw new SluiceError('PATH_NOT_FOUND', `There is no file ${path}.`, { where: { path }, hint: 'Check --env-file, or leave it out to use the .env of the working folder.' })
  }
  const text = readFileSync(path, 'utf8')
  const lines = new Map<string, number>()
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (env[name] !== undefined) continue
    env[name] = value
    // As parseEnv reads it: the last line of a name counts.
    const at = text.split('\n').findLastIndex((line) => new RegExp(`^\\s*(export\\s+)?${name.replace(/[^A-Za-z0-9_]/g, '\\$&')}\\s*=`).test(line))
    lines.set(name, at + 1)
  }
  return { path, lines }
}
