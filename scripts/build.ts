/** Builds `dist/` for the published package (bundle.ts, declarations, LICENSES.txt), and checks that the command runs on it. */
import type { Metafile } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleInto, root, version } from './bundle.ts'

const dist = join(root, 'dist')

function run(command: string, args: readonly string[], options: { cwd?: string } = {}): string {
  const done = spawnSync(command, args, { cwd: options.cwd ?? root, encoding: 'utf8' })
  if (done.status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} ended with ${done.status ?? done.signal ?? 'no status'}\n${done.stdout}${done.stderr}`)
    process.exit(1)
  }
  return done.stdout.trim()
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
writeFileSync(join(dist, 'LICENSES.txt'), licencesOf(bundleInto(dist)))

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
