/** Entra: tenants with v1 and v2 issuers, and one key set that signs for all of them, as the real one does. */

import type { TestContext } from 'node:test'
import { azure } from '../../attestors/azure/index.ts'
import type { AzureSettings } from '../../attestors/azure/settings.ts'
import { worldOf } from './attest.ts'
import { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { type Signer, signer } from './keys.ts'

export const TENANT = '3f0d9c1e-52ab-4e7c-8d16-0b9a7c6e5f41'
export const OTHER_TENANT = 'c2b81a07-6d3e-4f95-a1c8-7e0d5b4f3a29'
/** The App ID URI of our registration, which v1 tokens name, and its application id, which v2 tokens do. */
export const APP_URI = 'api://countersign'
export const APP_ID = '8d5f2b60-1c3a-4b7e-9f04-6a2e8c7d1b35'
export const OBJECT_ID = 'a7c4e1d2-3b58-4f6a-90e7-2d1c8b5f4e63'
export const CLIENT_ID = '1e9b7a35-4d2c-4c80-b6f1-5a3d0e8c7f24'

export type Version = 'v1' | 'v2'

export class FakeEntra extends FakeIssuer {
  override jwksPath = `/${TENANT}/discovery/v2.0/keys`
  private readonly clock: TestClock

  constructor(clock: TestClock) {
    super([signer('entra')])
    this.clock = clock
  }

  /** What IMDS gives a virtual machine for our application: a v2 token of our tenant. */
  mint(change: (token: Draft) => void = () => {}): string {
    return this.mintAs('v2', TENANT, change)
  }

  /** A token of either version and any tenant; each has the same keys. */
  mintAs(
    version: Version,
    tenant: string,
    change: (token: Draft) => void = () => {},
    key: Signer = this.signer,
  ): string {
    const now = this.clock.seconds()
    const common = {
      iat: now - 300,
      nbf: now - 300,
      exp: now + 86_400,
      idp: `https://sts.windows.net/${tenant}/`,
      oid: OBJECT_ID,
      rh: '1.AXkAHpwNP6tSfE6NFgubenlfQQ.',
      roles: ['Countersign.Exchange'],
      sub: OBJECT_ID,
      tid: tenant,
      uti: 'k3Vd0uQ8Zk6yWm1rT5xBAA',
    }
    const own =
      version === 'v1'
        ? {
            aud: APP_URI,
            iss: `https://sts.windows.net/${tenant}/`,
            appid: CLIENT_ID,
            appidacr: '2',
            ver: '1.0',
          }
        : {
            aud: APP_ID,
            iss: `https://login.microsoftonline.com/${tenant}/v2.0`,
            azp: CLIENT_ID,
            azpacr: '2',
            idtyp: 'app',
            ver: '2.0',
          }
    const header = { typ: 'JWT', alg: key.alg, x5t: key.kid, kid: key.kid }
    const draft = { header, claims: { ...own, ...common } }
    change(draft)
    return this.sign(draft, key)
  }
}

/** Entra and an attestor that trusts one tenant, not started. Closed when the test ends. */
export async function setAzureStage(t: TestContext, settings: Partial<AzureSettings> = {}) {
  const clock = new TestClock()
  const issuer = await new FakeEntra(clock).listen()
  const { tenant = TENANT } = settings
  const audiences = settings.audiences ?? [APP_ID, APP_URI]
  const attestor = azure.create(
    { jwks: { url: issuer.jwksUrl, allowPrivate: true }, ...settings, tenant, audiences },
    { trust: `azure:${tenant}`, audience: audiences[0] ?? '' },
    worldOf(clock),
    () => null,
  )
  t.after(async () => {
    attestor.close()
    await issuer.close()
  })
  return { clock, issuer, attestor }
}
