/** Config → who can vouch: an attestor for each trust entry, a relay for each kind whose entries take such evidence. */

import { KINDS } from '../attestors/index.ts'
import { issuerFault } from './config/trust.ts'
import type { Config } from './config.ts'
import type { Attestor, AttestorKind, AttestorWorld } from './identity.ts'
import type { Relay, RelayWorld } from './relay.ts'

/**
 * Makes the attestors of a configuration and reads their keys.
 * @param cleanup gets what ends their background work
 */
export async function startAttestors(
  config: Config,
  world: AttestorWorld,
  cleanup: (() => void | Promise<void>)[],
): Promise<readonly Attestor[]> {
  const attestors = config.trust.map((entry) => {
    const { kind, trust, audience, settings } = entry
    const faultOf = (issuer: string) => issuerFault(entry, issuer, config.issuer, config.trust)
    const attestor = rowOf(kind).create(settings, { trust, audience }, world, faultOf)
    cleanup.push(() => attestor.close())
    return attestor
  })
  await Promise.all(attestors.map((attestor) => attestor.start()))
  return attestors
}

/**
 * Makes the relays of a configuration, by the format of their evidence.
 * @throws Error with a sentence for the operator
 */
export function openRelays(
  { trust }: Pick<Config, 'trust'>,
  world: RelayWorld,
): ReadonlyMap<string, Relay> {
  const relays = new Map<string, Relay>()
  for (const { kind, relay: row } of KINDS) {
    const entries = trust.filter((entry) => entry.kind === kind)
    const common = entries.map(({ settings, ...entry }) => ({ common: entry, settings }))
    const relay = row?.create(common, world) ?? null
    if (row !== undefined && relay !== null) relays.set(row.format, relay)
  }
  return relays
}

function rowOf(kind: string): AttestorKind<unknown> {
  const row = KINDS.find((candidate) => candidate.kind === kind)
  if (row === undefined) throw new Error(`no attestor of kind ${kind}`)
  return row
}
