/** What happens to a token whose pod is gone: the documented difference between `watch`, `tokenreview` and `jwks`. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setInterval } from 'node:timers/promises'
import {
  type Answer,
  assertRefused,
  freeIssuer,
  issued,
  startBroker,
  type TestBroker,
} from './broker.ts'
import { cluster } from './environment.ts'
import { keyFile } from './keys.ts'
import { Namespace } from './namespace.ts'

/** How long an API server trusts its last answer about a token, and a little more. */
const CACHE_MS = 12_000
const ASK_EVERY_MS = 250

test('with watch and tokenreview a token ends with its pod; with jwks it lasts until exp', async (t) => {
  const { issuer } = await freeIssuer()
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const [pod] = await namespace.run({
    name: 'planner-0',
    account: 'planner',
    tokens: { token: issuer },
  })
  assert.ok(pod)
  // Three replicas of one issuer, so that one and the same token is for all.
  const entry = { cluster: 'real', issuer: cluster.issuer, jwks: await keyFile(t, cluster) }
  const readers = [`real/${namespace.name}/planner`]
  const api = { kubeconfig: cluster.kubeconfig }
  const reviewing = await startBroker(t, {
    issuer,
    trust: [{ ...entry, liveness: 'tokenreview', api }],
    readers,
  })
  const watching = await startBroker(t, {
    issuer,
    trust: [{ ...entry, liveness: 'watch', api }],
    readers,
  })
  const checking = await startBroker(t, {
    issuer,
    trust: [{ ...entry, liveness: 'jwks' }],
    readers,
  })
  const shown = await pod.token('token')
  const bound = ['--bound-object-kind=Pod', '--bound-object-name=planner-0']
  const unseen = await namespace.requestToken('planner', `--audience=${issuer}`, ...bound)
  issued(await reviewing.ask(shown))
  issued(await watching.ask(shown))
  issued(await checking.ask(shown))

  await pod.remove()
  const removedAt = performance.now()

  await t.test(
    'with watch both are refused at once, whatever the API server has cached',
    async () => {
      assertRefused(await watching.ask(shown), 'invalid_grant', 'evidence_revoked')
      assertRefused(await watching.ask(unseen), 'invalid_grant', 'evidence_revoked')
    },
  )
  await t.test('a token that the API server has not seen before is refused at once', async () => {
    assertRefused(await reviewing.ask(unseen), 'invalid_grant', 'evidence_revoked')
  })
  await t.test('one that it has seen is refused once it no longer trusts its cache', async (t) => {
    const refusal = await reviewed(reviewing, shown, removedAt + CACHE_MS)
    const seconds = ((performance.now() - removedAt) / 1000).toFixed(1)
    t.diagnostic(`refused ${seconds} s after the pod was gone`)
    assertRefused(refusal, 'invalid_grant', 'evidence_revoked')
    const asClient = await reviewing.ask(shown, 'client_assertion')
    assertRefused(asClient, 'invalid_client', 'evidence_revoked')
  })
  await t.test('with liveness jwks it is accepted until exp', async () => {
    issued(await checking.ask(shown))
    issued(await checking.ask(unseen))
  })
})

/**
 * Asks until the token is refused, or one last time when the API server's cache must have run out. That cache can be
 * asked and not watched; asking does not prolong it.
 */
async function reviewed(broker: TestBroker, token: string, lastAt: number): Promise<Answer> {
  for await (const _ of setInterval(ASK_EVERY_MS)) {
    const isLast = performance.now() > lastAt
    const answer = await broker.ask(token)
    if (isLast || answer.event.outcome !== 'issued') return answer
  }
  assert.fail('unreachable')
}
