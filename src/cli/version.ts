/** The version of this Sluice. */
import { readFileSync } from 'node:fs'

/** The version in package.json. */
export function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL(import.meta.url.endsWith('.ts') ? '../../package.json' : '../package.json', import.meta.url), 'utf8'))
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown'
}
