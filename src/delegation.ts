/** Config → the rooms of delegation: whose tokens are read, who may use them, and what they become. */

import { provider, type RunningProvider } from '../attestors/users/index.ts'
import type { AccessTokens } from './accesstoken.ts'
import { type Carried, carried } from './carried.ts'
import type { Config } from './config.ts'
import type { Rooms } from './exchange.ts'
import type { AttestorWorld, EntityRef } from './identity.ts'
import { mandateOf } from './mandate.ts'
import { entityText } from './policy/scan.ts'
import { sealer } from './seal.ts'
import { subjects } from './subjects.ts'

/**
 * Makes the providers of a configuration and reads their keys.
 * @param cleanup gets what ends their background work
 */
export async function startProviders(
  { users, issuer }: Pick<Config, 'users' | 'issuer'>,
  world: AttestorWorld,
  cleanup: (() => void | Promise<void>)[],
): Promise<readonly RunningProvider[]> {
  const providers = users.map((settings) => provider(settings, { issuer, world }))
  for (const each of providers) cleanup.push(() => each.close())
  await Promise.all(providers.map((each) => each.start()))
  return providers
}

/** What `delegation` is made with. */
export type DelegationParts = {
  readonly tokens: AccessTokens
  readonly providers: readonly RunningProvider[]
  /** `keys.secret`, which replicas have in common. */
  readonly secret: string
}

/** What is known of acting for somebody. */
export type Behalf = Pick<Rooms, 'subjects' | 'mandate'> & {
  readonly carried: Carried
  /** The workloads behind an audience, by canonical URI. */
  readonly servedBy: (audience: string) => readonly string[]
}

/** Composed in `broker.ts`. */
export function delegation(
  config: Pick<Config, 'issuer' | 'resources' | 'transactions' | 'delegation'>,
  { tokens, providers, secret }: DelegationParts,
): Behalf {
  const { issuer } = config
  const { maxDepth, agents } = config.delegation
  const own = [...config.resources, ...(config.transactions === null ? [] : [config.transactions])]
  const served = new Map(own.map(({ audience, servedBy }) => [audience, servedBy]))
  const carries = carried(sealer(secret, 'carried people'))
  const named = new Set(agents.map(entityText))
  const servedBy = (audience: string) => served.get(audience) ?? []
  const rules = {
    issuer,
    maxDepth,
    profileOf: ({ principal }: { readonly principal: EntityRef }) =>
      named.has(entityText(principal)) ? ('ai_agent' as const) : ('service' as const),
    servedBy,
  }
  return {
    subjects: subjects({ issuer, tokens, providers, personOf: carries.open }),
    mandate: (authority, asking) => mandateOf(authority, asking, rules),
    carried: carries,
    servedBy,
  }
}
