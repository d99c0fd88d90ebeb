/**
 * A disk that is really full under the outputs of convert and sync: several sizes of a small tmpfs. The run must fail as
 * DISK_FULL, leave nothing but whole outputs behind, and the same command must finish once there is room. Needs root.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calledWell } from './called.ts'
import { close, inFolder, runCases, sluice } from './harness.ts'
import { mount, run, unmount } from './mounts.ts'

interface Case {
  verb: 'convert to ndjson' | 'convert to parquet' | 'sync'
  /** kB of the disk. */
  size: number
}

const SIZES = [64, 256, 512, 768, 1024, 1536]
const cases: Case[] = (['convert to ndjson', 'convert to parquet', 'sync'] as const).flatMap((verb) => SIZES.map((size) => ({ verb, size })))
const FILES = 12
const ROWS = 1000

/** About 130 kB a file that do not compress. */
function records(file: number): string {
  return Array.from({ length: ROWS }, (_, n) => `${JSON.stringify({ id: `${file}-${n}`, data: randomBytes(75).toString('base64') })}\n`).join('')
}

function outputs(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map()
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('.sluice-') && statSync(join(folder, name)).isFile())
  return new Map(names.map((name) => [name, createHash('sha256').update(readFileSync(join(folder, name))).digest('hex')]))
}

let full = 0

async function fill({ verb, size }: Case): Promise<void> {
  await inFolder('full', async (folder) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    mkdirSync(join(folder, 'in'))
    for (let file = 0; file < FILES; file++) writeFileSync(join(folder, `in/f${file}.ndjson`), records(file))
    const args = (out: string): ['convert' | 'sync', ...string[]] =>
      verb === 'sync' ? ['sync', join(folder, 'in'), out, '--data-dir', join(folder, 'data'), '--json'] : ['convert', join(folder, 'in'), '--to', verb.slice('convert to '.length), '-o', out, '--data-dir', join(folder, 'data'), '--json']
    await calledWell(args(join(folder, 'reference')), 'the run on a large disk')
    const expected = outputs(join(folder, 'reference'))
    mount(['-t', 'tmpfs', '-o', `size=${size}k`, 'tmpfs'], disk)
    try {
      const first = await sluice(args(join(disk, 'out')))
      const said = JSON.parse(first.stdout) as { code?: string; state?: string; errors?: { code: string }[] }
      if (first.code !== 0) {
        full++
        if (first.code !== 1 || (said.code ?? said.errors?.[0]?.code) !== 'DISK_FULL') throw new Error(`it ended with ${first.code}: ${first.stdout.slice(0, 300)}`)
      }
      for (const [name, sha256] of outputs(join(disk, 'out'))) if (expected.get(name) !== sha256) throw new Error(`${name} is not whole`)
      await run('mount', ['-o', 'remount,size=64m', disk])
      await calledWell(args(join(disk, 'out')), 'with room again it')
      const got = outputs(join(disk, 'out'))
      for (const [name, sha256] of expected) if (got.get(name) !== sha256) throw new Error(`${name} is missing or differs`)
    } finally {
      await unmount(disk)
    }
  })
}

const result = await runCases(cases, 2, ({ verb, size }) => `${verb}, ${size} kB`, fill)
if (full < cases.length / 2) {
  result.failed++
  console.log(`  failed: the disk was full in ${full} of ${cases.length} cases only`)
}
close('disk-full-copying', result, cases.length, `${full} times full`)
