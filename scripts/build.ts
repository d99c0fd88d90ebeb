/** Builds `dist/` for the published package, and checks that the command runs on it. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

function run(command: string, args: readonly string[], options: { cwd?: string } = {}): string {
  const done = spawnSync(command, args, { cwd: options.cwd ?? root, encoding: 'utf8' })
  if (done.status !== 0) {
    process.stderr.write(`${command} ${args.join(' ')} ended with ${done.status ?? done.signal ?? 'no status'}\n${done.stdout}${done.stderr}`)
    process.exit(1)
  }
  return done.stdout.trim()
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'])

// In a clone the sources win over dist/, so the build is tried beside nothing but what the package holds.
const trial = mkdtempSync(join(tmpdir(), 'sluice-build-'))
try {
  for (const part of ['bin', 'dist', 'package.json']) cpSync(join(root, part), join(trial, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(trial, 'node_modules'))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const said = run(process.execPath, [join(trial, 'bin/sluice.js'), '--version'])
  if (said !== version) throw new Error(`the built command says ${said}, package.json ${version}`)
  run(process.execPath, [join(trial, 'bin/sluice.js'), 'explain', 'KEY_MISSING'])
  run(process.execPath, ['--input-type=module', '-e', `const { load } = await import(${JSON.stringify(join(trial, 'dist/index.js'))}); if (typeof load !== 'function') process.exit(1)`])
  if (!existsSync(join(root, 'dist/index.d.ts'))) throw new Error('dist/index.d.ts is missing')
} finally {
  rmSync(trial, { recursive: true, force: true })
}
process.stdout.write('dist/ is built, and the command runs on it.\n')
