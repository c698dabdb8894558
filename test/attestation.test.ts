/** Second evidence: it joins the first where both name one machine, adds facts, shortens lives, and is spent with it. */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { CHALLENGE_SECONDS } from '../src/challenge.ts'
import { type Reason, Refusal } from '../src/refusal.ts'
import { refused } from './world/attest.ts'
import { AWS_AUDIENCE, INSTANCE } from './world/aws.ts'
import { startBroker } from './world/broker.ts'
import { put } from './world/kubernetes.ts'
import { startMachines } from './world/machines.ts'

type World = Awaited<ReturnType<typeof startMachines>>

suite('second evidence', () => {
  test('adds its facts to those of the first, and the token ends with whichever ends first', async (t) => {
    const { issuer, document, ask, events, clock } = await startMachines(t)
    const { grant } = await ask(issuer.mint(), document())
    assert.equal(grant.expiresAt, clock.seconds() + 120)
    assert.deepEqual(grant.claims, { measured: true })
    // The evidence twice, the trust entry, the role, the instance, the machine.
    assert.equal(grant.lineage.length, 6)
    assert.equal(new Set(grant.lineage).size, 6)
    const [event] = events
    assert.deepEqual(
      event?.evidence.map(({ carrier, format }) => [carrier, format]),
      [
        ['assertion', undefined],
        ['attestation', 'nitro'],
      ],
    )
    assert.match(String(event?.evidence[1]?.digest), /^[\w-]{43}$/)
    const facts = event?.question?.actor.facts
    assert.deepEqual(facts?.['nitro.measured'], {
      value: true,
      grade: 'A',
      source: 'document',
      observedAt: clock.seconds() - 5,
    })
    assert.equal(event?.question?.attestationAge, 5)
  })

  test('takes nothing back that the first evidence says', async (t) => {
    const { issuer, document, ask, events } = await startMachines(t)
    await ask(issuer.mint(), document())
    assert.notEqual(events[0]?.question?.actor.facts['account']?.value, 'another')
  })

  test('that ends first does not make the first evidence new', async (t) => {
    const { issuer, document, ask, clock, store } = await startMachines(t)
    const token = issuer.mint()
    await ask(token, document())
    clock.advance(200)
    await store.prune(clock.seconds(), 0)
    await refused(ask(token, document()), 'evidence_replayed')
  })

  test('that ends first does not end a revocation of the first evidence', async (t) => {
    const { issuer, document, ask, clock, events } = await startMachines(t)
    const token = issuer.mint()
    await ask(token, document())
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    assert.ok(exp > clock.seconds() + 120)
    assert.equal(events[0]?.origin?.expiresAt, exp)
  })

  test('is what the policy asks for: without it there is no token', async (t) => {
    const { issuer, ask } = await startMachines(t)
    await refused(ask(issuer.mint(), null), 'policy_denied')
  })

  const rows: readonly (readonly [string, (world: World) => Promise<unknown>, Reason])[] = [
    [
      'of another machine',
      ({ ask, issuer, document }) => ask(issuer.mint(), document({ machine: `${INSTANCE}9` })),
      'attestation_mismatched',
    ],
    [
      'beside a token that names no machine',
      ({ ask, issuer, document }) => {
        const token = issuer.mint(({ own }) => {
          for (const name of Object.keys(own)) if (name.startsWith('ec2')) delete own[name]
        })
        return ask(token, document())
      },
      'attestation_mismatched',
    ],
    [
      'of a format that the entry does not take',
      ({ ask, issuer, document }) => ask(issuer.mint(), document(), 'assertion', 'azure-document'),
      'attestation_refused',
    ],
    [
      'over a challenge of nobody',
      ({ ask, issuer, document }) => ask(issuer.mint(), document({ challenge: 'x'.repeat(31) })),
      'challenge_unknown',
    ],
    [
      'over an old challenge',
      ({ ask, issuer, document, challenge, clock }) => {
        const old = challenge()
        clock.advance(CHALLENGE_SECONDS)
        return ask(issuer.mint(), document({ challenge: old }))
      },
      'challenge_expired',
    ],
    [
      'that was changed',
      ({ ask, issuer, document }) => ask(issuer.mint(), `${document()}x`),
      'signature_invalid',
    ],
    [
      'that is over',
      ({ ask, issuer, document, clock }) => {
        return ask(issuer.mint(), document({ expiresAt: clock.seconds() }))
      },
      'token_expired',
    ],
    [
      'beside a token for another audience',
      ({ ask, issuer, document }) =>
        ask(
          issuer.mint(({ claims }) => put(claims, 'aud', `${AWS_AUDIENCE}x`)),
          document(),
        ),
      'audience_wrong',
    ],
  ]
  for (const [what, show, reason] of rows) {
    test(`${what} is ${reason}, burns nothing, and is in the audit`, async (t) => {
      const world = await startMachines(t)
      await refused(show(world), reason)
      assert.deepEqual([world.events.length, world.events[0]?.evidence.length], [1, 2])
      await world.ask(world.issuer.mint(), world.document())
    })
  }

  test('that is refused leaves the token beside it usable', async (t) => {
    const { ask, issuer, document } = await startMachines(t)
    const [token, good] = [issuer.mint(), document()]
    await refused(ask(token, document({ machine: 'another' })), 'attestation_mismatched')
    await ask(token, good)
  })
})

