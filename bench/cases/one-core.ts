/** B6: one core and 1 GB for everything. There is no ratio: it must end, balance, and stay below the limit. */
import { installed, run, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'
import { writeDocument } from '../data.ts'
import { LOAD_DOCUMENT } from './document.ts'
import { FILES, LOAD } from './files.ts'

export async function b6(folder: string): Promise<Line[]> {
  await run({ args: [installed(), 'generate', '--files', String(FILES), '--records', '1000', '--dup', '10%', '--bad', '0', '--seed', '7', '-o', 'in'], cwd: folder })
  const many = await alone('B6 files', `${FILES} wrapper files × 1,000 records, one core, 1 GB`, LOAD, folder)
  await run({ program: 'rm', args: ['-r', 'in', 'data'], cwd: folder })
  writeDocument(folder, 1e9)
  return [many, await alone('B6 document', 'one wrapper document of 1 GB, one core, 1 GB', LOAD_DOCUMENT, folder)]
}

/** One run, one core unless `cpus` is null: it ends, balances and stays below `most` bytes of summed PSS. */
export async function alone(name: string, work: string, args: string[], folder: string, { cpus = '0', most = 1e9 }: { cpus?: string | null; most?: number } = {}): Promise<Line> {
  const timed = await sluice(args, folder, { watch: true, ...(cpus === null ? {} : { cpus }) })
  const balance = timed.document['balance'] as Record<string, unknown>
  const faults = [...(balance['balances'] === true ? [] : ['it does not balance']), ...(timed.memory > most ? [`${(timed.memory / 1e6).toFixed(0)} MB`] : [])]
  return { name, work, sluice: timed.wall, baseline: null, ratio: null, bar: null, aim: null, memory: timed.memory, faults, detail: { balance, cpu: timed.cpu } }
}
