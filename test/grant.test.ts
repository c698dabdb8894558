import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { carried } from '../src/carried.ts'
import { type Found, type Grant, narrow, offeredTtl, type ResourceRules } from '../src/grant.ts'
import type { Grade, Identity } from '../src/identity.ts'
import { sealingKey } from '../src/opaque.ts'
import type { Decision, Question } from '../src/policy/question.ts'
import { UNBOUND } from '../src/possession.ts'
import { sealer } from '../src/seal.ts'
import { makeToken, tokenHeader } from '../src/token.ts'

const NOW = 1_800_000_000
const URI = 'k8s://prod-eu/ns/payments/sa/settlement'

function fact(value: string, grade: Grade) {
  return { value, grade, source: 'token', observedAt: NOW }
}

const IDENTITY: Identity = {
  kind: 'kubernetes',
  trust: 'kubernetes:prod-eu',
  uri: URI,
  principal: { type: 'ServiceAccount', id: 'prod-eu/payments/settlement' },
  ancestry: [{ type: 'Namespace', id: 'prod-eu/payments' }],
  facts: { 'pod.uid': fact('uid-1', 'A'), 'labels.team': fact('core', 'D') },
  issuedAt: NOW - 10,
  expiresAt: NOW + 600,
  replay: { policy: 'reusable', key: 'jti' },
  lineage: ['pod:prod-eu/uid-1', 'node:prod-eu/uid-2'],
}

const RESOURCE: ResourceRules = {
  audience: 'https://mcp.example.com',
  maxTtlSeconds: 900,
  sender: 'bearer',
  format: 'jwt',
  claims: {},
}

const FOUND: Found = {
  identity: IDENTITY,
  authority: null,
  held: UNBOUND,
  resource: RESOURCE,
  mandate: {
    operation: 'issue',
    subject: IDENTITY.uri,
    act: null,
    chain: [],
    scopes: ['trades:read', 'trades:write'],
    mayAct: null,
  },
}

const MAKING = {
  issuer: 'https://issuer.example',
  jti: 'id-1',
  carried: carried(sealer('a secret of at least thirty-two characters', 'carried people')),
}

function signerOf(key: KeyObject) {
  return { kid: 'k1', key, header: tokenHeader('k1'), sealing: sealingKey(key) }
}

const QUESTION: Question = {
  version: 1,
  at: NOW,
  sourceIp: '10.0.0.1',
  place: null,
  operation: 'issue',
  audience: RESOURCE.audience,
  scopes: ['trades:read', 'trades:write'],
  requestedTtl: 600,
  sender: 'bearer',
  actor: IDENTITY,
  subject: URI,
  chain: [],
  delegationDepth: 0,
  user: null,
  attestationAge: 10,
}

const DECISION: Decision = {
  generation: 'g1',
  rulings: [],
  granted: ['trades:read'],
  permitted: true,
  ttl: 300,
  format: null,
}

test('the granted subset, the strictest lifetime, the whole lineage', () => {
  const grant = narrow(QUESTION, DECISION, FOUND)
  assert.deepEqual(grant.scopes, ['trades:read'])
  assert.equal(grant.expiresAt - grant.issuedAt, 300)
  assert.equal(grant.lineage.length, 4, 'evidence, trust entry, pod and node')
  assert.match(grant.lineage.join(''), /^[\w-]{64}$/)
})

test('a decision that permits nothing grants nothing, and says how each scope was ruled', () => {
  const ruling = { action: 'trades:read', policies: [], failing: [], report: null } as const
  const unmatched = { ...ruling, result: 'unmatched' } as const
  const none = { ...DECISION, granted: [], permitted: false, rulings: [unmatched] }
  assert.throws(() => narrow(QUESTION, none, FOUND), {
    reason: 'policy_denied',
    detail: { generation: 'g1', rulings: ['trades:read: unmatched'] },
  })
  const failed = { ...none, rulings: [{ ...ruling, result: 'failed' } as const] }
  assert.throws(() => narrow(QUESTION, failed, FOUND), { reason: 'policy_failed' })
})

test('a resource that takes only bound tokens gets no bearer token', () => {
  for (const sender of ['dpop', 'mtls'] as const) {
    assert.throws(
      () => narrow(QUESTION, DECISION, { ...FOUND, resource: { ...RESOURCE, sender } }),
      {
        reason: 'sender_unbound',
      },
    )
  }
})

