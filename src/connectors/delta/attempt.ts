/**
 * One attempt of a batch: everything that is written before the commit point. It may be repeated under other names.
 *
 *   prune → hits → decide → COPY data, rewritten files, losers, rejects → count what was written → balance → batch record
 * Nothing of it is visible until the log names it; a failed attempt removes its own files.
 */
import { dirname, join } from 'node:path'
import type { Clock } from '../../core/effects.ts'
import type { Session, Staged, Written } from '../../core/engine.ts'
import type { Definition } from '../../core/definition.ts'
import { tampering } from '../../core/failpoint.ts'
import { storedColumns } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import type { Schema } from '../../core/schema.ts'
import { quoteName } from '../../sql/quote.ts'
import { rejectsSql } from '../../resolve/duckdb-batch.ts'
import type { Resolution, TableFile } from '../../resolve/duckdb-table.ts'
import { dataSql, decideSql, hitsSql, incomingSql, leavingRowsSql, losersOutSql, repeatedSql, rewriteSql, verdictSql } from '../../resolve/duckdb-table.ts'
import { localFs } from '../../storage/local.ts'
import type { AddAction, RemoveAction } from './actions.ts'
import { BATCH_TAG, FOREIGN_TAG } from './actions.ts'
import { countBatch } from './counting.ts'
import { BATCHES_FOLDER, LOSERS_FOLDER, REJECTS_FOLDER, attemptName, dataName, encodePath } from './layout.ts'
import { folderOf, forgetApart, layApart, partitionNames, partitionsOfKeys } from './parting.ts'
import type { PartitionValues } from './parting.ts'
import { mayHold } from './prune.ts'
import { tableFile } from './reading.ts'
import { encodeRecord } from './record.ts'
import type { BatchRecord, KeptPart, RecordLink } from './record.ts'
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

/** A file to write: its failpoint, where it is listed, the folder below the table's, its rows. */
interface Copy {
  point: string
  into: Written[]
  folder: string
  select: string
  values?: PartitionValues
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
  /** Files that lose rows, and the file that each becomes (absent: nothing of it is left). */
  private readonly touched: { file: LiveFile; n: number; into?: Written }[] = []
  /** Under replace: every file of before, which this commit removes. */
  private dropped: LiveFile[] = []
  private readonly replaces: boolean
  private readonly values = new Map<Written, PartitionValues>()
  private readonly partitions: readonly Partition[]
  private tampered = false

  constructor(root: string, round: number, staged: Staged, schema: Schema, definition: Definition, session: Session, clock: Clock) {
    this.root = root
    this.name = attemptName(staged.batch.id, staged.batch.fence, staged.attempt, round)
    this.session = session
    this.clock = clock
    this.replaces = definition.mode === 'replace'
    this.partitions = definition.partition ?? []
    this.job = { staged, schema, key: definition.key, keep: definition.keep, files: [], foreign: null, tamper: null }
  }

