/** Reading logs back: the lines of all processes in the order of the files, narrowed by run, time and level. */
import { closeSync, openSync, readSync } from 'node:fs'
import { logFiles } from '../storage/logFile.ts'
import { LEVELS } from './log.ts'
import type { Level } from './log.ts'

export interface LogLine {
  level: Level
  /** ISO 8601, UTC. */
  time: string
  pid: number
  msg: string
  [field: string]: unknown
}

export interface LogQuery {
  run?: string
  /** Milliseconds since 1970. */
  since?: number
  /** The least that is shown. */
  level?: Level
}

export function matches(line: LogLine, query: LogQuery): boolean {
  if (query.run !== undefined && line['run'] !== query.run) return false
  if (query.level !== undefined && LEVELS.indexOf(line.level) < LEVELS.indexOf(query.level)) return false
  return query.since === undefined || Date.parse(line.time) >= query.since
}

const CHUNK = 1 << 16

/** Reads what was appended since the last call; the first call reads everything. A line without its end waits for it. */
export class LogReader {
  private readonly folder: string
  private readonly at = new Map<string, { offset: number; rest: Uint8Array }>()

  constructor(folder: string) {
    this.folder = folder
  }

  *lines(): Generator<LogLine> {
    for (const path of logFiles(this.folder)) yield* this.read(path)
  }

  private *read(path: string): Generator<LogLine> {
    const state = this.at.get(path) ?? { offset: 0, rest: new Uint8Array() }
    this.at.set(path, state)
    let handle: number
    try {
      handle = openSync(path, 'r')
    } catch {
      // Removed by age since the folder was listed.
      return
    }
    try {
      const chunk = Buffer.alloc(CHUNK)
      for (let length = 0; (length = readSync(handle, chunk, 0, CHUNK, state.offset)) > 0; ) {
        state.offset += length
        const bytes = Buffer.concat([state.rest, chunk.subarray(0, length)])
        const end = bytes.lastIndexOf(10) + 1
        state.rest = bytes.subarray(end)
        for (const text of bytes.toString('utf8', 0, end).split('\n')) {
          const line = parse(text)
          if (line !== null) yield line
        }
      }
    } finally {
      closeSync(handle)
    }
  }
}

/** A line that a full disk cut short is no line. */
function parse(text: string): LogLine | null {
  if (text === '') return null
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null && 'time' in line && 'level' in line ? (line as LogLine) : null
  } catch {
    return null
  }
}
