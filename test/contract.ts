/**
 * What every attestor of JWT evidence must refuse, whatever its platform. One call runs all of it:
 *
 *     attestorContract('kubernetes', async (t) => stage)
 */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import type { Attestor } from '../src/identity.ts'
import { parseJwt } from '../src/net/jwt.ts'
import type { Reason } from '../src/refusal.ts'
import { attest, refused } from './world/attest.ts'
import type { TestClock } from './world/clock.ts'
import {
  aliased,
  altered,
  beheaded,
  draftOf,
  duplicated,
  hmac,
  type Minter,
} from './world/forge.ts'
import type { Draft, Fault } from './world/issuer.ts'
import { renamed, signer } from './world/keys.ts'
import { BY_ISSUER, type Naming } from './world/naming.ts'

/** A fresh attestor, not started, whose keys come from `issuer` over HTTP, each refresh in one request. */
export type Stage = {
  readonly clock: TestClock
  readonly issuer: Minter
  readonly attestor: Attestor
}

/** Builds a stage; everything it opens is closed in `t.after`. */
export type SetStage = (t: TestContext) => Promise<Stage>

type Row = readonly [what: string, breakIt: (token: Draft, stage: Stage) => void, ...Reason[]]

/** One thing wrong with the claims or the header of a token that is signed properly. */
const BROKEN: readonly Row[] = [
  [
    'a wrong audience',
    ({ claims }) => set(claims, 'aud', 'https://other.example'),
    'audience_wrong',
  ],
  [
    'our audience among others',
    ({ claims }, { attestor }) => set(claims, 'aud', [attestor.audience, 'https://other.example']),
    'audience_wrong',
  ],
  [
    'an audience that is no string',
    ({ claims }, { attestor }) => set(claims, 'aud', [[attestor.audience]]),
    'audience_wrong',
  ],
  [
    'an audience that differs in case',
    ({ claims }, { attestor }) => set(claims, 'aud', attestor.audience.toUpperCase()),
    'audience_wrong',
  ],
  [
    'vault k8s #300: an audience is required',
    ({ claims }) => unset(claims, 'aud'),
    'audience_wrong',
  ],
  [
    'expiry at this very second',
    ({ claims }, { clock }) => set(claims, 'exp', clock.seconds()),
    'token_expired',
  ],
  ['no expiry', ({ claims }) => unset(claims, 'exp'), 'claim_invalid'],
  ['an expiry of 1e308', ({ claims }) => set(claims, 'exp', 1e308), 'claim_invalid'],
  ['an expiry in a string', ({ claims }) => set(claims, 'exp', '1900000000'), 'claim_invalid'],
  [
    'an issue date 31 s ahead',
    ({ claims }, { clock }) => set(claims, 'iat', clock.seconds() + 31),
    'token_premature',
  ],
  [
    'validity that begins in 31 s',
    ({ claims }, { clock }) => set(claims, 'nbf', clock.seconds() + 31),
    'token_premature',
  ],
  [
    'a lifetime of a year',
    ({ claims }, { clock }) => set(claims, 'exp', clock.seconds() + 365 * 86_400),
    'lifetime_excessive',
  ],
  ['CVE-2022-23540: alg none', ({ header }) => set(header, 'alg', 'none'), 'algorithm_refused'],
  ['alg NonE', ({ header }) => set(header, 'alg', 'NonE'), 'algorithm_refused'],
  [
    'an algorithm that is not listed',
    ({ header }) => set(header, 'alg', 'PS256'),
    'algorithm_refused',
  ],
  ['an embedded jwk', ({ header }) => set(header, 'jwk', signer('stranger').jwk), 'header_refused'],
  [
    'CVE-2026-45796: a URL to fetch keys from (jku)',
    ({ header }) => set(header, 'jku', 'https://evil.example/jwks'),
    'header_refused',
  ],
  ['an access token’s typ', ({ header }) => set(header, 'typ', 'at+jwt'), 'type_refused'],
  ['fast-jwt CVE-2026-35042: crit', ({ header }) => set(header, 'crit', ['x']), 'header_refused'],
  ['no kid', ({ header }) => unset(header, 'kid'), 'header_refused'],
  [
    'more than 16 KiB',
    ({ claims }) => set(claims, 'padding', 'x'.repeat(16_384)),
    'evidence_too_large',
  ],
]

const FAULTS: readonly Fault[] = [
  'redirect',
  'error',
  'reset',
  'media_type',
  'truncated',
  'huge',
  'endless',
]

/** The whole contract for one kind, whose tokens say by one claim who vouches for them. */
export function attestorContract(kind: string, setStage: SetStage, naming = BY_ISSUER): void {
  suite(`contract of ${kind}: ${naming.note}`, () => {
    acceptsGoodEvidence(setStage)
    refusesBrokenTokens(setStage, [...BROKEN, ...naming.rows])
    refusesForgedTokens(setStage, naming)
    survivesItsIssuer(setStage)
    followsRotation(setStage)
  })
}

function acceptsGoodEvidence(setStage: SetStage): void {
  test('good evidence is accepted, and at once when the key is known', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    const identity = await attest(attestor, issuer.mint(), clock)
    assert.equal(identity.trust, attestor.trust)
    assert.equal(identity.expiresAt > clock.seconds(), true)
    assert.equal(issuer.requests.length, 1)
    await attest(attestor, issuer.mint(), clock)
    assert.equal(issuer.requests.length, 1)
  })

  test('evidence that expires between prepare and verify is refused', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    const token = issuer.mint(({ claims }) => set(claims, 'exp', clock.seconds() + 1))
    const prepared = await attestor.prepare(parseJwt(token), clock.seconds())
    clock.advance(1)
    await refused(() => prepared.verify(clock.seconds()), 'token_expired')
  })
}

