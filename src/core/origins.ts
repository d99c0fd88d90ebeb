/**
 * The port to what a folder remembers of its own making: which output came from which bytes, and what is half in place.
 *
 * Outputs are made under a working name, `intend` notes where they belong in one transaction, then they are moved, then
 * `placed` notes how they lie there. So a process may die anywhere: what was intended is moved by the next one, and what
 * was not is made again. Everything that returns is durable.
 */

/** A file that was put somewhere, and how it lay there when it was last looked at. */
export interface Made {
  /** Below the folder, with `/`. */
  path: string
  sha256: string
  /** Bytes. */
  size: number
  /** As in a pin; empty while it is not in place. */
  stamp: string
}

/** Where an output came from. */
export interface Origin {
  /** Its name: path of the output below the folder, with `/`. */
  output: string
  /** Absolute path of the source. */
  source: string
  /** The source as it was read: its stamp, and whether its time stamp was too young to tell a later change. */
  stamp: string
  young: boolean
  size: number
  sha256: string
  /** What else decides the output, such as flags; compared, never interpreted. */
  options: string
  /** Null: these bytes give no output. */
  made: Made | null
  /** A second file that belongs to it, such as rejects. */
  beside: Made | null
}

/** `from` is a working file (absolute), null: what is at `to` goes. `to` is below the folder. */
export interface Move {
  from: string | null
  to: string
}

export interface Origins {
  /** By output. */
  all(): Map<string, Origin>
  /** Notes origins and the moves that make them true, in one transaction. */
  intend(entries: readonly { origin: Origin; moves: readonly Move[] }[]): void
  /** Moves that were intended and not yet noted as done. */
  moves(): Move[]
  /** These moves are done; the origins come with the stamps of their files in place. */
  placed(origins: readonly Origin[], targets: readonly string[]): void
  /** Notes anew how sources and outputs look; their bytes are what they were. */
  refresh(origins: readonly Origin[]): void
  forget(outputs: readonly string[]): void
  close(): void
}
