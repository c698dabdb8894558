import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { digestOf, parseJwt } from '../../src/net/jwt.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import { POD_UID, type TokenDraft } from '../world/cluster.ts'
import { renamed, signer } from '../world/keys.ts'
import { AUDIENCE, ISSUER, put, STRANGE_UID, setStage } from '../world/kubernetes.ts'

attestorContract('kubernetes', setStage)

test('a pod’s token yields its service account, pod and node', async (t) => {
  const { clock, issuer, attestor } = await setStage(t)
  const token = issuer.mint()
  const identity = await attest(attestor, token, clock)
  const signed = { grade: 'A', source: 'token', observedAt: clock.seconds() }
  const fact = (value: string) => ({ value, ...signed })
  assert.deepEqual(identity, {
    kind: 'kubernetes',
    trust: 'kubernetes:prod-eu',
    uri: 'k8s://prod-eu/ns/agents/sa/planner',
    principal: { type: 'ServiceAccount', id: 'prod-eu/agents/planner' },
    ancestry: [
      { type: 'Namespace', id: 'prod-eu/agents' },
      { type: 'Cluster', id: 'prod-eu' },
    ],
    facts: {
      cluster: { ...fact('prod-eu'), source: 'configuration' },
      namespace: fact('agents'),
      name: fact('planner'),
      uid: fact('74cfa759-eea1-4ce4-aa19-5d0ffdbfeffc'),
      'pod.name': fact('planner-0'),
      'pod.uid': fact(POD_UID),
      'node.name': fact('node-1'),
      'node.uid': fact('83b135de-9349-4ede-87f6-0747326a151b'),
    },
    issuedAt: clock.seconds(),
    expiresAt: clock.seconds() + 600,
    replay: { policy: 'reusable', key: 'c85e5f8b-ac5c-4bf7-a80b-855517709007' },
    lineage: [
      `pod:prod-eu/${POD_UID}`,
      'node:prod-eu/83b135de-9349-4ede-87f6-0747326a151b',
      'serviceaccount:prod-eu/74cfa759-eea1-4ce4-aa19-5d0ffdbfeffc',
    ],
  })
})

test('prepare returns at once when the key is known, without a promise', async (t) => {
  const { clock, issuer, attestor } = await setStage(t)
  await attestor.start()
  const prepared = attestor.prepare(parseJwt(issuer.mint()), clock.seconds())
  assert.ok(!(prepared instanceof Promise))
  assert.equal(prepared.verify(clock.seconds()).uri, 'k8s://prod-eu/ns/agents/sa/planner')
})

test('a token of Kubernetes before 1.30, without jti and node, is known by its digest', async (t) => {
  const { clock, issuer, attestor } = await setStage(t, { settings: { replay: 'once' } })
  const token = issuer.mint(({ claims, own }) => {
    delete claims['jti']
    delete own['node']
  })
  const identity = await attest(attestor, token, clock)
  assert.deepEqual(identity.replay, { policy: 'once', key: digestOf(parseJwt(token)) })
  assert.ok(!('node.name' in identity.facts))
  assert.equal(identity.lineage.length, 2)
})

test('ES256 is taken by default', async (t) => {
  const { clock, issuer, attestor } = await setStage(t, { signers: [signer('cluster', 'ES256')] })
  await attest(attestor, issuer.mint(), clock)
})

test('a token without a pod is taken where the entry says so', async (t) => {
  const { clock, issuer, attestor } = await setStage(t, { settings: { pod: 'optional' } })
  const identity = await attest(
    attestor,
    issuer.mint(({ own }) => void delete own['pod']),
    clock,
  )
  assert.ok(!('pod.uid' in identity.facts))
})

type Row = readonly [what: string, breakIt: (token: TokenDraft) => void, reason: Reason]

