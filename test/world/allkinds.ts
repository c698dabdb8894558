/** One broker that trusts a platform of every kind, each of them a fake that really signs, and what each has to show. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { encode } from 'cborg'
import { PRESETS } from '../../attestors/oidc/presets/index.ts'
import { ACCOUNT, AWS_ISSUER, FakeAccount } from './aws.ts'
import { APP_ID, APP_URI, FakeEntra, TENANT } from './azure.ts'
import { ISSUER, RESOURCE, startBroker } from './broker.ts'
import type { TestClock } from './clock.ts'
import { INSTANCE, measurement, nitroAuthorities, signed, tpmPayload } from './cose.ts'
import { FakeGoogle, UNIQUE_ID } from './gcp.ts'
import type { FakeIssuer } from './issuer.ts'
import { signer } from './keys.ts'
import { FakePlatform, PLAIN } from './oidc.ts'
import { GOLDEN } from './oidcclaims.ts'
import { scratch } from './scratch.ts'
import { FakeSpire, TRUST_DOMAIN } from './spiffe.ts'
import { encoded, FakeSts, REGION, SESSION, signCall } from './sts.ts'

const PRINCIPALS = [
  'ServiceAccount',
  'AwsRole',
  'AzureIdentity',
  'GcpServiceAccount',
  'SpiffeWorkload',
  'OidcSubject',
  ...Object.values(PRESETS).map(({ principal }) => principal ?? 'OidcSubject'),
]

/** Each kind of workload reads; who they are is in the token. */
const POLICY = [...new Set(PRINCIPALS)]
  .map(
    (type) => `@id("${type}") @owner("security")
permit (principal is ${type}, action == Action::"trades:read", resource == Audience::"${RESOURCE}");`,
  )
  .join('\n')

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const URN = 'urn:x-countersign:'

/** What a caller sends to show who it is. */
export type Shows = Readonly<Record<string, string>>

const NAMES = Object.keys(PRESETS) as (keyof typeof PRESETS)[]

/** Results of this one say nothing of an audience: they are second evidence, never the first. */
export const FIRST_PRESETS: readonly string[] = NAMES.filter((name) => name !== 'azure-attestation')

