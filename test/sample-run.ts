/**
 * Plays the sample run of an example again: `$ ` begins a command of a ```console block of its page, what follows is what it
 * printed. Times, ids, sizes of files with whole paths in them and the folder are masked. SLUICE_UPDATE=1 writes the page anew.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { BIN, plainEnv, scratch } from './command.ts'

export interface SampleRun {
  /** Folder below examples/. */
  example: string
  /** Below the example; the commands run in a copy of the example without it. */
  page: string
  /** What else differs from run to run. */
  mask?: (text: string) => string
  env?: Readonly<Record<string, string>>
}

/** @returns the folder in which it was played */
export function playSampleRun(t: TestContext, { example, page, mask = (text) => text, env = {} }: SampleRun): string {
  const from = join(import.meta.dirname, '../examples', example)
  const folder = join(scratch(t), example)
  cpSync(from, folder, { recursive: true, filter: (path) => !['sluice-data', 'node_modules'].includes(basename(path)) })
  const path = join(from, page)
  const written = readFileSync(path, 'utf8')
  const now = written.replace(/```console\n([\s\S]*?)```/g, (_, block: string) => {
    const commands = block.split('\n').filter((line) => line.startsWith('$ '))
    return `\`\`\`console\n${commands.map((line) => `${line}\n${mask(masked(run(line.slice(2), folder, env), folder))}`).join('')}\`\`\``
  })
  if (process.env['SLUICE_UPDATE'] === '1') writeFileSync(path, now)
  assert.equal(now, process.env['SLUICE_UPDATE'] === '1' ? now : written)
  return folder
}

function masked(text: string, folder: string): string {
  return text
    .replaceAll(`${folder}/`, '')
    .replaceAll(folder, '.')
    // As wide as the paths with the folder.
    .replace(/\bpath {3,}why$/gm, 'path  why')
    .replace(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}(load|convert|sync) .*\n/gm, '')
    // Times of made-up data stay: they are the same in every run.
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, (time) => (/^20(20|24)/.test(time) ? time : '…'))
    .replace(/\b\d+:\d\d\.\d\b/g, '…')
    .replace(/\br_[a-z0-9]+/g, 'r_…')
    .replace(/(?<![0-9a-f]{4}-)\b[0-9a-f]{12}([0-9a-f]{52})?\b/g, '…')
    .replace(/\b[\d.]+ (B|kB)(?= )/g, '… $1')
    .replace(/\b(ms|pid|version|bytes)=\S+/g, '$1=…')
}

function run(command: string, folder: string, env: Readonly<Record<string, string>>): string {
  const line = command.replaceAll(/(^|&& |\$\()sluice /g, `$1"${process.execPath}" "${BIN}" `)
  const { status, stdout } = spawnSync('sh', ['-c', `{ ${line}; } 2>&1`], { cwd: folder, env: plainEnv({ TERM: 'dumb', ...env }), encoding: 'utf8' })
  return `${stdout}${status === 0 ? '' : `[exit ${status}]\n`}`
}
