/**
 * Foreign writers: histories in which Sluice loads into a table and real delta-rs changes the same table in between:
 * appends, deletes, updates, merges, overwrites, compaction, z-order, new columns, checkpoints (with and without the JSON
 * before them) and VACUUM. After every step the table must be what a model of a few lines says, for Sluice and for Polars;
 * every run must balance, and doctor must call nothing broken and say what is foreign.
 *
 * Every second table was made by delta-rs and is taken over with --adopt.
 *
 * SLUICE_HISTORIES=<n> per mode (default 2), SLUICE_SEED=<n> plays others. Needs Python as outside-readers.proof.ts does.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { placeOf } from '../../src/core/place.ts'
import { parseKeep } from '../../src/core/definition.ts'
import { load } from '../../src/index.ts'
import { beats } from '../../src/resolve/rule.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { MEMORY } from './called.ts'
import { openForeigner, python } from './foreigner.ts'
import type { Foreigner, Row } from './foreigner.ts'
import { close, difference, inFolder, runCases } from './harness.ts'

const EACH = Number(process.env['SLUICE_HISTORIES'] ?? 2)
const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121)
const STEPS = 12

interface Mode {
  mode: string
  keep?: string
  partitionBy?: string
}
const MODES: readonly Mode[] = [{ mode: 'append' }, { mode: 'dedupe' }, { mode: 'upsert' }, { mode: 'upsert', keep: 'max:n' }, { mode: 'upsert', partitionBy: 'v' }]

interface Stored extends Row {
  place: bigint
}

/** Numbers from a seed, so that a failure can be played again. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

class Play {
  readonly table: string
  private readonly folder: string
  private readonly other: Foreigner
  private readonly mode: Mode
  private readonly roll: (sides: number) => number
  private rows: Stored[] = []
  private seq = 0
  private foreign = false
  /** The table was made by the other writer. */
  private readonly theirs: boolean

  constructor(folder: string, other: Foreigner, mode: Mode, seed: number, theirs: boolean) {
    this.theirs = theirs
    this.folder = folder
    this.other = other
    this.mode = mode
    this.roll = dice(seed)
    this.table = join(folder, 'data', 'tables', 't')
    mkdirSync(join(folder, 'in'), { recursive: true })
  }

  async all(): Promise<void> {
    if (this.theirs) {
      const rows = [3, 7, 11].map((id) => ({ id, v: 'made', n: id }))
      this.rows = rows.map((row) => ({ ...row, place: 0n }))
      this.foreign = true
      await this.other.ask('make', this.table, { rows, partition: this.mode.partitionBy === undefined ? null : [this.mode.partitionBy] })
    }
    await this.load(this.theirs)
    for (let step = 0; step < STEPS; step++) {
      const what = this.roll(3) === 0 ? 'load' : await this.change()
      if (what === 'load') await this.load()
      await this.check(what)
    }
    await this.load()
    await this.check('the last load')
    await this.doctor()
  }

  private some(ids: number): Row[] {
    return Array.from({ length: 1 + this.roll(5) }, () => ({ id: this.roll(ids), v: ['a', 'b', 'c', 'é'][this.roll(4)] ?? null, n: this.roll(6) === 0 ? null : this.roll(9) }))
  }

  private async load(adopt = false): Promise<void> {
    this.seq++
    // The number makes every file one of its own.
    const records = this.some(30).map((row, at) => ({ ...row, v: `${row.v ?? ''}${at === 0 ? this.seq : ''}` }))
    const path = join(this.folder, 'in', `f${this.seq}.ndjson`)
    writeFileSync(path, records.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const { mode, keep, partitionBy } = this.mode
    const result = await load({
      paths: [path], into: 't', mode, columns: 'id:int64,v:string,n:int64', dataDir: join(this.folder, 'data'), jobs: 1, memory: MEMORY, adopt, ...(partitionBy === undefined ? {} : { partitionBy }),
      ...(mode === 'append' ? {} : { key: 'id' }), ...(keep === undefined ? {} : { keep }),
    })
    if (result.exit !== 0 || !result.balance.balances) throw new Error(`a load ended with ${JSON.stringify(result)}`)
    const before = this.rows.length
    records.forEach((row, at) => this.take({ ...row, place: placeOf(this.seq, at + 1) }))
    if (result.balance.inserted !== this.rows.length - before) throw new Error(`${result.balance.inserted} rows inserted instead of ${this.rows.length - before}`)
  }

  private take(row: Stored): void {
    const at = this.mode.mode === 'append' ? -1 : this.rows.findIndex(({ id }) => id === row.id)
    const stored = this.rows[at]
    const keep = parseKeep(this.mode.keep ?? (this.mode.mode === 'dedupe' ? 'first' : 'last'))
    if (stored === undefined) this.rows.push(row)
    else if (beats(keep, candidate(keep, row), candidate(keep, stored)) && (stored.v !== row.v || stored.n !== row.n)) this.rows[at] = row
  }

  /** Something that delta-rs does to the table. */
  private async change(): Promise<string> {
    const { other, table } = this
    const fresh = (): Row[] => this.some(1000).map((row, at) => ({ ...row, id: 1000 + this.seq * 100_000 + this.roll(90_000) * 10 + at }))
    const one = this.rows[this.roll(Math.max(this.rows.length, 1))]?.id ?? -1
    const foreign = (rows: readonly Row[]): Stored[] => rows.map((row) => ({ ...row, place: 0n }))
    const changes: Record<string, () => Promise<unknown>> = {
      append: async () => {
        // Some of them are keys that Sluice will bring as well.
        const known = new Set(this.rows.map(({ id }) => id))
        const rows = [...fresh(), ...this.some(30).filter(({ id }, at, all) => !known.has(id) && all.findIndex((row) => row.id === id) === at)]
        this.rows.push(...foreign(rows))
        await other.ask('append', table, { rows })
      },
      delete: async () => {
        this.rows = this.rows.filter(({ id }) => id !== one)
        await other.ask('delete', table, { where: `id = ${one}` })
      },
      update: async () => {
        for (const row of this.rows) if (row.id === one) row.v = 'theirs'
        await other.ask('update', table, { where: `id = ${one}`, set: { v: "'theirs'" } })
      },
      merge: async () => {
        const rows = [...fresh(), { id: one, v: 'merged', n: 5 }]
        for (const row of rows) {
          const found = this.rows.filter(({ id }) => id === row.id)
          for (const stored of found) Object.assign(stored, { v: row.v, n: row.n })
          if (found.length === 0) this.rows.push(...foreign([row]))
        }
        await other.ask('merge', table, { rows })
      },
      overwrite: async () => {
        const rows = fresh()
        this.rows = foreign(rows)
        await other.ask('overwrite', table, { rows, place: true })
      },
      column: async () => {
        const rows = fresh()
        this.rows.push(...foreign(rows))
        await other.ask('append', table, { rows: rows.map((row) => ({ ...row, extra: 'x' })) })
      },
      compact: () => other.ask('compact', table),
      zorder: () => other.ask('zorder', table),
      checkpoint: () => other.ask('checkpoint', table),
      cut: async () => {
        await other.ask('checkpoint', table)
        await other.ask('cut', table)
      },
      vacuum: () => other.ask('vacuum', table, { full: this.roll(2) === 0 }),
    }
    const names = Object.keys(changes)
    // An overwrite leaves little to meet: it is rare.
    const name = names[this.roll(names.length)] ?? 'append'
    if (name === 'overwrite' && this.roll(3) > 0) return 'load'
    await changes[name]?.()
    this.foreign ||= !['checkpoint', 'cut'].includes(name)
    return name
  }

  private async check(what: string): Promise<void> {
    const browser = await openBrowser(join(this.folder, 'data'))
    try {
      const { schema, rows } = await browser.head('t', 1_000_000)
      const at = (name: string): number => schema.findIndex((column) => column.name === name)
      agree(`Sluice after ${what}`, rows.map((row) => `${String(row[at('id')])} ${String(row[at('v')])} ${String(row[at('n')])} @${String(row.at(-1))}`), this.rows.map((row) => `${show(row)} @${row.place}`))
    } finally {
      await browser.close()
    }
    agree(`Polars after ${what}`, (await this.other.rows(this.table)).map(show), this.rows.map(show))
  }

  private async doctor(): Promise<void> {
    const browser = await openBrowser(join(this.folder, 'data'))
    try {
      const { findings } = await checkup(browser)
      const broken = findings.filter(({ grade }) => grade === 'broken')
      if (broken.length > 0) throw new Error(`doctor: ${JSON.stringify(broken)}`)
      if (this.foreign && !findings.some(({ grade }) => grade === 'foreign')) throw new Error('doctor does not say what is foreign')
    } finally {
      await browser.close()
    }
  }
}

