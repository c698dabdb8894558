/** What a real pod's token proves, held against what the API server says about the pod. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifier } from '../../src/resource/index.ts'
import { freeIssuer, issued, RESOURCE, SCOPE, startBroker } from './broker.ts'
import { cluster } from './environment.ts'
import { keyFile } from './keys.ts'
import { Namespace } from './namespace.ts'

test('a real pod gets a token, on both carriers, as the workload that the API server knows', async (t) => {
  const { issuer, listen } = await freeIssuer()
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const [pod] = await namespace.run({
    name: 'planner-0',
    account: 'planner',
    tokens: { token: issuer },
  })
  assert.ok(pod)
  const broker = await startBroker(t, {
    issuer,
    listen,
    trust: [{ cluster: 'real', issuer: cluster.issuer, jwks: await keyFile(t, cluster) }],
    readers: [`real/${namespace.name}/planner`],
  })
  const account = await namespace.get('serviceaccount/planner')
  const node = await namespace.get(`node/${pod.stored.spec.nodeName}`)
  const known = {
    cluster: 'real',
    namespace: namespace.name,
    name: 'planner',
    uid: account.metadata.uid,
    'pod.name': 'planner-0',
    'pod.uid': pod.stored.metadata.uid,
    'node.name': node.metadata.name,
    'node.uid': node.metadata.uid,
  }
  t.diagnostic(`pod ${namespace.name}/planner-0 has uid ${pod.stored.metadata.uid}`)
  t.diagnostic(`on node ${node.metadata.name} with uid ${node.metadata.uid}`)

  const verify = verifier({ issuer, audience: RESOURCE })
  const shown = await pod.token('token')
  for (const carrier of ['assertion', 'client_assertion'] as const) {
    await t.test(`as ${carrier}`, async () => {
      const answer = await broker.ask(shown, carrier)
      const token = await verify(issued(answer))
      const actor = answer.event.question?.actor
      const facts = Object.entries(actor?.facts ?? {}).map(([name, { value }]) => [name, value])
      assert.deepEqual(Object.fromEntries(facts), known)
      assert.equal(answer.event.evidence[0]?.carrier, carrier)
      assert.equal(token.subject, `k8s://real/ns/${namespace.name}/sa/planner`)
      assert.equal(token.clientId, token.subject)
      assert.deepEqual(token.scopes, [SCOPE])
      assert.equal(token.claims['pod'], pod.stored.metadata.uid)
      assert.equal(token.claims.jti, answer.event.id)
    })
  }
})
