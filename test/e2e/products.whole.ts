/** The sample run of examples/products is played again, with half a million rows, and must say what its page says. */
import test from 'node:test'
import { playSampleRun } from '../sample-run.ts'

test('half a million products: the sample run says what it says on its page', (t) => {
  playSampleRun(t, { example: 'products', page: 'documented_sample_run/README.md', mask: (text) => text.replace(/\b[\d,]+ ms\b/g, '… ms') })
})
