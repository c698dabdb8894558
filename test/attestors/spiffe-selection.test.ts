/** Two trust domains: an X.509-SVID is for the one that its id names, and for that one's authorities alone. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { spiffe } from '../../attestors/spiffe/index.ts'
import { challenges } from '../../src/challenge.ts'
import type { Attestor, Evidence } from '../../src/identity.ts'
import { vouching } from '../../src/vouching.ts'
import { refused, worldOf } from '../world/attest.ts'
import { alternativeNames } from '../world/certificate.ts'
import { TestClock } from '../world/clock.ts'
import { DOCUMENTS, measure } from '../world/machines.ts'
import { FakeSpire } from '../world/spiffe.ts'
import { authorityOf, type Names, shown, svidOf, uri } from '../world/svid.ts'

const OURS = challenges('a secret of at least thirty-two characters', randomBytes)

/** Entries of `one.example` and `two.example`, each with an authority of its own. */
async function start(t: TestContext) {
  const clock = new TestClock()
  const domain = async (trustDomain: string) => {
    const spire = await new FakeSpire(clock).listen()
    t.after(() => spire.close())
    const extra = [alternativeNames(uri(`spiffe://${trustDomain}`))]
    const root = authorityOf(`authority of ${trustDomain}`, undefined, { extra })
    spire.roots = [root.pem]
    const attestor = spiffe.create(
      {
        trustDomain,
        bundle: { url: spire.jwksUrl, profile: 'https_web', allowPrivate: true },
      },
      { trust: `spiffe:${trustDomain}`, audience: 'https://countersign.example' },
      worldOf(clock),
      () => null,
    )
    t.after(() => attestor.close())
    return { root, attestor, spire }
  }
  const [one, two] = [await domain('one.example'), await domain('two.example')]
  const show = async (
    names: Names,
    issuer = one.root,
    attestors: readonly Attestor[] = [one.attestor, two.attestor],
    attestation: Evidence | null = null,
  ) => {
    const of = { role: 'workload', carrier: 'certificate', format: 'x509-svid' } as const
    const evidence = { ...of, value: shown(svidOf(issuer, { names })) }
    const table = vouching(attestors, new Map(), OURS)
    const prepared = await table.prepare({ evidence, attestation }, clock.seconds(), () => {})
    return prepared.verify(clock.seconds())
  }
  return { clock, one, two, show }
}

test('each id goes to the entry of its trust domain', async (t) => {
  const { one, two, show } = await start(t)
  assert.equal((await show(uri('spiffe://one.example/a'), one.root)).trust, 'spiffe:one.example')
  assert.equal((await show(uri('spiffe://two.example/a'), two.root)).trust, 'spiffe:two.example')
})

test('the authority of one gives no ids of the other, and only the bundle of the other is read', async (t) => {
  const { one, two, show } = await start(t)
  await refused(show(uri('spiffe://two.example/a'), one.root), 'certificate_untrusted')
  assert.deepEqual([one.spire.requests, two.spire.requests], [[], ['/bundle']])
})

test('an id of a third goes to nobody', async (t) => {
  const { show } = await start(t)
  const { detail } = await refused(show(uri('spiffe://three.example/a')), 'issuer_untrusted')
  assert.deepEqual(detail, {
    found: 'spiffe://three.example',
    trusted: ['spiffe://one.example', 'spiffe://two.example'],
  })
})

test('without any entry that takes X.509-SVIDs there is no such type', async (t) => {
  const { show } = await start(t)
  await refused(show(uri('spiffe://one.example/a'), undefined, []), 'type_refused')
})

test('second evidence beside an X.509-SVID is for its entry to take', async (t) => {
  const { clock, one, show } = await start(t)
  const challenge = OURS.issue(clock.seconds())
  const window = { issuedAt: clock.seconds() - 1, expiresAt: clock.seconds() + 60 }
  const value = measure({ machine: 'machine-1', challenge, ...window })
  const beside = { role: 'attestation', carrier: 'attestation', format: 'nitro', value } as const
  const id = uri('spiffe://one.example/a')
  await refused(show(id, one.root, [one.attestor], beside), 'attestation_refused')
  const taking = { ...one.attestor, second: new Map([['nitro', DOCUMENTS]]) }
  await refused(show(id, one.root, [taking], beside), 'attestation_mismatched')
})
