/** `sluice logs`: the lines of all runs of a data folder, narrowed by run, time and level; `--follow` waits for more. */
import { Command, Option } from 'commander'
import { SluiceError } from '../core/errors.ts'
import { parseDuration } from '../core/units.ts'
import type { Fields, Level } from '../logging/log.ts'
import type { LogLine, LogQuery } from '../logging/reading.ts'
import { systemClock } from '../storage/system.ts'
import { limitOf } from './listing.ts'
import { consoleLine, logFolder } from './log.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { onInterruption } from './signals.ts'

interface LogsFlags {
  run?: string
  since?: string
  level?: Level
  follow?: boolean
  limit: string
}

const LOOK_EVERY = 250

export function logsCommand(run: Run): Command {
  return new Command('logs')
    .description('what runs did: one line per run, phase and arrival')
    .option('--run <id>', 'only of this run')
    .option('--since <time>', 'only from then on: 2h for the last two hours, or 2026-01-31T12:00:00Z')
    .addOption(new Option('--level <level>', 'this level and above').choices(['debug', 'info', 'warn', 'error']))
    .option('--limit <n>', 'the last lines, up to 10000', '1000')
    .option('-f, --follow', 'wait for more lines, until Ctrl-C')
    .action((flags: LogsFlags) => run(logs)(flags))
}

async function logs(output: Output, flags: LogsFlags): Promise<number> {
  if (flags.follow === true && output.globals.json === true) throw new SluiceError('USAGE', '--json prints one document and --follow has no end.', { hint: 'Take --ndjson: one line each.' })
  const limit = limitOf(flags.limit)
  const query: LogQuery = { ...(flags.run === undefined ? {} : { run: flags.run }), ...(flags.level === undefined ? {} : { level: flags.level }), ...(flags.since === undefined ? {} : { since: sinceOf(flags.since) }) }
  const { LogReader, matches } = await import('../logging/reading.ts')
  const folder = logFolder(output)
  const reader = new LogReader(folder)
  const kept: LogLine[] = []
  let cut = 0
  for (const line of reader.lines()) {
    if (!matches(line, query)) continue
    kept.push(line)
    if (kept.length >= 2 * limit) cut += kept.splice(0, limit).length
  }
  cut += kept.splice(0, Math.max(0, kept.length - limit)).length
  const print = (line: LogLine): void => {
    if (output.globals.ndjson === true) output.event(line)
    else output.result(lineText(line))
  }
  if (output.globals.json !== true) kept.forEach(print)
  if (cut > 0) output.note(`  ${cut} earlier lines are not shown: --limit, --since or --run`)
  if (flags.follow === true) return follow((): void => { for (const line of reader.lines()) if (matches(line, query)) print(line) })
  // With --ndjson the lines are the result.
  if (output.globals.ndjson !== true) output.document({ schema: 'sluice.logs/1', items: kept, next: null })
  if (kept.length === 0) output.note(`No lines in ${folder}${Object.keys(query).length === 0 ? '' : ' that match'}.`)
  return 0
}

async function follow(more: () => void): Promise<number> {
  const interruption = onInterruption(() => {})
  try {
    while (!interruption.signal.aborted) {
      await systemClock.sleep(LOOK_EVERY, interruption.signal).catch(() => {})
      more()
    }
    return 0
  } finally {
    interruption.release()
  }
}

/** `2h` ago, or a point in time. @throws SluiceError USAGE */
function sinceOf(text: string): number {
  if (/^\d{4}-/.test(text)) {
    const time = Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(text) || text.length === 10 ? text : `${text}Z`)
    if (!Number.isNaN(time)) return time
  } else if (/^\d/.test(text)) return systemClock.now() - parseDuration('--since', text)
  throw new SluiceError('USAGE', `--since ${text}: expected a duration such as 2h, or a time such as 2026-01-31T12:00:00Z.`)
}

function lineText({ level, time, msg, pid, ...fields }: LogLine): string {
  return `${time.slice(0, 10)} ${consoleLine(level, msg, { ...(fields as Fields), pid }, Date.parse(time))}`
}
