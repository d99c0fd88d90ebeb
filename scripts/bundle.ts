/**
 * The command and the library as bundles, which is what a package holds, and what tests start.
 *
 *   main.js   the command            child.js        an engine process
 *   index.js  the library            *-thread.js, *-child.js  others
 * The libraries are in it: opening the 180 files of DuckDB's wrapper takes longer than opening DuckDB
 * (docs/decisions/cold-start.md). What package.json names as a dependency stays outside: DuckDB's binary, and clients of servers.
 */
import { buildSync } from 'esbuild'
import type { BuildOptions, Metafile } from 'esbuild'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

export const { version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; dependencies: Readonly<Record<string, string>> }
const BINDINGS = '@duckdb/node-bindings'

/** What a test run has built stays for the next one of the same sources, and goes a day after the last. */
const BUILT = join(root, 'node_modules/.cache/sluice')
const BUILT_MS = 24 * 60 * 60_000

/** Names stay as they are written, so that a stack trace says something. */
const HOW = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external: Object.keys(dependencies).filter((name) => name !== BINDINGS),
  alias: { [BINDINGS]: join(root, 'scripts/binding.cjs') },
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  // Some of the libraries are CommonJS and require modules of Node.
  banner: { js: "import { createRequire as sluiceCreateRequire } from 'node:module'\nconst require = sluiceCreateRequire(import.meta.url)" },
} satisfies BuildOptions

function bundle(what: BuildOptions): Metafile {
  return buildSync({ ...HOW, ...what }).metafile as Metafile
}

/** @param programs more entries beside the command, which share its parts · @returns what went into the bundles of `dist` */
export function bundleInto(dist: string, programs: Readonly<Record<string, string>> = {}): Metafile[] {
  // The command and the library share their parts, so that a configuration that imports 'sluice' gets the classes of the command.
  // What is imported when it is needed stays apart; all of it lies in one folder, as files that name one another lie in src/.
  const whole = bundle({ entryPoints: { main: 'src/cli/main.ts', index: 'src/index.ts', ...programs }, splitting: true, chunkNames: 'part-[hash]', outdir: dist })
  const child = bundle({ entryPoints: ['src/engines/duckdb/child.ts'], splitting: true, chunkNames: 'child-[hash]', outdir: dist })
  // Processes and threads without DuckDB: one file each. Those that the sources start must all be there.
  const others = bundle({ entryPoints: globSync(['src/**/*-child.ts', 'src/**/*-thread.ts'], { cwd: root }).toSorted(), entryNames: '[name]', outdir: dist })
  for (const path of globSync('src/**/*.ts', { cwd: root })) {
    for (const [, name = ''] of readFileSync(join(root, path), 'utf8').matchAll(/new URL\(`\.\/([a-z-]+)\$\{extname/g)) {
      if (!existsSync(join(dist, `${name}.js`))) throw new Error(`${path} starts ${name}, which is not in dist/`)
    }
  }
  return [whole, child, others]
}

/**
 * The command as a package has it, for tests and proofs: it starts with a third less work than the sources. Its libraries
 * are found in the node_modules around it.
 * @returns a folder with bin/, dist/ and package.json, made of the sources of this moment
 */
export function builtForTests(): string {
  mkdirSync(BUILT, { recursive: true })
  const making = mkdtempSync(join(BUILT, 'making-'))
  bundleInto(join(making, 'dist'), { 'small-batches': 'test/proof/small-batches.ts', 'command-server': 'test/command-server.ts' })
  for (const part of ['bin', 'package.json']) cpSync(join(root, part), join(making, part), { recursive: true })
  const hash = createHash('sha256')
  for (const path of globSync(['bin/*', 'dist/*', 'package.json'], { cwd: making }).toSorted()) hash.update(path).update(readFileSync(join(making, path)))
  const folder = join(BUILT, hash.digest('hex').slice(0, 16))
  // The folder of the same bytes may be in use, or have been made a moment ago: it stays.
  try {
    renameSync(making, folder)
  } catch (thrown) {
    rmSync(making, { recursive: true })
    if (!existsSync(folder)) throw thrown
  }
  writeFileSync(join(folder, '.used'), '')
  for (const name of readdirSync(BUILT)) {
    const used = [join(BUILT, name, '.used'), join(BUILT, name)].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs).find((time) => time !== undefined)
    if (used !== undefined && Date.now() - used > BUILT_MS) rmSync(join(BUILT, name), { recursive: true, force: true })
  }
  return folder
}
