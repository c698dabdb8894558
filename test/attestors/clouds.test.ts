/** From a cloud's token to ours, through a whole broker. */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import type { Facts } from '../../src/identity.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import { ACCOUNT, AWS_ISSUER, FakeAccount } from '../world/aws.ts'
import { APP_ID, APP_URI, FakeEntra, OBJECT_ID, TENANT } from '../world/azure.ts'
import { RESOURCE, startBroker } from '../world/broker.ts'
import { TestClock } from '../world/clock.ts'
import type { Minter } from '../world/forge.ts'
import { FakeGoogle, UNIQUE_ID } from '../world/gcp.ts'
import { put } from '../world/kubernetes.ts'

const OURS = 'https://countersign.test'

const permit = (id: string, principal: string, condition: string) => `
@id("${id}") @owner("team-agents")
permit (
  principal == ${principal},
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
) when { principal in Environment::"production" && ${condition} };
`

const POLICIES = {
  'clouds.cedar':
    permit(
      'aws-settles',
      `AwsRole::"${ACCOUNT}/settlement"`,
      'principal has ec2 && principal.ec2 has roleDelivery && principal.ec2.roleDelivery == "2.0"',
    ) +
    permit(
      'azure-settles',
      `AzureIdentity::"${TENANT}/${OBJECT_ID}"`,
      'principal has roles && principal.roles.contains("Countersign.Exchange")',
    ) +
    permit(
      'gcp-settles',
      `GcpServiceAccount::"${UNIQUE_ID}"`,
      'principal has instance && principal.instance.project == "acme-prod"',
    ),
}

/** A broker that trusts an account, a tenant and a service account, each in production. */
async function start(t: TestContext) {
  const clock = new TestClock()
  const aws = await new FakeAccount({ clock, audience: `${OURS}/aws` }).listen()
  const azure = await new FakeEntra(clock).listen()
  const gcp = await new FakeGoogle(clock, `${OURS}/gcp`).listen()
  t.after(() => Promise.all([aws, azure, gcp].map((issuer) => issuer.close())))
  const common = (issuer: Minter) => ({
    environment: 'production',
    jwks: { url: issuer.jwksUrl, allowPrivate: true },
  })
  const trust = [
    { aws: { account: ACCOUNT, issuer: AWS_ISSUER, audience: `${OURS}/aws`, ...common(aws) } },
    { azure: { tenant: TENANT, audiences: [APP_URI, APP_ID], ...common(azure) } },
    { gcp: { projects: ['acme-prod'], audience: `${OURS}/gcp`, ...common(gcp) } },
  ]
  const broker = await startBroker(t, { settings: { trust }, policies: POLICIES })
  return { ...broker, aws, azure, gcp }
}

type World = Awaited<ReturnType<typeof start>>

type Row = readonly [kind: string, issuer: (world: World) => Minter, subject: string]

const ROWS: readonly Row[] = [
  ['aws', ({ aws }) => aws, `aws://aws/${ACCOUNT}/role/settlement`],
  ['azure', ({ azure }) => azure, `azure://${TENANT}/sp/${OBJECT_ID}`],
  ['gcp', ({ gcp }) => gcp, `gcp://sa/${UNIQUE_ID}`],
]

/** Facts of a principal that its row in the policy schema does not have, or has with another grade. */
function misfits(type: string, facts: Facts): readonly string[] {
  const { attributes = {} } = PRINCIPALS[type] ?? {}
  return Object.entries(facts).flatMap(([name, { grade }]) =>
    attributes[name]?.grade === grade ? [] : `${name} ${grade}`,
  )
}

function claimsOf(token: unknown): Record<string, unknown> {
  const [, payload = ''] = String(token).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

suite('a token of a cloud becomes one of ours', () => {
  for (const [kind, issuerOf, subject] of ROWS) {
    test(`${kind}: on either carrier, for the same workload`, async (t) => {
      const world = await start(t)
      const issuer = issuerOf(world)
      const first = await world.ask(world.form({ assertion: issuer.mint() }))
      assert.equal(first.status, 200, JSON.stringify(world.events().at(-1)))
      const { sub, client_id: clientId, lineage } = claimsOf(first.body['access_token'])
      assert.deepEqual([sub, clientId], [subject, subject])
      assert.ok(Array.isArray(lineage) && lineage.length >= 2)
      const actor = world.events().at(-1)?.question?.actor
      assert.deepEqual(misfits(actor?.principal.type ?? '', actor?.facts ?? {}), [])
      const second = await world.ask({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: issuer.mint(),
        client_id: subject,
        resource: RESOURCE,
        scope: 'trades:read',
      })
      assert.equal(second.status, 200)
      assert.equal(claimsOf(second.body['access_token'])['sub'], subject)
    })
  }

  test('aws: a token is spent by the request that is granted, and by no other', async (t) => {
    const world = await start(t)
    const assertion = world.aws.mint()
    const refused = await world.ask(world.form({ assertion, scope: 'trades:delete' }))
    assert.equal(refused.body['error'], 'invalid_scope')
    assert.equal((await world.ask(world.form({ assertion }))).status, 200)
    const again = await world.ask(world.form({ assertion }))
    assert.equal(again.body['error'], 'invalid_grant')
    assert.equal(world.events().at(-1)?.reason, 'evidence_replayed')
  })

  test('azure and gcp: the platform keeps its token, which may be shown again', async (t) => {
    const world = await start(t)
    for (const issuer of [world.azure, world.gcp]) {
      const assertion = issuer.mint()
      for (const _ of [1, 2]) assert.equal((await world.ask(world.form({ assertion }))).status, 200)
    }
  })

  test('aws: credentials that IMDSv1 gave out are refused by a condition', async (t) => {
    const world = await start(t)
    const assertion = world.aws.mint(({ own }) => put(own, 'ec2_role_delivery', '1.0'))
    const { body } = await world.ask(world.form({ assertion }))
    assert.equal(body['error'], 'invalid_scope')
    assert.equal(world.events().at(-1)?.reason, 'policy_denied')
  })

  test('azure: either audience selects the entry, and ARM’s is token_foreign', async (t) => {
    const world = await start(t)
    const v1 = world.azure.mintAs('v1', TENANT)
    assert.equal((await world.ask(world.form({ assertion: v1 }))).status, 200)
    const arm = world.azure.mint(({ claims }) =>
      put(claims, 'aud', 'https://management.azure.com/'),
    )
    assert.equal((await world.ask(world.form({ assertion: arm }))).body['error'], 'invalid_grant')
    assert.equal(world.events().at(-1)?.reason, 'token_foreign')
  })

  test('gcp: a token of no machine is token_unbound where projects are listed', async (t) => {
    const world = await start(t)
    const assertion = world.gcp.mintWithoutMachine()
    assert.equal((await world.ask(world.form({ assertion }))).body['error'], 'invalid_grant')
    assert.equal(world.events().at(-1)?.reason, 'token_unbound')
  })
})