export async function startAllKinds(t: TestContext) {
  const trust: object[] = []
  const shows = new Map<string, () => Promise<Shows>>()
  const jwks = (issuer: FakeIssuer) => ({ url: issuer.jwksUrl, allowPrivate: true })
  const listening = async <Issuer extends FakeIssuer>(issuer: Issuer): Promise<Issuer> => {
    await issuer.listen()
    t.after(() => issuer.close())
    return issuer
  }
  const assertion = (mint: () => string) => async () => ({
    grant_type: JWT_BEARER,
    assertion: mint(),
  })
  let sts: FakeSts | undefined

  const aws = async (clock: TestClock) => {
    const account = await listening(new FakeAccount({ clock, audience: ISSUER }))
    const running = await new FakeSts(clock).listen(t)
    sts = running
    const ca = join(scratch(t), 'sts.pem')
    writeFileSync(ca, running.ca)
    const { root, leaf, bundle } = nitroAuthorities()
    const nitro = { tpm: { 4: [measurement(4)] }, roots: [root.read().fingerprint] }
    const callerIdentity = { regions: [REGION], ca, allowPrivate: true }
    trust.push({
      aws: { account: ACCOUNT, issuer: AWS_ISSUER, jwks: jwks(account), callerIdentity, nitro },
    })
    shows.set(
      'aws: web identity',
      assertion(() => account.mint()),
    )
    shows.set('aws: relay', async () => ({
      grant_type: 'client_credentials',
      client_assertion_type: `${URN}client-assertion-type:aws-caller-identity`,
      client_assertion: encoded(
        signCall(SESSION, { audience: ISSUER, nonce: await challenge(), at: clock.now() }),
      ),
    }))
    shows.set('aws: nitro', async () => {
      const payload = tpmPayload(leaf, bundle)
      payload.set('nonce', Buffer.from(await challenge()))
      payload.set('timestamp', clock.now())
      const arn = `arn:aws:ec2:eu-central-1:${ACCOUNT}:instance/${INSTANCE}`
      const token = account.mint(({ own }) => Object.assign(own, { ec2_source_instance_arn: arn }))
      return {
        grant_type: JWT_BEARER,
        assertion: token,
        attestation_type: `${URN}attestation-type:nitro`,
        attestation: signed(encode(payload), leaf).toString('base64'),
      }
    })
  }

  const clouds = async (clock: TestClock) => {
    const entra = await listening(new FakeEntra(clock))
    trust.push({ azure: { tenant: TENANT, audiences: [APP_ID, APP_URI], jwks: jwks(entra) } })
    shows.set(
      'azure',
      assertion(() => entra.mint()),
    )
    const google = await listening(new FakeGoogle(clock, ISSUER))
    trust.push({ gcp: { serviceAccounts: [UNIQUE_ID], jwks: jwks(google) } })
    shows.set(
      'gcp',
      assertion(() => google.mint()),
    )
    const spire = await listening(new FakeSpire(clock, ISSUER))
    const bundle = { url: spire.jwksUrl, profile: 'https_web', allowPrivate: true }
    trust.push({ spiffe: { trustDomain: TRUST_DOMAIN, bundle } })
    shows.set(
      'spiffe',
      assertion(() => spire.mint()),
    )
  }

  const issuers = async (clock: TestClock) => {
    for (const preset of NAMES) {
      const golden = GOLDEN[preset]
      const platform = await listening(new FakePlatform(clock, golden, ISSUER, [signer(preset)]))
      trust.push({ oidc: { name: preset, preset, ...golden.entry, jwks: jwks(platform) } })
      if (FIRST_PRESETS.includes(preset)) {
        shows.set(
          `oidc: ${preset}`,
          assertion(() => platform.mint()),
        )
      }
    }
    const plain = await listening(new FakePlatform(clock, PLAIN, ISSUER, [signer('oidc')]))
    trust.push({ oidc: { name: 'jobs', ...PLAIN.entry, jwks: jwks(plain) } })
    shows.set(
      'oidc',
      assertion(() => plain.mint()),
    )
  }

  const world = await startBroker(t, {
    policies: { 'all.cedar': POLICY },
    settings: { trust },
    async before(cluster, clock) {
      const keys = { discovery: true, allowPrivate: true }
      trust.push({ kubernetes: { cluster: 'prod-eu', issuer: cluster.issuer, jwks: keys } })
      shows.set(
        'kubernetes',
        assertion(() => cluster.mint()),
      )
      await aws(clock)
      await clouds(clock)
      await issuers(clock)
    },
    door: () => {
      if (sts === undefined) throw new Error('no STS')
      return sts.door()
    },
  })
  const publicUrl = await world.app.listen({ host: '127.0.0.1', port: 0 })
  const adminUrl = await world.admin.listen({ host: '127.0.0.1', port: 0 })

  async function challenge(): Promise<string> {
    const response = await fetch(`${publicUrl}/challenge`, { method: 'POST' })
    const { attestation_challenge: found } = (await response.json()) as Record<string, unknown>
    return String(found)
  }

  /** Asks for a token, over HTTP. */
  async function ask(shown: Shows) {
    const form = new URLSearchParams({ resource: RESOURCE, scope: 'trades:read', ...shown })
    const response = await fetch(`${publicUrl}/token`, { method: 'POST', body: form })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  /** The same configuration as a file. */
  function configFile(): string {
    const file = join(scratch(t), 'countersign.yaml')
    const resources = [{ audience: RESOURCE, scopes: ['trades:read'] }]
    const rest = {
      resources,
      policies: { path: world.policiesPath },
      store: { sqlite: ':memory:' },
    }
    const listen = { host: '127.0.0.1', port: 1 }
    writeFileSync(file, JSON.stringify({ issuer: ISSUER, listen, trust, ...rest }))
    return file
  }

  return { ...world, adminUrl, trust, shows, ask, configFile, sts }
}
