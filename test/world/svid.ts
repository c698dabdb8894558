/** X.509-SVIDs of the fake trust domain, and the way in which a request shows one. */

import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { SpiffeSettings } from '../../attestors/spiffe/settings.ts'
import { challenges } from '../../src/challenge.ts'
import type { Evidence, Identity } from '../../src/identity.ts'
import { vouching } from '../../src/vouching.ts'
import { type Held, issue, type Unlike } from './authority.ts'
import { alternativeNames, type Extension } from './certificate.ts'
import { PLANNER, setSpiffeStage, TRUST_DOMAIN } from './spiffe.ts'

/** The hour around the test clock's beginning. */
export const HOUR = { from: '20270115073000Z', until: '20270115083000Z' } as const
export const HOUR_ENDS = 1_800_001_800

export type Names = Parameters<typeof alternativeNames>[0]
export const uri = (...ids: readonly string[]): Names => ids.map((id) => ['uri', id])

/** An authority of a trust domain, or one below it. */
export function authorityOf(name: string, issuer?: Held, unlike: Unlike = {}): Held {
  const extra = [alternativeNames(uri(`spiffe://${TRUST_DOMAIN}`))]
  return issue(name, issuer, { kind: 'P-256', extra, ...unlike })
}

/** What is unlike a good SVID. */
export type UnlikeSvid = Unlike & { readonly names?: Names; readonly more?: readonly Extension[] }

/** The SVID of the planner. */
export function svidOf(issuer: Held, unlike: UnlikeSvid = {}): Held {
  const { names = uri(PLANNER), more = [], ...rest } = unlike
  const extra = [alternativeNames(names), ...more]
  return issue('workload', issuer, { kind: 'P-256', authority: false, ...HOUR, extra, ...rest })
}

/** A chain as evidence. */
export function shown(...chain: readonly Pick<Held, 'der'>[]): string {
  return chain.map(({ der }) => der.toString('base64')).join('.')
}

/** A trust domain with one X.509 authority, and requests that show SVIDs. */
export async function setX509Stage(t: TestContext, settings: Partial<SpiffeSettings> = {}) {
  const stage = await setSpiffeStage(t, settings)
  const { attestor, clock, issuer } = stage
  const root = authorityOf('authority')
  issuer.roots = [root.pem]
  const ours = challenges('a secret of at least thirty-two characters', randomBytes)
  const table = vouching([attestor], new Map(), ours)
  /** Shows evidence of this format as the token endpoint does. */
  const show = async (value: string, format = 'x509-svid'): Promise<Identity> => {
    const evidence: Evidence = { role: 'workload', carrier: 'certificate', value, format }
    const prepared = await table.prepare({ evidence, attestation: null }, clock.seconds(), () => {})
    return prepared.verify(clock.seconds())
  }
  return { ...stage, root, show }
}

export type X509Stage = Awaited<ReturnType<typeof setX509Stage>>
