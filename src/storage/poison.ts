/**
 * Poison of a test process: files that are deadly to the worker process that reads them, behind all limits, to prove that
 * they are found and isolated. Without both variables nothing is installed, and a value that is not understood ends the
 * process at once: it cannot be triggered by accident.
 *
 *   SLUICE_TEST_ONLY  must be `poison`
 *   SLUICE_POISON     `<part of the file name>=<kind>@<bytes read, or after>`, several joined by commas
 *   kinds             SIGSEGV SIGKILL SIGABRT (a signal) · exit (code 7) · heap · memory (outside of V8's heap) ·
 *                     spin (an endless loop) · hang (waits for ever)
 */
import { basename } from 'node:path'
import { SluiceError } from '../core/errors.ts'
import { setPoisonHandler } from '../core/failpoint.ts'

const KINDS: Readonly<Record<string, () => void>> = {
  SIGSEGV: () => die('SIGSEGV'),
  SIGKILL: () => die('SIGKILL'),
  SIGABRT: () => process.abort(),
  exit: () => process.exit(7),
  heap: () => {
    for (const kept: unknown[] = []; ; ) kept.push(Array.from({ length: 1000 }, (_, at) => ({ at })))
  },
  memory: () => {
    // So fast as a careless reader of a bomb would: some hundred megabytes a second.
    for (const kept: Uint8Array[] = []; ; pause(10)) kept.push(new Uint8Array(4_000_000).fill(1))
  },
  spin: () => {
    for (;;);
  },
  hang: () => {
    for (;;) pause(1000)
  },
}

interface Rule {
  name: string
  at: number | 'after'
  act(): void
}

export function installPoison(): void {
  const { SLUICE_POISON: text, SLUICE_TEST_ONLY: only } = process.env
  if (text === undefined || only !== 'poison') return
  const rules = text.split(',').map(ruleOf)
  setPoisonHandler((path, at) => {
    const name = basename(path)
    for (const rule of rules) if (name.includes(rule.name) && (at === 'after' || rule.at === 'after' ? at === rule.at : at >= rule.at)) rule.act()
  })
}

function ruleOf(text: string): Rule {
  const [, name = '', kind = '', at = ''] = /^(.+)=(\w+)@(\d+|after)$/.exec(text) ?? []
  const act = KINDS[kind]
  if (act === undefined) throw new SluiceError('USAGE', `SLUICE_POISON: ${text} is no poison.`)
  return { name, at: at === 'after' ? at : Number(at), act }
}

function die(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal)
  // The signal is on its way; nothing may happen until it arrives.
  for (;;) pause(1000)
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
