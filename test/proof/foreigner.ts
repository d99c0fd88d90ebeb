/** A program beside Sluice that changes Delta tables: real delta-rs, in one Python process, asked line by line. */
import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const READERS = fileURLToPath(new URL('./readers/', import.meta.url))

/** A Python that has the pinned readers: the one that SLUICE_READERS names, or one made in `folder`. */
export function python(folder: string): string {
  const given = process.env['SLUICE_READERS']
  if (given !== undefined && given !== '') return given
  const environment = join(folder, 'venv')
  execFileSync('python3', ['-m', 'venv', environment], { stdio: ['ignore', 'ignore', 'inherit'] })
  execFileSync(join(environment, 'bin/pip'), ['-q', 'install', '-r', join(READERS, 'requirements.txt')], { stdio: ['ignore', 'ignore', 'inherit'] })
  return join(environment, 'bin/python')
}

export interface Row {
  id: number
  v: string | null
  n: number | null
}

export interface Foreigner {
  /** @throws Error with what delta-rs says */
  ask(op: string, table: string, rest?: Record<string, unknown>): Promise<Record<string, unknown>>
  /** What other readers see. */
  rows(table: string): Promise<Row[]>
  close(): void
}

export function openForeigner(program: string): Foreigner {
  const child = spawn(program, [join(READERS, 'write.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask: Foreigner['ask'] = async (op, table, rest = {}) => {
    child.stdin.write(`${JSON.stringify({ op, table, ...rest })}\n`)
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`the other writer ended at ${op}`)
    const answer = JSON.parse(value) as Record<string, unknown>
    if (answer['error'] !== undefined) throw new Error(`${op}: ${String(answer['error'])}`)
    return answer
  }
  return {
    ask,
    rows: async (table) => (await ask('rows', table))['rows'] as Row[],
    close: () => child.stdin.end(),
  }
}
