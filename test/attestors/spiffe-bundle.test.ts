/** Bundles as they change: rotation, numbers that go back, hints. By file and by an `https_web` endpoint. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { readBundle } from '../../attestors/spiffe/bundle.ts'
import { attest, refused } from '../world/attest.ts'
import { TestClock } from '../world/clock.ts'
import { renamed } from '../world/keys.ts'
import { put } from '../world/kubernetes.ts'
import { scratch } from '../world/scratch.ts'
import { attestorOf, FakeSpire, setSpiffeStage } from '../world/spiffe.ts'
import { Authority } from '../world/spiffeendpoint.ts'

/** A trust domain whose bundle is copied into a file. */
async function setFileStage(t: TestContext) {
  const clock = new TestClock()
  const issuer = new FakeSpire(clock)
  const file = join(scratch(t), 'bundle.json')
  const publish = (text = JSON.stringify(issuer.bundle())) => writeFileSync(file, text)
  publish()
  return { clock, issuer, publish, attestor: attestorOf(t, clock, { file }) }
}

test('a file is read again: a key that was rotated out signs nothing any more', async (t) => {
  const { clock, issuer, publish, attestor } = await setFileStage(t)
  await attestor.start()
  const before = issuer.mint()
  await attest(attestor, before, clock)
  issuer.rotate()
  publish()
  await attest(attestor, issuer.mint(), clock)
  await refused(attest(attestor, before, clock), 'key_unknown')
})

test('a bundle without keys ends trust in all of them', async (t) => {
  const { clock, issuer, attestor } = await setSpiffeStage(t)
  await attestor.start()
  const before = issuer.mint()
  issuer.rotate()
  issuer.change = (bundle) => put(bundle, 'keys', [])
  await refused(attest(attestor, issuer.mint(), clock), 'key_unknown')
  await refused(attest(attestor, before, clock), 'key_unknown')
  assert.equal(attestor.health().ready, false)
})

type Row = readonly [what: string, problem: RegExp, change: (bundle: Bundle) => void]
type Bundle = Record<string, unknown>

const set =
  (name: string, value: unknown) =>
  (bundle: Bundle): void =>
    put(bundle, name, value)

const REFUSED: readonly Row[] = [
  ['a lower number', /went back from 1 to 0$/, set('spiffe_sequence', 0)],
  ['no number any more', /no spiffe_sequence any more/, set('spiffe_sequence', undefined)],
  ['a number in a string', /spiffe_sequence is 2, not a whole/, set('spiffe_sequence', '2')],
  ['a number of 1e300', /spiffe_sequence is 1e\+300, not a whole/, set('spiffe_sequence', 1e300)],
  ['a hint below zero', /spiffe_refresh_hint is -1/, set('spiffe_refresh_hint', -1)],
  ['no list of keys', /no array "keys"/, set('keys', {})],
  ['101 keys', /over 100 keys/, set('keys', Array(101).fill({}))],
]

suite('a bundle is refused, and the keys before it stay', () => {
  for (const [what, problem, change] of REFUSED) {
    test(`with ${what}; health says so`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t)
      await attestor.start()
      const before = issuer.mint()
      issuer.rotate()
      issuer.change = change
      await refused(attest(attestor, issuer.mint(), clock), 'issuer_keys_unavailable')
      assert.match(String(attestor.health().problem), problem)
      await attest(attestor, before, clock)
      assert.equal(attestor.health().ready, true)
    })
  }

  test('until its number rises again', async (t) => {
    const { clock, issuer, attestor } = await setSpiffeStage(t)
    await attestor.start()
    issuer.rotate()
    issuer.change = set('spiffe_sequence', 0)
    await refused(attest(attestor, issuer.mint(), clock), 'issuer_keys_unavailable')
    issuer.change = () => {}
    clock.advance(2)
    await attest(attestor, issuer.mint(), clock)
    assert.equal(attestor.health().problem, null)
  })

  test('in a file that repeats a name', async (t) => {
    const { clock, issuer, publish, attestor } = await setFileStage(t)
    await attestor.start()
    publish(JSON.stringify(issuer.bundle()).replace('{', '{"spiffe_sequence":9,'))
    const other = renamed(issuer.signer, 'other')
    const token = issuer.mint(() => {}, other)
    await refused(attest(attestor, token, clock), 'issuer_keys_unavailable')
    assert.match(String(attestor.health().problem), /not a SPIFFE bundle in strict JSON/)
  })
})

suite('spiffe_refresh_hint says when to look again, within bounds', () => {
  // The refresh is planned for 65 % of the time, since `random` is the middle.
  const rows: readonly (readonly [unknown, number])[] = [
    [600, 390],
    [0, 195],
    [1, 195],
    [undefined, 195],
    [3600, 2340],
    [86_400, 2340],
  ]
  for (const [hint, delay] of rows) {
    test(`${hint ?? 'no'} s of hint: in ${delay} s`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t)
      issuer.cacheControl = 'max-age=1200'
      issuer.change = set('spiffe_refresh_hint', hint)
      await attestor.start()
      assert.deepEqual(clock.pending(), [delay])
    })
  }
})

test('only a certificate that is an authority, alone in its x5c, is a root', () => {
  const root = new Authority('example.org')
  const der = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '')
  const entry = (x5c: unknown, use = 'x509-svid') => ({ use, kty: 'EC', x5c })
  const of = (...keys: unknown[]) => readBundle(JSON.stringify({ keys })).authorities.length
  assert.equal(of(entry([der(root.root)])), 1)
  const others = [
    entry([der(root.root)], 'jwt-svid'),
    entry([der(root.issue().cert)]),
    entry([der(root.root), der(root.root)]),
    entry([der(root.root).slice(0, -8)]),
    entry([7]),
    entry([]),
    entry('x'),
    'x',
    null,
  ]
  for (const other of others) assert.equal(of(other), 0, JSON.stringify(other).slice(0, 40))
  assert.equal(of(...others, entry([der(root.root)])), 1)
})
