/** A platform that signs OpenID Connect tokens, and an attestor that trusts it, not started. */

import type { TestContext } from 'node:test'
import { oidcAttestor } from '../../attestors/oidc/attestor.ts'
import type { PresetName } from '../../attestors/oidc/presets/index.ts'
import { resultVerifier } from '../../attestors/oidc/results.ts'
import type { OidcSettings } from '../../attestors/oidc/settings.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { type Signer, signer } from './keys.ts'
import { GOLDEN, type Golden } from './oidcclaims.ts'

export const AUDIENCE = 'https://countersign.example'

/** An issuer of no platform in particular. */
export const PLAIN: Golden = {
  entry: { issuer: 'https://id.example.com/realms/jobs', dedicated: true },
  claims: { sub: 'nightly-report', team: 'payments', level: 3, admin: 'false', groups: ['a', 'b'] },
  lifetimeSeconds: 600,
  subject: 'nightly-report',
}

export class FakePlatform extends FakeIssuer {
  private readonly clock: TestClock
  private readonly golden: Golden
  private readonly audience: string | undefined
  private minted = 0

  /** @param audience undefined for results, which have none */
  constructor(
    clock: TestClock,
    golden: Golden,
    audience: string | undefined,
    signers: readonly Signer[],
  ) {
    super(signers)
    this.clock = clock
    this.golden = golden
    this.audience = audience
  }

  /** A token with a number of its own, after `change` had its way with it. */
  mint(change: (token: Draft) => void = () => {}): string {
    const now = this.clock.seconds()
    this.minted += 1
    const claims = {
      ...structuredClone(this.golden.claims),
      iss: this.golden.entry.issuer,
      ...(this.audience !== undefined && { aud: this.audience }),
      iat: now,
      exp: now + this.golden.lifetimeSeconds,
      jti: `token-${this.minted}`,
    }
    const draft = { header: { alg: this.signer.alg, kid: this.signer.kid, typ: 'JWT' }, claims }
    change(draft)
    return this.sign(draft)
  }
}

export type OidcStage = {
  readonly settings?: Partial<OidcSettings>
  readonly signers?: readonly Signer[]
  readonly audience?: string
}

/** One platform with its golden tokens; null is `PLAIN`. Closed when the test ends. */
export async function setOidcStage(
  t: TestContext,
  preset: PresetName | null,
  { settings: changed = {}, signers = [signer('oidc')], audience = AUDIENCE }: OidcStage = {},
) {
  const clock = new TestClock()
  const golden = preset === null ? PLAIN : GOLDEN[preset]
  const aud = preset === 'azure-attestation' ? undefined : audience
  const issuer = await new FakePlatform(clock, golden, aud, signers).listen()
  const settings: OidcSettings = {
    name: preset ?? 'jobs',
    ...(preset !== null && { preset }),
    ...golden.entry,
    jwks: { url: issuer.jwksUrl, allowPrivate: true },
    ...changed,
  }
  const common = { trust: `oidc:${settings.name}`, audience }
  const world = {
    door: createDoor({ timers: clock.timers }),
    now: clock.now,
    timers: clock.timers,
    warn: () => {},
  }
  const attestor = oidcAttestor(settings, common, world)
  const results = resultVerifier(settings, common, world)
  t.after(async () => {
    attestor.close()
    results.close()
    await issuer.close()
  })
  return { clock, issuer, attestor, results, golden, settings }
}

/** Sets the member at a path of a draft’s claims to anything at all; undefined removes it. */
export function put(claims: Record<string, unknown>, path: string, value: unknown): void {
  const steps = path.startsWith('/') ? path.slice(1).split('/') : [path]
  const last = steps.pop() ?? ''
  let level = claims
  for (const step of steps) level = level[step] as Record<string, unknown>
  if (value === undefined) delete level[last]
  else level[last] = value
}
