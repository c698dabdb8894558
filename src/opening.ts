/** Opens what outlives the process: the store, the signing keys in it, and the secret that opens them; and looks after them. */

import type { Config } from './config.ts'
import type { IsRevoked } from './keylife.ts'
import { type SigningKeys, signingKeys } from './keys.ts'
import type { Detail } from './refusal.ts'
import type { Revocations } from './revocations.ts'
import { sealer } from './seal.ts'
import { keysSecret } from './secret.ts'
import { openSqlite } from './store/sqlite.ts'
import type { Revocation, Store } from './store/store.ts'
import { epochSeconds } from './units.ts'

/** How often keys are looked after and the store is pruned. */
const UPKEEP_MS = 60_000

/** What is needed of the process here. */
type World = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A sentence for the operator, with data. */
  readonly warn: (detail: Detail, sentence: string) => void
}

/**
 * Opens the store that the configuration names.
 * @throws Error with a sentence for the operator
 */
export async function openStore({ store }: Pick<Config, 'store'>): Promise<Store> {
  if ('sqlite' in store) return openSqlite(store.sqlite)
  const { openPostgres } = await import('./store/postgres/store.ts')
  return openPostgres({ ...store.postgres, password: store.postgres.password?.reveal() ?? null })
}

/**
 * Opens the signing keys of a store, and makes the first.
 * @throws Error when `keys.secret` does not open them
 */
export async function openKeys(
  config: Pick<Config, 'store' | 'keys'>,
  store: Store,
  world: World,
  secret = secretOf(config, world),
  isRevoked?: IsRevoked,
): Promise<SigningKeys> {
  const seal = sealer(secret, 'signing keys')
  const keys = signingKeys(store, seal, config.keys.rotateEverySeconds, isRevoked)
  await keys.refresh(epochSeconds(world.now()))
  return keys
}

/** What replicas have in common: set, or made beside an embedded store. One in memory has another each time. */
export function secretOf(
  { keys, store }: Pick<Config, 'store' | 'keys'>,
  world: Pick<World, 'warn'>,
): string {
  if (keys.secret) return keys.secret.reveal()
  if ('sqlite' in store) return keysSecret(store.sqlite, world.warn)
  // The configuration was refused without it; a host application may have made one of its own.
  throw new Error('keys.secret is required with store.postgres')
}

/**
 * Rotates keys when they are due and forgets what is over, and reads the keys as soon as another replica has added
 * one, or one was revoked. A failure is reported and tried again.
 */
export function startUpkeep(
  config: Config,
  world: World,
  store: Store,
  keys: SigningKeys,
  revocations: Pick<Revocations, 'onChange'>,
): () => void {
  const seconds = () => epochSeconds(world.now())
  const failed = (error: unknown) =>
    world.warn({ problem: (error as Error).message }, 'upkeep of keys and store failed')
  const timer = setInterval(async () => {
    try {
      await keys.refresh(seconds())
      await store.prune(seconds(), seconds() - config.audit.retentionSeconds)
    } catch (error) {
      failed(error)
    }
  }, UPKEEP_MS)
  timer.unref()
  const refresh = () => void keys.refresh(seconds()).catch(failed)
  const endListening = store.onChange((topic) => {
    if (topic === 'signing_keys') refresh()
  })
  revocations.onChange((record) => {
    // The successor of a key is in the store already.
    if (record.kind === 'key') refresh()
    // Tokens are taken back by their holders, which is no news for an operator.
    if (record.kind !== 'token') world.warn(...told(record))
  })
  return () => {
    clearInterval(timer)
    endListening()
  }
}

/** A revocation or a lifting as every replica logs it: by whom, and why. */
function told({ kind, target, liftedAt, by, reason }: Revocation): [Detail, string] {
  return [{ kind, target, by, reason }, liftedAt === null ? 'revoked' : 'revocation lifted']
}
