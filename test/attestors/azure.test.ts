import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AzureSettings } from '../../attestors/azure/settings.ts'
import { digestOf, parseJwt } from '../../src/net/jwt.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import {
  APP_ID,
  APP_URI,
  CLIENT_ID,
  OBJECT_ID,
  OTHER_TENANT,
  setAzureStage,
  TENANT,
  type Version,
} from '../world/azure.ts'
import type { Draft } from '../world/issuer.ts'
import { put } from '../world/kubernetes.ts'

attestorContract('azure', (t) => setAzureStage(t))

test('a managed identity’s token yields its object, application and roles', async (t) => {
  const { clock, issuer, attestor } = await setAzureStage(t)
  const identity = await attest(attestor, issuer.mint(), clock)
  const issuedAt = clock.seconds() - 300
  const about = { grade: 'A', source: 'token', observedAt: issuedAt }
  const fact = (value: string | readonly string[]) => ({ value, ...about })
  assert.deepEqual(identity, {
    kind: 'azure',
    trust: `azure:${TENANT}`,
    uri: `azure://${TENANT}/sp/${OBJECT_ID}`,
    principal: { type: 'AzureIdentity', id: `${TENANT}/${OBJECT_ID}` },
    ancestry: [],
    facts: {
      tenant: fact(TENANT),
      objectId: fact(OBJECT_ID),
      applicationId: fact(CLIENT_ID),
      roles: fact(['Countersign.Exchange']),
    },
    issuedAt,
    expiresAt: clock.seconds() + 86_400,
    replay: { policy: 'reusable', key: 'k3Vd0uQ8Zk6yWm1rT5xBAA' },
    lineage: [`azure-sp:${TENANT}/${OBJECT_ID}`],
  })
})

suite('good evidence of other shapes', () => {
  test('a v1 token is the same identity', async (t) => {
    const { clock, issuer, attestor } = await setAzureStage(t)
    const first = await attest(attestor, issuer.mintAs('v1', TENANT), clock)
    const second = await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(first, second)
  })

  test('a token without roles, idtyp and uti is known by its digest', async (t) => {
    const { clock, issuer, attestor } = await setAzureStage(t)
    const token = issuer.mint(({ claims }) => {
      for (const name of ['roles', 'idtyp', 'uti']) delete claims[name]
    })
    const { facts, replay } = await attest(attestor, token, clock)
    assert.ok(!('roles' in facts))
    assert.equal(replay.key, digestOf(parseJwt(token)))
  })

  test('one of the demanded roles is enough', async (t) => {
    const roles = ['Countersign.Admin', 'Countersign.Exchange']
    const { clock, issuer, attestor } = await setAzureStage(t, { roles })
    await attest(attestor, issuer.mint(), clock)
  })

  test('the issuers of a sovereign cloud are its own', async (t) => {
    const { clock, issuer, attestor } = await setAzureStage(t, { cloud: 'china' })
    const iss = `https://login.partner.microsoftonline.cn/${TENANT}/v2.0`
    assert.equal(attestor.issuers[0], iss)
    await attest(
      attestor,
      issuer.mint(({ claims }) => put(claims, 'iss', iss)),
      clock,
    )
    await refused(attest(attestor, issuer.mint(), clock), 'issuer_untrusted')
  })
})

type Change = (token: Draft) => void
type Row = readonly [
  what: string,
  breakIt: Change,
  reason: Reason,
  version?: Version,
  settings?: Partial<AzureSettings>,
]

const claim =
  (name: string, value: unknown): Change =>
  ({ claims }) =>
    put(claims, name, value)
const without =
  (name: string): Change =>
  ({ claims }) =>
    void delete claims[name]
const renamed =
  (from: string, to: string): Change =>
  ({ claims }) => {
    put(claims, to, claims[from])
    delete claims[from]
  }

const STRANGER = '5c4b3a29-1807-4f6e-9d5c-4b3a29180706'

