/** The documentation cannot drift: generated pages are what would be generated now, and what is named exists. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { cliPage, configPage, errorsPage, schemaPage } from '../scripts/docs.ts'
import { CODES } from '../src/core/codes.ts'

const root = join(import.meta.dirname, '..')
const page = (path: string): string => readFileSync(join(root, path), 'utf8')

test('errors.md and the table of codes say the same, both ways', () => {
  const text = page('docs/reference/errors.md')
  const headings = [...text.matchAll(/^## (\S+)$/gm)].map((match) => match[1])
  assert.deepEqual(headings, Object.keys(CODES))
  assert.equal(text, errorsPage(), 'run node scripts/docs.ts')
})

test('every code has a sentence and a next step', () => {
  for (const [code, entry] of Object.entries(CODES)) {
    assert.match(entry.means, /^[A-Z-].*\.$/, code)
    assert.match(entry.hint, /\.$/, code)
  }
})

test('cli.md is the help of the commands', () => {
  assert.equal(page('docs/reference/cli.md'), cliPage(), 'run node scripts/docs.ts')
})

test('sluice.config.schema.json is the schema of a configuration', () => {
  assert.equal(page('docs/reference/sluice.config.schema.json'), schemaPage(), 'run node scripts/docs.ts')
})

test('config.md has every setting with its flag and its variable', () => {
  assert.equal(page('docs/reference/config.md'), configPage(page('docs/reference/config.md')), 'run node scripts/docs.ts')
})

// Items of the acceptance list that this version claims.
const CLAIMED = 'A1 A2 A3 A5 A6 A7 A8 A9 A10 A11 A12 A15 A17 A18 A19 A20 A22 A23 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B12 B13 B14 B15 B16 B18 B19 B20 B21 B22 B24 B25 B26 B27 B28 B33 C5 C25 D7 D8 D24 D25 D26 D28 D31 D37 E9 E14 E15 E16 F1 F2 F7 F8 F10'.split(' ')

test('coverage.md has every claimed item once, and every file it names exists', () => {
  const rows = [...page('docs/coverage.md').matchAll(/^\| ([A-F]\d+)\b[^|]*\|[^|]+\|([^|]+)\|$/gm)]
  const items = rows.map((row) => row[1] ?? '')
  assert.deepEqual(items, [...new Set(items)].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })), 'each once, in order')
  assert.deepEqual(CLAIMED.filter((item) => !items.includes(item)), [])
  for (const [, item, shown = ''] of rows) {
    const files = [...shown.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
    assert.ok(files.length > 0, `${item} names no file`)
    for (const file of files) assert.ok(existsSync(join(root, file)), `${item}: ${file} does not exist`)
  }
})

test('links between pages lead somewhere', () => {
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
  assert.ok(pages.length >= 9)
  let links = 0
  for (const path of pages) {
    for (const [, target = ''] of page(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      assert.ok(existsSync(join(root, dirname(path), target)), `${path}: ${target}`)
    }
  }
  assert.ok(links >= 8)
})

test('the first screen of the README has the sentence, the balance line and the two commands', () => {
  const screen = page('README.md').split('\n').slice(0, 20).join('\n')
  for (const part of ['every record is accounted for', '12,480 read = 11,902 inserted + 310 updated + 251 duplicate + 17 quarantined   ✓ balances', 'npm ci && npx sluice demo', 'npm ci && npm test']) assert.ok(screen.includes(part), part)
})

test('the table of rooms in ARCHITECTURE.md names every room of src/', () => {
  const rooms = new Set(globSync('src/*', { cwd: root }).map((path) => path.slice('src/'.length)))
  const named = new Set([...page('ARCHITECTURE.md').matchAll(/^\| `([^`]+)` \|/gm)].map((match) => (match[1] ?? '').replace(/\/$/, '')))
  assert.deepEqual(named, rooms)
  assert.ok(page('ARCHITECTURE.md').split('\n').length < 60, 'ARCHITECTURE.md is longer than a screen')
})
