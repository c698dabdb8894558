/** The store of a configuration, for commands that work on it beside a broker. */

import { existsSync } from 'node:fs'
import { IN_MEMORY } from '../config/paths.ts'
import type { Config } from '../config.ts'
import { openStore } from '../opening.ts'
import { secretPath } from '../secret.ts'
import type { Store } from '../store/store.ts'
import type { ExitCode, Terminal } from './command.ts'

/** Opens the store of a configuration that a broker has used before: nothing is made by looking. */
export async function withStore(
  config: Config,
  work: (store: Store) => Promise<ExitCode>,
): Promise<ExitCode> {
  if ('sqlite' in config.store) {
    const { sqlite } = config.store
    if (sqlite === IN_MEMORY) throw new Error('store.sqlite is in memory: no other process sees it')
    if (!existsSync(sqlite)) throw new Error(`store.sqlite: there is no store at ${sqlite} yet`)
  }
  const store = await openStore(config)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** @throws Error where the secret of an embedded store is gone: a command must not make another */
export function demandSecret({ store, keys }: Pick<Config, 'store' | 'keys'>): void {
  if (!('sqlite' in store) || keys.secret !== null) return
  const secret = secretPath(store.sqlite)
  if (!existsSync(secret)) {
    throw new Error(`${secret} is missing: without it the keys of this store cannot be opened`)
  }
}

/** Who runs a command, for the record: the account, as the environment names it. It proves nothing. */
export function operatorOf({ env }: Pick<Terminal, 'env'>): string {
  return env['SUDO_USER'] ?? env['USER'] ?? 'operator'
}
