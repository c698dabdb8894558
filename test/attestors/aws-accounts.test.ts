import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { aws } from '../../attestors/aws/index.ts'
import type { AwsSettings } from '../../attestors/aws/settings.ts'
import { attest, refused, worldOf } from '../world/attest.ts'
import {
  ACCOUNT,
  AWS_AUDIENCE,
  AWS_ISSUER,
  OTHER_ACCOUNT,
  OTHER_ISSUER,
  ROLE,
  setAwsStage,
} from '../world/aws.ts'
import { TestClock } from '../world/clock.ts'
import { emptyDoor } from '../world/door.ts'
import { put } from '../world/kubernetes.ts'

suite('CVE-2025-11621: two accounts with a role of the same name and a key of the same kid', () => {
  const OTHER = {
    account: OTHER_ACCOUNT,
    issuer: OTHER_ISSUER,
    audience: 'https://countersign.example/aws/other',
  }

  test('each account’s role is its own', async (t) => {
    const [one, other] = [await setAwsStage(t), await setAwsStage(t, OTHER)]
    assert.equal(one.issuer.signer.kid, other.issuer.signer.kid)
    const first = await attest(one.attestor, one.issuer.mint(), one.clock)
    const second = await attest(other.attestor, other.issuer.mint(), other.clock)
    assert.equal(first.principal.id, `${ACCOUNT}/settlement`)
    assert.equal(second.principal.id, `${OTHER_ACCOUNT}/settlement`)
    assert.notEqual(first.uri, second.uri)
  })

  test('an account cannot sign for the other’s issuer and audience', async (t) => {
    const [one, other] = [await setAwsStage(t), await setAwsStage(t, OTHER)]
    const forged = other.issuer.mint(({ claims, own }) => {
      Object.assign(claims, { iss: one.attestor.issuers[0], aud: AWS_AUDIENCE, sub: ROLE })
      Object.assign(own, { aws_account: ACCOUNT, principal_id: ROLE })
    })
    await attest(one.attestor, one.issuer.mint(), one.clock)
    await refused(attest(one.attestor, forged, one.clock), 'signature_invalid')
  })

  test('an account that names the other under its own issuer is subject_mismatched', async (t) => {
    const other = await setAwsStage(t, OTHER)
    const forged = other.issuer.mint(({ claims, own }) => {
      put(claims, 'sub', ROLE)
      Object.assign(own, { aws_account: ACCOUNT, principal_id: ROLE })
    })
    await refused(attest(other.attestor, forged, other.clock), 'subject_mismatched')
  })
})

suite('settings of an account', () => {
  const good: AwsSettings = { account: ACCOUNT, issuer: AWS_ISSUER }
  const rows: readonly (readonly [string, Partial<AwsSettings>, string])[] = [
    [
      'the issuer of every account there is',
      { issuer: 'https://*.tokens.sts.global.api.aws' },
      'issuer',
    ],
    ['an issuer that continues elsewhere', { issuer: `${AWS_ISSUER}.evil.example` }, 'issuer'],
    ['an issuer with a slash at the end', { issuer: `${AWS_ISSUER}/` }, 'issuer'],
    ['an http issuer', { issuer: AWS_ISSUER.replace('https', 'http') }, 'issuer'],
    [
      'an http issuer elsewhere',
      { partition: 'aws-cn', issuer: 'http://sts.example.cn' },
      'issuer',
    ],
    [
      'a unit of another organization',
      { organization: 'o-1a2b3c4d5e', organizationPaths: ['o-9z8y7x6w5v/r-ab12'] },
      'organizationPaths.0',
    ],
    ['two key sources', { jwks: { discovery: true, file: 'f' } }, 'jwks'],
  ]
  const check = (settings: AwsSettings) => {
    const paths: string[] = []
    aws.check(settings, (path) => paths.push(path.join('.')))
    return paths
  }

  test('with account and issuer alone are in order, in other partitions with any issuer', () => {
    assert.deepEqual(check(good), [])
    assert.deepEqual(check({ ...good, partition: 'aws-cn', issuer: 'https://sts.example.cn' }), [])
  })

  for (const [what, change, path] of rows) {
    test(`with ${what} are reported at ${path}`, () => {
      assert.deepEqual(check({ ...good, ...change }), [path])
    })
  }

  test('without jwks mean the key set below the issuer', async (t) => {
    const { asked, door } = emptyDoor()
    const world = { ...worldOf(new TestClock()), door }
    const attestor = aws.create(good, { trust: 'aws:a', audience: AWS_AUDIENCE }, world, () => null)
    t.after(() => attestor.close())
    await attestor.start()
    const [{ url, allow } = {}] = asked
    assert.deepEqual(
      { url, allow },
      { url: `${AWS_ISSUER}/.well-known/jwks.json`, allow: [AWS_ISSUER] },
    )
  })
})
