import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import {
  ACCOUNT,
  type AwsDraft,
  type AwsStageOptions,
  INSTANCE,
  OTHER_ACCOUNT,
  ROLE,
  setAwsStage,
} from '../world/aws.ts'
import { put } from '../world/kubernetes.ts'

attestorContract('aws', setAwsStage)

const UNIT = 'o-1a2b3c4d5e/r-ab12/ou-ab12-11111111'

test('a token asked for on an instance yields its role, account, organization and instance', async (t) => {
  const { clock, issuer, attestor } = await setAwsStage(t)
  const identity = await attest(attestor, issuer.mint(), clock)
  const about = { source: 'token', observedAt: clock.seconds() }
  const fact = (value: string | readonly string[]) => ({ value, grade: 'A', ...about })
  const chosen = (value: readonly string[]) => ({ value, grade: 'D', ...about })
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
      arn: fact(ROLE),
      organization: fact('o-1a2b3c4d5e'),
      organizationPath: fact(['o-1a2b3c4d5e/r-ab12/', `${UNIT}/`, `${UNIT}/ou-ab12-22222222/`]),
      region: fact('eu-central-1'),
      'ec2.instanceArn': fact(INSTANCE),
      'ec2.vpc': fact('vpc-0123456789abcdef0'),
      'ec2.privateIp': fact('10.0.3.17'),
      'ec2.roleDelivery': fact('2.0'),
      principalTags: chosen(['team=payments']),
      requestTags: chosen(['ticket=OPS-7']),
    },
    issuedAt: clock.seconds(),
    expiresAt: clock.seconds() + 300,
    replay: { policy: 'once', key: '5a0e3c1f-7b2d-4c69-9e84-000000000001' },
    lineage: [`aws-role:${ACCOUNT}/settlement`, `aws-instance:${ACCOUNT}/i-0a1b2c3d4e5f60718`],
  })
})

type Change = (token: AwsDraft) => void
const EC2 = [
  'ec2_source_instance_arn',
  'ec2_instance_source_vpc',
  'ec2_instance_source_private_ipv4',
  'ec2_role_delivery',
]
const offMachine: Change = ({ own }) => {
  for (const name of EC2) delete own[name]
}
const reserved: Change = ({ claims, own }) => {
  const path =
    'role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0a1b2c3d4e5f6071'
  put(claims, 'sub', `arn:aws:iam::${ACCOUNT}:${path}`)
  put(own, 'principal_id', claims['sub'])
}

suite('good evidence of other shapes', () => {
  test('RS256 is taken too', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t, { alg: 'RS256' })
    await attest(attestor, issuer.mint(), clock)
  })

  test('a Lambda function is a fact, and there is no instance', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t)
    const arn = `arn:aws:lambda:eu-central-1:${ACCOUNT}:function:settle`
    const token = issuer.mint((draft) => {
      offMachine(draft)
      put(draft.own, 'lambda_source_function_arn', arn)
      put(draft.own, 'source_identity', 'ada@example.com')
      put(draft.own, 'federated_provider', 'arn:aws:iam::aws:oidc-provider/x')
    })
    const { facts, lineage } = await attest(attestor, token, clock)
    assert.equal(facts['lambda.functionArn']?.value, arn)
    assert.equal(facts['sourceIdentity']?.grade, 'D')
    assert.ok(!('ec2.instanceArn' in facts))
    assert.deepEqual(lineage, [`aws-role:${ACCOUNT}/settlement`, `aws-function:${arn}`])
  })

  test('a role without path, account claims alone and one `ou_path` in a string are enough', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t, {
      settings: { organizationPaths: [UNIT] },
    })
    const token = issuer.mint((draft) => {
      offMachine(draft)
      put(draft.claims, 'sub', `arn:aws:iam::${ACCOUNT}:role/settlement`)
      for (const name of ['org_id', 'principal_id', 'principal_tags', 'request_tags']) {
        delete draft.own[name]
      }
      put(draft.own, 'ou_path', `${UNIT}/`)
    })
    const { facts, principal } = await attest(attestor, token, clock)
    assert.equal(principal.id, `${ACCOUNT}/settlement`)
    assert.ok(!('principalTags' in facts) && !('organization' in facts))
  })

  test('tags with = in their key cannot pass for others', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t)
    const token = issuer.mint(({ own }) =>
      put(own, 'principal_tags', { 'a=b': 'c', a: 'b=c', 'a%3Db': 'c' }),
    )
    const { facts } = await attest(attestor, token, clock)
    assert.deepEqual(facts['principalTags']?.value, ['a%3Db=c', 'a=b=c', 'a%253Db=c'])
  })

  test('evidence ends with the session that asked for it, if that is sooner', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t)
    const ending = (seconds: number) =>
      issuer.mint(({ own }) =>
        put(own, 'original_session_exp', new Date(clock.now() + seconds * 1000).toISOString()),
      )
    assert.equal((await attest(attestor, ending(120), clock)).expiresAt, clock.seconds() + 120)
    assert.equal((await attest(attestor, ending(900), clock)).expiresAt, clock.seconds() + 300)
    await refused(attest(attestor, ending(0), clock), 'token_expired')
  })

  test('a token of five minutes ago is taken, one of a second more is not', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t)
    const token = issuer.mint(({ claims }) => put(claims, 'exp', clock.seconds() + 900))
    clock.advance(300)
    await attest(attestor, token, clock)
    clock.advance(1)
    await refused(attest(attestor, token, clock), 'token_stale')
  })

  test('a role of Identity Center is taken where the entry says so', async (t) => {
    const { clock, issuer, attestor } = await setAwsStage(t, {
      settings: { reservedRoles: 'allowed' },
    })
    const { principal } = await attest(attestor, issuer.mint(reserved), clock)
    assert.equal(principal.id, `${ACCOUNT}/AWSReservedSSO_Admin_0a1b2c3d4e5f6071`)
  })
})

