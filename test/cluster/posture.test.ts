/** What a real cluster says about the state of real pods, and how soon a token depends on it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setInterval } from 'node:timers/promises'
import {
  type Answer,
  assertRefused,
  freeIssuer,
  issued,
  RESOURCE,
  SCOPE,
  startBroker,
  type TestBroker,
} from './broker.ts'
import { cluster } from './environment.ts'
import { IMAGE, Namespace, type Pod } from './namespace.ts'

const POLICY = `
@id("hardened-pods-read") @owner("security")
permit (
  principal in Cluster::"real",
  action == Action::"${SCOPE}",
  resource == Audience::"${RESOURCE}"
) when {
  principal has pod && principal has node &&
  principal.pod has privileged && !principal.pod.privileged &&
  principal.pod has privilegeEscalation && !principal.pod.privilegeEscalation &&
  principal.pod has runAsNonRoot && principal.pod.runAsNonRoot &&
  principal.pod has readOnlyRoot && principal.pod.readOnlyRoot &&
  principal.pod has capabilitiesDropped && principal.pod.capabilitiesDropped.contains("ALL") &&
  principal.pod has seccompProfiles &&
  ["RuntimeDefault", "Localhost"].containsAll(principal.pod.seccompProfiles) &&
  principal.pod has debugged && !principal.pod.debugged &&
  principal.node has ready && principal.node.ready &&
  principal.node has cordoned && !principal.node.cordoned
};`

const HARDENED = {
  spec: {
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 10_001,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  },
  container: {
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  },
}
const PRIVILEGED = { container: { securityContext: { privileged: true } } }

/** More than a watch ever takes; then the last answer counts. */
const PATIENCE_MS = 30_000
const ASK_EVERY_MS = 20

/** Asks until the answer is the expected one. Returns it, and how long it took. */
async function until(
  broker: TestBroker,
  token: string,
  expected: Answer['event']['reason'],
): Promise<{ readonly answer: Answer; readonly after: string }> {
  const begunAt = performance.now()
  for await (const _ of setInterval(ASK_EVERY_MS)) {
    const elapsedMs = performance.now() - begunAt
    const answer = await broker.ask(token)
    if (answer.event.reason === expected || elapsedMs > PATIENCE_MS) {
      return { answer, after: `${Math.round(elapsedMs)} ms` }
    }
  }
  assert.fail('unreachable')
}

test('a token depends on the state of its pod and of its node, as the cluster has them now', async (t) => {
  const { issuer, listen } = await freeIssuer()
  const [good, bad] = await Promise.all([
    Namespace.open(t, cluster, ['planner']),
    Namespace.open(t, cluster, ['planner']),
  ])
  const pod = { name: 'planner-0', account: 'planner', tokens: { token: issuer } }
  const started: readonly (readonly Pod[])[] = await Promise.all([
    good.run({ ...pod, ...HARDENED }, { ...pod, name: 'planner-1', ...HARDENED }),
    bad.run({ ...pod, ...PRIVILEGED }),
  ])
  const [hardened, second, privileged] = started.flat()
  assert.ok(hardened && second && privileged)
  // A name and a way to reach it: issuer and keys are the API server's to say.
  const broker = await startBroker(t, {
    issuer,
    listen,
    trust: [{ cluster: 'real', api: { kubeconfig: cluster.kubeconfig } }],
    policies: POLICY,
  })
  const token = await hardened.token('token')

  await t.test(
    'a hardened pod is permitted, a privileged one refused by the same policy',
    async () => {
      issued(await broker.ask(token))
      const answer = await broker.ask(await privileged.token('token'))
      assertRefused(answer, 'invalid_scope', 'policy_denied')
      const facts = answer.event.question?.actor.facts ?? {}
      assert.deepEqual(facts['pod.privileged']?.value, true)
      assert.deepEqual(facts['pod.privileged']?.source, 'api:pods')
    },
  )

  await t.test('what the node says of itself is known as numbers', async (t) => {
    const { event } = await broker.ask(token)
    const value = (name: string) => event.question?.actor.facts[name]?.value
    const node = JSON.stringify(await cluster.get(good.name, `node/${value('node.name')}`))
    const { kubeletVersion, kernelVersion } = JSON.parse(node).status.nodeInfo
    const version = ['major', 'minor', 'patch'].map((part) => value(`node.kubelet.${part}`))
    assert.equal(`v${version.join('.')}`, kubeletVersion)
    assert.equal(value('node.kernel'), kernelVersion)
    assert.equal(value('posture.synced'), true)
    const names = Object.keys(event.question?.actor.facts ?? {})
    t.diagnostic(`${names.length} facts about ${event.question?.actor.uri}`)
  })

  await t.test('kubectl cordon refuses, uncordon permits again', async (t) => {
    const node = String(hardened.stored.spec.nodeName)
    const uncordon = () => cluster.kubectl(['uncordon', node])
    t.after(uncordon)
    await cluster.kubectl(['cordon', node])
    const refusal = await until(broker, token, 'policy_denied')
    assertRefused(refusal.answer, 'invalid_scope', 'policy_denied')
    t.diagnostic(`refused ${refusal.after} after kubectl cordon`)
    await uncordon()
    const { answer, after } = await until(broker, token, null)
    issued(answer)
    t.diagnostic(`permitted ${after} after kubectl uncordon`)
  })

  await t.test('kubectl debug refuses', async (t) => {
    const debug = ['--image', IMAGE, '--container=debugger', '--attach=false', '--profile=general']
    await good.kubectl('debug', 'planner-1', ...debug, '--', 'sleep', 'infinity')
    const { answer, after } = await until(broker, await second.token('token'), 'policy_denied')
    assertRefused(answer, 'invalid_scope', 'policy_denied')
    assert.equal(answer.event.question?.actor.facts['pod.debugged']?.value, true)
    t.diagnostic(`refused ${after} after kubectl debug`)
  })

  await t.test('a deleted pod has no token any more, while it still shuts down', async (t) => {
    await good.kubectl('delete', 'pod', 'planner-0', '--wait=false')
    const { answer, after } = await until(broker, token, 'evidence_revoked')
    assertRefused(answer, 'invalid_grant', 'evidence_revoked')
    t.diagnostic(`refused ${after} after kubectl delete: ${answer.event.detail['problem']}`)
    await good.kubectl('wait', '--for=delete', '--timeout=120s', 'pod/planner-0')
    const gone = await until(broker, token, 'evidence_revoked')
    assertRefused(gone.answer, 'invalid_grant', 'evidence_revoked')
  })
})
