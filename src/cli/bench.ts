/**
 * `sluice bench`: how much this machine takes in so many minutes. Rounds of made-up files are loaded into one table that
 * grows, with every guarantee on; only the loading counts. The numbers go to a report file.
 */
import { availableParallelism, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { noBalance } from '../core/balance.ts'
import { SluiceError } from '../core/errors.ts'
import type { LoadResult } from '../service/result.ts'
import { localFs } from '../storage/local.ts'
import { createPlainFile, makePlainFolder } from '../storage/plain.ts'
import { balanceLine, bytes, clock, columns, duration, number, plural, rate } from './format.ts'
import { writeFiles } from './generate.ts'
import { runLoad } from './load.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import type { Expected } from './records.ts'

interface BenchFlags {
  minutes: string
  files: string
  records: string
  dup: string
  dir: string
  to?: string
  jobs?: string
  memory?: string
}

interface Round {
  files: number
  records: number
  bytes: number
  /** Milliseconds of loading. */
  ms: number
  inserted: number
  duplicate: number
}

export function benchCommand(run: Run): Command {
  return new Command('bench')
    .description('load made-up files for some minutes and write down how much it was')
    .option('--minutes <n>', 'minutes of loading; making the files does not count', '10')
    .option('--files <n>', 'files of a round', '500')
    .option('--records <n>', 'records per file', '1000')
    .option('--dup <share>', 'share of records that repeat another of their round', '10%')
    .option('--dir <dir>', 'folder for files, table and report; must be new or left by an earlier bench', './sluice-bench')
    .option('--to <target>', 'delta:, delta:DIR, sqlite:FILE or duckdb:FILE (default: Delta in the folder)')
    .option('--jobs <n>', 'worker processes at most')
    .option('--memory <size>', 'what all processes together may hold (default: 1GB)')
    .action((flags: BenchFlags) => run(bench)(flags))
}

async function bench(output: Output, flags: BenchFlags): Promise<number> {
  const minutes = Number(flags.minutes)
  if (!(minutes > 0 && minutes <= 1440)) throw new SluiceError('USAGE', `--minutes ${flags.minutes} is not a number of minutes up to 1,440.`)
  const folder = resolve(flags.dir)
  await clear(folder)
  const rounds: Round[] = []
  let last: LoadResult | null = null
  const total = noBalance()
  while (rounds.reduce((sum, { ms }) => sum + ms, 0) < minutes * 60_000) {
    const input = join(folder, 'in')
    const made = makeRound(input, flags, rounds.length + 1)
    last = await runLoad(output, { paths: [input], into: 'events', key: 'id,ts', ...settings(flags) }, join(folder, 'sluice-data'))
    await localFs.remove('bench.remove', input)
    if (last.state === 'INTERRUPTED') break
    if (last.exit !== 0) throw new SluiceError(last.errors[0]?.code ?? 'INTERNAL', last.errors[0]?.message ?? 'The load failed.')
    const { balance } = last
    if (balance.inserted !== made.keys || balance.duplicate !== made.duplicates) throw new SluiceError('BALANCE_BROKEN', `The round held ${made.keys} keys and ${made.duplicates} duplicates; loaded were ${balanceLine(balance)}.`)
    for (const term of ['read', 'inserted', 'updated', 'duplicate', 'stale', 'skipped', 'quarantined'] as const) total[term] += balance[term]
    rounds.push({ files: made.files, records: balance.read, bytes: made.bytes, ms: last.ms, inserted: balance.inserted, duplicate: balance.duplicate })
    output.note(`  round ${rounds.length}: ${number(balance.read)} records in ${duration(last.ms)}, ${rate((balance.read / last.ms) * 1000)} records/s`)
  }
  const report = reportOf(rounds, minutes)
  const path = join(folder, 'report.md')
  write(path, markdown(report, rounds, flags))
  output.document({ schema: 'sluice.bench/1', ...report, balance: total, rounds, report: path, exit: last?.state === 'INTERRUPTED' ? last.exit : 0 })
  output.note(`  ${plural(report.rounds, 'round')}, ${number(report.files)} files, ${bytes(report.bytes)} in ${clock(Math.round(report.ms / 1000))} of loading: ${rate(report.recordsPerSecond)} records/s, ${bytes(report.bytesPerSecond)}/s`)
  output.note(`  report: ${path}`)
  output.result(balanceLine(total))
  return last?.state === 'INTERRUPTED' ? last.exit : 0
}

/** An earlier bench is removed; anything else that lies there is not ours to remove. */
async function clear(folder: string): Promise<void> {
  const there = (await localFs.list(folder)) ?? []
  const strange = there.find(({ name }) => !['in', 'sluice-data', 'report.md'].includes(name))
  if (strange !== undefined) throw new SluiceError('USAGE', `${folder} holds ${strange.name}, which no bench has put there.`, { hint: 'Name a new folder with --dir.' })
  for (const { name } of there) await localFs.remove('bench.remove', join(folder, name))
  makePlainFolder(folder)
}

function makeRound(input: string, flags: BenchFlags, seed: number): Expected {
  const dup = Number(flags.dup.replace('%', '')) / (flags.dup.endsWith('%') ? 100 : 1)
  const [files, records] = [Number(flags.files), Number(flags.records)]
  if (!Number.isSafeInteger(files) || files < 1 || !Number.isSafeInteger(records) || records < 1) throw new SluiceError('USAGE', `--files ${flags.files} --records ${flags.records}: expected whole numbers from 1.`)
  if (!(dup >= 0 && dup < 1)) throw new SluiceError('USAGE', `--dup ${flags.dup} is not a share below 100%.`)
  return writeFiles(input, { files, records, dup, bad: 0, seed })
}

function settings({ to, jobs, memory }: BenchFlags): { to?: string; jobs?: number; memory?: string } {
  return { ...(to === undefined ? {} : { to }), ...(jobs === undefined ? {} : { jobs: Number(jobs) }), ...(memory === undefined ? {} : { memory }) }
}

interface Report {
  minutes: number
  rounds: number
  files: number
  records: number
  bytes: number
  /** Milliseconds of loading. */
  ms: number
  recordsPerSecond: number
  bytesPerSecond: number
  /** Records per second of the last round as a share of the first: does a growing table slow it down? */
  lastOfFirst: number | null
  machine: { cores: number; memory: number; node: string; platform: string }
}

function reportOf(rounds: readonly Round[], minutes: number): Report {
  const sum = (of: (round: Round) => number): number => rounds.reduce((all, round) => all + of(round), 0)
  const ms = sum((round) => round.ms)
  const [first, last] = [rounds[0], rounds.at(-1)]
  return {
    minutes, rounds: rounds.length, files: sum((round) => round.files), records: sum((round) => round.records), bytes: sum((round) => round.bytes), ms,
    recordsPerSecond: ms === 0 ? 0 : (sum((round) => round.records) / ms) * 1000,
    bytesPerSecond: ms === 0 ? 0 : (sum((round) => round.bytes) / ms) * 1000,
    lastOfFirst: first === undefined || last === undefined ? null : last.records / last.ms / (first.records / first.ms),
    machine: { cores: availableParallelism(), memory: totalmem(), node: process.version, platform: `${process.platform}-${process.arch}` },
  }
}

function markdown(report: Report, rounds: readonly Round[], flags: BenchFlags): string {
  const specs = [{ name: 'round' }, { name: 'records', right: true }, { name: 'time', right: true }, { name: 'records/s', right: true }, { name: 'table rows', right: true }]
  let rows = 0
  const table = rounds.map((round, at) => {
    rows += round.inserted
    return [String(at + 1), number(round.records), duration(round.ms), number(Math.round((round.records / round.ms) * 1000)), number(rows)]
  })
  return `# How much in ${flags.minutes} minutes

${number(report.records)} records (${bytes(report.bytes)}, ${number(report.files)} files) in ${clock(Math.round(report.ms / 1000))} of loading:
${number(Math.round(report.recordsPerSecond))} records and ${bytes(report.bytesPerSecond)} per second, deduplicated by (id, ts), every guarantee on.
The last round ran at ${report.lastOfFirst === null ? '–' : `${(report.lastOfFirst * 100).toFixed(0)} %`} of the speed of the first; the table held ${number(rows)} rows by then.

Machine: ${report.machine.cores} cores, ${bytes(report.machine.memory)}, ${report.machine.platform}, Node ${report.machine.node}.
Each round: ${flags.files} files × ${flags.records} records, ${flags.dup} duplicates${flags.to === undefined ? '' : `, --to ${flags.to}`}${flags.memory === undefined ? '' : `, --memory ${flags.memory}`}.

\`\`\`
${columns(specs, table)}
\`\`\`
`
}

function write(path: string, text: string): void {
  const file = createPlainFile(path)
  try {
    file.write(Buffer.from(text))
  } finally {
    file.close()
  }
}
