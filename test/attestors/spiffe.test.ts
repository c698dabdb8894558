import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { digestOf, parseJwt } from '../../src/net/jwt.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import type { Draft } from '../world/issuer.ts'
import { renamed, signer } from '../world/keys.ts'
import { put } from '../world/kubernetes.ts'
import { BY_TRUST_DOMAIN } from '../world/naming.ts'
import { PLANNER, setSpiffeStage, TRUST_DOMAIN } from '../world/spiffe.ts'

attestorContract('spiffe', (t) => setSpiffeStage(t), BY_TRUST_DOMAIN)

test('a JWT-SVID yields its workload', async (t) => {
  const { clock, issuer, attestor } = await setSpiffeStage(t)
  const token = issuer.mint()
  const fact = (value: string) => {
    return { value, grade: 'A', source: 'token', observedAt: clock.seconds() }
  }
  assert.deepEqual(await attest(attestor, token, clock), {
    kind: 'spiffe',
    trust: `spiffe:${TRUST_DOMAIN}`,
    uri: PLANNER,
    principal: { type: 'SpiffeWorkload', id: PLANNER },
    ancestry: [],
    facts: {
      trustDomain: fact(TRUST_DOMAIN),
      path: fact('/ns/agents/sa/planner'),
      svid: fact('jwt'),
    },
    issuedAt: clock.seconds(),
    expiresAt: clock.seconds() + 300,
    replay: { policy: 'reusable', key: digestOf(parseJwt(token)) },
    lineage: [PLANNER],
  })
})

type Change = (token: Draft) => void
const claim =
  (name: string, value: unknown): Change =>
  ({ claims }) =>
    put(claims, name, value)
const member =
  (name: string, value: unknown): Change =>
  ({ header }) =>
    put(header, name, value)
const without =
  (part: 'header' | 'claims', name: string): Change =>
  (token) =>
    void delete token[part][name]
const sub = (value: unknown) => claim('sub', value)

suite('good evidence of other shapes', () => {
  const long = `spiffe://${TRUST_DOMAIN}/${'a'.repeat(2048 - `spiffe://${TRUST_DOMAIN}/`.length)}`
  const admitted: readonly (readonly [string, Change, (readonly string[])?])[] = [
    ['typ JOSE', member('typ', 'JOSE')],
    ['no typ', without('header', 'typ')],
    ['an audience in a string', ({ claims }) => put(claims, 'aud', [claims['aud']].flat()[0])],
    ['an issuer, which proves nothing', claim('iss', 'https://anything.example')],
    ['further claims', claim('tenant', { any: [1] })],
    ['an id of 2048 bytes', sub(long)],
    ['a listed id', () => {}, [`spiffe://${TRUST_DOMAIN}/other`, PLANNER]],
    ['an id below a listed one', () => {}, [`spiffe://${TRUST_DOMAIN}/ns/agents/*`]],
    ['any id of the trust domain', () => {}, [`spiffe://${TRUST_DOMAIN}/*`]],
  ]
  for (const [what, change, ids] of admitted) {
    test(`${what} is taken`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t, ids && { ids: [...ids] })
      const token = issuer.mint(change)
      const { uri } = await attest(attestor, token, clock)
      assert.equal(uri, parseJwt(token).claims['sub'])
    })
  }

  for (const alg of ['RS256', 'ES384'] as const) {
    test(`a trust domain that signs with ${alg} is believed`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t)
      issuer.signers = [signer('spire', alg)]
      await attest(attestor, issuer.mint(), clock)
    })
  }
})

type Row = readonly [what: string, breakIt: Change, reason: Reason, ids?: readonly string[]]

