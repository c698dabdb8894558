/** Which key a platform token is pinned to, and who is refused then. The store here is a map. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { PinPolicy } from '../src/config/trust.ts'
import type { Identity } from '../src/identity.ts'
import { type PinOutcome, spending, type Use } from '../src/pinning.ts'
import { type Confirmation, type Held, UNBOUND } from '../src/possession.ts'

const TRUST = 'kubernetes:prod'
const TOKEN: Identity = {
  kind: 'kubernetes',
  trust: TRUST,
  uri: 'k8s://prod/ns/agents/sa/planner',
  principal: { type: 'ServiceAccount', id: 'prod/agents/planner' },
  ancestry: [],
  facts: {},
  issuedAt: 0,
  expiresAt: 1000,
  replay: { policy: 'reusable', key: 'jti-1' },
  lineage: ['pod:prod/uid-1'],
}
const OWNER: Confirmation = { jkt: 'owner' }
const THIEF: Confirmation = { jkt: 'thief' }

function holding(confirmation: Confirmation | null, proof: Held['proof'] = null): Held {
  return { sender: confirmation === null ? 'bearer' : 'dpop', confirmation, proof }
}

/** A store as far as it is needed here, and one entry that pins as `policy` says. */
function stage(policy: PinPolicy = 'when-offered') {
  const pins = new Map<string, { readonly holder: string; readonly until: number }>()
  const spent = new Map<string, number>()
  const counted: PinOutcome[] = []
  const store = {
    async spend(key: string, until: number) {
      const first = !spent.has(key)
      if (first) spent.set(key, until)
      return first
    },
    async unspend(key: string) {
      spent.delete(key)
    },
    async pin(key: string, holder: string, until: number) {
      if (!pins.has(key)) pins.set(key, { holder, until })
      return pins.get(key)?.holder ?? ''
    },
  }
  const policies = new Map(policy === 'off' ? [] : [[TRUST, policy] as const])
  const spend = spending(store, policies, (_trust, outcome) => counted.push(outcome))
  let requests = 0
  return {
    store,
    pins,
    spent,
    counted,
    /** One use of a token with a key, or none. */
    use(held: Held, identity: Identity = TOKEN, change: Partial<Use> = {}) {
      requests += 1
      return spend(
        { identity, held },
        {
          id: `request-${requests}`,
          at: requests,
          sourceIp: '192.0.2.7',
          ...change,
        },
      )
    },
  }
}

type Stage = ReturnType<typeof stage>

const passed = (use: Promise<unknown>) =>
  use.then(
    () => 'passed',
    (error) => String(error.reason),
  )

/** The policy, the keys of uses one after the other, what becomes of each, and what is counted. */
type Row = readonly [
  PinPolicy,
  readonly (Confirmation | null)[],
  readonly string[],
  readonly PinOutcome[],
]

const CERTIFICATE: Confirmation = { 'x5t#S256': 'owner' }
const MISMATCH = 'evidence_key_mismatch'
const MISSING = 'evidence_key_missing'

// biome-ignore format: a table, one row a line
const ROWS: readonly Row[] = [
  ['off', [OWNER, THIEF, null], ['passed', 'passed', 'passed'], []],
  ['when-offered', [OWNER, OWNER], ['passed', 'passed'], ['pinned']],
  ['when-offered', [OWNER, THIEF, OWNER], ['passed', MISMATCH, 'passed'], ['pinned', 'mismatched']],
  ['when-offered', [OWNER, null, OWNER], ['passed', MISMATCH, 'passed'], ['pinned', 'mismatched']],
  ['when-offered', [CERTIFICATE, OWNER], ['passed', MISMATCH], ['pinned', 'mismatched']],
  ['when-offered', [CERTIFICATE, CERTIFICATE], ['passed', 'passed'], ['pinned']],
  ['when-offered', [null, OWNER, THIEF, null], ['passed', 'passed', 'passed', 'passed'], ['keyless']],
  ['required', [OWNER, OWNER], ['passed', 'passed'], ['pinned']],
  ['required', [null, OWNER, null], [MISSING, 'passed', MISSING], ['pinned']],
  ['required', [null, THIEF, OWNER], [MISSING, 'passed', MISMATCH], ['pinned', 'mismatched']],
]

for (const [policy, keys, ends, outcomes] of ROWS) {
  const named = keys.map((key) => (key === null ? 'no key' : Object.entries(key).join()))
  test(`${policy}: ${named.join(', then ')}`, async () => {
    const world = stage(policy)
    for (const [index, key] of keys.entries()) {
      assert.equal(await passed(world.use(holding(key))), ends[index], `use ${index + 1}`)
    }
    assert.deepEqual(world.counted, outcomes)
  })
}

