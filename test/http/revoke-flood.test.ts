/** One workload that revokes without end: it must not crowd the others’ revocations out of the feed (RFC 7009 §5). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf } from '../../src/lineage.ts'
import { MAX_BY_ONE } from '../../src/revoking.ts'
import { type DelegationWorld, HELPER, PLANNER, startDelegation } from '../world/delegation.ts'

async function takeBack(world: DelegationWorld, holder: string) {
  const client_assertion = world.actor(holder)
  const token = await world.issued(world.form({ assertion: client_assertion }))
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const form = { token, client_assertion, client_assertion_type }
  const { statusCode } = await world.app.inject({
    method: 'POST',
    url: '/revoke',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(form).toString(),
  })
  return statusCode
}

test('a holder has so many tokens revoked at one time, and no more until they end', async (t) => {
  const world = await startDelegation(t)
  const { broker, clock } = world
  const at = clock.seconds()
  const revoke = (by: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, number) => {
        const target = `${by} ${number}`
        const what = { kind: 'token', name: nameOf('token', target), target } as const
        return broker.revocations.revoke({
          ...what,
          at,
          until: at + 60,
          liftedAt: null,
          by,
          reason: '',
        })
      }),
    )
  await revoke(PLANNER, MAX_BY_ONE - 1)
  await revoke(HELPER, 1)
  assert.equal(await takeBack(world, 'planner'), 200)
  assert.equal(await takeBack(world, 'planner'), 503)
  assert.equal(await takeBack(world, 'helper'), 200)
  clock.advance(61)
  assert.equal(await takeBack(world, 'planner'), 200)
})
