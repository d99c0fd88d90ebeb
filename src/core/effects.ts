/**
 * The six interfaces that carry every side effect: clock, random, file system, object store, SQL, broker.
 *
 * Nothing else in `src/` reads the time, makes up an id or changes state, so tests can replace each of them, and every
 * change has a failpoint before and after it: `point` is its name, see `failpoint.ts`.
 */

export interface Clock {
  /** Wall time, milliseconds since 1970 UTC. Never decides order, ownership or safety. */
  now(): number
  /** Milliseconds that only grow. For durations and for watching a beat stand still. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** `n` characters of `[0-9a-z]`, from the operating system's generator. */
  id(n: number): string
}

export interface FileStat {
  kind: 'file' | 'folder' | 'link' | 'other'
  size: number
  device: bigint
  inode: bigint
  /** Nanoseconds since 1970 UTC. */
  mtime: bigint
  ctime: bigint
}

/** Bytes on a local disk. Errors are SluiceErrors: DISK_FULL, PERMISSION_DENIED, PATH_NOT_FOUND or IO_FAILED. */
export interface Fs {
  /** Does not follow a last link when `follow` is false. Null: nothing there. */
  stat(path: string, follow?: boolean): Promise<FileStat | null>
  /** Names in a folder, unsorted; null when there is no such folder. */
  list(path: string): Promise<{ name: string; kind: FileStat['kind'] }[] | null>
  /** The whole file; null when it is not there. */
  read(path: string): Promise<Uint8Array | null>
  /** Creates the folder and its parents; every folder made is durable (its parent is synced). */
  makeFolder(point: string, path: string): Promise<void>
  /** Writes a new file and syncs it. The folder is not synced. An existing file is an error. */
  write(point: string, path: string, bytes: Uint8Array | string): Promise<void>
  /** Gives `from` a second name if and only if `to` is free. False: `to` exists. */
  link(point: string, from: string, to: string): Promise<boolean>
  /** Moves, replacing what is at `to`. */
  rename(point: string, from: string, to: string): Promise<void>
  /** Removes a file or a folder with all it holds; nothing there is fine. */
  remove(point: string, path: string): Promise<void>
  /** fsync of a file or of a folder. A failure is final for this file: new name, new attempt. */
  sync(point: string, path: string): Promise<void>
}

/** Objects by key with put-if-absent (S3 and its like). First used by the S3 storage. */
export interface ObjectStore {
  get(key: string, range?: { from: number; to: number }): Promise<Uint8Array | null>
  list(prefix: string): AsyncIterable<{ key: string; size: number }>
  /** False: the key exists. */
  putIfAbsent(point: string, key: string, bytes: Uint8Array): Promise<boolean>
  remove(point: string, key: string): Promise<void>
}

export type SqlValue = string | number | bigint | boolean | null | Uint8Array

/** One session with a SQL database. Synchronous or not is the database's business, so all answers are promises. */
export interface Sql {
  all(sql: string, values?: readonly SqlValue[]): Promise<Record<string, SqlValue>[]>
  /** A statement that changes state; answers how many rows it touched. */
  run(point: string, sql: string, values?: readonly SqlValue[]): Promise<number>
  /** All or nothing; failpoints stand before and after the commit, too. Not to be nested. */
  transaction<T>(point: string, work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** A message broker. First used by the queue sources. */
export interface Broker {
  publish(point: string, topic: string, key: Uint8Array | null, body: Uint8Array): Promise<void>
  acknowledge(point: string, delivery: string): Promise<void>
}
