/** A wire between a client and PostgreSQL that can be cut at the worst moment. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export type Proxy = {
  readonly port: number
  /** The next answer whose request mentions `text` is lost, with its connection. Resolves when that has happened. */
  loseAnswerTo(text: string): Promise<void>
}

export async function proxyTo(t: TestContext, port: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let lose: { readonly text: string; readonly done: () => void } | null = null
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let doomed = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => {
      doomed ||= lose !== null && chunk.includes(lose.text)
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!doomed || lose === null) {
        client.write(chunk)
        return
      }
      // The server has answered, so it has committed.
      lose.done()
      lose = null
      client.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswerTo: (text) =>
      new Promise((done) => {
        lose = { text, done }
      }),
  }
}