test('a token is sealed where the resource or a policy demands it', () => {
  const rows = [
    ['jwt', null, 'jwt'],
    ['jwt', 'jwt', 'jwt'],
    ['jwt', 'opaque', 'opaque'],
    ['opaque', null, 'opaque'],
    ['opaque', 'jwt', 'opaque'],
  ] as const
  for (const [format, decided, expected] of rows) {
    const found = { ...FOUND, resource: { ...RESOURCE, format } }
    const grant = narrow(QUESTION, { ...DECISION, format: decided }, found)
    assert.equal(grant.format, expected, `${format}, ${decided}`)
  }
})

test('evidence offers no more lifetime than it has left', () => {
  assert.equal(offeredTtl(FOUND, NOW), 600)
  assert.equal(offeredTtl({ ...FOUND, resource: { ...RESOURCE, maxTtlSeconds: 60 } }, NOW), 60)
  assert.ok(offeredTtl(FOUND, NOW + 601) <= 0)
})

test('a claim is mapped from a fact of the demanded grade, and from no weaker one', () => {
  const claims = {
    pod: { fact: 'pod.uid', grade: 'B' },
    team: { fact: 'labels.team', grade: 'B' },
    node: { fact: 'node.uid', grade: 'D' },
  } as const
  assert.deepEqual(
    narrow(QUESTION, DECISION, { ...FOUND, resource: { ...RESOURCE, claims } }).claims,
    {
      pod: 'uid-1',
    },
  )
})

test('a claim is mapped from one label of a set, by its whole key', () => {
  const labels = ['app.kubernetes.io/name=planner', 'spot=', 'team=core=1']
  const set = { ...fact('', 'B'), value: labels }
  const identity = { ...IDENTITY, facts: { ...IDENTITY.facts, namespaceLabels: set } }
  const claim = (name: string, grade: Grade = 'B') => {
    const claims = { found: { fact: name, grade } }
    return narrow(QUESTION, DECISION, { ...FOUND, identity, resource: { ...RESOURCE, claims } })
      .claims['found']
  }
  assert.equal(claim('namespaceLabels.team'), 'core=1')
  assert.equal(claim('namespaceLabels.spot'), '')
  assert.equal(claim('namespaceLabels.app.kubernetes.io/name'), 'planner')
  assert.deepEqual(claim('namespaceLabels'), labels)
  for (const absent of ['namespaceLabels.tea', 'namespaceLabels.', 'other.team', 'pod.uid.x']) {
    assert.equal(claim(absent), undefined, absent)
  }
  assert.equal(claim('namespaceLabels.team', 'A'), undefined)
})

test('property: a grant is never wider than its question, its decision or its evidence', () => {
  const scopes = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c', 'd'))
  const ttl = fc.integer({ min: 1, max: 2000 })
  fc.assert(
    fc.property(scopes, scopes, ttl, fc.option(ttl), (asked, granted, requestedTtl, policyTtl) => {
      const question = { ...QUESTION, scopes: asked, requestedTtl }
      const decision = { ...DECISION, granted, ttl: policyTtl }
      const grant = narrow(question, decision, FOUND)
      assert.ok(grant.scopes.every((scope) => asked.includes(scope) && granted.includes(scope)))
      const life = grant.expiresAt - grant.issuedAt
      assert.ok(life <= requestedTtl && life <= (policyTtl ?? requestedTtl))
    }),
  )
})

test('RFC 9068 §2.2: the token has every required claim, and verifies', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const grant: Grant = narrow(QUESTION, DECISION, FOUND)
  const token = makeToken(grant, MAKING, signerOf(pair.privateKey))
  assert.deepEqual(decodeProtectedHeader(token), { alg: 'ES256', typ: 'at+jwt', kid: 'k1' })
  const { payload } = await jwtVerify(token, pair.publicKey, { currentDate: new Date(NOW * 1000) })
  assert.deepEqual(payload, {
    iss: 'https://issuer.example',
    sub: URI,
    aud: 'https://mcp.example.com',
    client_id: URI,
    iat: NOW,
    exp: NOW + 300,
    jti: 'id-1',
    scope: 'trades:read',
    lineage: grant.lineage,
  })
})

test('a mapped claim cannot take the place of one of ours', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const grant = { ...narrow(QUESTION, DECISION, FOUND), claims: { sub: 'mallory' } }
  const token = makeToken(grant, MAKING, signerOf(pair.privateKey))
  const { payload } = await jwtVerify(token, pair.publicKey, { currentDate: new Date(NOW * 1000) })
  assert.equal(payload.sub, URI)
})
