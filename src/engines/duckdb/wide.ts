/**
 * DuckDB while it handles rows of many hundred columns.
 *
 * One thread: each that writes holds a row group, and two of them take twice the processor time and 140 MB more for it.
 *
 * A higher limit: every operator of a statement has a chunk of 2,048 values of each column, which most only pass on. DuckDB counts
 * these chunks, although nobody ever touches their memory: a join of 998 columns under a limit of 212 MB ended for want of memory or
 * took 7 s of processor time to spill, under 300 MB it takes 0.8 s, and the process is no larger. So their size is given on top.
 */
import type { Start } from './protocol.ts'

/** Bytes of a column in a chunk, at most. */
const CHUNK_BYTES = 32_768
/** Chunks of a statement that hold nothing, about. */
const CHUNKS = 4

export class Wide {
  private readonly start: Start
  /** Columns of what is handled now, together. */
  private columns = 0
  private tail: Promise<void> = Promise.resolve()

  constructor(start: Start) {
    this.start = start
  }

  /**
   * Rows of so many columns come, or (negative) are done with. One after another: who ends must not take it from who has begun.
   * @param exec runs a statement, on whatever connection: the settings are those of the process
   */
  change(by: number, exec: (sql: string) => Promise<void>): Promise<void> {
    const turn = this.tail.then(async () => {
      this.columns += by
      try {
        await this.set(exec)
      } catch (thrown) {
        // What was not granted is not counted. A limit that could not be lowered yet is lowered by the next change.
        if (by > 0) {
          this.columns -= by
          await this.set(exec).catch(() => undefined)
        }
        throw thrown
      }
    })
    this.tail = turn.catch(() => undefined)
    return turn
  }

  private async set(exec: (sql: string) => Promise<void>): Promise<void> {
    const { threads, memory } = this.start
    await exec(`SET threads = ${this.columns === 0 ? threads : 1}`)
    await exec(`SET memory_limit = '${memory + this.columns * CHUNK_BYTES * CHUNKS}B'`)
  }
}
