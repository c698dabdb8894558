import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identity } from '../src/identity.ts'
import { spend } from '../src/replay.ts'
import { openSqlite } from '../src/store/sqlite.ts'

function identity(trust: string, key: string, policy: 'once' | 'reusable' = 'once'): Identity {
  return {
    kind: 'kubernetes',
    trust,
    uri: 'k8s://c/ns/n/sa/s',
    principal: { type: 'ServiceAccount', id: 'c/n/s' },
    ancestry: [],
    facts: {},
    issuedAt: 0,
    expiresAt: 1000,
    replay: { policy, key },
    lineage: [],
  }
}

test('one-time evidence is spent once; the same jti of another trust entry is another evidence', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  await spend(store, identity('kubernetes:a', 'jti-1'))
  await spend(store, identity('kubernetes:b', 'jti-1'))
  await assert.rejects(spend(store, identity('kubernetes:a', 'jti-1')), {
    reason: 'evidence_replayed',
    detail: { trust: 'kubernetes:a' },
  })
})

test('names and keys cannot be shifted into each other', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  await spend(store, identity('kubernetes:a', 'b:jti'))
  await spend(store, identity('kubernetes:ab', ':jti'))
})

test('what was taken back can be spent again', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const takeBack = await spend(store, identity('kubernetes:a', 'jti-1'))
  await takeBack()
  await spend(store, identity('kubernetes:a', 'jti-1'))
})

test('reusable evidence asks the store nothing', async () => {
  const store = openSqlite(':memory:')
  store.close()
  await spend(store, identity('kubernetes:a', 'jti-1', 'reusable'))
})

test('a store that cannot tell refuses as store_unavailable', async () => {
  const store = openSqlite(':memory:')
  store.close()
  await assert.rejects(spend(store, identity('kubernetes:a', 'jti-1')), {
    reason: 'store_unavailable',
  })
})

test('what is spent stays spent a minute past its end, for clocks that differ', async (t) => {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  await spend(store, identity('kubernetes:a', 'jti-1'))
  await store.prune(1059, 0)
  await assert.rejects(spend(store, identity('kubernetes:a', 'jti-1')), {
    reason: 'evidence_replayed',
  })
})
