/**
 * STS as far as web identity tokens go: an issuer for each account, whose keys are called `RSA_1` and `EC384_1` in every
 * account, and tokens of the shape that GetWebIdentityToken gives on an EC2 instance.
 */

import type { TestContext } from 'node:test'
import { awsAttestor } from '../../attestors/aws/attestor.ts'
import type { SdkSettings } from '../../attestors/aws/ec2.ts'
import type { AwsSettings } from '../../attestors/aws/settings.ts'
import { worldOf } from './attest.ts'
import { TestClock } from './clock.ts'
import { type Draft, FakeIssuer } from './issuer.ts'
import { renamed, type SignerAlgorithm, signer } from './keys.ts'

export const ACCOUNT = '123456789012'
export const OTHER_ACCOUNT = '210987654321'
export const AWS_AUDIENCE = 'https://countersign.example/aws'
export const AWS_ISSUER = 'https://6f1d2c3b-0a49-4e58-8d77-9c0b1a2e3f40.tokens.sts.global.api.aws'
export const OTHER_ISSUER = 'https://0b7e4a52-91cd-4f06-a3e8-5d2c1b6f7a89.tokens.sts.global.api.aws'
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/team/settlement`
export const INSTANCE = `arn:aws:ec2:eu-central-1:${ACCOUNT}:instance/i-0a1b2c3d4e5f60718`

/** A draft whose private claims are at hand. */
export type AwsDraft = Draft & { readonly own: Record<string, unknown> }

export type AccountOptions = {
  readonly clock: TestClock
  readonly audience?: string
  readonly account?: string
  /** The exact `iss`. */
  readonly issuer?: string
  readonly alg?: SignerAlgorithm
}

export class FakeAccount extends FakeIssuer {
  override jwksPath = '/.well-known/jwks.json'
  private readonly options: AccountOptions
  private minted = 0

  constructor(options: AccountOptions) {
    const { account = ACCOUNT, alg = 'ES384' } = options
    super([renamed(signer(`aws ${account}`, alg), alg === 'RS256' ? 'RSA_1' : 'EC384_1')])
    this.options = options
  }

  /** What STS answers, after `change` had its way with it. Each has a `jti` of its own. */
  mint(change: (token: AwsDraft) => void = () => {}): string {
    const draft = this.draft()
    change(draft)
    return this.sign(draft)
  }

  private draft(): AwsDraft {
    const { clock, account = ACCOUNT, issuer = AWS_ISSUER, audience = AWS_AUDIENCE } = this.options
    const now = clock.seconds()
    const role = ROLE.replace(ACCOUNT, account)
    const own = {
      aws_account: account,
      source_region: 'eu-central-1',
      org_id: 'o-1a2b3c4d5e',
      ou_path: ['o-1a2b3c4d5e/r-ab12/ou-ab12-11111111/ou-ab12-22222222/'],
      principal_id: role,
      principal_tags: { team: 'payments' },
      request_tags: { ticket: 'OPS-7' },
      ec2_source_instance_arn: INSTANCE.replace(ACCOUNT, account),
      ec2_instance_source_vpc: 'vpc-0123456789abcdef0',
      ec2_instance_source_private_ipv4: '10.0.3.17',
      ec2_role_delivery: '2.0',
    }
    this.minted += 1
    const claims = {
      aud: audience,
      sub: role,
      'https://sts.amazonaws.com/': own,
      iss: issuer,
      exp: now + 300,
      iat: now,
      jti: `5a0e3c1f-7b2d-4c69-9e84-${String(this.minted).padStart(12, '0')}`,
    }
    return { header: { kid: this.signer.kid, typ: 'JWT', alg: this.signer.alg }, claims, own }
  }
}

/** What differs from an ordinary account whose keys are fetched by URL. */
export type AwsStageOptions = Omit<AccountOptions, 'clock'> & {
  readonly settings?: Partial<AwsSettings>
  /** Settings of the SDK by the test's clock. */
  readonly clients?: (clock: TestClock) => Promise<SdkSettings>
}

/** An account and an attestor that trusts it, not started. Closed when the test ends. */
export async function setAwsStage(t: TestContext, options: AwsStageOptions = {}) {
  const clock = new TestClock()
  const { account = ACCOUNT, audience = AWS_AUDIENCE, settings } = options
  const issuer = await new FakeAccount({ ...options, clock }).listen()
  const clients = await options.clients?.(clock)
  const attestor = awsAttestor(
    {
      account,
      issuer: options.issuer ?? AWS_ISSUER,
      jwks: { url: issuer.jwksUrl, allowPrivate: true },
      ...settings,
    },
    { trust: `aws:${account}`, audience },
    { ...worldOf(clock), ...(clients && { clients }) },
  )
  t.after(async () => {
    attestor.close()
    await issuer.close()
  })
  return { clock, issuer, attestor }
}
