/** The end of a run: who is still answered, who is not, and how long it may take. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { settle } from '../world/clock.ts'
import { startRun, type TestRun } from '../world/run.ts'

async function site(t: TestContext, linger?: string) {
  const run = await startRun(t, () => ({
    listen: { host: '127.0.0.1', port: 0, ...(linger !== undefined && { linger }) },
  }))
  const status = async (path: string) => {
    const { status: code, headers } = await fetch(`${run.running.publicUrl}${path}`)
    return { code, connection: headers.get('connection') }
  }
  return { ...run, status }
}

async function dial({ running }: TestRun): Promise<{ socket: Socket; heard: () => string }> {
  const { hostname, port } = new URL(running.publicUrl)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'connect')
  return { socket, heard: () => text }
}

/** Sends the head of a token request, and resolves once the server waits for its body. */
async function begin(run: TestRun) {
  const body = run.form().toString()
  const { socket, heard } = await dial(run)
  socket.write(
    `POST /token HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n` +
      `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n`,
  )
  while (!heard().includes('100 Continue')) await once(socket, 'data')
  return { socket, heard, body }
}

test('while it lingers it says that it is not ready, and serves on', async (t) => {
  const run = await site(t, '10s')
  assert.deepEqual(await run.status('/readyz'), { code: 200, connection: 'keep-alive' })
  const closed = run.running.close()
  assert.deepEqual(await run.status('/readyz'), { code: 503, connection: 'close' })
  const token = await fetch(`${run.running.publicUrl}/token`, { method: 'POST', body: run.form() })
  assert.equal(token.status, 200)
  assert.equal(token.headers.get('connection'), 'close')
  assert.match(
    await (await fetch(`${run.running.adminUrl}/metrics`)).text(),
    /^countersign_ready 0$/m,
  )
  run.clock.advance(10)
  await closed
  await assert.rejects(run.status('/readyz'))
})

test('a request under way is answered, new connections are refused', async (t) => {
  const run = await site(t)
  const { socket, heard, body } = await begin(run)
  const closed = run.running.close()
  await settle()
  await assert.rejects(run.status('/livez'))
  socket.write(body)
  await once(socket, 'close')
  assert.match(heard(), /HTTP\/1\.1 200 /)
  assert.match(heard(), /connection: close/i)
  await closed
})

test('an idle connection is closed without a word: its caller tries again elsewhere', async (t) => {
  const run = await site(t)
  const { socket, heard } = await dial(run)
  socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  while (!heard().includes('yes')) await once(socket, 'data')
  const first = heard()
  const ended = once(socket, 'close')
  await run.running.close()
  await ended
  assert.equal(heard(), first)
})

test('a caller that never finishes does not hold the end for ever', async (t) => {
  const run = await site(t)
  const { socket, heard } = await begin(run)
  const closed = run.running.close()
  await settle()
  run.clock.advance(19)
  await settle()
  assert.equal(socket.closed, false)
  run.clock.advance(1)
  await closed
  await (socket.closed ? undefined : once(socket, 'close'))
  assert.doesNotMatch(heard(), /200/)
})