type Row = readonly [
  what: string,
  breakIt: Change,
  reason: Reason,
  settings?: AwsStageOptions['settings'],
]

/** Another role, off every machine: an instance has to be in the account of its role as well. */
const sub =
  (arn: string): Change =>
  (token) => {
    offMachine(token)
    put(token.claims, 'sub', arn)
    put(token.own, 'principal_id', arn)
  }
const own =
  (name: string, value: unknown): Change =>
  (token) =>
    put(token.own, name, value)

const ROWS: readonly Row[] = [
  [
    'no private claims',
    ({ claims }) => void delete claims['https://sts.amazonaws.com/'],
    'claim_invalid',
  ],
  [
    'private claims in a list',
    ({ claims }) => put(claims, 'https://sts.amazonaws.com/', []),
    'claim_invalid',
  ],
  ['no account', ({ own }) => void delete own['aws_account'], 'subject_mismatched'],
  ['an account that is a number', own('aws_account', 123456789012), 'subject_mismatched'],
  ['another account in the claims', own('aws_account', OTHER_ACCOUNT), 'subject_mismatched'],
  ['another account in sub', sub(ROLE.replace(ACCOUNT, OTHER_ACCOUNT)), 'subject_mismatched'],
  ['another partition', sub(ROLE.replace('arn:aws:', 'arn:aws-cn:')), 'subject_mismatched'],
  ['another principal than sub', own('principal_id', `${ROLE}2`), 'subject_mismatched'],
  ['no sub', ({ claims }) => void delete claims['sub'], 'claim_invalid'],
  ['an IAM user', sub(`arn:aws:iam::${ACCOUNT}:user/ada`), 'claim_invalid'],
  ['the root of the account', sub(`arn:aws:iam::${ACCOUNT}:root`), 'claim_invalid'],
  [
    'a session in place of a role',
    sub(`arn:aws:sts::${ACCOUNT}:assumed-role/settlement/x`),
    'claim_invalid',
  ],
  ['a person of Identity Center', reserved, 'token_personal'],
  ['no jti', ({ claims }) => void delete claims['jti'], 'claim_invalid'],
  ['a jti of 129 characters', ({ claims }) => put(claims, 'jti', 'x'.repeat(129)), 'claim_invalid'],
  ['a lifetime of 901 s', ({ claims }) => put(claims, 'exp', 1_800_000_901), 'lifetime_excessive'],
  [
    'an instance of another account',
    own('ec2_source_instance_arn', INSTANCE.replace(ACCOUNT, OTHER_ACCOUNT)),
    'subject_mismatched',
  ],
  [
    'an instance that is none',
    own('ec2_source_instance_arn', 'i-0a1b2c3d4e5f60718'),
    'claim_invalid',
  ],
  [
    'a role delivery without instance',
    ({ own }) => void delete own['ec2_source_instance_arn'],
    'claim_invalid',
  ],
  ['a role delivery that is a number', own('ec2_role_delivery', 2), 'claim_invalid'],
  [
    'an address that is none',
    own('ec2_instance_source_private_ipv4', '10.0.3.256'),
    'claim_invalid',
  ],
  [
    'a function of another account',
    own('lambda_source_function_arn', `arn:aws:lambda:eu-central-1:${OTHER_ACCOUNT}:function:f`),
    'subject_mismatched',
  ],
  ['tags in a list', own('principal_tags', ['team=payments']), 'claim_invalid'],
  ['a tag that is no text', own('request_tags', { a: 1 }), 'claim_invalid'],
  ['a path of units that is none', own('ou_path', ['../']), 'claim_invalid'],
  [
    'a session end without zone',
    own('original_session_exp', '2027-01-15T08:05:00'),
    'claim_invalid',
  ],
  ['a session end on no day', own('original_session_exp', '2027-13-45T08:05:00Z'), 'claim_invalid'],
  [
    'another organization',
    own('org_id', 'o-9z8y7x6w5v'),
    'subject_untrusted',
    { organization: 'o-1a2b3c4d5e' },
  ],
  [
    'no organization where one is demanded',
    ({ own }) => void delete own['org_id'],
    'subject_untrusted',
    { organization: 'o-1a2b3c4d5e' },
  ],
  [
    'a unit that only begins alike',
    own('ou_path', [`${UNIT}2/`]),
    'subject_untrusted',
    { organizationPaths: [`${UNIT}/`] },
  ],
  [
    'a unit above the demanded one',
    own('ou_path', ['o-1a2b3c4d5e/r-ab12/']),
    'subject_untrusted',
    { organizationPaths: [`${UNIT}/`] },
  ],
  [
    'no unit where one is demanded',
    ({ own }) => void delete own['ou_path'],
    'subject_untrusted',
    { organizationPaths: [`${UNIT}/`] },
  ],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, breakIt, reason, settings = {}] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setAwsStage(t, { settings })
      await attest(attestor, issuer.mint(), clock)
      const refusal = await refused(attest(attestor, issuer.mint(breakIt), clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }
})
