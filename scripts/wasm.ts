/** Compiles the hot paths of wasm/ into sources, which are committed: users need no compiler. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const OPTIONS = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd', '--initialMemory', '1']

/** wasm/shape.ts, JSON. */
export function shapeCode(): string {
  return compiled('shape', 'SHAPE_CODE')
}

/** wasm/rows.ts, CSV. */
export function rowsCode(): string {
  return compiled('rows', 'ROWS_CODE')
}

/** A module as the text of its file. */
function compiled(source: string, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-wasm-'))
  try {
    const wasm = join(folder, 'code.wasm')
    execFileSync(process.execPath, [join(root, 'node_modules/assemblyscript/bin/asc.js'), `wasm/${source}.ts`, ...OPTIONS, '-o', wasm], { cwd: root })
    const lines = (readFileSync(wasm).toString('base64').match(/.{1,120}/g) ?? []).map((line) => `  '${line}'`)
    return `/** wasm/${source}.ts, compiled by \`node scripts/wasm.ts\`: do not edit. */\nexport const ${name} =\n${lines.join(' +\n')}\n`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  writeFileSync(join(root, 'src/formats/json/shape-code.ts'), shapeCode())
  writeFileSync(join(root, 'src/formats/csv/rows-code.ts'), rowsCode())
}
