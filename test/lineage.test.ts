/** What a revocation can name, and that a token and its identity agree on it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  lineageOf,
  nameOf,
  namesOf,
  namesOfIdentity,
  type Origin,
  shortHash,
  toldOrigins,
} from '../src/lineage.ts'
import type { RevocationKind } from '../src/store/store.ts'

const WORKLOAD = 'k8s://prod-eu/ns/payments/sa/settlement'

const IDENTITY: Origin = {
  trust: 'kubernetes:prod-eu',
  uri: WORKLOAD,
  replay: { policy: 'reusable', key: 'jti-1' },
  lineage: ['pod:prod-eu/uid-1', 'node:prod-eu/uid-2'],
}

const CLAIMS = {
  jti: 'decision-1',
  sub: 'user://corp/alice',
  client_id: WORKLOAD,
  lineage: lineageOf(IDENTITY),
  act: { sub: WORKLOAD, act: { sub: 'k8s://prod-eu/ns/chat/sa/front' } },
}

test('a name is 16 characters of a hash that nobody can turn round', () => {
  assert.match(nameOf('sub', WORKLOAD), /^[\w-]{16}$/)
  assert.equal(nameOf('trust', 'kubernetes:prod-eu'), shortHash('trust:kubernetes:prod-eu'))
  const kinds: readonly RevocationKind[] = ['token', 'sub', 'actor', 'trust', 'evidence', 'key']
  assert.equal(new Set(kinds.map((kind) => nameOf(kind, 'same'))).size, kinds.length)
})

/** Everything that has to stop the token of CLAIMS, and what must not. */
const NAMES: readonly (readonly [RevocationKind, string, boolean])[] = [
  ['token', 'decision-1', true],
  ['token', 'decision-2', false],
  ['sub', 'user://corp/alice', true],
  ['sub', WORKLOAD, false],
  ['actor', WORKLOAD, true],
  ['actor', 'k8s://prod-eu/ns/chat/sa/front', true],
  ['actor', 'user://corp/alice', false],
  ['trust', 'kubernetes:prod-eu', true],
  ['trust', 'kubernetes:prod-us', false],
  ['evidence', 'kubernetes:prod-eu/jti-1', true],
  ['evidence', 'kubernetes:prod-us/jti-1', false],
  ['key', 'kid-1', true],
  ['key', 'kid-2', false],
]

for (const [kind, target, hit] of NAMES) {
  test(`a token ${hit ? 'has' : 'has not'} the name ${kind}:${target}`, () => {
    assert.equal([...namesOf(CLAIMS, 'kid-1')].includes(nameOf(kind, target)), hit)
  })
}

test('pods and nodes are names too', () => {
  for (const origin of ['pod:prod-eu/uid-1', 'node:prod-eu/uid-2']) {
    assert.ok([...namesOf(CLAIMS, null)].includes(shortHash(origin)))
  }
})

test('without a key id no key is named', () => {
  assert.equal([...namesOf(CLAIMS, null)].length, [...namesOf(CLAIMS, 'kid-1')].length - 1)
})

test('what stops a plain token of a workload also stops the next one from being issued, itself apart', () => {
  const plain = { jti: 'decision-1', sub: WORKLOAD, client_id: WORKLOAD, lineage: CLAIMS.lineage }
  const own = nameOf('token', 'decision-1')
  assert.deepEqual(
    [...namesOf(plain, null)].filter((name) => name !== own).toSorted(),
    [...namesOfIdentity(IDENTITY)].toSorted(),
  )
})

test('an operator reads everything in words, but evidence by its name', () => {
  assert.deepEqual(toldOrigins(IDENTITY), {
    evidence: [nameOf('evidence', 'kubernetes:prod-eu/jti-1')],
    lineage: ['trust:kubernetes:prod-eu', 'pod:prod-eu/uid-1', 'node:prod-eu/uid-2'],
  })
})
