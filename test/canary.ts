/**
 * The canary: a secret that every command of every test gets in its environment, and that must be in nothing it writes:
 * not on stdout or stderr, not in a data folder, a log, a ledger. Each test looks at its own output and files;
 * `scripts/test.ts` sums up how much was looked at.
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

export const CANARY = process.env['SLUICE_TEST_CANARY'] ?? `canary${randomBytes(8).toString('hex')}`

const looked = { outputs: 0, files: 0, bytes: 0, hits: 0 }
const folder = process.env['SLUICE_TEST_CANARY_FOLDER']
if (folder !== undefined) process.on('exit', () => appendFileSync(join(folder, `${process.pid}.ndjson`), `${JSON.stringify(looked)}\n`))

/** A password by its name, and one in an address. */
export function canaryVariables(): Record<string, string> {
  return { WAREHOUSE_PASSWORD: CANARY, WAREHOUSE_URL: `postgres://sluice:${CANARY}@db.example/warehouse` }
}

/** @returns what stands around the canary, or null */
export function lookAtOutput(text: string): string | null {
  looked.outputs++
  looked.bytes += text.length
  const at = text.indexOf(CANARY)
  if (at < 0) return null
  looked.hits++
  return `…${text.slice(Math.max(0, at - 80), at)}<canary>…`
}

// What a user writes himself may hold his secret.
const OWN = /^(\.env.*|sluice\.config\..*)$/
const LARGEST = 64_000_000

/** @returns paths of files below the folder that hold the canary in their bytes or their name */
export function lookAtFiles(root: string): string[] {
  const leaks: string[] = []
  // The test may have removed its folder itself.
  for (const entry of existsSync(root) ? readdirSync(root, { withFileTypes: true, recursive: true }) : []) {
    const path = join(entry.parentPath, entry.name)
    if (entry.name.includes(CANARY)) leaks.push(path)
    if (!entry.isFile() || OWN.test(entry.name)) continue
    try {
      if (lstatSync(path).size > LARGEST) continue
      const bytes = readFileSync(path)
      looked.files++
      looked.bytes += bytes.length
      if (bytes.includes(CANARY)) leaks.push(path)
    } catch {
      // Gone meanwhile, or closed to this user: a test of permissions.
    }
  }
  looked.hits += leaks.length
  return leaks
}