const ROWS: readonly Row[] = [
  ['a v1 version under a v2 issuer', claim('ver', '1.0'), 'claim_invalid'],
  ['a v2 version under a v1 issuer', claim('ver', '2.0'), 'claim_invalid', 'v1'],
  ['no version', without('ver'), 'claim_invalid'],
  ['a version that is a number', claim('ver', 2), 'claim_invalid'],
  [
    'a v1 issuer without its slash',
    claim('iss', `https://sts.windows.net/${TENANT}`),
    'issuer_untrusted',
    'v1',
  ],
  [
    'the issuer of every tenant',
    claim('iss', 'https://login.microsoftonline.com/common/v2.0'),
    'issuer_untrusted',
  ],
  ['the tenant in capitals', claim('tid', TENANT.toUpperCase()), 'subject_mismatched'],
  ['no tenant', without('tid'), 'subject_mismatched'],
  ['no object', without('oid'), 'claim_invalid'],
  ['an object in capitals', claim('oid', OBJECT_ID.toUpperCase()), 'claim_invalid'],
  ['another sub than the object', claim('sub', STRANGER), 'subject_mismatched'],
  ['no sub', without('sub'), 'subject_mismatched'],
  ['no application', without('azp'), 'claim_invalid'],
  ['a v1 application in a v2 token', renamed('azp', 'appid'), 'claim_invalid'],
  ['an application that bought it with a secret', claim('azpacr', '1'), 'claim_invalid'],
  ['a public client', claim('appidacr', '0'), 'claim_invalid', 'v1'],
  ['no word on how the application proved itself', without('azpacr'), 'claim_invalid'],
  ['an idtyp of a device', claim('idtyp', 'device'), 'claim_invalid'],
  ['an idtyp of a person', claim('idtyp', 'user'), 'token_personal'],
  ['a delegated scope', claim('scp', 'Tokens.Exchange'), 'token_personal'],
  ['an ID token of a person', claim('preferred_username', 'ada@example.com'), 'token_personal'],
  ['a v1 name of a person', claim('upn', 'ada@example.com'), 'token_personal', 'v1'],
  ['roles in a string', claim('roles', 'Countersign.Exchange'), 'claim_invalid'],
  ['roles that are no text', claim('roles', [1]), 'claim_invalid'],
  ['a uti with a space', claim('uti', 'a b'), 'claim_invalid'],
  [
    'none of the demanded roles',
    claim('roles', ['Reader']),
    'subject_untrusted',
    'v2',
    { roles: ['Countersign.Exchange'] },
  ],
  [
    'no roles where one is demanded',
    without('roles'),
    'subject_untrusted',
    'v2',
    { roles: ['Countersign.Exchange'] },
  ],
  ['an application of our tenant that is not ours', claim('aud', STRANGER), 'audience_wrong'],
  [
    'our audience beside ARM’s',
    claim('aud', [APP_ID, 'https://management.azure.com/']),
    'audience_wrong',
  ],
  ['two audiences that are both ours', claim('aud', [APP_ID, APP_URI]), 'audience_wrong'],
  [
    'a lifetime of 25 h and a second',
    claim('exp', 1_800_000_000 - 300 + 90_001),
    'lifetime_excessive',
  ],
  [
    'the changed header of a Graph token',
    ({ header }) => put(header, 'nonce', 'x'),
    'token_foreign',
  ],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, breakIt, reason, version = 'v2', settings = {}] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setAzureStage(t, settings)
      const token = issuer.mintAs(version, TENANT, breakIt)
      const refusal = await refused(attest(attestor, token, clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }
})

suite('tokens for services of Microsoft', () => {
  const rows: readonly (readonly [audience: string, owner: string])[] = [
    ['https://management.azure.com/', 'Azure Resource Manager'],
    ['https://management.azure.com', 'Azure Resource Manager'],
    ['https://management.core.windows.net/', 'Azure Resource Manager'],
    ['HTTPS://MANAGEMENT.AZURE.COM//', 'Azure Resource Manager'],
    ['797f4846-ba00-4fd7-ba43-dac1f8f63013', 'Azure Resource Manager'],
    ['https://graph.microsoft.com', 'Microsoft Graph'],
    ['00000003-0000-0000-c000-000000000000', 'Microsoft Graph'],
    ['https://vault.azure.net', 'Key Vault'],
    ['https://storage.azure.com/', 'Azure Storage'],
    ['https://acme.blob.core.windows.net', 'a service of Microsoft'],
    ['https://database.windows.net/', 'Azure SQL'],
    ['https://windows.net', 'a service of Microsoft'],
    ['api://AzureADTokenExchange', 'the token exchange of Entra'],
  ]
  for (const [audience, owner] of rows) {
    test(`${audience} is refused as token_foreign, before any request, with a hint at ${owner}`, async (t) => {
      const { clock, issuer, attestor } = await setAzureStage(t)
      const token = issuer.mint(claim('aud', audience))
      const { detail } = await refused(attest(attestor, token, clock), 'token_foreign')
      assert.match(String(detail['hint']), new RegExp(`this token is for ${owner};`))
      assert.deepEqual(issuer.requests, [])
    })
  }
})

suite('CVE-2025-55241: one key set signs for every tenant, so the tenant is what has to be checked', () => {
  const elsewhere = [
    `https://sts.windows.net/${OTHER_TENANT}/`,
    `https://login.microsoftonline.com/${OTHER_TENANT}/v2.0`,
  ]

  for (const version of ['v1', 'v2'] as const) {
    test(`a ${version} token of another tenant, signed with the same key, is issuer_untrusted`, async (t) => {
      const { clock, issuer, attestor } = await setAzureStage(t)
      await attest(attestor, issuer.mintAs(version, TENANT), clock)
      const foreign = issuer.mintAs(version, OTHER_TENANT)
      const { detail } = await refused(attest(attestor, foreign, clock), 'issuer_untrusted')
      assert.ok(elsewhere.includes(String(detail['found'])))
    })

    test(`a ${version} token of our issuer with another tid is subject_mismatched`, async (t) => {
      const { clock, issuer, attestor } = await setAzureStage(t)
      const token = issuer.mintAs(version, TENANT, claim('tid', OTHER_TENANT))
      await refused(attest(attestor, token, clock), 'subject_mismatched')
    })

    test(`a ${version} token of another issuer with our tid is issuer_untrusted`, async (t) => {
      const { clock, issuer, attestor } = await setAzureStage(t)
      const token = issuer.mintAs(version, OTHER_TENANT, claim('tid', TENANT))
      await refused(attest(attestor, token, clock), 'issuer_untrusted')
    })
  }

  test('two tenants are two entries, and the same object id is two identities', async (t) => {
    const ours = await setAzureStage(t)
    const theirs = await setAzureStage(t, { tenant: OTHER_TENANT })
    const first = await attest(ours.attestor, ours.issuer.mint(), ours.clock)
    const token = theirs.issuer.mintAs('v2', OTHER_TENANT)
    const second = await attest(theirs.attestor, token, theirs.clock)
    assert.notEqual(first.uri, second.uri)
    assert.notEqual(first.principal.id, second.principal.id)
  })
})
