import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { Identity } from '../src/identity.ts'
import { UNBOUND } from '../src/possession.ts'
import { spend as spendHeld } from '../src/replay.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'

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

const spend = (store: Store, shown: Identity) =>
  spendHeld(store, { identity: shown, held: UNBOUND })

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

suite('evidence that answers challenges', () => {
  const answering = (key: string, ...answered: string[]): Identity => ({
    ...identity('aws:a', key),
    challenges: answered.map((challenge) => ({ challenge, expiresAt: 2000 })),
  })

  test('spends them whoever’s it is, each to its own end', async (t) => {
    const store = openSqlite(':memory:')
    t.after(() => store.close())
    await spend(store, answering('1', 'c'))
    await store.prune(1500, 0)
    const another = { ...answering('2', 'c'), trust: 'azure:b' }
    await assert.rejects(spend(store, another), { reason: 'evidence_replayed' })
    await spend(store, answering('1', 'd'))
  })

  test('is taken back as a whole, and when one part was spent before', async (t) => {
    const store = openSqlite(':memory:')
    t.after(() => store.close())
    const takeBack = await spend(store, answering('1', 'c', 'd'))
    await takeBack()
    await spend(store, answering('2', 'd'))
    for (const part of ['c', 'e']) {
      await assert.rejects(spend(store, answering(part, part, 'd')), {
        reason: 'evidence_replayed',
      })
      await spend(store, answering(part, part))
    }
  })

  test('may answer one challenge twice', async (t) => {
    const store = openSqlite(':memory:')
    t.after(() => store.close())
    await spend(store, answering('1', 'c', 'c'))
  })

  test('of requests at once that share something, those that get a token share nothing, and one does', async (t) => {
    const store = openSqlite(':memory:')
    t.after(() => store.close())
    const rounds = fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }), {
      minLength: 2,
      maxLength: 6,
    })
    let round = 0
    await fc.assert(
      fc.asyncProperty(rounds, async (requests) => {
        round += 1
        const shown = requests.map((parts, n) =>
          answering(`${round}/${n}`, ...parts.map((part) => `${round}/${part}`)),
        )
        const ended = await Promise.allSettled(shown.map((each) => spend(store, each)))
        const won = requests.filter((_, n) => ended[n]?.status === 'fulfilled').flat()
        assert.ok(won.length > 0)
        assert.equal(new Set(won).size, won.length)
      }),
      { numRuns: 50 },
    )
  })

  test('a store that fails in the middle takes back what it took, and says store_unavailable', async () => {
    const kept = new Set<string>()
    let calls = 0
    const store: Pick<Store, 'spend' | 'unspend'> = {
      async spend(key) {
        calls += 1
        if (calls === 2) throw new Error('gone')
        kept.add(key)
        return true
      },
      async unspend(key) {
        kept.delete(key)
      },
    }
    await assert.rejects(spend(store as Store, answering('1', 'c')), {
      reason: 'store_unavailable',
    })
    assert.deepEqual([calls, kept.size], [2, 0])
  })
})
