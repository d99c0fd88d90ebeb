/**
 * `npm run proof [name…]`: sweeps, cuts, properties and memory tests with their full counts. Each proof is a program
 * under test/proof that ends with `<name>: … N passed, N failed`; here they are run one after another and summed up.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtForTests } from './bundle.ts'

// Proofs start thousands of processes; half of a start is compiling the same sources.
const compiled = process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'sluice-compiled')
const folder = fileURLToPath(new URL('../test/proof/', import.meta.url))
// With SLUICE_TEST_WHOLE `npm test` has played everything already that the proof `whole` plays.
const played = process.env['SLUICE_TEST_WHOLE'] === undefined ? [] : ['whole']
const all = readdirSync(folder).filter((name) => name.endsWith('.proof.ts')).map((name) => name.slice(0, -'.proof.ts'.length)).toSorted()
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !all.includes(name))
if (unknown.length > 0 || all.length === 0) {
  console.error(`There is no proof ${unknown.join(', ')}. There are: ${all.join(', ')}.`)
  process.exit(2)
}

const built = builtForTests()
let passed = 0
let failed = 0
for (const name of wanted.length > 0 ? wanted : all.filter((other) => !played.includes(other))) {
  const began = performance.now()
  const { code, text } = await run(name)
  const counts = /: .*?(\d+) passed, (\d+) failed\s*$/m.exec(text.trimEnd().split('\n').at(-1) ?? '')
  passed += Number(counts?.[1] ?? 0)
  failed += counts === null ? 1 : Number(counts[2])
  if (counts === null) console.log(`${name} ended with code ${code} and without its counts`)
  else if (code !== 0 && counts[2] === '0') failed++
  console.log(`  (${name} took ${((performance.now() - began) / 1000).toFixed(0)} s)`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function run(name: string): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${folder}${name}.proof.ts`], { env: { ...process.env, NODE_COMPILE_CACHE: compiled, SLUICE_TEST_BUILT: built }, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part
      process.stdout.write(part)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}
