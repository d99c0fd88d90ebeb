/**
 * What `npm test` plays thinned (test/whole.ts), with all of its cases: contracts of targets and models, deaths at every step,
 * days in any order; and the tests that only run here, `*.whole.ts`, such as the sample runs of the examples.
 */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const THINNED = /\/whole\.ts'|test\/contract\/(target|models|models-deaths)\.ts'/

const files = globSync(['src/**/*.{test,live,whole}.ts', 'test/**/*.{test,live,whole}.ts'], { cwd: root })
  .filter((path) => path.endsWith('.whole.ts') || THINNED.test(readFileSync(join(root, path), 'utf8')))
  .toSorted()
if (files.length < 10) throw new Error(`only ${files.length} files are thinned: ${files.join(', ')}`)
const { stdout, status } = spawnSync(process.execPath, [join(root, 'scripts/test.ts'), ...files], { env: { ...process.env, SLUICE_TEST_WHOLE: '1' }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1e9 })
const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout)
if (counts === null || status !== 0) process.stdout.write(stdout)
console.log(`whole: ${files.length} files, ${counts?.[1] ?? 0} passed, ${counts?.[2] ?? 1} failed`)
process.exitCode = counts?.[2] === '0' ? 0 : 1