function candidate(keep: ReturnType<typeof parseKeep>, row: Stored): { place: bigint; value: number | null } {
  return { place: row.place, value: 'column' in keep ? row.n : null }
}
function show({ id, v, n }: Row): string {
  return `${id} ${String(v)} ${String(n)}`
}
function agree(what: string, got: readonly string[], expected: readonly string[]): void {
  const wrong = difference(got.toSorted(), expected.toSorted())
  if (wrong !== null) throw new Error(`${what}: ${wrong}`)
}

await inFolder('foreign', async (root) => {
  const program = python(root)
  const cases = MODES.flatMap((mode, m) => Array.from({ length: EACH }, (_, n) => ({ mode, seed: SEED + m * 1000 + n, theirs: n % 2 === 1 })))
  const result = await runCases(cases, 2, ({ mode, seed }) => `${mode.mode} ${mode.keep ?? mode.partitionBy ?? ''} seed ${seed}`, ({ mode, seed, theirs }) =>
    inFolder('foreign-play', async (folder) => {
      const other = openForeigner(program)
      try {
        await new Play(folder, other, mode, seed, theirs).all()
      } finally {
        other.close()
      }
    }),
  )
  close('foreign-writers', result, cases.length, `${cases.length} histories of ${STEPS} steps with delta-rs in between`)
})
