import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { PRESET_NAMES, PRESETS } from '../../attestors/oidc/presets/index.ts'
import { digestOf, parseJwt } from '../../src/net/jwt.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import { signer } from '../world/keys.ts'
import { put, setOidcStage } from '../world/oidc.ts'
import { GOLDEN } from '../world/oidcclaims.ts'

attestorContract('oidc', (t) => setOidcStage(t, null))

test('a subject of a plain issuer, with the claims that the entry lists', async (t) => {
  const claims = { team: 'string', level: 'integer', admin: 'boolean', groups: 'strings' } as const
  const { clock, issuer, attestor } = await setOidcStage(t, null, {
    settings: { claims: { ...claims, absent: 'string' } },
  })
  const token = issuer.mint()
  const signed = { grade: 'A', source: 'token', observedAt: clock.seconds() }
  assert.deepEqual(await attest(attestor, token, clock), {
    kind: 'oidc',
    trust: 'oidc:jobs',
    uri: 'oidc://jobs/nightly-report',
    principal: { type: 'OidcSubject', id: 'jobs/nightly-report' },
    ancestry: [],
    facts: {
      entry: { value: 'jobs', ...signed, source: 'configuration' },
      subject: { value: 'nightly-report', ...signed },
      'claim.team': { value: 'payments', ...signed },
      'claim.level': { value: 3, ...signed },
      'claim.admin': { value: false, ...signed },
      'claim.groups': { value: ['a', 'b'], ...signed },
      claims: {
        value: ['team=payments', 'level=3', 'admin=false', 'groups=a', 'groups=b'],
        ...signed,
      },
    },
    issuedAt: clock.seconds(),
    expiresAt: clock.seconds() + 600,
    replay: { policy: 'reusable', key: 'token-1' },
    lineage: [],
  })
})

test('ES256 is taken without a preset; a token without jti is known by its digest', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, null, {
    settings: { replay: 'once' },
    signers: [signer('oidc', 'ES256')],
  })
  const token = issuer.mint(({ claims }) => put(claims, 'jti', undefined))
  const { replay } = await attest(attestor, token, clock)
  assert.deepEqual(replay, { policy: 'once', key: digestOf(parseJwt(token)) })
})

test('nbf may be absent, and typ too', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, null)
  await attest(
    attestor,
    issuer.mint(({ header }) => put(header, 'typ', undefined)),
    clock,
  )
})

test('a subject is percent-encoded, the same in the URI and in the Cedar id', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, null)
  const token = issuer.mint(({ claims }) => put(claims, 'sub', 'a/b c"\\é:x@y'))
  const { uri, principal } = await attest(attestor, token, clock)
  assert.equal(principal.id, 'jobs/a%2Fb%20c%22%5C%C3%A9:x@y')
  assert.equal(uri, `oidc://${principal.id}`)
})

type Row = readonly [what: string, place: string, value: unknown, reason: Reason]

const ROWS: readonly Row[] = [
  ['no subject', 'sub', undefined, 'claim_invalid'],
  ['an empty subject', 'sub', '', 'claim_invalid'],
  ['a subject that is a step up', 'sub', '..', 'claim_invalid'],
  ['a subject that is a list', 'sub', ['a'], 'claim_invalid'],
  ['a subject of 513 characters', 'sub', 'x'.repeat(513), 'claim_invalid'],
  ['a chain of actors, which would be dropped', 'act', { sub: 'agent' }, 'claim_invalid'],
  ['a token bound to a key that is not asked for', 'cnf', { jkt: 'x' }, 'claim_invalid'],
  ['a number where a text is listed', 'team', 7, 'claim_invalid'],
  ['a text with a line feed', 'team', 'a\nb', 'claim_invalid'],
  ['a fraction where a whole number is listed', 'level', 1.5, 'claim_invalid'],
  ['a text where a whole number is listed', 'level', '3', 'claim_invalid'],
  ['a truth that is none', 'admin', 'yes', 'claim_invalid'],
  ['a list with a number', 'groups', ['a', 1], 'claim_invalid'],
  ['a text where a list is listed', 'groups', 'a', 'claim_invalid'],
  ['a jti that is a number', 'jti', 7, 'claim_invalid'],
  ['a required claim of another value', 'tenant', 'other', 'subject_untrusted'],
  ['a required claim in another case', 'tenant', 'OURS', 'subject_untrusted'],
  ['a required claim that is true, not "true"', 'flag', true, 'subject_untrusted'],
  ['a required claim in a list', 'tenant', ['ours'], 'subject_untrusted'],
  ['no required claim', 'tenant', undefined, 'subject_untrusted'],
  ['a required member that is missing below', '/deep/a~b', undefined, 'subject_untrusted'],
  ['a lifetime of 3661 s', 'exp', 1_800_003_661, 'lifetime_excessive'],
]

suite('start from a good token of a plain issuer, break one thing', () => {
  const settings = {
    require: { tenant: ['theirs', 'ours'], flag: 'true', '/deep/a~0b': 'x', '/list/1': 'two' },
    claims: { team: 'string', level: 'integer', admin: 'boolean', groups: 'strings' },
  } as const
  const good = (claims: Record<string, unknown>) =>
    Object.assign(claims, {
      tenant: 'ours',
      flag: 'true',
      deep: { 'a~b': 'x' },
      list: ['one', 'two'],
    })

  test('the good one is taken', async (t) => {
    const { clock, issuer, attestor } = await setOidcStage(t, null, { settings })
    await attest(
      attestor,
      issuer.mint(({ claims }) => void good(claims)),
      clock,
    )
  })

  for (const [what, place, value, reason] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setOidcStage(t, null, { settings })
      const token = issuer.mint(({ claims }) => put(good(claims), place, value))
      const refusal = await refused(attest(attestor, token, clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }
})

suite('what a preset yields fits what policies may ask', () => {
  for (const name of PRESET_NAMES) {
    const { principal, facts } = PRESETS[name]
    if (principal === null) continue
    test(`${name}: every fact is an attribute of ${principal} of its type, and the other way round`, () => {
      const types = { string: 'String', integer: 'Long', boolean: 'Bool', strings: 'Set<String>' }
      const attributes = Object.entries(PRINCIPALS[principal]?.attributes ?? {})
      const expected = attributes
        .filter(([fact]) => fact !== 'entry' && fact !== 'subject')
        .map(([fact, { type, required, grade }]) => [fact, type, required, grade])
      const yielded = Object.entries(facts).map(([fact, rule]) => [
        fact,
        types[rule.type],
        rule.required,
        'A',
      ])
      const byName = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1)
      assert.deepEqual(yielded.sort(byName), expected.sort(byName))
    })

    test(`${name}: its documented token names a ${principal} by ids`, async (t) => {
      const { clock, issuer, attestor, golden } = await setOidcStage(t, name)
      const identity = await attest(attestor, issuer.mint(), clock)
      const id = `${name}/${golden.subject}`
      assert.deepEqual(identity.principal, { type: principal, id })
      assert.equal(identity.uri, `oidc://${id}`)
      assert.equal(identity.expiresAt, clock.seconds() + golden.lifetimeSeconds)
      assert.equal(identity.facts['subject']?.value, golden.subject)
      assert.equal(identity.replay.policy, PRESETS[name].replay)
      assert.ok(identity.lineage.length > 0)
    })

    test(`${name}: every documented claim is known, so that a slip in require is found`, () => {
      const known: readonly string[] = PRESETS[name].claims
      for (const claim of Object.keys(GOLDEN[name].claims)) assert.ok(known.includes(claim), claim)
    })
  }
})
