/** A stolen platform token over HTTP: who is refused, what the caller hears of it, and what the operator reads. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { REASONS } from '../../src/refusal.ts'
import { type BrokerOptions, startBroker, type TestBroker, WORKLOAD } from '../world/broker.ts'
import { POD_UID } from '../world/cluster.ts'
import { type Holder, holder } from '../world/proof.ts'

const CLIENT_CREDENTIALS = {
  grant_type: 'client_credentials',
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
}

type Heard = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly id: string
}

/** A caller with a key, or without one, at an address. */
function caller(world: TestBroker, key: Holder | null, address = '192.0.2.7') {
  let nonce: string | undefined
  return async function use(form: Readonly<Record<string, string>>): Promise<Heard> {
    for (;;) {
      const url = `${world.issuer}/token`
      const at = world.clock.seconds()
      const dpop = key?.prove({ url, at, ...(nonce !== undefined && { nonce }) })
      const response = await world.app.inject({
        method: 'POST',
        url: new URL(url).pathname,
        remoteAddress: address,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(dpop !== undefined && { dpop }),
        },
        payload: new URLSearchParams(form).toString(),
      })
      nonce = response.headers['dpop-nonce']?.toString() ?? nonce
      const body = response.json<Record<string, unknown>>()
      const id = String(response.headers['x-request-id'])
      if (body['error'] !== 'use_dpop_nonce') return { status: response.statusCode, body, id }
    }
  }
}

async function stage(t: TestContext, pin: string, options: BrokerOptions = {}) {
  const world = await startBroker(t, { ...options, trust: { pin } })
  const owner = caller(world, holder('owner'))
  const thief = caller(world, holder('thief'), '203.0.113.9')
  const keyless = caller(world, null, '203.0.113.10')
  const pins = async () => {
    const { text } = await world.broker.meter.expose()
    const series = /^countersign_evidence_pins_total\{trust="(.+)",outcome="(\w+)"\} (\d+)$/gm
    return [...text.matchAll(series)].map(([, trust, outcome, count]) => [trust, outcome, count])
  }
  return { world, owner, thief, keyless, pins }
}

/** The same platform token on the other carrier. */
function otherCarrier({ assertion = '', ...form }: Record<string, string>) {
  return { ...form, ...CLIENT_CREDENTIALS, client_assertion: assertion }
}

test('a stolen platform token is refused with another key and with none, on both carriers', async (t) => {
  const { world, owner, thief, keyless, pins } = await stage(t, 'when-offered')
  const form = world.form()
  assert.equal((await owner(form)).status, 200)
  for (const use of [thief, keyless]) {
    const grant = await use(form)
    assert.deepEqual([grant.status, grant.body['error']], [400, 'invalid_grant'])
    const client = await use(otherCarrier(form))
    assert.deepEqual([client.status, client.body['error']], [401, 'invalid_client'])
  }
  assert.equal((await owner(otherCarrier(form))).status, 200)
  assert.deepEqual(await pins(), [
    ['kubernetes:prod-eu', 'pinned', '1'],
    ['kubernetes:prod-eu', 'keyless', '0'],
    ['kubernetes:prod-eu', 'mismatched', '4'],
  ])
})

test('the caller hears what it hears of any bad credential; the operator reads both sides', async (t) => {
  const { world, owner, thief } = await stage(t, 'when-offered')
  const form = world.form()
  const first = await owner(form)
  const stolen = await thief(form)
  const forged = await thief({ ...form, assertion: `${form['assertion']?.slice(0, -8)}AAAAAAAA` })
  const heard = ({ body: { request_id: _, ...rest }, status }: Heard) => ({ ...rest, status })
  assert.deepEqual(heard(stolen), heard(forged))
  assert.deepEqual(heard(stolen), {
    error: 'invalid_grant',
    error_description: REASONS.evidence_key_mismatch.sentence,
    status: 400,
  })
  const event = world.events().find(({ id }) => id === stolen.id)
  assert.equal(event?.reason, 'evidence_key_mismatch')
  assert.partialDeepStrictEqual(event?.detail, {
    trust: 'kubernetes:prod-eu',
    firstRequest: first.id,
    firstAt: new Date(world.clock.now()).toISOString(),
    firstSourceIp: '192.0.2.7',
    firstWorkload: WORKLOAD,
    sourceIp: '203.0.113.9',
    workload: WORKLOAD,
  })
  for (const side of ['firstOrigin', 'origin']) {
    assert.ok([event?.detail[side]].flat().includes(`pod:prod-eu/${POD_UID}`), side)
  }
  // The log says it too, and neither holds the token.
  const logged = world.written()
  assert.match(logged, new RegExp(`"reason":"evidence_key_mismatch","detail":\\{[^}]*${first.id}`))
  assert.ok(!logged.includes(form['assertion']?.slice(-40) ?? ''))
})

test('a pin ends with its token: the next one of the same pod is free', async (t) => {
  const { world, owner, thief } = await stage(t, 'when-offered')
  assert.equal((await thief(world.form())).status, 200)
  assert.equal((await owner(world.form())).status, 400, 'the owner is locked out')
  world.clock.advance(300)
  const renewed = world.cluster.mint(({ claims }) => {
    claims['jti'] = randomUUID()
  })
  assert.equal((await owner(world.form({ assertion: renewed }))).status, 200)
})

test('a request that is refused pins nothing', async (t) => {
  const { world, owner, thief } = await stage(t, 'when-offered')
  assert.equal((await thief(world.form({ scope: 'trades:delete' }))).body['error'], 'invalid_scope')
  assert.equal((await thief(world.form({ resource: 'https://x.test' }))).status, 400)
  assert.equal((await owner(world.form())).status, 200)
  assert.equal((await thief(world.form())).status, 400)
})

test('a pin stays when the audit log is away, and its caller gets a token later', async (t) => {
  let away = true
  const { world, owner, thief } = await stage(t, 'when-offered', { auditFails: () => away })
  // The first only learns the nonce.
  for (const _ of [1, 2]) assert.equal((await owner(world.form())).status, 503)
  away = false
  assert.equal((await thief(world.form())).status, 400)
  assert.equal((await owner(world.form())).status, 200)
})

test('where a key is required, a token without one is refused, and stays free', async (t) => {
  const { world, owner, keyless } = await stage(t, 'required')
  const heard = await keyless(world.form())
  assert.deepEqual(
    [heard.status, heard.body['error'], world.events()[0]?.reason],
    [400, 'invalid_grant', 'evidence_key_missing'],
  )
  assert.equal((await owner(world.form())).status, 200)
})

test('an entry that does not pin lets all of them pass', async (t) => {
  const { world, owner, thief, keyless, pins } = await stage(t, 'off')
  for (const use of [owner, thief, keyless]) assert.equal((await use(world.form())).status, 200)
  assert.deepEqual(await pins(), [])
})
