/** The sample run of examples/events is played again: by date, all, again and again, late; it must say what its page says. */
import test from 'node:test'
import { playSampleRun } from '../sample-run.ts'

test('events by day: the sample run says what it says on its page', (t) => {
  playSampleRun(t, { example: 'events', page: 'documented_sample_run/README.md' })
})
