/** The house rules, held by reading every source file: who imports whom, sizes, cycles, names, side effects, origins. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import test from 'node:test'

const root = join(import.meta.dirname, '..')

/** Rooms, and the rooms that each may import beside itself. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  core: [],
  // The Parquet writer appends to its file through storage.
  formats: ['core', 'storage'],
  storage: ['core'],
  sql: ['core'],
  // Winner rules are written as SQL, and there is one way to quote.
  resolve: ['core', 'sql'],
  // Header, graph and SQL of models; databases and Delta carry it out.
  models: ['core', 'sql', 'storage'],
  pipeline: ['core'],
  ledger: ['core', 'sql', 'storage'],
  // What databases share, as sources and as targets.
  database: ['core', 'resolve', 'sql', 'storage', 'models'],
  connectors: ['core', 'storage', 'formats', 'resolve', 'sql', 'database', 'models'],
  engines: ['core', 'storage', 'formats', 'resolve', 'sql'],
  registry: ['core', 'connectors', 'engines', 'ledger'],
  config: ['core', 'storage', 'models'],
  logging: ['core', 'storage'],
  // A source is locked while its windows are sealed.
  service: ['core', 'pipeline', 'registry', 'storage', 'ledger', 'connectors', 'config', 'models', 'sql'],
  index: ['core', 'service', 'config'],
  cli: ['core', 'config', 'logging', 'formats', 'storage', 'sql', 'resolve', 'pipeline', 'ledger', 'connectors', 'engines', 'registry', 'service'],
}

interface SourceFile {
  path: string
  text: string
  lines: number
  /** Specifiers of static and dynamic imports. */
  imports: string[]
  /** Imported files of src/, relative to the root; types are marked. */
  inner: { path: string; type: boolean }[]
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '')
  const found = [...code.matchAll(/(?:^|\n)\s*(import|export)(\s+type)?\b[^'"\n;]*?(?:\{[^}]*\}[^'"\n;]*?)?from\s+'([^']+)'/g)].map((m) => ({ specifier: m[3] ?? '', type: m[2] !== undefined }))
  const dynamic = [...code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g), ...code.matchAll(/(?:^|\n)import\s+'([^']+)'/g)].map((m) => ({ specifier: m[1] ?? '', type: false }))
  const all = [...found, ...dynamic]
  const inner = all.filter(({ specifier }) => specifier.startsWith('.')).map(({ specifier, type }) => ({ path: normalize(join(dirname(path), specifier)), type }))
  return { path, text, lines: text.split('\n').length - 1, imports: all.map(({ specifier }) => specifier), inner }
}

const sources = globSync('src/**/*.ts', { cwd: root }).toSorted().map(read)
const production = sources.filter(({ path }) => !/\.(test|live|whole)\.ts$/.test(path))
const others = globSync(['test/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts', 'bin/*.js'], { cwd: root }).toSorted().map(read)

function roomOf(path: string): string {
  const [, room = ''] = path.split('/')
  return room.replace(/\.ts$/, '')
}

test('there are files to look at, and their imports are seen', (t) => {
  assert.ok(production.length >= 60, `only ${production.length} source files were seen`)
  const imports = production.reduce((sum, file) => sum + file.inner.length, 0)
  assert.ok(imports >= 3 * production.length, `only ${imports} imports were seen in ${production.length} files`)
  for (const room of Object.keys(TABLE)) assert.ok(production.some(({ path }) => roomOf(path) === room), `the room ${room} is empty`)
  t.diagnostic(`${production.length} source files, ${sources.length - production.length + others.length} others, ${imports} imports`)
})

test('rooms import only what the table allows', () => {
  const wrong = production.flatMap(({ path, inner }) =>
    inner
      .filter((target) => {
        const [from, to] = [roomOf(path), roomOf(target.path)]
        if (!target.path.startsWith('src/')) return true
        return from !== to && !(TABLE[from] ?? []).includes(to)
      })
      .map((target) => `${path} imports ${target.path}`),
  )
  assert.deepEqual(wrong, [])
})

test('connectors do not know one another, and nobody but the registry knows an engine', () => {
  const technology = (path: string): string => path.split('/')[2] ?? ''
  const wrong = production.flatMap(({ path, inner }) =>
    inner
      .filter((target) => {
        if (roomOf(path) === 'connectors' && roomOf(target.path) === 'connectors') return technology(path) !== technology(target.path)
        return roomOf(target.path) === 'engines' && !['engines', 'registry'].includes(roomOf(path))
      })
      .map((target) => `${path} imports ${target.path}`),
  )
  assert.deepEqual(wrong, [])
})

test('imports make no cycles', () => {
  const graph = new Map(production.map(({ path, inner }) => [path, inner.filter(({ type }) => !type).map((target) => target.path)]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  assert.deepEqual(cycles, [])
})

test('no file is above 450 lines', (t) => {
  const everything = [...sources, ...others]
  assert.deepEqual(everything.filter(({ lines }) => lines > 450).map(({ path, lines }) => `${path}: ${lines}`), [])
  const sorted = production.map(({ lines }) => lines).toSorted((a, b) => a - b)
  t.diagnostic(`median ${sorted[sorted.length >> 1] ?? 0} lines, largest ${sorted.at(-1) ?? 0}, in all ${sorted.reduce((sum, n) => sum + n, 0)}`)
})

test('every source file says first what it is for', () => {
  assert.deepEqual(sources.filter(({ text }) => !text.startsWith('/**')).map(({ path }) => path), [])
})

test('no file or folder is a drawer for everything', () => {
  const forbidden = /(^|[/.-])(utils?|common|helpers?|managers?|misc|shared)([/.-]|$)/i
  assert.deepEqual([...sources, ...others].map(({ path }) => path).filter((path) => forbidden.test(path)), [])
})

test('there is no barrel but the public index', () => {
  assert.deepEqual(production.filter(({ path, text }) => path !== 'src/index.ts' && /^export \* from/m.test(text)).map(({ path }) => path), [])
})

// Names in node:fs and node:fs/promises that change the disk.
const CHANGES = /^(append\w*|chmod\w*|chown\w*|copy\w*|cp(Sync)?|createWriteStream|fchmod\w*|fdatasync\w*|fsync\w*|ftruncate\w*|futimes\w*|link(Sync)?|lutimes\w*|mkdir\w*|rename\w*|rm(Sync|dir|dirSync)?|symlink\w*|truncate\w*|unlink\w*|utimes\w*|write\w*)$/

/** Imports that can change files: named ones of the list, or the whole module. */
function changing(file: SourceFile): string[] {
  const found: string[] = []
  for (const match of file.text.matchAll(/import\s+(type\s+)?([^'";]+?)\s+from\s+'(?:node:)?fs(?:\/promises)?'/g)) {
    if (match[1] !== undefined) continue
    const clause = match[2] ?? ''
    const names = /\{([^}]*)\}/.exec(clause)?.[1]
    if (names === undefined) found.push(clause)
    else found.push(...names.split(',').map((name) => name.trim().split(/\s+as\s+/)[0] ?? '').filter((name) => CHANGES.test(name)))
  }
  return found
}

// A lock file must go while its lock is held, by the session that holds it; its removal has failpoints of its own.
const LOCKS = 'src/sql/lock.ts'

test('only storage changes files', () => {
  assert.ok(production.some((file) => roomOf(file.path) === 'storage' && changing(file).length > 0), 'the check does not see what storage imports')
  assert.deepEqual(production.filter(({ path }) => roomOf(path) !== 'storage' && path !== LOCKS).filter((file) => changing(file).length > 0).map((file) => `${file.path}: ${changing(file).join(', ')}`), [])
})

test('only the engine loads DuckDB, only SQLite sessions load node:sqlite', () => {
  const users = (specifier: string): string[] => production.filter(({ imports }) => imports.includes(specifier)).map(({ path }) => path)
  const duckdb = users('@duckdb/node-api')
  assert.ok(duckdb.length > 0)
  assert.deepEqual(duckdb.filter((path) => !path.startsWith('src/engines/duckdb/')), [])
  const sqlite = users('node:sqlite')
  assert.ok(sqlite.length > 0)
  assert.deepEqual(sqlite.filter((path) => !path.startsWith('src/sql/')), [])
  // Loaded when the first session is opened: a command that needs no server does not pay for its library.
  const postgres = users('pg')
  assert.ok(postgres.length > 0)
  assert.deepEqual(postgres.filter((path) => !path.startsWith('src/connectors/postgres/')), [])
})

test('only storage/system.ts reads the clock and makes up ids', () => {
  const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '')
  const impure = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\bperformance\.now\b|\bhrtime\b/
  assert.match(code(production.find(({ path }) => path === 'src/storage/system.ts')?.text ?? ''), impure)
  assert.deepEqual(production.filter(({ path, text }) => path !== 'src/storage/system.ts' && impure.test(code(text))).map(({ path }) => path), [])
})

test('nothing committed names the machine it was written on', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter((path) => path !== '' && path !== relative(root, import.meta.filename))
  assert.ok(tracked.length > 50)
  const origin = /\/(?:work\/(?:main|shared)|home\/[a-z]|root\/|Users\/)/
  const wrong: string[] = []
  for (const path of tracked) {
    const stat = statSync(join(root, path), { throwIfNoEntry: false })
    if (stat === undefined || !stat.isFile() || stat.size > 2_000_000) continue
    const text = readFileSync(join(root, path), 'utf8')
    if (origin.test(text)) wrong.push(path)
    // The lock file names packages and their digests, and no registry.
    if (path.endsWith('package-lock.json')) for (const [, host] of text.matchAll(/"resolved": "https?:\/\/([^/"]+)/g)) wrong.push(`${path}: ${host}`)
    if (path.endsWith('.npmrc') && /registry\s*=/.test(text)) wrong.push(path)
  }
  assert.deepEqual(wrong, [])
})

// npx makes the command executable only the first time it sees a folder; a second clone into the same folder would fail.
test('the command is executable in the repository', () => {
  assert.match(execFileSync('git', ['ls-files', '-s', 'bin/sluice.js'], { cwd: root, encoding: 'utf8' }), /^100755 /)
})
