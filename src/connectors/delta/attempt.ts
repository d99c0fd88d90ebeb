/**
 * One attempt of a batch: everything that is written before the commit point. It may be repeated under other names.
 *
 *   prune → hits → decide → COPY data, rewritten files, losers, rejects → count what was written → balance → batch record
 * Nothing of it is visible until the log names it; a failed attempt removes its own files.
 */
import { join } from 'node:path'
import type { Clock } from '../../core/effects.ts'
import type { Session, Staged, Written } from '../../core/engine.ts'
import type { Definition } from '../../core/definition.ts'
import { tampering } from '../../core/failpoint.ts'
import type { Schema } from '../../core/schema.ts'
import { quoteName } from '../../sql/quote.ts'
import { rejectsSql } from '../../resolve/duckdb-batch.ts'
import type { Resolution } from '../../resolve/duckdb-table.ts'
import { dataSql, decideSql, hitsSql, incomingSql, losersOutSql, repeatedSql, rewriteSql, verdictSql } from '../../resolve/duckdb-table.ts'
import { localFs } from '../../storage/local.ts'
import type { AddAction, RemoveAction } from './actions.ts'
import { BATCH_TAG } from './actions.ts'
import { countBatch } from './counting.ts'
import { BATCHES_FOLDER, LOSERS_FOLDER, REJECTS_FOLDER, attemptName, dataName } from './layout.ts'
import { mayHold } from './prune.ts'
import { encodeRecord } from './record.ts'
import type { BatchRecord, KeptPart } from './record.ts'
import type { LiveFile, TableState } from './state.ts'
import { statsText } from './stats.ts'

/** What a commit will name. */
export interface Attempt {
  adds: AddAction[]
  removes: RemoveAction[]
  record: BatchRecord
  recordPath: string
  sha256: string
}

export class AttemptWriter {
  private readonly root: string
  private readonly name: string
  private readonly session: Session
  private readonly job: Resolution
  private readonly clock: Clock
  /** Absolute paths, noted before they are written. */
  private readonly paths: string[] = []
  private readonly folders = new Set<string>()
  private readonly data: Written[] = []
  private readonly rewrites: Written[] = []
  private readonly losers: Written[] = []
  private readonly rejects: Written[] = []
  private readonly touched: LiveFile[] = []
  private tampered = false

  constructor(root: string, round: number, staged: Staged, schema: Schema, definition: Definition, session: Session, clock: Clock) {
    this.root = root
    this.name = attemptName(staged.batch.id, staged.batch.fence, staged.attempt, round)
    this.session = session
    this.clock = clock
    this.job = { staged, schema, key: definition.key, keep: definition.keep, tamper: null }
  }

  /** @throws SluiceError BALANCE_BROKEN, DISK_FULL, ENGINE_DIED, ENGINE_FAILED */
  async write(state: TableState): Promise<Attempt> {
    // The state may move on meanwhile: then this attempt loses the race for its version.
    const { rows, highest, losers } = state
    const history = losers.map((part) => join(this.root, part.path))
    const { staged } = this.job
    await this.tamperResolve()
    const hitPaths = staged.records.length === 0 ? null : await this.decide(state, highest, history)
    await this.writeRows(hitPaths)
    await this.writeKept(hitPaths)
    for (const folder of this.folders) await localFs.sync('delta.folder.sync', folder)
    const after = rows + sum(this.data) + sum(this.rewrites) - this.touched.reduce((total, file) => total + file.rows, 0)
    const counted = await countBatch(this.session, this.job, { data: uris(this.data), losers: uris(this.losers), rejects: uris(this.rejects), decided: hitPaths !== null }, { before: rows, after })
    return this.finish(counted)
  }

  /** Removes what this attempt wrote; a failure to do so leaves garbage that doctor names. */
  async discard(): Promise<void> {
    for (const path of this.paths) await localFs.remove('delta.discard', path).catch(() => undefined)
  }

  private async tamperResolve(): Promise<void> {
    const how = tampering('resolve')
    if (how === null) return
    const place = (await this.session.rows(`SELECT min(_place) AS place FROM (${incomingSql(this.job)})`))[0]?.['place']
    if (typeof place === 'bigint') this.job.tamper = { how, place }
  }

  /** Answers the data files that hold a key of the batch; null: none does, every winner is new. */
  private async decide(state: TableState, highest: bigint, history: string[]): Promise<string[] | null> {
    const { keep, schema, staged } = this.job
    if (keep === null) return null
    const candidates = [...state.files.values()].filter(({ add }) => mayHold(add, schema, staged.keyRange))
    const paths = candidates.map(({ add }) => this.absolute(add))
    if (paths.length === 0) return this.judge(null)
    for (const sql of hitsSql(this.job, paths)) await this.session.exec(sql)
    const files = await this.session.rows('SELECT DISTINCT file FROM sluice_hit ORDER BY file')
    if (files.length === 0) return this.judge(null)
    const hitPaths = files.map(({ file }) => paths[Number(file)] ?? '')
    const late = staged.places !== null && staged.places.lowest <= highest
    for (const sql of decideSql(this.job, keep, hitPaths, late ? history : null)) await this.session.exec(sql)
    const updated = await this.session.rows(`SELECT DISTINCT file FROM sluice_decided WHERE outcome = 'updated' ORDER BY file`)
    for (const { file } of updated) {
      const candidate = candidates[Number(file)]
      if (candidate !== undefined) this.touched.push(candidate)
    }
    return this.judge(hitPaths)
  }

