/** Signed GetCallerIdentity: what the broker sends, what it believes, and what it refuses. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CHALLENGE_SECONDS } from '../../src/challenge.ts'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { ACCOUNT, OTHER_ACCOUNT } from '../world/aws.ts'
import { ISSUER, type RelayStage, setRelayStage } from '../world/relay.ts'
import { encoded, REGION, SESSION, type StsFault, signCall } from '../world/sts.ts'

suite('a signed GetCallerIdentity', () => {
  test('names the role that STS says has signed', async (t) => {
    const { clock, call, present, ours } = await setRelayStage(t)
    const members = call()
    const identity = await present(members)
    const at = clock.seconds()
    const fact = (value: string, grade = 'B') => ({ value, grade, source: 'sts', observedAt: at })
    assert.deepEqual(identity, {
      kind: 'aws',
      trust: `aws:${ACCOUNT}`,
      uri: `aws://aws/${ACCOUNT}/role/settlement`,
      principal: { type: 'AwsRole', id: `${ACCOUNT}/settlement` },
      ancestry: [],
      facts: {
        account: fact(ACCOUNT),
        partition: fact('aws'),
        role: fact('settlement'),
        uniqueId: fact('AROAEXAMPLEEXAMPLE22'),
        sessionName: fact('i-0a1b2c3d4e5f60718', 'D'),
      },
      issuedAt: at,
      expiresAt: at + 900,
      replay: { policy: 'once', key: members.signature },
      challenges: [{ challenge: members.nonce, expiresAt: ours.check(String(members.nonce), at) }],
      lineage: [`aws-role:${ACCOUNT}/settlement`],
    })
  })

  test('CVE-2020-16250, CVE-2022-2385: the request is made anew, of constants and six values', async (t) => {
    const { sts, call, present } = await setRelayStage(t)
    const members = call()
    await present(members)
    const [asked, ...more] = sts.asked
    assert.deepEqual(more, [])
    assert.equal(asked?.method, 'POST')
    assert.equal(asked?.path, '/')
    assert.equal(asked?.body, 'Action=GetCallerIdentity&Version=2011-06-15')
    const { authorization, host, ...headers } = asked.headers
    assert.match(String(authorization), new RegExp(`Signature=${members.signature}$`))
    assert.equal(String(host).split(':')[0], 'sts.eu-central-1.amazonaws.com')
    assert.deepEqual(headers, {
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
      'content-length': '43',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-amz-content-sha256': 'ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843',
      'x-amz-date': members.amz_date,
      'x-amz-security-token': members.session_token,
      'x-countersign-audience': ISSUER,
      'x-countersign-nonce': members.nonce,
    })
  })

  test('CVE-2025-11621: the same role name in another account is another workload', async (t) => {
    const { sts, call, present } = await setRelayStage(t, { accounts: [ACCOUNT, OTHER_ACCOUNT] })
    const other = {
      ...SESSION,
      accessKeyId: 'ASIAEXAMPLEEXAMPLE33',
      account: OTHER_ACCOUNT,
      arn: SESSION.arn.replace(ACCOUNT, OTHER_ACCOUNT),
    }
    sts.credentials.set(other.accessKeyId, other)
    const [ours, theirs] = [await present(call()), await present(call({}, other))]
    assert.deepEqual([ours.trust, theirs.trust], [`aws:${ACCOUNT}`, `aws:${OTHER_ACCOUNT}`])
    assert.notEqual(ours.principal.id, theirs.principal.id)
    assert.equal(sts.asked.length, 2)
  })

  test('is asked of STS each time: nothing is kept', async (t) => {
    const { sts, call, present } = await setRelayStage(t)
    const members = call()
    await present(members)
    await present(members)
    assert.equal(sts.asked.length, 2)
  })

  test('a challenge that ends while STS is asked is challenge_expired', async (t) => {
    const { clock, nonce, relay } = await setRelayStage(t)
    const old = nonce()
    clock.advance(CHALLENGE_SECONDS - 2)
    const members = signCall(SESSION, { audience: ISSUER, nonce: old, at: clock.now() })
    const ready = await relay.prepare(encoded(members), clock.seconds())
    clock.advance(2)
    await refused(() => ready.verify(clock.seconds()), 'challenge_expired')
  })

  test('a signature that grows old while STS is asked is token_stale', async (t) => {
    const { clock, call, relay } = await setRelayStage(t)
    const members = call()
    clock.advance(60)
    const ready = await relay.prepare(encoded(members), clock.seconds())
    clock.advance(1)
    await refused(() => ready.verify(clock.seconds()), 'token_stale')
  })
})

type Row = readonly [what: string, change: (stage: RelayStage) => object, ...Reason[]]

/** Refused before anybody is asked. */
const EARLY: readonly Row[] = [
  ['a challenge of nobody', ({ call }) => call({ nonce: 'x'.repeat(31) }), 'challenge_unknown'],
  [
    'an old challenge',
    ({ clock, call, nonce }) => {
      const old = nonce()
      clock.advance(CHALLENGE_SECONDS)
      return call({ nonce: old })
    },
    'challenge_expired',
  ],
  [
    'a date 61 s ago',
    ({ clock, call }) => {
      const members = call()
      clock.advance(61)
      return members
    },
    'token_stale',
  ],
  [
    'a date 61 s ahead',
    ({ clock, nonce }) =>
      signCall(SESSION, { audience: ISSUER, nonce: nonce(), at: clock.now() + 61_000 }),
    'token_premature',
  ],
  [
    'a region that no entry lists',
    ({ call }) => call({ region: 'us-east-1' }),
    'subject_untrusted',
  ],
  [
    'multicloudj #620: a host for a region',
    ({ call }) => call({ region: 'evil.example/eu-central-1' }),
    'claim_invalid',
  ],
  [
    'a long-term access key',
    ({ call }) => call({ access_key_id: 'AKIAEXAMPLEEXAMPLE22' }),
    'token_legacy',
  ],
]

