/** Who calls: from a good caller, one thing broken at a time; and what is spent of it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessTokens } from '../src/accesstoken.ts'
import { callers, type ShownCaller } from '../src/caller.ts'
import type { PinPolicy } from '../src/config/trust.ts'
import type { Grant } from '../src/grant.ts'
import type { Evidence, Identity } from '../src/identity.ts'
import { nameOf } from '../src/lineage.ts'
import { spending } from '../src/pinning.ts'
import type { Held, Proofs } from '../src/possession.ts'
import { openRevocations } from '../src/revocations.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Vouching } from '../src/vouching.ts'
import { revocation } from './store/taken.ts'
import { TestClock } from './world/clock.ts'
import { freshKeys, GRANT, ISSUED_AT, TOKEN_ISSUER, tokenOf } from './world/signing.ts'

const ENDPOINT = `${TOKEN_ISSUER}/introspect`
const URI = GRANT.clientId
const JKT = { jkt: 'the thumbprint of a key' }
const X5T = { 'x5t#S256': 'the thumbprint of a key' }

function identity(policy: 'once' | 'reusable'): Identity {
  return {
    kind: 'kubernetes',
    trust: 'kubernetes:a',
    uri: URI,
    principal: { type: 'ServiceAccount', id: 'c/n/s' },
    ancestry: [],
    facts: {},
    issuedAt: ISSUED_AT,
    expiresAt: ISSUED_AT + 600,
    replay: { policy, key: 'jti' },
    lineage: [],
  }
}

const EVIDENCE: Evidence = { role: 'workload', carrier: 'client_assertion', value: 'x' }

const SHOWN: ShownCaller = {
  id: 'request-1',
  sourceIp: null,
  endpoint: ENDPOINT,
  assertion: { evidence: EVIDENCE, attestation: null },
  clientId: null,
  authorization: null,
  proofs: null,
}

const PROOFS: Proofs = {
  dpop: 'x',
  jkt: null,
  method: 'POST',
  url: ENDPOINT,
  token: null,
  certificates: [],
  areCredential: false,
}

type Stage = {
  readonly policy?: 'once' | 'reusable'
  readonly held?: Held
  readonly pin?: PinPolicy
}

/** Callers whose platform vouches for anything, and whose proofs prove what the test says. */
async function stage(t: { after(end: () => void): void }, options: Stage = {}) {
  const keys = await freshKeys(t)
  const clock = new TestClock(ISSUED_AT)
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const vouched: Vouching = {
    prepare: () => ({ verify: () => identity(options.policy ?? 'once') }),
  }
  const held: Held = options.held ?? { sender: 'bearer', confirmation: null, proof: null }
  const revocations = await openRevocations({
    store,
    ...{ timers: clock.timers, now: clock.now, stopwatch: () => 0, warn: () => {} },
  })
  const pins = new Map(options.pin === undefined ? [] : [['kubernetes:a', options.pin]])
  const { identify } = callers({
    tokens: accessTokens(TOKEN_ISSUER, keys),
    vouching: vouched,
    prove: () => held,
    spend: spending(store, pins, () => {}),
    revocations,
    seconds: () => ISSUED_AT,
  })
  const bearing = (change: Partial<Grant>, scheme: 'Bearer' | 'DPoP' = 'Bearer'): ShownCaller => ({
    ...SHOWN,
    assertion: null,
    authorization: { scheme, token: tokenOf(keys, { audience: ENDPOINT, ...change }) },
    proofs: options.held === undefined ? null : PROOFS,
  })
  return { identify, bearing, revocations }
}

test('a workload is known by the credential of its platform, which is spent', async (t) => {
  const { identify } = await stage(t)
  const caller = await identify({ ...SHOWN, clientId: URI })
  assert.equal(caller.uri, URI)
  assert.equal(caller.token, null)
  await assert.rejects(identify(SHOWN), { reason: 'evidence_replayed' })
})

test('reusable evidence can be shown again', async (t) => {
  const { identify } = await stage(t, { policy: 'reusable' })
  await identify(SHOWN)
  assert.equal((await identify(SHOWN)).uri, URI)
})

test('a caller that is refused has spent nothing', async (t) => {
  const { identify } = await stage(t)
  await assert.rejects(identify({ ...SHOWN, clientId: 'k8s://c/ns/n/sa/other' }), {
    reason: 'client_mismatched',
  })
  assert.equal((await identify(SHOWN)).uri, URI)
})

test('nobody is refused as caller_missing', async (t) => {
  const { identify } = await stage(t)
  await assert.rejects(identify({ ...SHOWN, assertion: null }), { reason: 'caller_missing' })
})

test('a workload is known by a token for this endpoint, of either format', async (t) => {
  const { identify, bearing } = await stage(t)
  for (const format of ['jwt', 'opaque'] as const) {
    const caller = await identify(bearing({ format }))
    assert.equal(caller.uri, URI)
    assert.equal(caller.token?.audience, ENDPOINT)
    assert.equal(caller.identity, null)
  }
})