test('both sides are told to the operator: key, request, instant, address, workload, origin', async () => {
  const world = stage()
  await world.use(holding(THIEF), TOKEN, { sourceIp: '203.0.113.9' })
  const owner = { ...TOKEN, uri: 'k8s://prod/ns/agents/sa/other', lineage: ['pod:prod/uid-2'] }
  await assert.rejects(world.use(holding(OWNER), owner, { sourceIp: null }), {
    reason: MISMATCH,
    detail: {
      trust: TRUST,
      firstKey: 'jkt:thief',
      firstRequest: 'request-1',
      firstAt: '1970-01-01T00:00:01.000Z',
      firstSourceIp: '203.0.113.9',
      firstWorkload: 'k8s://prod/ns/agents/sa/planner',
      firstOrigin: ['pod:prod/uid-1'],
      key: 'jkt:owner',
      at: '1970-01-01T00:00:02.000Z',
      sourceIp: 'unknown',
      workload: 'k8s://prod/ns/agents/sa/other',
      origin: ['pod:prod/uid-2'],
    },
  })
})

suite('a pin', () => {
  test('is of one token of one trust entry', async () => {
    const world = stage()
    await world.use(holding(THIEF))
    const another = { ...TOKEN, replay: { policy: 'reusable', key: 'jti-2' } } as const
    await world.use(holding(OWNER), another)
    assert.equal(world.pins.size, 2)
  })

  test('lasts a minute longer than the token, also where second evidence ends before it', async () => {
    for (const [identity, until] of [
      [TOKEN, 1060],
      [{ ...TOKEN, expiresAt: 300, replay: { ...TOKEN.replay, until: 1000 } }, 1060],
    ] as const) {
      const world = stage()
      await world.use(holding(OWNER), identity)
      assert.deepEqual(
        [...world.pins.values()].map((pin) => pin.until),
        [until],
      )
    }
  })

  test('is not set by a request that is refused for what it spends', async () => {
    const world = stage()
    const proof = { key: 'proof', until: 60 }
    await world.use(holding(OWNER, proof), { ...TOKEN, replay: { policy: 'once', key: 'other' } })
    await assert.rejects(world.use(holding(THIEF, proof)), { reason: 'proof_replayed' })
    assert.equal(world.pins.size, 0)
  })

  test('is not set for tokens that are good for one use', async () => {
    const world = stage('required')
    await world.use(UNBOUND, { ...TOKEN, replay: { policy: 'once', key: 'jti-1' } })
    assert.equal(world.pins.size, 0)
  })

  test('stays when the token does not leave in the end, and the caller tries again with its key', async () => {
    const world = stage()
    const takeBack = await world.use(holding(OWNER, { key: 'proof', until: 60 }))
    await takeBack()
    assert.deepEqual([world.pins.size, world.spent.size], [1, 0])
    assert.equal(await passed(world.use(holding(THIEF))), MISMATCH)
    assert.equal(await passed(world.use(holding(OWNER, { key: 'proof', until: 60 }))), 'passed')
  })
})

test('a use with another key burns nothing that it shows beside the token', async () => {
  const world = stage()
  await world.use(holding(OWNER))
  const answering = { ...TOKEN, challenges: [{ challenge: 'c', expiresAt: 900 }] }
  await assert.rejects(world.use(holding(THIEF, { key: 'proof', until: 60 }), answering), {
    reason: MISMATCH,
  })
  assert.equal(world.spent.size, 0)
})

test('a store that cannot tell who was first refuses as store_unavailable, and takes back', async () => {
  const world: Stage = stage()
  world.store.pin = () => Promise.reject(new Error('gone'))
  await assert.rejects(world.use(holding(OWNER, { key: 'proof', until: 60 })), {
    reason: 'store_unavailable',
  })
  assert.equal(world.spent.size, 0)
})

test('whatever the order of uses: who passes has the key of the first, or the first had none', async () => {
  const key = fc.constantFrom(null, OWNER, THIEF, CERTIFICATE)
  await fc.assert(
    fc.asyncProperty(fc.array(key, { minLength: 1, maxLength: 8 }), async (keys) => {
      const world = stage()
      const ended = await Promise.all(keys.map((each) => passed(world.use(holding(each)))))
      const [first = null] = keys
      const expected = keys.map((each) => (first === null || each === first ? 'passed' : MISMATCH))
      assert.deepEqual(ended, expected)
    }),
  )
})
