/**
 * `countersign keys`: the broker's own signing keys, in the store that the configuration names. A broker that
 * runs on the same store takes up what changes here.
 */

import { existsSync } from 'node:fs'
import { IN_MEMORY } from '../config/paths.ts'
import type { Config } from '../config.ts'
import { type KeyLife, storedLives } from '../keylife.ts'
import { openKeys, openStore } from '../opening.ts'
import { secretPath } from '../secret.ts'
import type { Store } from '../store/store.ts'
import { epochSeconds } from '../units.ts'
import { type Command, type ExitCode, parseOptions, type Terminal, UsageError } from './command.ts'
import { CONFIG_OPTION, readSettings } from './settings.ts'

export const command: Command = {
  usage: `usage: countersign keys list [--config FILE] [--json]
       countersign keys rotate [--now] [--config FILE] [--json]
       countersign keys export [--retired] [--config FILE]

  list       every signing key: when it signs, and until when it is published
  rotate     make the next key now rather than when it is due. It is published first and signs after the lead
             (a day, or half of keys.rotateEvery if that is less), so that no verifier meets a key it does not know
    --now    it signs as soon as a broker has read it, within a minute. For a key that others may have. Verifiers
             that keep keys may refuse its tokens until they read /jwks again, for 5 minutes at most. The key before
             stays published until its tokens have ended
  export     the public keys as a JSON Web Key Set
    --retired   also those that are no longer published: what an archive needs to check old tokens
  --config FILE   the configuration (default countersign.yaml)
  --json          print JSON`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      allowPositionals: true,
      options: {
        ...CONFIG_OPTION,
        json: { type: 'boolean', default: false },
        now: { type: 'boolean', default: false },
        retired: { type: 'boolean', default: false },
      },
    })
    const [verb, ...rest] = positionals
    const isVerb = verb === 'list' || verb === 'rotate' || verb === 'export'
    if (!isVerb || rest.length > 0) throw new UsageError('choose one of list, rotate, export')
    if (values.now && verb !== 'rotate') throw new UsageError('--now belongs to rotate')
    if (values.retired && verb !== 'export') throw new UsageError('--retired belongs to export')
    const config = readSettings(values.config, terminal)
    if (config === null) return 1
    return withStore(config, async (store) => {
      if (verb === 'list') return list(store, values.json, terminal)
      if (verb === 'export') return exportKeys(store, values.retired, terminal)
      return rotate(config, store, values, terminal)
    })
  },
}

/** Opens the store of a configuration that a broker has used before: nothing is made by looking. */
async function withStore(
  config: Config,
  work: (store: Store) => Promise<ExitCode>,
): Promise<ExitCode> {
  if ('sqlite' in config.store) {
    const { sqlite } = config.store
    if (sqlite === IN_MEMORY)
      throw new Error('store.sqlite is in memory: no other process sees its keys')
    if (!existsSync(sqlite)) throw new Error(`store.sqlite: there is no store at ${sqlite} yet`)
  }
  const store = await openStore(config)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function list(store: Store, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const lives = await storedLives(store, epochSeconds(terminal.now()))
  if (json) {
    terminal.out(JSON.stringify(lives.map(shown)))
    return 0
  }
  if (lives.length === 0) terminal.note('The store holds no key yet; a broker makes the first.')
  for (const life of lives) {
    const { kid, state, created, signsFrom, publishedUntil } = shown(life)
    const until = publishedUntil === null ? '' : `, published until ${publishedUntil}`
    terminal.out(`${state.padEnd(9)}${kid}  created ${created}, signs from ${signsFrom}${until}`)
  }
  return 0
}

function shown({ kid, state, createdAt, signsFrom, signsUntil, publishedUntil }: KeyLife) {
  return {
    kid,
    state,
    created: instant(createdAt),
    signsFrom: instant(signsFrom),
    signsUntil: signsUntil === null ? null : instant(signsUntil),
    publishedUntil: publishedUntil === null ? null : instant(publishedUntil),
  }
}

/** ISO 8601, UTC, in seconds. */
function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

async function exportKeys(store: Store, retired: boolean, terminal: Terminal): Promise<ExitCode> {
  const lives = await storedLives(store, epochSeconds(terminal.now()))
  const wanted = lives.filter(({ state }) => retired || state !== 'retired')
  terminal.out(JSON.stringify({ keys: wanted.map(({ publicJwk }) => publicJwk) }, null, 2))
  return 0
}

async function rotate(
  config: Config,
  store: Store,
  values: { readonly now: boolean; readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  // A key that is sealed with a new secret is one that no broker opens.
  if ('sqlite' in config.store && config.keys.secret === null) {
    const secret = secretPath(config.store.sqlite)
    if (!existsSync(secret)) {
      throw new Error(`${secret} is missing: without it the keys of this store cannot be opened`)
    }
  }
  const world = { now: terminal.now, warn: () => undefined }
  const keys = await openKeys(config, store, world)
  const now = epochSeconds(terminal.now())
  const { kid, made } = await keys.rotate(now, values.now ? 'now' : 'led')
  const life = keys.lives(now).find((candidate) => candidate.kid === kid)
  if (life === undefined) throw new Error(`the store has lost the key ${kid}`)
  if (values.json) {
    terminal.out(JSON.stringify({ made, ...shown(life) }))
    return 0
  }
  const known = made ? 'is published as soon as a broker reads it' : 'was published already'
  terminal.out(`${kid} ${known}, and signs from ${instant(life.signsFrom)}`)
  return 0
}
