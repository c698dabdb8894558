/** Two real clusters with one `iss` and the same names inside: only audience and keys tell them apart. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifier } from '../../src/resource/index.ts'
import { assertRefused, freeIssuer, issued, RESOURCE, startBroker } from './broker.ts'
import { cluster, second } from './environment.ts'
import { keyFile } from './keys.ts'
import type { Cluster } from './kube.ts'
import { Namespace, type Pod, uniqueName } from './namespace.ts'

const skip = second === null && 'COUNTERSIGN_SECOND_KUBECONFIG names no second cluster'

test('two clusters that share issuer and names stay apart', { skip }, async (t) => {
  assert.ok(second)
  assert.equal(second.issuer, cluster.issuer, 'start both clusters with the same ISSUER')
  assert.notEqual(second.server, cluster.server)
  const { issuer, listen } = await freeIssuer()
  const audience = { a: `${issuer}/k8s/a`, b: `${issuer}/k8s/b` }
  const name = uniqueName()
  const planner = async (home: Cluster): Promise<Pod> => {
    const namespace = await Namespace.open(t, home, ['planner'], name)
    const [pod] = await namespace.run({ name: 'planner-0', account: 'planner', tokens: audience })
    assert.ok(pod)
    return pod
  }
  const pods = { a: await planner(cluster), b: await planner(second) }
  const entry = async (id: 'a' | 'b', home: Cluster) => ({
    cluster: id,
    issuer: home.issuer,
    audience: audience[id],
    jwks: await keyFile(t, home),
  })
  const broker = await startBroker(t, {
    issuer,
    listen,
    trust: [await entry('a', cluster), await entry('b', second)],
    readers: [`a/${name}/planner`, `b/${name}/planner`],
  })
  const verify = verifier({ issuer, audience: RESOURCE })

  for (const id of ['a', 'b'] as const) {
    await t.test(`a token of ${id} with the audience of ${id} is of k8s://${id}`, async () => {
      const answer = await broker.ask(await pods[id].token(id))
      const token = await verify(issued(answer))
      assert.equal(token.subject, `k8s://${id}/ns/${name}/sa/planner`)
      assert.equal(token.claims['pod'], pods[id].stored.metadata.uid)
      assert.equal(answer.event.question?.actor.trust, `kubernetes:${id}`)
    })
  }
  for (const [id, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    await t.test(`a token of ${id} with the audience of ${other}: key_unknown`, async () => {
      const answer = await broker.ask(await pods[id].token(other))
      assertRefused(answer, 'invalid_grant', 'key_unknown')
    })
    await t.test(`the same under the name of a key of ${other}: signature_invalid`, async () => {
      const posing = renamed(await pods[id].token(other), await pods[other].token(other))
      assertRefused(await broker.ask(posing), 'invalid_grant', 'signature_invalid')
    })
  }
  assert.notEqual(pods.a.stored.metadata.uid, pods.b.stored.metadata.uid)
})

/** A token under the header, and so the `kid`, of another. */
function renamed(token: string, other: string): string {
  return [...other.split('.').slice(0, 1), ...token.split('.').slice(1)].join('.')
}