/** Refused by what STS says. */
const LATE: readonly Row[] = [
  ['another signature', ({ call }) => call({ signature: '0'.repeat(64) }), 'sts_refused'],
  ['another session', ({ call }) => call({ session_token: 'another' }), 'sts_refused'],
  ['a challenge that was not signed', ({ call, nonce }) => call({ nonce: nonce() }), 'sts_refused'],
  [
    'an audience that is not ours',
    ({ clock, nonce }) =>
      signCall(SESSION, { audience: 'https://other.example', nonce: nonce(), at: clock.now() }),
    'sts_refused',
  ],
  [
    'a signature for another region',
    ({ clock, nonce }) => ({
      ...signCall(SESSION, {
        audience: ISSUER,
        nonce: nonce(),
        at: clock.now(),
        region: 'eu-west-1',
      }),
      region: REGION,
    }),
    'sts_refused',
  ],
  ['an account that no entry has', caller({ account: OTHER_ACCOUNT }), 'subject_untrusted'],
  [
    'CVE-2025-11621: an account beside the ARN of another',
    ({ sts, call }) => {
      sts.credentials.set(SESSION.accessKeyId, { ...SESSION, account: OTHER_ACCOUNT })
      return call()
    },
    'subject_mismatched',
  ],
  ['a user', caller({ arn: `arn:aws:iam::${ACCOUNT}:user/eve` }), 'claim_invalid'],
  ['the root of the account', caller({ arn: `arn:aws:iam::${ACCOUNT}:root` }), 'claim_invalid'],
  [
    'a federated user',
    caller({ arn: `arn:aws:sts::${ACCOUNT}:federated-user/eve` }),
    'claim_invalid',
  ],
  [
    'a partition that the region is not in',
    caller({ arn: SESSION.arn.replace('arn:aws:', 'arn:aws-cn:') }),
    'subject_mismatched',
  ],
  [
    'a person of IAM Identity Center',
    caller({
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/eve@corp`,
      userId: 'AROAEXAMPLEEXAMPLE22:eve@corp',
    }),
    'token_personal',
  ],
  [
    'an id of another session',
    caller({ userId: 'AROAEXAMPLEEXAMPLE22:i-1' }),
    'subject_mismatched',
  ],
  ['an id that is no role’s', caller({ userId: 'AIDAEXAMPLEEXAMPLE22:i-1' }), 'claim_invalid'],
]

/** STS says that somebody else has the credentials. */
function caller(who: { account?: string; arn?: string; userId?: string }): Row[1] {
  return ({ sts, call }) => {
    const arn = who.arn ?? SESSION.arn.replace(ACCOUNT, who.account ?? ACCOUNT)
    sts.credentials.set(SESSION.accessKeyId, { ...SESSION, ...who, arn })
    return call()
  }
}

suite('is refused', () => {
  for (const [what, change, ...reasons] of [...EARLY, ...LATE]) {
    const early = EARLY.some(([name]) => name === what)
    test(`for ${what}: ${reasons.join(' or ')}${early ? ', before any request' : ''}`, async (t) => {
      const stage = await setRelayStage(t)
      const members = change(stage) as Record<string, string>
      const { detail } = await refused(stage.present(members), ...reasons)
      assert.equal(stage.sts.asked.length, early ? 0 : 1)
      for (const secret of ['session_token', 'signature']) {
        assert.ok(!JSON.stringify(detail).includes(members[secret] ?? 'none'), secret)
      }
    })
  }

  const answers: readonly (readonly [string, (body: string) => string])[] = [
    ['CVE-2020-16250: another action’s answer', (body) => body.replaceAll('CallerIdentity', 'X')],
    ['a further member', (body) => body.replace('"Account"', '"Assumed":"x","Account"')],
    ['a repeated member', (body) => body.replace('"Account"', '"Account":"1","Account"')],
    ['a number for the account', (body) => body.replace(`"${ACCOUNT}"`, ACCOUNT)],
    ['no metadata', (body) => body.replace(/,"ResponseMetadata":\{[^}]*\}/, '')],
    ['XML', () => '<GetCallerIdentityResponse/>'],
    ['something after the end', (body) => `${body} {}`],
  ]
  for (const [what, change] of answers) {
    test(`for ${what} in the answer of STS: sts_unavailable`, async (t) => {
      const { sts, call, present } = await setRelayStage(t)
      sts.change = change
      await refused(present(call()), 'sts_unavailable')
    })
  }

  const faults: readonly (readonly [StsFault, RegExp])[] = [
    ['huge', /more than 65536 bytes/],
    ['redirect', /307; redirects are not followed/],
    ['page', /something other than plain JSON/],
    ['error', /answered 500/],
    ['throttled', /answered 400/],
    ['reset', /no complete answer/],
  ]
  for (const [fault, problem] of faults) {
    test(`while STS answers with ${fault}: sts_unavailable, asked once`, async (t) => {
      const { sts, call, present } = await setRelayStage(t)
      sts.fault = fault
      const { detail } = await refused(present(call()), 'sts_unavailable')
      assert.match(String(detail['problem']), problem)
      assert.equal(sts.asked.length, 1)
      sts.fault = null
      await present(call())
    })
  }
})
