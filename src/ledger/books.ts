/** What every part of the SQLite ledger works with, and how its rows read. */
import type { Batch } from '../core/engine.ts'
import type { Clock, Random, SqlValue } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { SqliteRow, SqliteSession } from '../sql/sqlite.ts'
import type { Workers } from './workers.ts'

export interface Books {
  db: SqliteSession
  clock: Clock
  random: Random
  workers: Workers
}

export function number(row: SqliteRow, column: string): number {
  return Number(row[column])
}

export function numberOrNull(row: SqliteRow, column: string): number | null {
  const value = row[column]
  return value === null || value === undefined ? null : Number(value)
}

export function textOrNull(row: SqliteRow, column: string): string | null {
  const value = row[column]
  return value === null || value === undefined ? null : String(value)
}

/** A structure that this ledger wrote itself. */
export function structure<T>(row: SqliteRow, column: string): T {
  return JSON.parse(String(row[column])) as T
}

export function structureOrNull<T>(row: SqliteRow, column: string): T | null {
  return row[column] === null || row[column] === undefined ? null : structure<T>(row, column)
}

export function asJson(value: unknown): SqlValue {
  return value === null ? null : JSON.stringify(value)
}

/** @throws SluiceError NOT_FOUND */
export function tableNo(books: Books, uri: string): bigint {
  const no = books.db.get('SELECT no FROM tables WHERE uri = ?', [uri])?.['no']
  if (typeof no !== 'bigint') throw new SluiceError('NOT_FOUND', `The ledger does not know the table ${uri}.`)
  return no
}

/** @throws SluiceError NOT_FOUND */
export function runNo(books: Books, id: string): bigint {
  const no = books.db.get('SELECT no FROM runs WHERE id = ?', [id])?.['no']
  if (typeof no !== 'bigint') throw new SluiceError('NOT_FOUND', `The ledger does not know the run ${id}.`)
  return no
}

/** The next number of a table that counts by itself; only inside a transaction. */
export function nextNo(books: Books, table: 'paths' | 'batches' | 'runs' | 'tables'): bigint {
  return BigInt(String(books.db.get(`SELECT coalesce(max(no), 0) + 1 AS no FROM ${table}`)?.['no']))
}

/** The number of a batch while its claim is held by `worker`; null when it has ended or changed hands. */
export function claimNo(books: Books, batch: Batch, worker: string): bigint | null {
  const no = books.db.get('SELECT no FROM batches WHERE id = ? AND fence = ? AND worker = ? AND open = 1', [batch.id, batch.fence, worker])?.['no']
  return typeof no === 'bigint' ? no : null
}