const ROWS: readonly Row[] = [
  ['another header member', member('cty', 'JWT'), 'header_refused'],
  ['a nonce in the header', member('nonce', '1'), 'header_refused'],
  ['typ jwt in small letters', member('typ', 'jwt'), 'type_refused'],
  ['a workload identity token (WIT-SVID)', member('typ', 'wit+jwt'), 'type_refused'],
  ['another trust domain', sub('spiffe://evil.example/ns/agents/sa/planner'), 'issuer_untrusted'],
  [
    'a trust domain that begins like ours',
    sub(`spiffe://${TRUST_DOMAIN}.evil.example/a`),
    'issuer_untrusted',
  ],
  ['the trust domain itself', sub(`spiffe://${TRUST_DOMAIN}`), 'claim_invalid'],
  ['a subject that is an account', sub('system:serviceaccount:agents:planner'), 'claim_invalid'],
  ['a subject in a list', sub([PLANNER]), 'claim_invalid'],
  ['a scheme in capitals', sub(PLANNER.replace('spiffe', 'SPIFFE')), 'claim_invalid'],
  ['percent-encoding', sub(`${PLANNER}%2e`), 'claim_invalid'],
  ['a step up', sub(`spiffe://${TRUST_DOMAIN}/ns/agents/../admin`), 'claim_invalid'],
  ['no issue date', without('claims', 'iat'), 'claim_invalid'],
  ['a lifetime of 3601 s', claim('exp', 1_800_003_601), 'lifetime_excessive'],
  [
    'an id that nobody listed',
    () => {},
    'subject_untrusted',
    [`spiffe://${TRUST_DOMAIN}/ns/agents/sa/other`],
  ],
  [
    'an id beside a listed folder',
    sub(`spiffe://${TRUST_DOMAIN}/ns/agents-admin/sa/planner`),
    'subject_untrusted',
    [`spiffe://${TRUST_DOMAIN}/ns/agents/*`],
  ],
  [
    'the listed folder itself',
    sub(`spiffe://${TRUST_DOMAIN}/ns/agents`),
    'subject_untrusted',
    [`spiffe://${TRUST_DOMAIN}/ns/agents/*`],
  ],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, breakIt, reason, ids] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t, ids && { ids: [...ids] })
      const refusal = await refused(attest(attestor, issuer.mint(breakIt), clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }

  test('an iss of ours, or of the trust domain, saves no foreign subject', async (t) => {
    const { clock, issuer, attestor } = await setSpiffeStage(t)
    const foreign = issuer.mint(({ claims }) => {
      put(claims, 'iss', `spiffe://${TRUST_DOMAIN}`)
      put(claims, 'sub', 'spiffe://evil.example/ns/agents/sa/planner')
    })
    await refused(attest(attestor, foreign, clock), 'issuer_untrusted')
  })

  test('a list of algorithms holds against what the bundle offers', async (t) => {
    const { clock, issuer, attestor } = await setSpiffeStage(t, { algorithms: ['RS256'] })
    await refused(attest(attestor, issuer.mint(), clock), 'algorithm_refused')
  })
})

suite('keys in a bundle', () => {
  const uses: readonly (readonly [string, unknown])[] = [
    ['an X.509 authority', 'x509-svid'],
    ['a key of a use that nobody knows', 'wit-svid'],
    ['a key for plain signatures', 'sig'],
    ['a key without a use', undefined],
  ]
  for (const [what, use] of uses) {
    test(`${what} verifies no JWT-SVID`, async (t) => {
      const { clock, issuer, attestor } = await setSpiffeStage(t)
      issuer.change = (bundle) => put(bundle, 'keys', [{ ...issuer.signer.jwk, use }])
      await refused(attest(attestor, issuer.mint(), clock), 'key_unknown')
    })
  }

  test('beside keys of other uses, those of JWT-SVIDs are used', async (t) => {
    const { clock, issuer, attestor } = await setSpiffeStage(t)
    const other = renamed(signer('stranger', 'ES256'), issuer.signer.kid)
    issuer.change = (bundle) => {
      const known = bundle['keys'] as object[]
      put(bundle, 'keys', [{ use: 'x509-svid', x5c: ['%'] }, { ...other.jwk, use: 'x' }, ...known])
    }
    await attest(attestor, issuer.mint(), clock)
    assert.equal(attestor.health().keys, 1)
  })
})