const ROWS: readonly Row[] = [
  ['no private claims', ({ claims }) => void delete claims['kubernetes.io'], 'claim_invalid'],
  ['private claims in a list', ({ claims }) => put(claims, 'kubernetes.io', []), 'claim_invalid'],
  ['no pod', ({ own }) => void delete own['pod'], 'token_unbound'],
  ['a pod that is null', ({ own }) => put(own, 'pod', null), 'claim_invalid'],
  ['a pod without uid', ({ own }) => put(own, 'pod', { name: 'planner-0' }), 'claim_invalid'],
  [
    'a pod uid that is no UUID',
    ({ own }) => put(own, 'pod', { name: 'a', uid: '../x' }),
    'claim_invalid',
  ],
  [
    'a pod name with a slash',
    ({ own }) => put(own, 'pod', { name: 'a/b', uid: STRANGE_UID }),
    'claim_invalid',
  ],
  [
    'a pod name of 254 characters',
    ({ own }) => put(own, 'pod', { name: 'a'.repeat(254), uid: STRANGE_UID }),
    'claim_invalid',
  ],
  ['a node without name', ({ own }) => put(own, 'node', { uid: STRANGE_UID }), 'claim_invalid'],
  ['a namespace in capitals', ({ own }) => put(own, 'namespace', 'Agents'), 'claim_invalid'],
  ['a namespace with a dot', ({ own }) => put(own, 'namespace', 'a.b'), 'claim_invalid'],
  ['no namespace', ({ own }) => void delete own['namespace'], 'claim_invalid'],
  ['no service account', ({ own }) => void delete own['serviceaccount'], 'claim_invalid'],
  [
    'a subject of another namespace',
    ({ own }) => put(own, 'namespace', 'other'),
    'subject_mismatched',
  ],
  [
    'a subject of another name',
    ({ claims }) => put(claims, 'sub', 'system:serviceaccount:agents:root'),
    'subject_mismatched',
  ],
  [
    'a subject with one more part',
    ({ claims }) => put(claims, 'sub', `${claims['sub']}:x`),
    'subject_mismatched',
  ],
  ['no subject', ({ claims }) => void delete claims['sub'], 'subject_mismatched'],
  ['no nbf', ({ claims }) => void delete claims['nbf'], 'claim_invalid'],
  ['a jti that is no UUID', ({ claims }) => put(claims, 'jti', 'x'), 'claim_invalid'],
  [
    'an unknown kind of binding',
    ({ own }) => put(own, 'validatingwebhookconfiguration', { name: 'a', uid: STRANGE_UID }),
    'claim_invalid',
  ],
  [
    'a token bound to a secret',
    ({ own }) => put(own, 'secret', { name: 's', uid: STRANGE_UID }),
    'token_legacy',
  ],
  [
    'flat legacy claims',
    ({ claims }) => put(claims, 'kubernetes.io/serviceaccount/namespace', 'agents'),
    'token_legacy',
  ],
  [
    'the legacy issuer',
    ({ claims }) => put(claims, 'iss', 'kubernetes/serviceaccount'),
    'token_legacy',
  ],
  [
    'a token extended to a year',
    ({ own }) => put(own, 'warnafter', 1_800_003_607),
    'token_extended',
  ],
  ['a lifetime of 3661 s', ({ claims }) => put(claims, 'exp', 1_800_003_661), 'lifetime_excessive'],
  [
    'validity that begins in 31 s',
    ({ claims }) => put(claims, 'nbf', 1_800_000_031),
    'token_premature',
  ],
  ['the API server’s own token', ({ claims }) => put(claims, 'aud', [ISSUER]), 'token_foreign'],
  ['an IRSA token', ({ claims }) => put(claims, 'aud', ['sts.amazonaws.com']), 'token_foreign'],
  [
    'an EKS Pod Identity token',
    ({ claims }) => put(claims, 'aud', ['pods.eks.amazonaws.com']),
    'token_foreign',
  ],
  [
    'an AKS workload identity token',
    ({ claims }) => put(claims, 'aud', ['api://AzureADTokenExchange']),
    'token_foreign',
  ],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, breakIt, reason] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setStage(t)
      const refusal = await refused(attest(attestor, issuer.mint(breakIt), clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }

  test('3660 s of lifetime and 30 s of a fast clock are still taken', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    const token = issuer.mint(({ claims }) => {
      put(claims, 'iat', clock.seconds() + 30)
      put(claims, 'nbf', clock.seconds() + 30)
      put(claims, 'exp', clock.seconds() + 3690)
    })
    await attest(attestor, token, clock)
  })
})

suite('CVE-2025-11621: two clusters with one issuer, the same names and the same kid', () => {
  async function neighbours(t: TestContext) {
    const shared = renamed(signer('cluster'), 'shared-kid')
    const east = await setStage(t, { signers: [shared] })
    const west = await setStage(t, {
      signers: [renamed(signer('west'), 'shared-kid')],
      audience: 'https://countersign.example/k8s/prod-west',
      settings: { cluster: 'prod-west' },
    })
    return { east, west }
  }

  test('each takes its own tokens', async (t) => {
    const { east, west } = await neighbours(t)
    const eastern = await attest(east.attestor, east.issuer.mint(), east.clock)
    const western = await attest(west.attestor, west.issuer.mint(), west.clock)
    assert.equal(eastern.principal.id, 'prod-eu/agents/planner')
    assert.equal(western.principal.id, 'prod-west/agents/planner')
  })

  test('a token of one is audience_wrong at the other', async (t) => {
    const { east, west } = await neighbours(t)
    await refused(attest(east.attestor, west.issuer.mint(), east.clock), 'audience_wrong')
  })

  test('a cluster cannot sign for the other’s audience', async (t) => {
    const { east, west } = await neighbours(t)
    const forged = west.issuer.mint(({ claims }) => put(claims, 'aud', [AUDIENCE]))
    await attest(east.attestor, east.issuer.mint(), east.clock)
    await refused(attest(east.attestor, forged, east.clock), 'signature_invalid')
  })
})
