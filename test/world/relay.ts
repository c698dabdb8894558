/** The relay of signed GetCallerIdentity requests over the STS of one region, for some accounts. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { callerIdentity } from '../../attestors/aws/relay.ts'
import type { AwsSettings, CallerIdentitySettings } from '../../attestors/aws/settings.ts'
import { challenges } from '../../src/challenge.ts'
import type { Identity } from '../../src/identity.ts'
import type { RelayEntry, RelayWorld } from '../../src/relay.ts'
import { ACCOUNT, AWS_ISSUER } from './aws.ts'
import { TestClock } from './clock.ts'
import { scratch } from './scratch.ts'
import { encoded, FakeSts, REGION, SESSION, signCall } from './sts.ts'

export const ISSUER = 'https://countersign.example'
const SECRET = 'a secret of at least thirty-two characters'

export type RelayOptions = {
  readonly accounts?: readonly string[]
  readonly settings?: Partial<AwsSettings>
  /** Over the settings that reach the fake STS. */
  readonly callerIdentity?: Partial<CallerIdentitySettings>
}

export async function setRelayStage(t: TestContext, options: RelayOptions = {}) {
  const { accounts = [ACCOUNT], settings } = options
  const clock = new TestClock()
  const sts = await new FakeSts(clock).listen(t)
  const ca = join(scratch(t), 'sts.pem')
  writeFileSync(ca, sts.ca)
  const ours = challenges(SECRET, randomBytes)
  const takes = { regions: [REGION], ca, allowPrivate: true, ...options.callerIdentity }
  const entries = accounts.map((account): RelayEntry<AwsSettings> => {
    const common = { trust: `aws:${account}`, audience: ISSUER }
    return {
      common,
      settings: { account, issuer: AWS_ISSUER, callerIdentity: takes, ...settings },
    }
  })
  const world: RelayWorld = {
    door: sts.door(),
    now: clock.now,
    warn: () => {},
    issuer: ISSUER,
    challengeEnd: ours.check,
  }
  const relay = callerIdentity.create(entries, world) ?? assert.fail()
  const nonce = () => ours.issue(clock.seconds())
  /** A good call, its members changed after it was signed. */
  const call = (change: Readonly<Record<string, unknown>> = {}, by = SESSION) => ({
    ...signCall(by, { audience: ISSUER, nonce: nonce(), at: clock.now() }),
    ...change,
  })
  const show = async (value: string): Promise<Identity> =>
    (await relay.prepare(value, clock.seconds())).verify(clock.seconds())
  const present = (members: unknown) => show(encoded(members))
  return { clock, sts, entries, world, relay, ours, nonce, call, show, present }
}

export type RelayStage = Awaited<ReturnType<typeof setRelayStage>>
