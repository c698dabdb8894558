/** Issuing stops for what was revoked, and when nobody can say what was. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { nameOf } from '../../src/lineage.ts'
import type { RevocationKind } from '../../src/store/store.ts'
import { startBroker, WORKLOAD } from '../world/broker.ts'

const BY = { by: 'operator', reason: 'leaked' }

async function revoking(t: TestContext, kind: RevocationKind, target: string) {
  const world = await startBroker(t)
  const at = world.clock.seconds()
  const name = nameOf(kind, target)
  const what = { kind, name, target, at, until: null, liftedAt: null, ...BY }
  await world.broker.revocations.revoke(what)
  return { ...world, name }
}

/** What stops the planner of the fake cluster, and what does not. */
const ROWS: readonly (readonly [RevocationKind, string, boolean])[] = [
  ['sub', WORKLOAD, true],
  ['sub', 'k8s://prod-eu/ns/agents/sa/another', false],
  ['actor', WORKLOAD, true],
  ['trust', 'kubernetes:prod-eu', true],
  ['trust', 'kubernetes:prod-us', false],
]

for (const [kind, target, stopped] of ROWS) {
  test(`${kind} ${target} revoked: the workload is ${stopped ? 'refused' : 'served'}`, async (t) => {
    const { ask, form, events } = await revoking(t, kind, target)
    const { status, body } = await ask(form())
    assert.equal(status, stopped ? 400 : 200)
    if (!stopped) return
    assert.equal(body['error'], 'invalid_grant')
    assert.equal(body['error_description'], 'The credential was not accepted.')
    const [event] = events()
    assert.equal(event?.reason, 'revoked')
    assert.deepEqual(event?.detail, {
      ...{ kind, target, at: event?.detail['at'], liftedAt: null },
      ...BY,
    })
  })
}

test('evidence that was revoked is refused, other evidence of the workload is not', async (t) => {
  const { broker, ask, form, clock, cluster } = await startBroker(t)
  const assertion = cluster.mint()
  const sent = form({ assertion })
  const { body } = await ask(sent)
  const [, payload = ''] = String(body['access_token']).split('.')
  const { lineage } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const [name] = lineage
  const at = clock.seconds()
  const what = { kind: 'evidence', name, target: name, at, until: null, liftedAt: null } as const
  await broker.revocations.revoke({ ...what, ...BY })
  assert.equal((await ask(sent)).status, 400)
  const other = cluster.mint(({ claims }) => {
    claims['jti'] = 'c85e5f8b-ac5c-4bf7-a80b-855517709008'
  })
  assert.equal((await ask(form({ assertion: other }))).status, 200)
})

test('once lifted, tokens are issued again, from the next second on', async (t) => {
  const { broker, ask, form, clock, name } = await revoking(t, 'sub', WORKLOAD)
  const at = clock.seconds()
  await broker.revocations.lift({ name, at, until: at + 90_000, ...BY })
  assert.equal((await ask(form())).status, 400)
  clock.advance(1)
  assert.equal((await ask(form())).status, 200)
})

test('while nobody can say what was revoked, nothing is issued', async (t) => {
  let monotonic = 0
  const { ask, form, events } = await startBroker(t, { stopwatch: () => monotonic })
  monotonic = 30_000
  assert.equal((await ask(form())).status, 200)
  monotonic = 30_001
  const { status, headers, body } = await ask(form())
  assert.equal(status, 503)
  assert.equal(body['error'], 'temporarily_unavailable')
  assert.ok(headers['retry-after'])
  assert.equal(events().at(-1)?.reason, 'revocations_stale')
})
