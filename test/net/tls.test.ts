import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { suite, type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createDoor } from '../../src/net/fetch.ts'
import { selfSigned } from '../world/certificate.ts'

const NAME = 'issuer.example'

/** An HTTPS server that asks for a client certificate and says whose it got. */
async function setStage(t: TestContext) {
  const own = selfSigned(NAME)
  const client = selfSigned('countersign.example')
  const server = createServer(
    { ...own, ca: client.cert, requestCert: true, rejectUnauthorized: false },
    ({ socket }, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ client: (socket as TLSSocket).authorized }))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => new Promise((resolve) => server.close(resolve)))
  const door = createDoor({ lookup: async () => [{ address: '127.0.0.1', family: 4 }] })
  const { port } = server.address() as AddressInfo
  const get = (
    host: string,
    options: { ca?: string; serverName?: string } & Partial<typeof own>,
  ) => {
    const origin = `https://${host}:${port}`
    return door({ url: `${origin}/`, allow: [origin], allowPrivate: true, json: true, ...options })
  }
  return { own, client, get }
}

suite('the door over TLS', () => {
  test('trusts the authority it was given', async (t) => {
    const { own, get } = await setStage(t)
    assert.equal((await get(NAME, { ca: own.cert })).body, '{"client":false}')
  })

  test('trusts the system’s roots otherwise, and they do not know this server', async (t) => {
    const { get } = await setStage(t)
    await assert.rejects(get(NAME, {}), { code: 'tls' })
  })

  test('trusts no other authority than the one it was given', async (t) => {
    const { get } = await setStage(t)
    await assert.rejects(get(NAME, { ca: selfSigned(NAME).cert }), { code: 'tls' })
  })

  test('refuses a certificate for another name', async (t) => {
    const { own, get } = await setStage(t)
    await assert.rejects(get('other.example', { ca: own.cert }), { code: 'tls' })
  })

  test('compares with the name that the operator gave, where there is one', async (t) => {
    const { own, get } = await setStage(t)
    await get('other.example', { ca: own.cert, serverName: NAME })
  })

  test('shows our own certificate', async (t) => {
    const { own, client, get } = await setStage(t)
    assert.equal((await get(NAME, { ca: own.cert, ...client })).body, '{"client":true}')
  })
})
