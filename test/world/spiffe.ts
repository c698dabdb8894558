/** A SPIFFE trust domain as SPIRE runs one: it mints JWT-SVIDs and publishes its bundle. */

import type { TestContext } from 'node:test'
import { spiffe } from '../../attestors/spiffe/index.ts'
import type { BundleSettings, SpiffeSettings } from '../../attestors/spiffe/settings.ts'
import { worldOf } from './attest.ts'
import { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { type Signer, signer } from './keys.ts'

export const TRUST_DOMAIN = 'example.org'
export const SPIFFE_AUDIENCE = 'https://countersign.example/spiffe'
export const PLANNER = `spiffe://${TRUST_DOMAIN}/ns/agents/sa/planner`

export class FakeSpire extends FakeIssuer {
  override jwksPath = '/bundle'
  /** PEM of its X.509 authorities. */
  roots: readonly string[] = []
  /** Changes the bundle before it is published. */
  change: (bundle: Record<string, unknown>) => void = () => {}
  private sequence = 1
  private readonly clock: TestClock
  private readonly audience: string

  constructor(clock: TestClock, audience: string = SPIFFE_AUDIENCE) {
    super([signer('spire', 'ES256')])
    this.clock = clock
    this.audience = audience
  }

  /** What the Workload API hands out. */
  mint(change: (token: Draft) => void = () => {}, key: Signer = this.signer): string {
    const now = this.clock.seconds()
    const claims = { aud: [this.audience], exp: now + 300, iat: now, sub: PLANNER }
    const draft = { header: { alg: key.alg, kid: key.kid, typ: 'JWT' }, claims }
    change(draft)
    return this.sign(draft, key)
  }

  /** A new bundle has a higher number. */
  override rotate(label?: string): void {
    super.rotate(label)
    this.sequence += 1
  }

  /** The bundle as it would be published now. */
  bundle(): Record<string, unknown> {
    const keys = [
      ...this.roots.map((pem) => ({ use: 'x509-svid', kty: 'EC', x5c: [bare(pem)] })),
      ...this.signers.map(({ jwk: { alg: _alg, ...jwk } }) => ({ ...jwk, use: 'jwt-svid' })),
    ]
    const bundle = { keys, spiffe_sequence: this.sequence, spiffe_refresh_hint: 600 }
    this.change(bundle)
    return bundle
  }

  protected override keyDocument(): object {
    return this.bundle()
  }
}

/** A certificate as `x5c` holds it (RFC 7517 §4.7). */
function bare(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, '')
}

/** An attestor of the trust domain, not started. Closed when the test ends. */
export function attestorOf(
  t: TestContext,
  clock: TestClock,
  bundle: BundleSettings,
  settings: Partial<SpiffeSettings> = {},
) {
  const attestor = spiffe.create(
    { trustDomain: TRUST_DOMAIN, bundle, ...settings },
    { trust: `spiffe:${TRUST_DOMAIN}`, audience: SPIFFE_AUDIENCE },
    worldOf(clock),
    () => null,
  )
  t.after(() => attestor.close())
  return attestor
}

/** A trust domain with an `https_web` endpoint, and an attestor that reads it. */
export async function setSpiffeStage(t: TestContext, settings: Partial<SpiffeSettings> = {}) {
  const clock = new TestClock()
  const issuer = await new FakeSpire(clock).listen()
  t.after(() => issuer.close())
  const bundle = { url: issuer.jwksUrl, profile: 'https_web', allowPrivate: true } as const
  return { clock, issuer, attestor: attestorOf(t, clock, bundle, settings) }
}
