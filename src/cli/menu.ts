/**
 * `sluice` without words at a terminal: a menu. Every choice is a command, which is shown before it is run, so that the menu
 * teaches what it does.
 */
import { existsSync } from 'node:fs'
import { basename, relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { LoadedPipeline } from '../config/config.ts'
import { asSluiceError } from '../core/errors.ts'
import { isTableName } from '../core/schema.ts'
import { Output } from './output.ts'
import { surroundingsOf } from './settings.ts'

/** Runs a command as if it had been typed. @returns its exit code */
export type RunWords = (words: readonly string[]) => Promise<number>

/** Ctrl-C at a prompt. */
class Left extends Error {}

const ENTRIES = [
  ['1', 'load everything', 'what the configuration has'],
  ['2', 'load a file', 'one of your own'],
  ['3', 'load a date', 'only what belongs to one day'],
  ['4', 'drop the same file again', 'nothing changes'],
  ['5', 'quarantine', 'what did not get in, and why'],
  ['6', 'SQL', 'ask the tables'],
  ['q', 'quit', ''],
] as const

/** @returns the exit code of the process: 0, or 130 after Ctrl-C */
export async function menu(run: RunWords): Promise<number> {
  const output = new Output({})
  const shell = new Menu(output, run)
  output.result(`${output.style('bold', 'sluice', output.stdout)}: files land, tables appear, every record is accounted for`)
  try {
    for (;;) {
      output.result('')
      for (const [key, name, what] of ENTRIES) output.result(`  ${output.style('bold', key, output.stdout)}  ${name.padEnd(25)} ${output.style('dim', what, output.stdout)}`.trimEnd())
      const choice = await shell.ask('\nchoose')
      // Ctrl-D, as at every prompt.
      if (choice === null || ['q', 'quit', 'exit'].includes(choice.toLowerCase())) return 0
      await shell.take(choice)
    }
  } catch (thrown) {
    if (!(thrown instanceof Left)) throw thrown
    return 130
  } finally {
    output.result('')
  }
}

class Menu {
  private readonly output: Output
  private readonly run: RunWords
  constructor(output: Output, run: RunWords) {
    this.output = output
    this.run = run
  }

  /** What was typed; null: Ctrl-D, or nothing where there is no default. @throws Left on Ctrl-C */
  async ask(question: string, fallback = ''): Promise<string | null> {
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    const left = new AbortController()
    let interrupted = false
    terminal.on('SIGINT', () => {
      interrupted = true
      left.abort()
    })
    terminal.on('close', () => left.abort())
    try {
      const answer = (await terminal.question(`${question}${fallback === '' ? '' : ` [${fallback}]`}> `, { signal: left.signal })).trim()
      return answer === '' ? (fallback === '' ? '' : fallback) : answer
    } catch {
      process.stdout.write('\n')
      if (interrupted) throw new Left()
      return null
    } finally {
      terminal.close()
    }
  }

  async take(choice: string): Promise<void> {
    try {
      if (choice === '1') return await this.everything()
      if (choice === '2') return await this.file()
      if (choice === '3') return await this.date()
      if (choice === '4') return await this.again()
      if (choice === '5') return await this.command(['rejects', 'ls'])
      if (choice === '6') return await this.sql()
      if (choice !== '') this.output.note(`There is no ${choice}; choose 1 to 6, or q.`)
    } catch (thrown) {
      if (thrown instanceof Left) throw thrown
      this.output.fail(asSluiceError(thrown))
    }
  }

  private async command(words: readonly string[]): Promise<void> {
    this.output.result(this.output.style('dim', `$ sluice ${words.map(quoted).join(' ')}`, this.output.stdout))
    await this.run(words)
  }

  private async pipelines(): Promise<LoadedPipeline[]> {
    const { sources } = await surroundingsOf({}, true)
    return [...(sources.config?.pipelines.values() ?? [])].filter(({ verb }) => verb === 'load')
  }

  private async everything(): Promise<void> {
    const pipelines = await this.pipelines()
    if (pipelines.length === 0) return this.output.note('There is no configuration with a pipeline here.\n2 loads a file; docs/reference/config.md tells how to write one.')
    for (const { name } of pipelines) await this.command(['load', '--pipeline', name])
  }

  /** Which pipeline a file goes through; null: none is there, undefined: the question was left. */
  private async pipelineFor(): Promise<string | null | undefined> {
    const pipelines = await this.pipelines()
    if (pipelines.length < 2) return pipelines[0]?.name ?? null
    const names = pipelines.map(({ name }) => name)
    const name = await this.ask(`pipeline (${names.join(', ')})`, names[0])
    return name === null || name === '' ? undefined : name
  }

  private async file(): Promise<void> {
    const path = await this.ask('file')
    if (path === null || path === '') return
    const pipeline = await this.pipelineFor()
    if (pipeline === undefined) return
    if (pipeline !== null) return this.command(['load', path, '--pipeline', pipeline])
    const into = await this.ask('table', tableOf(path))
    if (into === null || into === '') return
    const key = await this.ask('key columns (none: every record is kept)')
    if (key === null) return
    await this.command(['load', path, '--into', into, ...(key === '' ? [] : ['--key', key])])
  }

  private async date(): Promise<void> {
    const day = await this.ask('day, as in 2026-01-31')
    if (day === null || day === '') return
    const next = dayAfter(day)
    if (next === null) return this.output.note(`${day} is no day.`)
    const pipelines = await this.pipelines()
    const words = pipelines.length > 0 ? await this.pipelineFor() : null
    if (words === undefined) return
    if (words !== null) {
      const isTold = pipelines.find(({ name }) => name === words)?.members['dateField'] !== undefined
      const column = isTold ? '' : await this.ask('date column (none: that of the loads before)')
      if (column === null) return
      return this.command(['load', '--pipeline', words, '--since', day, '--until', next, ...(column === '' ? [] : ['--date-field', column])])
    }
    const path = await this.ask('file or folder')
    if (path === null || path === '') return
    const into = await this.ask('table', tableOf(path))
    const field = into === null ? null : await this.ask('date column')
    if (into === null || into === '' || field === null || field === '') return
    await this.command(['load', path, '--into', into, '--since', day, '--until', next, '--date-field', field])
  }

  /** The same bytes are not read again; and when they are, their records are known. */
  private async again(): Promise<void> {
    const last = await this.lastFile()
    if (last === null) return this.output.note('No file was loaded yet: 1 or 2 loads some.')
    const words = ['load', last.path, '--into', last.table, ...(last.to === null ? [] : ['--to', last.to])]
    await this.command(words)
    if (!last.keyed) return
    const answer = await this.ask('Read it all the same, to see that its records are known? [y/N]')
    if (answer !== null && /^y(es)?$/i.test(answer)) await this.command([...words, '--reload'])
  }

  private async lastFile(): Promise<{ path: string; table: string; to: string | null; keyed: boolean } | null> {
    const [{ openBrowser }, { knownTables }, { describePlace }, { tablesFolder }] = await Promise.all([import('../service/browse.ts'), import('../service/lookup.ts'), import('../service/targets.ts'), import('../service/places.ts')])
    const { globals } = await surroundingsOf({}, true)
    this.output.surroundings = await surroundingsOf({}, true)
    if (globals.values.dataDir === undefined && !existsSync(this.output.dataDir)) return null
    const browser = await openBrowser(this.output.dataDir)
    try {
      const tables = new Map((await knownTables(browser.folder)).map((table) => [table.key, table]))
      let last: { path: string; table: string; endedAt: number } | null = null
      for (let after: string | null = ''; after !== null; ) {
        const page: Awaited<ReturnType<typeof browser.files>> = await browser.files({ state: 'COMPLETED', limit: 1000, ...(after === '' ? {} : { after }) })
        for (const { path, table, endedAt } of page.items) if (existsSync(path) && (last === null || (endedAt ?? 0) >= last.endedAt)) last = { path, table, endedAt: endedAt ?? 0 }
        after = page.next
      }
      const known = last === null ? undefined : tables.get(last.table)
      if (last === null || known === undefined) return null
      const { key } = await browser.count(known.name, describePlace(known.place))
      const home = known.place.scheme === 'delta' && known.place.location === tablesFolder(browser.folder.path)
      const near = relative(process.cwd(), last.path)
      return { path: near.startsWith('..') ? last.path : near, table: known.name, to: home ? null : describePlace(known.place), keyed: key.length > 0 }
    } finally {
      await browser.close()
    }
  }

  private async sql(): Promise<void> {
    for (;;) {
      const query = await this.ask('\nsql (empty: back)')
      if (query === null || query === '') return
      await this.command(['sql', query])
    }
  }
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function tableOf(path: string): string {
  const name = basename(path).replace(/\..*$/s, '').replace(/\W+/g, '_')
  return isTableName(name) ? name : ''
}

/** The day behind this one; null: it is none. */
function dayAfter(day: string): string | null {
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN
  // 2026-02-30 would be taken for the second of March.
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== day ? null : new Date(at + 86_400_000).toISOString().slice(0, 10)
}
