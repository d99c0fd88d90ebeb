/**
 * Which file the table of a scene lies in, where every look opens the file anew and reads what all of its tables are: of 5 tables
 * in 1 ms, of 400 in 20 ms. Tests share a file with their neighbours, and the scenes of one test always do.
 */
import { beforeEach } from 'node:test'
import { join } from 'node:path'

const TESTS_OF_A_FILE = 4

/** Called once, before the suite is registered. */
export function rooms(): (folder: string, scene: number) => string {
  let tests = 0
  const room = new Map<number, number>()
  beforeEach(() => {
    tests++
  })
  return (folder, scene) => {
    const found = room.get(scene) ?? Math.floor(tests / TESTS_OF_A_FILE)
    room.set(scene, found)
    return join(folder, `data-${found}.duckdb`)
  }
}
