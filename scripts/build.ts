/**
 * Builds `dist/` for the published package, and checks that the command runs on it.
 *
 *   main.js   the command            child.js        an engine process           types/   declarations
 *   index.js  the library            *-thread.js, *-child.js  others             LICENSES.txt
 * The libraries are in it: opening the 180 files of DuckDB's wrapper takes longer than opening DuckDB
 * (docs/decisions/cold-start.md). What package.json names as a dependency stays outside: DuckDB's binary, and clients of servers.
 */
import { buildSync } from 'esbuild'
import type { BuildOptions, Metafile } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

function run(command: string, args: readonly string[], options: { cwd?: string } = {}): string {
  const done = spawnSync(command, args, { cwd: options.cwd ?? root, encoding: 'utf8' })
  if (done.status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} ended with ${done.status ?? done.signal ?? 'no status'}\n${done.stdout}${done.stderr}`)
    process.exit(1)
  }
  return done.stdout.trim()
}

const { version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; dependencies: Readonly<Record<string, string>> }
const BINDINGS = '@duckdb/node-bindings'

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

/** The packages whose code is in the bundles, each with its licence. */
function licencesOf(metafiles: readonly Metafile[]): string {
  const packages = new Set(metafiles.flatMap(({ inputs }) => Object.keys(inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [])))
  return [...packages]
    .toSorted()
    .map((name) => {
      const folder = join(root, 'node_modules', name)
      const { version: which, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string; license?: string }
      const file = readdirSync(folder).find((one) => /^licen[cs]e(\.(md|txt))?$/i.test(one))
      if (file === undefined) throw new Error(`${name} has no licence that could be handed on`)
      return `${name} ${which} (${license ?? 'see below'})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    })
    .join(`\n${'-'.repeat(100)}\n\n`)
}

rmSync(dist, { recursive: true, force: true })
run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'])
// The command and the library share their parts, so that a configuration that imports 'sluice' gets the classes of the command.
// What is imported when it is needed stays apart; all of it lies in one folder, as files that name one another lie in src/.
const whole = bundle({ entryPoints: { main: 'src/cli/main.ts', index: 'src/index.ts' }, splitting: true, chunkNames: 'part-[hash]', outdir: dist })
const child = bundle({ entryPoints: ['src/engines/duckdb/child.ts'], splitting: true, chunkNames: 'child-[hash]', outdir: dist })
// Processes and threads without DuckDB: one file each. Those that the sources start must all be there.
const others = bundle({ entryPoints: globSync(['src/**/*-child.ts', 'src/**/*-thread.ts'], { cwd: root }).toSorted(), entryNames: '[name]', outdir: dist })
for (const path of globSync('src/**/*.ts', { cwd: root })) {
  for (const [, name = ''] of readFileSync(join(root, path), 'utf8').matchAll(/new URL\(`\.\/([a-z-]+)\$\{extname/g)) {
    if (!existsSync(join(dist, `${name}.js`))) throw new Error(`${path} starts ${name}, which is not in dist/`)
  }
}
writeFileSync(join(dist, 'LICENSES.txt'), licencesOf([whole, child, others]))

// In a clone the sources win over dist/, so the build is tried beside nothing but what the package holds.
const trial = mkdtempSync(join(tmpdir(), 'sluice-build-'))
try {
  for (const part of ['bin', 'dist', 'package.json']) cpSync(join(root, part), join(trial, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(trial, 'node_modules'))
  const said = run(process.execPath, [join(trial, 'bin/sluice.js'), '--version'])
  if (said !== version) throw new Error(`the built command says ${said}, package.json ${version}`)
  run(process.execPath, [join(trial, 'bin/sluice.js'), 'explain', 'KEY_MISSING'])
  // The library, an engine process and a configuration that imports the package: everything that finds another file of dist/.
  mkdirSync(join(trial, 'in'))
  writeFileSync(join(trial, 'in/one.json'), '{"records":[{"id":1}]}')
  writeFileSync(join(trial, 'sluice.config.ts'), "import { definePipeline } from 'sluice'\nexport default definePipeline({ name: 'one', load: 'in', into: 't' })\n")
  run(process.execPath, [join(trial, 'bin/sluice.js'), 'load', 'one', '--data-dir', 'data'], { cwd: trial })
  run(process.execPath, [join(trial, 'bin/sluice.js'), 'sync', 'in', 'copied'], { cwd: trial })
  run(process.execPath, ['--input-type=module', '-e', `const { load } = await import(${JSON.stringify(join(trial, 'dist/index.js'))}); if (typeof load !== 'function') process.exit(1)`])
  if (!existsSync(join(dist, 'types/index.d.ts'))) throw new Error('dist/types/index.d.ts is missing')
} finally {
  rmSync(trial, { recursive: true, force: true })
}
process.stdout.write('dist/ is built, and the command runs on it.\n')
