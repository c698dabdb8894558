/** The attestor of one Entra tenant: its tokens, and beside them what its settings take of virtual machines. */

import type { Attestor, SecondEvidence, TrustCommon } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { systemTimers } from '../../src/net/timers.ts'
import { type JwtWorld, jwtAttestor } from '../jwt.ts'
import { type ResultVerifier, resultVerifier } from '../oidc/results.ts'
import { type AnchorFiles, anchorFiles } from './anchors.ts'
import { CLOUDS } from './clouds.ts'
import { type Bearer, bearerOf } from './credential.ts'
import { DOCUMENT_FORMAT, documentEvidence, RESULT_FORMAT, resultEvidence } from './evidence.ts'
import { type Resources, resourcesAt } from './resources.ts'
import { ALGORITHMS, type AzureSettings, issuersFor, jwksOf } from './settings.ts'
import { accessToken } from './token.ts'

/** The world, with a credential for Azure Resource Manager that a test may bring. */
export type AzureWorld = JwtWorld & { readonly bearer?: Bearer }

/** What an entry takes of machines, and all that it needs for that. */
type Machines = {
  readonly second: ReadonlyMap<string, SecondEvidence>
  readonly resources: Resources
  readonly anchors: AnchorFiles | null
  readonly verifiers: readonly ResultVerifier[]
}

/** @param settings as `checkAzure` found nothing wrong with */
export function azureAttestor(
  settings: AzureSettings,
  common: TrustCommon,
  world: AzureWorld,
): Attestor {
  const { v1, v2 } = issuersFor(settings)
  const machines = machinesOf(settings, common, world)
  const tokens = jwtAttestor(
    {
      ...common,
      audiences: settings.audiences,
      kind: 'azure',
      issuers: [v2, v1],
      algorithms: ALGORITHMS,
      readKeys: keyReader(jwksOf(settings), v2, world.door),
      profile: accessToken(settings, common.trust),
      ...(machines && { second: machines.second }),
    },
    world,
  )
  return machines === null ? tokens : withMachines(tokens, machines)
}

function machinesOf(
  settings: AzureSettings,
  { trust, audience }: TrustCommon,
  world: AzureWorld,
): Machines | null {
  const { tenant, subscriptions, intermediates, roots, attestation } = settings
  if (subscriptions === undefined) return null
  const cloud = settings.cloud ?? 'public'
  const host = CLOUDS[cloud].manager
  const timers = world.timers ?? systemTimers
  const bearer = world.bearer ?? bearerOf(settings.resourceGraph?.clientId, host, timers)
  const inventory = { tenant, subscriptions, resources: resourcesAt(host, bearer, world) }
  const warn = (sentence: string) => world.warn({ trust }, sentence)
  const anchors =
    intermediates === undefined ? null : anchorFiles({ roots, intermediates }, world.now, warn)
  const verifiers = (attestation?.issuers ?? []).map((issuer) => {
    const rules = {
      name: 'azure-attestation',
      preset: 'azure-attestation',
      issuer,
      require: { 'x-ms-policy-hash': attestation?.policyHashes ?? [] },
      ...(attestation?.jwks && { jwks: attestation.jwks }),
    } as const
    return resultVerifier(rules, { trust, audience }, world)
  })
  const second = new Map<string, SecondEvidence>()
  if (anchors !== null) second.set(DOCUMENT_FORMAT, documentEvidence(inventory, anchors, cloud))
  if (verifiers.length > 0) second.set(RESULT_FORMAT, resultEvidence(inventory, verifiers))
  return { second, resources: inventory.resources, anchors, verifiers }
}

/** Tokens alone are taken as ever whatever fails of the rest, so that it makes nothing unready. */
function withMachines(tokens: Attestor, { resources, anchors, verifiers }: Machines): Attestor {
  return {
    ...tokens,
    async start() {
      const reading = anchors?.read()
      await Promise.all([tokens.start(), reading, ...verifiers.map((each) => each.start())])
    },
    health() {
      const health = tokens.health()
      const failing = verifiers.map((each) => each.health().problem)
      const problem = health.problem ?? failing.find((each) => each !== null) ?? null
      const known = resources.health()
      const unread = anchors?.problem() ?? null
      const fresh = known.fresh && unread === null
      return {
        ...health,
        problem,
        cluster: [{ ...known, fresh, problem: unread ?? known.problem }],
      }
    },
    close() {
      tokens.close()
      for (const each of verifiers) each.close()
    },
  }
}