test('a token for anything else makes nobody a caller: whoever it was shown to has it, too', async (t) => {
  const { identify, bearing } = await stage(t)
  for (const audience of [GRANT.audience, TOKEN_ISSUER, `${ENDPOINT}/`, `${TOKEN_ISSUER}/revoke`]) {
    await assert.rejects(identify(bearing({ audience })), { reason: 'audience_wrong' }, audience)
  }
})

test('a token that is over, or names another client than the form, is refused', async (t) => {
  const { identify, bearing } = await stage(t)
  await assert.rejects(identify(bearing({ expiresAt: ISSUED_AT })), { reason: 'token_expired' })
  await assert.rejects(identify({ ...bearing({}), clientId: 'other' }), {
    reason: 'client_mismatched',
  })
})

const BY_DPOP: Held = { sender: 'dpop', confirmation: JKT, proof: null }
const BY_MTLS: Held = { sender: 'mtls', confirmation: X5T, proof: null }

/** What the token is bound to, the scheme it is sent with, the key that is proved, whether it is taken. */
const BINDINGS: readonly (readonly [
  string,
  Grant['confirmation'],
  'Bearer' | 'DPoP',
  Held | undefined,
  boolean,
])[] = [
  ['a DPoP-bound token with its key', JKT, 'DPoP', BY_DPOP, true],
  ['a DPoP-bound token as a bearer token, with its key', JKT, 'Bearer', BY_DPOP, false],
  ['a DPoP-bound token as a bearer token', JKT, 'Bearer', undefined, false],
  ['a DPoP-bound token without its key', JKT, 'DPoP', undefined, false],
  ['a DPoP-bound token with another key', { jkt: 'another' }, 'DPoP', BY_DPOP, false],
  ['a DPoP-bound token with a certificate of that print', JKT, 'DPoP', BY_MTLS, false],
  ['a certificate-bound token with its certificate', X5T, 'Bearer', BY_MTLS, true],
  ['a certificate-bound token without', X5T, 'Bearer', undefined, false],
  ['a certificate-bound token with a proof of that print', X5T, 'Bearer', BY_DPOP, false],
  ['a certificate-bound token as a DPoP-bound one', X5T, 'DPoP', BY_MTLS, false],
  ['a bearer token', null, 'Bearer', undefined, true],
  ['a bearer token beside a proof', null, 'Bearer', BY_DPOP, true],
  ['a bearer token as a DPoP-bound one', null, 'DPoP', BY_DPOP, false],
]

for (const [shown, confirmation, scheme, held, taken] of BINDINGS) {
  test(`${shown} is ${taken ? 'taken' : 'refused as sender_unproved'}`, async (t) => {
    const { identify, bearing } = await stage(t, held && { held })
    const identified = identify(bearing({ confirmation }, scheme))
    if (taken) assert.equal((await identified).uri, URI)
    else await assert.rejects(identified, { reason: 'sender_unproved' })
  })
}

test('the proof of a key is spent, beside a token as beside an assertion', async (t) => {
  const held: Held = { ...BY_DPOP, proof: { key: 'jti of the proof', until: ISSUED_AT + 60 } }
  const { identify, bearing } = await stage(t, { held, policy: 'reusable' })
  await identify(bearing({ confirmation: JKT }, 'DPoP'))
  await assert.rejects(identify(bearing({ confirmation: JKT }, 'DPoP')), {
    reason: 'proof_replayed',
  })
  await assert.rejects(identify({ ...SHOWN, proofs: PROOFS }), { reason: 'proof_replayed' })
})

/** What was taken back, and which of the two ways in it closes. */
for (const [kind, target, closes] of [
  ['sub', URI, ['platform', 'token']],
  ['actor', URI, ['platform', 'token']],
  ['trust', 'kubernetes:a', ['platform']],
  ['evidence', 'kubernetes:a/jti', ['platform']],
  ['sub', 'k8s://c/ns/n/sa/another', []],
] as const) {
  test(`with ${kind} ${target} revoked, closed: ${closes.join(' and ') || 'nothing'}`, async (t) => {
    const { identify, bearing, revocations } = await stage(t, { policy: 'reusable' })
    const name = nameOf(kind, target)
    await revocations.revoke(revocation(name, { kind, target, at: ISSUED_AT }))
    const ways = { platform: SHOWN, token: bearing({ lineage: [] }) }
    for (const way of ['platform', 'token'] as const) {
      const asking = identify(ways[way])
      if ((closes as readonly string[]).includes(way))
        await assert.rejects(asking, { reason: 'revoked' })
      else assert.equal((await asking).uri, URI)
    }
  })
}

test('a pinned credential is nobody’s but its key’s here, too', async (t) => {
  const held = { sender: 'dpop', confirmation: { jkt: 'owner' }, proof: null } as const
  const { identify } = await stage(t, { policy: 'reusable', pin: 'required', held })
  assert.equal((await identify({ ...SHOWN, proofs: PROOFS })).held.sender, 'dpop')
  await assert.rejects(identify(SHOWN), { reason: 'evidence_key_missing' })
})
