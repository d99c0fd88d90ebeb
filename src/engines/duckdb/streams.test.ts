/** The flow of chunks: no more than WINDOW unacknowledged, and an end when the reader leaves. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { WINDOW } from './protocol.ts'
import { Flow } from './streams.ts'

test('the sender waits for acknowledgements', async () => {
  const flow = new Flow()
  let sent = 0
  const sender = (async () => {
    while (await flow.take()) sent += 1
  })()
  const rest = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  await rest()
  assert.equal(sent, WINDOW)
  flow.more()
  await rest()
  assert.equal(sent, WINDOW + 1)
  flow.stop()
  await sender
  assert.equal(sent, WINDOW + 1)
})
