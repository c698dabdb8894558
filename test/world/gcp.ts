/** Google's issuer of identity tokens: one for service accounts on virtual machines, elsewhere, and for people. */

import type { TestContext } from 'node:test'
import { gcp } from '../../attestors/gcp/index.ts'
import type { GcpSettings } from '../../attestors/gcp/settings.ts'
import { worldOf } from './attest.ts'
import { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { type Signer, signer } from './keys.ts'

export const GCP_AUDIENCE = 'https://countersign.example/gcp'
export const UNIQUE_ID = '107415500921133704821'
export const EMAIL = 'settle@acme-prod.iam.gserviceaccount.com'
export const PROJECT_NUMBER = 739419398126
/** Above 2^53: as a JSON number it would be its neighbour. */
export const INSTANCE_ID = '9007199254740993117'

/** A draft whose `google.compute_engine` is at hand. */
export type GcpDraft = Draft & { readonly machine: Record<string, unknown> }

export class FakeGoogle extends FakeIssuer {
  override jwksPath = '/oauth2/v3/certs'
  private readonly clock: TestClock
  private readonly audience: string

  constructor(clock: TestClock, audience: string = GCP_AUDIENCE) {
    super([signer('google')])
    this.clock = clock
    this.audience = audience
  }

  /** What the metadata server of a virtual machine answers with `format=full`. */
  mint(change: (token: GcpDraft) => void = () => {}, key: Signer = this.signer): string {
    const machine = {
      instance_confidentiality: 1,
      instance_creation_timestamp: 1_790_000_000,
      instance_id: INSTANCE_ID,
      instance_name: 'settle-1',
      project_id: 'acme-prod',
      project_number: PROJECT_NUMBER,
      zone: 'europe-west3-a',
    }
    const now = this.clock.seconds()
    const claims = {
      aud: this.audience,
      azp: UNIQUE_ID,
      email: EMAIL,
      email_verified: true,
      exp: now + 3600,
      google: { compute_engine: machine },
      iat: now,
      iss: 'https://accounts.google.com',
      sub: UNIQUE_ID,
    }
    const draft = { header: { alg: key.alg, kid: key.kid, typ: 'JWT' }, claims, machine }
    change(draft)
    return this.sign(draft, key)
  }

  /** What Cloud Run, GKE and impersonation give: an account on no machine. */
  mintWithoutMachine(change: (token: Draft) => void = () => {}): string {
    return this.mint((draft) => {
      delete draft.claims['google']
      change(draft)
    })
  }

  /** What a person has after `gcloud auth login`, or a sign-in with Google. */
  mintForPerson(change: (token: Draft) => void = () => {}): string {
    return this.mintWithoutMachine((draft) => {
      const application = '764086051850-6qr4p6gpi6hn.apps.googleusercontent.com'
      Object.assign(draft.claims, {
        aud: application,
        azp: application,
        at_hash: 'x1Yk0Zr6WvT3aB9cD2eF4g',
        email: 'ada@example.com',
        hd: 'example.com',
        sub: '112233445566778899001',
      })
      change(draft)
    })
  }
}

/** Google and an attestor that trusts one account, not started. Closed when the test ends. */
export async function setGcpStage(t: TestContext, settings: Partial<GcpSettings> = {}) {
  const clock = new TestClock()
  const issuer = await new FakeGoogle(clock).listen()
  const attestor = gcp.create(
    {
      serviceAccounts: [UNIQUE_ID],
      jwks: { url: issuer.jwksUrl, allowPrivate: true },
      ...settings,
    },
    { trust: 'gcp:google', audience: GCP_AUDIENCE },
    worldOf(clock),
    () => null,
  )
  t.after(async () => {
    attestor.close()
    await issuer.close()
  })
  return { clock, issuer, attestor }
}
