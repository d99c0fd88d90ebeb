/**
 * A way to a PostgreSQL server that loses the answer to a COMMIT: it looks at what goes to the server, and from a COMMIT on
 * nothing comes back. The server commits all the same, or, with `before`, never hears of it.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface LossyWay {
  port: number
  /** How often a connection was cut. */
  cuts: number
  /** Cuts are made from now on: so many. */
  arm(cuts: number): void
  close(): Promise<void>
}

/** @param when `after` the COMMIT was passed on, or `before` */
export async function lossyWay(host: string, port: number, when: 'before' | 'after'): Promise<LossyWay> {
  const open = new Set<Socket>()
  let armed = 0
  const server = createServer((client) => {
    const behind = connect(port, host)
    for (const socket of [client, behind]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        behind.destroy()
      })
    }
    client.on('data', (bytes: Buffer) => {
      // Of a simple query: Q, its length, the text.
      const commits = armed > 0 && bytes.includes('COMMIT\0')
      if (!commits) {
        behind.write(bytes)
        return
      }
      armed--
      way.cuts++
      if (when === 'before') {
        client.destroy()
        return
      }
      behind.write(bytes, () => undefined)
      // The server answers when it has committed: then the connection breaks, and nobody here has heard it.
      behind.removeAllListeners('data')
      behind.once('data', () => client.destroy())
    })
    behind.on('data', (bytes: Buffer) => client.write(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way: LossyWay = {
    port: (server.address() as AddressInfo).port,
    cuts: 0,
    arm: (cuts) => (armed = cuts),
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return way
}
