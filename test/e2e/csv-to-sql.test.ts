/** The sample run of examples/csv-to-sql is played again and must say what its page says. */
import test from 'node:test'
import { playSampleRun } from '../sample-run.ts'

test('CSV into SQLite and onward: the sample run says what it says on its page', (t) => {
  playSampleRun(t, { example: 'csv-to-sql', page: 'documented_sample_run/README.md' })
})