function refusesBrokenTokens(setStage: SetStage, rows: readonly Row[]): void {
  for (const [what, breakIt, ...reasons] of rows) {
    test(`${what} is refused as ${reasons.join(' or ')}, before any request`, async (t) => {
      const stage = await setStage(t)
      const token = stage.issuer.mint((draft) => breakIt(draft, stage))
      const refusal = await refused(attest(stage.attestor, token, stage.clock), ...reasons)
      assert.deepEqual(stage.issuer.requests, [])
      const [, payload = '', signature = ''] = token.split('.')
      const detail = JSON.stringify(refusal.detail)
      assert.ok(!detail.includes(signature) && !detail.includes(payload))
    })
  }
}

function refusesForgedTokens(setStage: SetStage, { claim }: Naming): void {
  const disguised = `\\u00${claim.charCodeAt(0).toString(16)}${claim.slice(1)}`
  const rows: readonly (readonly [string, (stage: Stage) => string, Reason])[] = [
    ['a duplicate claim', ({ issuer }) => duplicated(issuer, `"${claim}"`), 'token_malformed'],
    [
      'a duplicate claim in disguise',
      ({ issuer }) => duplicated(issuer, `"${disguised}"`),
      'token_malformed',
    ],
    ['padding after the signature', ({ issuer }) => `${issuer.mint()}=`, 'token_malformed'],
    ['a line feed in the token', ({ issuer }) => `${issuer.mint()}\n`, 'token_malformed'],
    ['an alias of the last character', ({ issuer }) => aliased(issuer.mint()), 'token_malformed'],
    ['five segments', ({ issuer }) => `${issuer.mint()}.a.b`, 'token_malformed'],
    ['HS256 with the public key as secret', ({ issuer }) => hmac(issuer), 'algorithm_refused'],
    ['a signature of nothing', ({ issuer }) => beheaded(issuer.mint()), 'signature_invalid'],
    ['a changed claim', ({ issuer }) => altered(issuer), 'signature_invalid'],
    [
      'CVE-2020-16251: our claims under a foreign key of the same kid',
      ({ issuer }) => {
        const { header, claims } = draftOf(issuer)
        return issuer.sign({ header, claims }, signer('stranger', issuer.signer.alg))
      },
      'signature_invalid',
    ],
  ]
  for (const [what, forge, reason] of rows) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const stage = await setStage(t)
      await refused(attest(stage.attestor, forge(stage), stage.clock), reason)
    })
  }
}

function survivesItsIssuer(setStage: SetStage): void {
  for (const fault of FAULTS) {
    test(`an issuer that answers with ${fault} is issuer_keys_unavailable, once asked`, async (t) => {
      const { clock, issuer, attestor } = await setStage(t)
      issuer.fault = fault
      for (let attempt = 0; attempt < 20; attempt += 1) {
        await refused(attest(attestor, issuer.mint(), clock), 'issuer_keys_unavailable')
      }
      assert.equal(issuer.requests.length, 1)
      assert.ok(issuer.bytesSent < 8 * 2 ** 20, `${issuer.bytesSent} of 1 GiB were read`)
      assert.notEqual(attestor.health().problem, null)
    })

    test(`known keys verify while the issuer answers with ${fault}`, async (t) => {
      const { clock, issuer, attestor } = await setStage(t)
      await attestor.start()
      issuer.fault = fault
      const unknown = renamed(issuer.signer, 'unknown')
      const other = issuer.mint(({ header }) => set(header, 'kid', unknown.kid))
      await refused(attest(attestor, other, clock), 'issuer_keys_unavailable')
      await attest(attestor, issuer.mint(), clock)
    })
  }

  test('a slow body ends after five seconds', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    issuer.fault = 'slow'
    const reached = issuer.reached()
    const answer = refused(attest(attestor, issuer.mint(), clock), 'issuer_keys_unavailable')
    await reached
    clock.advance(5)
    await answer
  })

  test('an unreachable issuer does not keep an attestor from starting', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    issuer.fault = 'reset'
    await attestor.start()
    assert.equal(attestor.health().ready, false)
    issuer.fault = null
    clock.advance(2)
    await attest(attestor, issuer.mint(), clock)
    assert.equal(attestor.health().ready, true)
  })

  test('a flood of unknown kids makes at most two requests', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    await attestor.start()
    const before = issuer.requests.length
    const flood = Array.from({ length: 100 }, (_, n) =>
      issuer.mint(({ header }) => set(header, 'kid', `unknown-${n}`)),
    )
    const reasons = ['key_unknown', 'issuer_keys_unavailable'] as const
    await Promise.all(flood.map((token) => refused(attest(attestor, token, clock), ...reasons)))
    for (const token of flood) await refused(attest(attestor, token, clock), ...reasons)
    assert.ok(issuer.requests.length - before <= 2, `${issuer.requests.length - before} requests`)
    await attest(attestor, issuer.mint(), clock)
  })
}

function followsRotation(setStage: SetStage): void {
  test('a key rotated mid-flight is fetched once for all who wait', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    await attestor.start()
    issuer.rotate()
    await Promise.all(Array.from({ length: 20 }, () => attest(attestor, issuer.mint(), clock)))
    assert.equal(issuer.requests.length, 2)
  })

  test('a key that the issuer withdrew is key_unknown after the next refresh', async (t) => {
    const { clock, issuer, attestor } = await setStage(t)
    await attestor.start()
    const token = issuer.mint()
    issuer.rotate()
    await attest(attestor, issuer.mint(), clock)
    await refused(attest(attestor, token, clock), 'key_unknown')
  })
}

function set(object: Record<string, unknown>, name: string, value: unknown): void {
  object[name] = value
}

function unset(object: Record<string, unknown>, name: string): void {
  delete object[name]
}
