/** Compiles wasm/shape.ts into src/formats/json/shape-code.ts, which is committed: users need no compiler. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const OPTIONS = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd', '--initialMemory', '1']

/** The module as the text of its file. */
export function shapeCode(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-wasm-'))
  try {
    const wasm = join(folder, 'shape.wasm')
    execFileSync(process.execPath, [join(root, 'node_modules/assemblyscript/bin/asc.js'), 'wasm/shape.ts', ...OPTIONS, '-o', wasm], { cwd: root })
    const lines = (readFileSync(wasm).toString('base64').match(/.{1,120}/g) ?? []).map((line) => `  '${line}'`)
    return `/** wasm/shape.ts, compiled by \`node scripts/wasm.ts\`: do not edit. */\nexport const SHAPE_CODE =\n${lines.join(' +\n')}\n`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) writeFileSync(join(root, 'src/formats/json/shape-code.ts'), shapeCode())
