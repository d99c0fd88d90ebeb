/** `sluice explain CODE`: what a code means and what to do next. */
import { Command } from 'commander'
import { CODES, isCode } from '../core/codes.ts'
import { SluiceError } from '../core/errors.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

export function explainCommand(run: Run): Command {
  const command = new Command('explain').description('what an error code means and what to do next').argument('[code]', 'a code such as KEY_MISSING; without one all are listed')
  return command.action((code: string | undefined) => run(explain)({ code }))
}

async function explain(output: Output, { code }: { code: string | undefined }): Promise<number> {
  if (code === undefined) {
    const items = Object.entries(CODES).map(([name, entry]) => ({ code: name, ...entry }))
    output.document({ schema: 'sluice.explain/1', items, next: null })
    for (const item of items) output.result(`${item.code.padEnd(20)}  ${item.means}`)
    return 0
  }
  const name = code.toUpperCase()
  if (!isCode(name)) throw new SluiceError('NOT_FOUND', `There is no code ${code}.`, { hint: 'sluice explain lists them all.' })
  const entry = CODES[name]
  output.document({ schema: 'sluice.explain/1', items: [{ code: name, ...entry }], next: null })
  output.result(`${name}  (${entry.kind}, exit code ${entry.exit}, HTTP ${entry.http})\n  ${entry.means}\n  ${entry.hint}`)
  return 0
}
