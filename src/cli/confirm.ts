/** Asking before something is removed. Only a person at a terminal is asked; everybody else says --yes. */
import { createInterface } from 'node:readline'
import { SluiceError } from '../core/errors.ts'
import type { Output } from './output.ts'

/**
 * @returns true for `y` or `yes`
 * @throws SluiceError USAGE where nobody can answer
 */
export async function confirm(output: Output, question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY || output.json) {
    throw new SluiceError('USAGE', `${question} Nobody can be asked here.`, { hint: 'Add --yes to remove it, or --dry-run to see what would be removed.' })
  }
  const { promise, resolve } = Promise.withResolvers<string>()
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-C and Ctrl-D are answers too: no.
  terminal.on('close', () => resolve(''))
  terminal.on('SIGINT', () => terminal.close())
  terminal.question(`${question} [y/N] `, resolve)
  const answer = await promise
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}