  private async judge(hitPaths: string[] | null): Promise<string[] | null> {
    const { keep, staged } = this.job
    if (keep !== null && keep.rule !== 'first' && staged.losers.length > 0) await this.session.exec(verdictSql(this.job, hitPaths))
    return hitPaths
  }

  private async writeRows(hitPaths: string[] | null): Promise<void> {
    for (const part of this.job.staged.records) await this.copy('delta.data', this.data, '', dataSql(this.job, part, hitPaths !== null))
    // One touched file at a time: memory follows the file, not the table.
    for (const file of this.touched) await this.copy('delta.rewrite', this.rewrites, '', rewriteSql(this.job, this.absolute(file.add)))
  }

  private async writeKept(hitPaths: string[] | null): Promise<void> {
    const { keep, staged } = this.job
    if (keep !== null && staged.records.length > 0) {
      for (const sql of losersOutSql(this.job, keep, hitPaths)) await this.copy('delta.losers', this.losers, LOSERS_FOLDER, sql)
      for (const sql of repeatedSql(this.job, keep, hitPaths)) await this.copy('delta.rejects', this.rejects, REJECTS_FOLDER, sql)
    }
    if (staged.rejects.length > 0) await this.copy('delta.rejects', this.rejects, REJECTS_FOLDER, rejectsSql(staged))
  }

  private async copy(point: string, into: Written[], folder: string, select: string): Promise<void> {
    const n = this.paths.length + 1
    const path = join(this.root, folder, folder === '' ? dataName(this.name, n) : `${this.name}-${n}.parquet`)
    this.paths.push(path)
    const written = await this.session.copy(point, await this.tamperWrite(select), path)
    if (written.rows === 0) return
    into.push(written)
    this.folders.add(join(this.root, folder))
  }

  /** A test loses or doubles one row of the first file that gets any. */
  private async tamperWrite(select: string): Promise<string> {
    const how = tampering('write')
    if (how === null || this.tampered) return select
    const place = (await this.session.rows(`SELECT min(_place) AS place FROM (${select})`))[0]?.['place']
    if (typeof place !== 'bigint') return select
    this.tampered = true
    const at = quoteName('_place')
    return how === 'drop' ? `SELECT * FROM (${select}) WHERE ${at} <> ${place}` : `SELECT * FROM (${select}) UNION ALL SELECT * FROM (${select}) WHERE ${at} = ${place}`
  }

  private async finish(counted: Pick<BatchRecord, 'arrivals' | 'evicted' | 'reasons' | 'faults'>): Promise<Attempt> {
    const { batch, places } = this.job.staged
    const { text, sha256, record } = this.encode({
      format: 1,
      batch: batch.id,
      lane: batch.lane,
      fence: batch.fence,
      ...counted,
      highest: places?.highest ?? 0n,
      rewritten: this.rewrites.reduce((total, { bytes }) => total + bytes, 0),
      losers: this.kept(this.losers),
      rejects: this.kept(this.rejects),
    })
    const recordPath = `${BATCHES_FOLDER}/${this.name}.json`
    this.paths.push(join(this.root, recordPath))
    await localFs.write('delta.record.write', join(this.root, recordPath), text)
    await localFs.sync('delta.record.sync', join(this.root, BATCHES_FOLDER))
    const now = this.clock.now()
    const adds = [...this.data, ...this.rewrites].map((written) => this.add(written, batch.id, now))
    const removes = this.touched.map(({ add }): RemoveAction => ({ path: add.path, deletionTimestamp: now, dataChange: true, extendedFileMetadata: true, partitionValues: {}, size: add.size, tags: { [BATCH_TAG]: batch.id } }))
    return { adds, removes, record, recordPath, sha256 }
  }

  private encode(record: BatchRecord): { text: string; sha256: string; record: BatchRecord } {
    return { ...encodeRecord(record), record }
  }

  private kept(written: readonly Written[]): KeptPart[] {
    return written.map(({ uri, rows, bytes }) => ({ path: uri.slice(this.root.length + 1), rows, bytes }))
  }

  private add(written: Written, batch: string, now: number): AddAction {
    const path = encodeURIComponent(written.uri.slice(this.root.length + 1))
    return { path, partitionValues: {}, size: written.bytes, modificationTime: now, dataChange: true, stats: statsText(this.job.schema, written), tags: { [BATCH_TAG]: batch } }
  }

  private absolute(add: AddAction): string {
    return join(this.root, decodeURIComponent(add.path))
  }
}

function uris(written: readonly Written[]): string[] {
  return written.map(({ uri }) => uri)
}
function sum(written: readonly Written[]): number {
  return written.reduce((total, { rows }) => total + rows, 0)
}
