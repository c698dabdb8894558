/** How the store listens, on a connection that does what the test says. */

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type pg from 'pg'
import { TOPICS } from '../../src/store/changes.ts'
import { listen } from '../../src/store/postgres/listener.ts'
import { settle, TestClock } from '../world/clock.ts'

/** A listener whose connections are refused or lost at will, and whose delays are the middle of their spread. */
function stage() {
  const clock = new TestClock()
  const told: string[] = []
  const clients: (EventEmitter & { readonly ended: () => boolean })[] = []
  const world = { connects: true, answers: true }
  const client = () => {
    let ended = false
    const made = Object.assign(new EventEmitter(), {
      connect: async () => {
        if (!world.connects) throw new Error('ECONNREFUSED')
      },
      query: async () => {
        if (!world.answers) throw new Error('Query read timeout')
      },
      end: async () => {
        ended = true
      },
      ended: () => ended,
    })
    clients.push(made)
    return made as unknown as pg.Client
  }
  const close = listen({ client, timers: clock.timers, tell: (topic) => told.push(topic) })
  return {
    ...{ world, told, clients, close },
    /** Lets the time pass until something is due; returns how long that was, in seconds. */
    pass() {
      const [delay = 0] = clock.pending()
      clock.advance(delay)
      return delay
    },
    planned: () => clock.pending().length,
  }
}

test('once it listens, everything is told; then what is said, if it is known', async () => {
  const { told, clients } = stage()
  await settle()
  assert.deepEqual(told, TOPICS)
  clients[0]?.emit('notification', { payload: 'signing_keys' })
  clients[0]?.emit('notification', { payload: 'a topic of a later version' })
  clients[0]?.emit('notification', {})
  assert.deepEqual(told, [...TOPICS, 'signing_keys'])
})

test('a lost connection is made again, ever later while it fails, and then everything is told', async () => {
  const { world, told, clients, pass } = stage()
  await settle()
  world.connects = false
  clients[0]?.emit('error', new Error('ECONNRESET'))
  assert.equal(clients[0]?.ended(), true)
  const delays: number[] = []
  for (let n = 0; n < 8; n += 1) {
    delays.push(pass())
    await settle()
  }
  assert.deepEqual(
    delays,
    [0.25, 0.5, 1, 2, 4, 8, 10, 10].map((most) => most * 0.75),
  )
  assert.equal(told.length, TOPICS.length)
  world.connects = true
  pass()
  await settle()
  assert.equal(told.length, 2 * TOPICS.length)
  clients.at(-1)?.emit('error', new Error('ECONNRESET'))
  assert.equal(pass(), 0.1875, 'after a success the first delay again')
})

test('a connection that went silent is noticed within 15 seconds', async () => {
  const { world, told, clients, pass } = stage()
  await settle()
  assert.equal(pass(), 15)
  await settle()
  assert.equal(clients.length, 1, 'it lives')
  world.answers = false
  pass()
  await settle()
  assert.equal(clients[0]?.ended(), true)
  world.answers = true
  assert.equal(pass(), 0.1875)
  await settle()
  assert.deepEqual([clients.length, told.length], [2, 2 * TOPICS.length])
})

test('closed, it ends its connection and makes no other', async () => {
  const { clients, close, planned } = stage()
  await settle()
  close()
  clients[0]?.emit('error', new Error('Connection terminated'))
  await settle()
  assert.deepEqual([clients[0]?.ended(), clients.length, planned()], [true, 1, 0])
})

test('closed while it connects, it does not begin to listen', async () => {
  const { told, clients, close, planned } = stage()
  close()
  await settle()
  assert.deepEqual([told, clients[0]?.ended(), planned()], [[], true, 0])
})
