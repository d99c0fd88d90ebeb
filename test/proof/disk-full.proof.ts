/**
 * A disk that is really full: small tmpfs of 16 sizes per target. On each, loads go on until one fails for want of room;
 * it must fail as DISK_FULL, lose nothing that was acknowledged, leave a clean table behind, and go on by itself once
 * there is room again. Needs root for the mounts.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from '../../src/index.ts'
import { broken, close, inFolder, runCases, tableText } from './harness.ts'

interface Case {
  target: 'delta' | 'sqlite'
  /** Size of the tmpfs, kB. */
  size: number
}

const cases: Case[] = []
for (let n = 0; n < 16; n++) for (const target of ['delta', 'sqlite'] as const) cases.push({ target, size: 700 + n * 257 })

/** Records of a file: about 150 kB that compress badly. */
function records(file: number): string {
  let text = ''
  for (let n = 0; n < 1000; n++) text += `${JSON.stringify({ id: `${file}-${n}`, data: Math.random().toString(36).repeat(8).slice(0, 100) })}\n`
  return text
}

async function fill({ target, size }: Case): Promise<void> {
  await inFolder('full', async (folder) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}k`, 'tmpfs', disk])
    try {
      const to = target === 'delta' ? undefined : `sqlite:${join(disk, 't.db')}`
      const data = join(disk, 'data')
      const go = (n: number): ReturnType<typeof load> =>
        load({ paths: [join(folder, `f${n}.ndjson`)], into: 't', key: 'id', dataDir: data, jobs: 1, ...(to === undefined ? {} : { to }) })
      let loaded = 0
      let full = false
      for (let n = 0; n < 60 && !full; n++) {
        writeFileSync(join(folder, `f${n}.ndjson`), records(n))
        try {
          const result = await go(n)
          if (result.exit === 0) loaded++
          else if (result.errors[0]?.code === 'DISK_FULL' && result.state === 'FAILED' && result.exit === 1) full = true
          else throw new Error(`load ${n} ended with ${result.exit}: ${JSON.stringify(result.errors[0])}`)
        } catch (thrown) {
          if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'DISK_FULL')) throw thrown
          full = true
        }
      }
      if (!full) throw new Error('the disk was never full')
      execFileSync('mount', ['-o', 'remount,size=64m', disk])
      const after = await go(loaded)
      if (after.exit !== 0) throw new Error(`with room again it ended with ${after.exit}: ${JSON.stringify(after.errors[0])}`)
      const rows = await tableText(data, 't', to)
      if (rows.length !== (loaded + 1) * 1000) throw new Error(`${rows.length} rows instead of ${(loaded + 1) * 1000}`)
      const findings = await broken(data)
      if (findings.length > 0) throw new Error(`doctor: ${findings.join('; ')}`)
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })
}

const result = await runCases(cases, 2, (c) => `${c.target} ${c.size} kB`, fill)
close('disk-full', result, cases.length, '16 sizes for each of 2 targets')
