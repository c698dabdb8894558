/** Tokens that the same control plane really signed and that must not pass. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { assertRefused, freeIssuer, issued, startBroker, type TestBroker } from './broker.ts'
import { cluster } from './environment.ts'
import { keyFile } from './keys.ts'
import { Namespace, type Pod } from './namespace.ts'

const API_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const SECRET = 'planner-key'

type Stage = {
  readonly namespace: Namespace
  readonly planner: Pod
  readonly visitor: Pod
  readonly broker: TestBroker
}

async function setStage(t: TestContext): Promise<Stage> {
  const { issuer, listen } = await freeIssuer()
  const namespace = await Namespace.open(t, cluster, ['planner', 'visitor'])
  const [planner, visitor] = await namespace.run(
    {
      name: 'planner-0',
      account: 'planner',
      tokens: { token: issuer, elsewhere: `${issuer}/elsewhere` },
    },
    { name: 'visitor-0', account: 'visitor', tokens: { token: issuer } },
  )
  assert.ok(planner && visitor)
  const broker = await startBroker(t, {
    issuer,
    listen,
    trust: [{ cluster: 'real', issuer: cluster.issuer, jwks: await keyFile(t, cluster) }],
    readers: [`real/${namespace.name}/planner`],
  })
  await makeSecret(namespace)
  return { namespace, planner, visitor, broker }
}

/** A long-lived token of the old kind: the control plane writes it into the Secret. */
async function makeSecret(namespace: Namespace): Promise<void> {
  await namespace.create({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/service-account-token',
    metadata: { name: SECRET, annotations: { 'kubernetes.io/service-account.name': 'planner' } },
  })
  await namespace.kubectl(
    'wait',
    '--for=jsonpath={.data.token}',
    '--timeout=60s',
    `secret/${SECRET}`,
  )
}

async function secretToken(namespace: Namespace): Promise<string> {
  const encoded = await namespace.kubectl('get', 'secret', SECRET, '-o=jsonpath={.data.token}')
  return Buffer.from(encoded, 'base64').toString()
}

/** The options with which `kubectl create token` asks for our audience. */
function ours({ broker }: Stage, ...options: readonly string[]): readonly string[] {
  return ['--duration=10m', `--audience=${broker.issuer}`, ...options]
}

function bound(kind: string, name: string): readonly string[] {
  return [`--bound-object-kind=${kind}`, `--bound-object-name=${name}`]
}

/** The token with one claim changed, under the signature of what it said before. */
function altered(token: string, change: Readonly<Record<string, unknown>>): string {
  const [header, payload = '', signature] = token.split('.')
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...change }
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}

type Row = readonly [name: string, get: (stage: Stage) => Promise<string>, Reason]

const BAD_EVIDENCE: readonly Row[] = [
  ['a token for another audience', ({ planner }) => planner.token('elsewhere'), 'audience_wrong'],
  [
    'the token of the pod for the API server',
    ({ planner }) => planner.read(API_TOKEN),
    'token_foreign',
  ],
  [
    'a token that was requested without a pod',
    (stage) => stage.namespace.requestToken('planner', ...ours(stage)),
    'token_unbound',
  ],
  [
    'a token that is bound to a node alone',
    (stage) => {
      const node = String(stage.planner.stored.spec.nodeName)
      return stage.namespace.requestToken('planner', ...ours(stage, ...bound('Node', node)))
    },
    'token_unbound',
  ],
  [
    'a token that is bound to a Secret',
    (stage) => stage.namespace.requestToken('planner', ...ours(stage, ...bound('Secret', SECRET))),
    'token_legacy',
  ],
  [
    // Signed by the same key, but with an `iss` of its own, no audience and no end.
    'the token inside a service-account-token Secret',
    ({ namespace }) => secretToken(namespace),
    'token_legacy',
  ],
  [
    'a token of an hour and more',
    (stage) =>
      stage.namespace.requestToken(
        'planner',
        ...ours(stage, '--duration=2h', ...bound('Pod', 'planner-0')),
      ),
    'lifetime_excessive',
  ],
  [
    'a token whose subject was changed',
    async ({ planner, namespace }) =>
      altered(await planner.token('token'), {
        sub: `system:serviceaccount:${namespace.name}:admin`,
      }),
    'signature_invalid',
  ],
  [
    'a token whose end was put off',
    async ({ planner }) =>
      altered(await planner.token('token'), { exp: Math.floor(Date.now() / 1000) + 3_000 }),
    'signature_invalid',
  ],
]

test('what a real control plane signs for others, or for another purpose, is refused', async (t) => {
  const stage = await setStage(t)
  const { broker, planner, visitor } = stage
  issued(await broker.ask(await planner.token('token')))

  await t.test('another service account of the namespace: policy_denied', async () => {
    const answer = await broker.ask(await visitor.token('token'))
    assertRefused(answer, 'invalid_scope', 'policy_denied')
    assert.equal(answer.event.question?.actor.facts['name']?.value, 'visitor')
  })
  for (const [name, get, reason] of BAD_EVIDENCE) {
    await t.test(`${name}: ${reason}`, async () => {
      const token = await get(stage)
      assertRefused(await broker.ask(token), 'invalid_grant', reason)
      const asClient = await broker.ask(token, 'client_assertion')
      assertRefused(asClient, 'invalid_client', reason)
      assert.equal(asClient.status, 401)
    })
  }
  // None of it has spoilt anything for the one that is right.
  issued(await broker.ask(await planner.token('token')))
})
