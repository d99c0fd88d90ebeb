/** B7's process: loads a folder and tells how long the first and the last tenth of its files took. */
import { load } from '../src/index.ts'

const [paths = '', dataDir = ''] = process.argv.slice(2)
let began = 0
let total = 0
let settled = 0
const steps: { at: number; files: number }[] = []
const result = await load({
  paths: [paths], into: 'x', dataDir,
  onEvent(event) {
    if (event.kind === 'discovered') {
      began = performance.now()
      total = event.files
    } else if (event.kind === 'phase' && event.phase === 'settled') {
      settled += Number(/^(\d+) files/.exec(event.detail)?.[1] ?? 0)
      steps.push({ at: performance.now() - began, files: settled })
    }
  },
})
/** When so many files were in, between the batches by rule of three. */
function when(files: number): number {
  let before = { at: 0, files: 0 }
  for (const step of steps) {
    if (step.files >= files) return before.at + ((step.at - before.at) * (files - before.files)) / (step.files - before.files)
    before = step
  }
  return Number.NaN
}
console.log(JSON.stringify({ first: when(total / 10), last: when(total) - when(total * 0.9), total: when(total), inserted: result.balance.inserted, batches: steps.length }))
