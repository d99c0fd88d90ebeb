/** Plays commands in a copy of an example, into one target or another, and compares what the tables hold then, by query. */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { scratch, sluice } from './command.ts'

/** A command without `sluice`, or what somebody does to the folder. */
export type Step = readonly string[] | ((folder: string) => void)

export interface ExampleRuns {
  /** Folder below examples/. */
  example: string
  steps: readonly Step[]
  /** Asked of each target; with an order, so that the same rows are the same lines. */
  queries: readonly string[]
}

/**
 * The same commands for each target, which is all that differs: SLUICE_TO, as `--to` has it, relative to the folder.
 * @returns the answers of the first target, a list of lines of JSON for each query
 */
export async function sameRows(t: TestContext, { example, steps, queries }: ExampleRuns, targets: readonly string[]): Promise<string[][]> {
  const answers: string[][][] = []
  for (const to of targets) {
    const folder = join(scratch(t), example)
    cpSync(join(import.meta.dirname, '../examples', example), folder, { recursive: true, filter: (path) => !['sluice-data', 'node_modules'].includes(basename(path)) })
    for (const step of steps) {
      if (typeof step === 'function') step(folder)
      else {
        const said = await sluice(step, { cwd: folder, env: { SLUICE_TO: to } })
        assert.equal(said.code, 0, `${to}: ${step.join(' ')}: ${said.stdout}${said.stderr}`)
      }
    }
    const told: string[][] = []
    for (const query of queries) {
      const said = await sluice(['sql', '--to', to, '--format', 'ndjson', query], { cwd: folder })
      assert.equal(said.code, 0, `${to}: ${query}: ${said.stderr}`)
      told.push(said.stdout.trimEnd().split('\n'))
    }
    answers.push(told)
  }
  const [first = [], ...others] = answers
  for (const [at, other] of others.entries()) for (const [n, query] of queries.entries()) assert.deepEqual(other[n], first[n], `${targets[at + 1] ?? ''} and ${targets[0] ?? ''}: ${query}`)
  return first
}
