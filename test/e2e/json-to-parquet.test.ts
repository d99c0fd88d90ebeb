/**
 * The sample run of examples/json-to-parquet is played again and must say what its page says: `$ ` begins a command of a
 * ```console block, what follows is what it printed. SLUICE_UPDATE=1 writes the page anew.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { BIN, plainEnv, scratch } from '../command.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/json-to-parquet')
const PAGE = join(EXAMPLE, 'documented_sample_run/README.md')

/** What differs from run to run: times, durations, ids, hashes, the folder, and sizes, as rejects name their file by its whole path. */
function masked(text: string, folder: string): string {
  return text
    .replaceAll(`${folder}/`, '')
    .replaceAll(folder, '.')
    .replace(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}(convert|sync) .*\n/gm, '')
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, (time) => (time.startsWith('2024') ? time : '…'))
    .replace(/\b\d+:\d\d\.\d\b/g, '…')
    .replace(/\br_[a-z0-9]+/g, 'r_…')
    .replace(/\b[0-9a-f]{12}([0-9a-f]{52})?\b/g, '…')
    .replace(/\b[\d.]+ (B|kB)(?= )/g, '… $1')
    .replace(/\b(ms|pid|version|bytes)=\S+/g, '$1=…')
}

/** Every command of the page with what it prints here. */
function played(page: string, folder: string): string {
  return page.replace(/```console\n([\s\S]*?)```/g, (_, block: string) => {
    const commands = block.split('\n').filter((line) => line.startsWith('$ '))
    return `\`\`\`console\n${commands.map((line) => `${line}\n${masked(run(line.slice(2), folder), folder)}`).join('')}\`\`\``
  })
}

function run(command: string, folder: string): string {
  const line = command.replace(/^sluice /, `"${process.execPath}" "${BIN}" `)
  const { status, stdout } = spawnSync('sh', ['-c', `{ ${line}; } 2>&1`], { cwd: folder, env: plainEnv({ TERM: 'dumb' }), encoding: 'utf8' })
  return `${stdout}${status === 0 ? '' : `[exit ${status}]\n`}`
}

test('the sample run says what it says on its page', (t) => {
  const folder = join(scratch(t), 'example')
  mkdirSync(folder)
  copyFileSync(join(EXAMPLE, 'sluice.config.ts'), join(folder, 'sluice.config.ts'))
  const page = readFileSync(PAGE, 'utf8')
  const now = played(page, folder)
  if (process.env['SLUICE_UPDATE'] === '1') writeFileSync(PAGE, now)
  assert.equal(now, process.env['SLUICE_UPDATE'] === '1' ? now : page)
  // The page is about something: what it tells of is there.
  const final = readdirSync(join(folder, 'parquet_final')).filter((name) => name.endsWith('.parquet'))
  assert.deepEqual(final.toSorted(), ['events-1.parquet', 'events-2.parquet', 'events-3.parquet', 'hand.parquet'])
  for (const name of final) assert.ok(readFileSync(join(folder, 'parquet_final', name)).equals(readFileSync(join(folder, 'parquet_raw', name))), name)
})