  /** @throws SluiceError BALANCE_BROKEN, DISK_FULL, ENGINE_DIED, ENGINE_FAILED */
  async write(state: TableState): Promise<Attempt> {
    // The state may move on meanwhile: then this attempt loses the race for its version.
    const { rows, highest, losers, version, last } = state
    const history = losers.map((part) => ({ uri: join(this.root, part.path) }))
    if (state.mixed) this.job.foreign = highest
    const { staged } = this.job
    await this.tamperResolve()
    if (this.replaces) this.dropped = [...state.files.values()]
    const hits = staged.records.length === 0 ? null : this.replaces ? await this.judge(null) : await this.decide(state, highest, history)
    await this.writeRows(hits)
    await this.writeKept(hits)
    for (const folder of this.folders) await localFs.sync('delta.folder.sync', folder)
    const before = rows - this.dropped.reduce((total, file) => total + file.rows, 0)
    const after = before + sum(this.data) + sum(this.rewrites) - this.touched.reduce((total, { file }) => total + file.rows, 0)
    const counted = await countBatch(this.session, this.job, { data: uris(this.data), losers: uris(this.losers), rejects: uris(this.rejects), decided: hits !== null }, { before, after })
    return this.finish(counted, version + 1, last)
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

  /** Answers the ordinals of the data files that hold a key of the batch; null: none does, every winner is new. */
  private async decide(state: TableState, highest: bigint, history: TableFile[]): Promise<number[] | null> {
    const { job } = this
    const { keep, schema, staged } = job
    if (keep === null) return null
    const here = await partitionsOfKeys(this.session, schema, this.partitions, job.key, incomingSql(job))
    const candidates = [...state.files.values()].filter((file) => (here === null || here(file)) && mayHold(file.add, schema, staged.keyRange))
    if (candidates.length === 0) return this.judge(null)
    job.files = candidates.map((file) => tableFile(this.root, schema, file))
    const late = staged.places !== null && staged.places.lowest <= highest
    for (const sql of hitsSql(job, keep, late)) await this.session.exec(sql)
    const hits = (await this.session.rows('SELECT DISTINCT file FROM sluice_hit ORDER BY file')).map(({ file }) => Number(file))
    if (hits.length === 0) return this.judge(null)
    for (const sql of decideSql(job, keep, hits, late ? history : null)) await this.session.exec(sql)
    for (const { file } of await this.session.rows(`SELECT DISTINCT file FROM (${leavingRowsSql(job)}) ORDER BY file`)) {
      const candidate = candidates[Number(file)]
      if (candidate !== undefined) this.touched.push({ file: candidate, n: Number(file) })
    }
    return this.judge(job.foreign === null ? hits : [...new Set([...hits, ...this.touched.map(({ n }) => n)])])
  }

  private async judge(hits: number[] | null): Promise<number[] | null> {
    const { keep, staged } = this.job
    if (keep !== null && keep.rule !== 'first' && staged.losers.length > 0) for (const sql of verdictSql(this.job, hits)) await this.session.exec(sql)
    return hits
  }

  private async writeRows(hits: number[] | null): Promise<void> {
    const { job } = this
    if (this.partitions.length === 0) await this.copyAll(job.staged.records.map((part) => ({ point: 'delta.data', into: this.data, folder: '', select: dataSql(job, part, hits !== null) })))
    else await this.writeApart(job.staged.records.map((part) => dataSql(job, part, hits !== null)))
    // One touched file at a time: memory follows the file, not the table.
    for (const touched of this.touched) {
      const values = touched.file.add.partitionValues
      const folder = await this.folderFor(values)
      const [written = null] = await this.copyAll([{ point: 'delta.rewrite', into: this.rewrites, folder, select: rewriteSql(job, touched.n, storedColumns(job.schema, this.partitions)), values }])
      if (written !== null) touched.into = written
    }
  }

  /** One file per partition that the new rows belong to. */
  private async writeApart(selects: readonly string[]): Promise<void> {
    if (selects.length === 0) return
    const { schema } = this.job
    const files: Copy[] = []
    for (const { values, select } of await layApart(this.session, schema, this.partitions, selects.join(' UNION ALL '))) {
      files.push({ point: 'delta.data', into: this.data, folder: await this.folderFor(values), select, values })
    }
    await this.copyAll(files)
    await forgetApart(this.session)
  }

  /** Folder of a partition, below the table's; its entries up to there are synced with the rest. */
  private async folderFor(values: PartitionValues): Promise<string> {
    const folder = folderOf(values, partitionNames(this.job.schema, this.partitions))
    if (folder === '') return ''
    await localFs.makeFolder('delta.partition.make', join(this.root, folder))
    for (let at = dirname(join(this.root, folder)); at.length >= this.root.length; at = dirname(at)) this.folders.add(at)
    return folder
  }

  private async writeKept(hits: number[] | null): Promise<void> {
    const { keep, staged } = this.job
    const files: Copy[] = []
    const rejects = { point: 'delta.rejects', into: this.rejects, folder: REJECTS_FOLDER }
    if (keep !== null && staged.records.length > 0) {
      for (const select of losersOutSql(this.job, keep, hits)) files.push({ point: 'delta.losers', into: this.losers, folder: LOSERS_FOLDER, select })
      for (const select of repeatedSql(this.job, keep, hits)) files.push({ ...rejects, select })
    }
    if (staged.rejects.length > 0) files.push({ ...rejects, select: rejectsSql(staged) })
    await this.copyAll(files)
  }

  /** One after another; while the disk takes one, the next is computed: syncs were a tenth of a large commit. Null: no rows. */
  private async copyAll(files: readonly Copy[]): Promise<(Written | null)[]> {
    const asked: Promise<Written>[] = []
    try {
      for (const { point, folder, select } of files) {
        const n = this.paths.length + 1
        const path = join(this.root, folder, folder === LOSERS_FOLDER || folder === REJECTS_FOLDER ? `${this.name}-${n}.parquet` : dataName(this.name, n))
        this.paths.push(path)
        const copy = this.session.copy(point, await this.tamperWrite(select), path)
        // It is awaited below, but perhaps after it has failed.
        copy.catch(() => undefined)
        asked.push(copy)
        await asked.at(-2)
      }
    } finally {
      // None may write any more when an attempt is discarded.
      await Promise.allSettled(asked)
    }
    const all = await Promise.all(asked)
    return files.map(({ into, folder, values = {} }, at) => {
      const written = all[at]
      if (written === undefined || written.rows === 0) return null
      into.push(written)
      this.values.set(written, values)
      this.folders.add(join(this.root, folder))
      return written
    })
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

  private async finish(counted: Pick<BatchRecord, 'arrivals' | 'evicted' | 'reasons' | 'faults' | 'surplus'>, version: number, previous: RecordLink | null): Promise<Attempt> {
    const { batch, places } = this.job.staged
    const { text, sha256, record } = this.encode({
      format: 1,
      version,
      previous,
      batch: batch.id,
      lane: batch.lane,
      fence: batch.fence,
      ...counted,
      ...(this.replaces ? { replaced: this.dropped.reduce((total, file) => total + file.rows, 0) } : {}),
      highest: places?.highest ?? 0n,
      rewritten: this.rewrites.reduce((total, { bytes }) => total + bytes, 0),
      losers: this.kept(this.losers),
      rejects: this.kept(this.rejects),
      ...(this.job.staged.leftOut.length === 0 ? {} : { leftOut: this.job.staged.leftOut }),
    })
    const recordPath = `${BATCHES_FOLDER}/${this.name}.json`
    this.paths.push(join(this.root, recordPath))
    await localFs.write('delta.record.write', join(this.root, recordPath), text)
    await localFs.sync('delta.record.sync', join(this.root, BATCHES_FOLDER))
    const now = this.clock.now()
    const adds = this.data.map((written) => this.add(written, { [BATCH_TAG]: batch.id }, now))
    for (const { file, into } of this.touched) {
      const tags: Record<string, string> = { [BATCH_TAG]: batch.id }
      if (!file.ours) tags[FOREIGN_TAG] = 'rows of other writers'
      if (into !== undefined) adds.push(this.add(into, tags, now))
    }
    const removes = [...this.touched.map(({ file }) => file), ...this.dropped].map(({ add }): RemoveAction => ({ path: add.path, deletionTimestamp: now, dataChange: true, extendedFileMetadata: true, partitionValues: add.partitionValues, size: add.size, tags: { [BATCH_TAG]: batch.id } }))
    return { adds, removes, record, recordPath, sha256 }
  }

  private encode(record: BatchRecord): { text: string; sha256: string; record: BatchRecord } {
    return { ...encodeRecord(record), record }
  }

  private kept(written: readonly Written[]): KeptPart[] {
    return written.map(({ uri, rows, bytes }) => ({ path: uri.slice(this.root.length + 1), rows, bytes }))
  }

  private add(written: Written, tags: Record<string, string>, now: number): AddAction {
    const path = encodePath(written.uri.slice(this.root.length + 1))
    return { path, partitionValues: this.values.get(written) ?? {}, size: written.bytes, modificationTime: now, dataChange: true, stats: statsText(this.job.schema, written), tags }
  }
}

function uris(written: readonly Written[]): string[] {
  return written.map(({ uri }) => uri)
}
function sum(written: readonly Written[]): number {
  return written.reduce((total, { rows }) => total + rows, 0)
}