suite('what is good for one token', () => {
  test('a challenge gives one token of two requests at once, whatever stands beside it', async (t) => {
    const { ask, issuer, document, challenge } = await startMachines(t)
    const shared = challenge()
    const show = () => ask(issuer.mint(), document({ challenge: shared }))
    const both = await Promise.allSettled([show(), show()])
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    await refused(show(), 'evidence_replayed')
  })

  test('a request that loses its challenge keeps its token, and the other way round', async (t) => {
    const { ask, issuer, document, challenge } = await startMachines(t)
    const [spentToken, spentChallenge, token, fresh] = [
      issuer.mint(),
      challenge(),
      issuer.mint(),
      challenge(),
    ]
    await ask(spentToken, document({ challenge: spentChallenge }))
    await refused(ask(token, document({ challenge: spentChallenge })), 'evidence_replayed')
    await refused(ask(spentToken, document({ challenge: fresh })), 'evidence_replayed')
    await ask(token, document({ challenge: fresh }))
  })

  test('no token, challenge or pair gets a second token, on either carrier, in any order', async (t) => {
    const world = await startMachines(t)
    const step = fc.record({
      token: fc.nat(2),
      challenge: fc.nat(2),
      carrier: fc.constantFrom('assertion' as const, 'client_assertion' as const),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
        await replaySteps(world, steps)
      }),
      { numRuns: 40 },
    )
  })
})

type Step = {
  readonly token: number
  readonly challenge: number
  readonly carrier: 'assertion' | 'client_assertion'
}

/** A request is granted if, and only if, nothing of it has been granted before. */
async function replaySteps(world: World, steps: readonly Step[]): Promise<void> {
  const { issuer, challenge, document, ask } = world
  const tokens = [issuer.mint(), issuer.mint(), issuer.mint()]
  const challenges = [challenge(), challenge(), challenge()]
  const used = new Set<string>()
  for (const { token, challenge: at, carrier } of steps) {
    const parts = [tokens[token] ?? '', challenges[at] ?? '']
    const isFresh = parts.every((part) => !used.has(part))
    const [shown = '', answered = ''] = parts
    const outcome = await ask(shown, document({ challenge: answered }), carrier).then(
      () => 'issued',
      (error: unknown) => (error instanceof Refusal ? error.reason : error),
    )
    assert.equal(outcome, isFresh ? 'issued' : 'evidence_replayed')
    if (isFresh) for (const part of parts) used.add(part)
  }
}

suite('parameters of second evidence', () => {
  const TYPE = 'urn:x-countersign:attestation-type:nitro'
  const ask = async (t: TestContext, change: Record<string, string>) => {
    const world = await startBroker(t)
    const { status, body } = await world.ask(world.form(change))
    return [status, body['error'], world.events().at(-1)?.reason]
  }
  const rows: readonly (readonly [string, Record<string, string>, unknown[]])[] = [
    [
      'an entry that takes none',
      { attestation: 'x', attestation_type: TYPE },
      [400, 'invalid_grant', 'attestation_refused'],
    ],
    [
      'an unknown type',
      { attestation: 'x', attestation_type: 'nitro' },
      [400, 'invalid_grant', undefined],
    ],
    ['no type', { attestation: 'x' }, [400, 'invalid_request', undefined]],
    ['a type alone', { attestation_type: TYPE }, [400, 'invalid_request', undefined]],
  ]
  for (const [what, change, expected] of rows) {
    test(`${what} is refused as ${expected[1]}`, async (t) => {
      assert.deepEqual(await ask(t, change), expected)
    })
  }

  test('beside a client_assertion it is invalid_client', async (t) => {
    const world = await startBroker(t)
    const { assertion, ...form } = world.form({ attestation: 'x', attestation_type: TYPE })
    const { status, body } = await world.ask({
      ...form,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion ?? '',
    })
    assert.deepEqual([status, body['error']], [401, 'invalid_client'])
    assert.equal(world.events().at(-1)?.evidence.length, 2)
  })
})
