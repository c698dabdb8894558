/**
 * `countersign keys`: the broker's own signing keys, in the store that the configuration names. A broker that
 * runs on the same store takes up what changes here.
 */

import type { Config } from '../config.ts'
import { isPublished, type KeyLife, storedLives } from '../keylife.ts'
import { nameOf } from '../lineage.ts'
import { openKeys } from '../opening.ts'
import type { Store } from '../store/store.ts'
import { epochSeconds } from '../units.ts'
import { type Command, type ExitCode, parseOptions, type Terminal, UsageError } from './command.ts'
import { CONFIG_OPTION, readSettings } from './settings.ts'
import { demandSecret, operatorOf, withStore } from './store.ts'

export const command: Command = {
  usage: `usage: countersign keys list [--config FILE] [--json]
       countersign keys rotate [--now [--revoke [--reason TEXT]]] [--config FILE] [--json]
       countersign keys export [--retired] [--config FILE]

  list       every signing key: when it signs, and until when it is published
  rotate     make the next key now rather than when it is due. It is published first and signs after the lead
             (a day, or half of keys.rotateEvery if that is less), so that no verifier meets a key it does not know
    --now    it signs as soon as a broker has read it, within a minute. For a key that others may have. Verifiers
             that keep keys may refuse its tokens until they read /jwks again, for 5 minutes at most. The key before
             stays published until its tokens have ended
    --revoke    with --now: every other key that is published is revoked. It leaves /jwks at once, and all that it
             signed or sealed is good for nothing. Workloads ask for new tokens; an archive needs --retired for old ones
    --reason    why, for whoever reads it later
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
        revoke: { type: 'boolean', default: false },
        reason: { type: 'string', default: '' },
        retired: { type: 'boolean', default: false },
      },
    })
    const [verb, ...rest] = positionals
    const isVerb = verb === 'list' || verb === 'rotate' || verb === 'export'
    if (!isVerb || rest.length > 0) throw new UsageError('choose one of list, rotate, export')
    if (values.now && verb !== 'rotate') throw new UsageError('--now belongs to rotate')
    if (values.revoke && !values.now) throw new UsageError('--revoke belongs to rotate --now')
    if (values.reason !== '' && !values.revoke) throw new UsageError('--reason belongs to --revoke')
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
  const wanted = lives.filter(({ state }) => retired || isPublished(state))
  terminal.out(JSON.stringify({ keys: wanted.map(({ publicJwk }) => publicJwk) }, null, 2))
  return 0
}

async function rotate(
  config: Config,
  store: Store,
  values: {
    readonly now: boolean
    readonly json: boolean
    readonly revoke: boolean
    readonly reason: string
  },
  terminal: Terminal,
): Promise<ExitCode> {
  // A key that is sealed with a new secret is one that no broker opens.
  demandSecret(config)
  const world = { now: terminal.now, warn: () => undefined }
  const keys = await openKeys(config, store, world)
  const now = epochSeconds(terminal.now())
  const { kid, made } = await keys.rotate(now, values.now ? 'now' : 'led')
  const life = keys.lives(now).find((candidate) => candidate.kid === kid)
  if (life === undefined) throw new Error(`the store has lost the key ${kid}`)
  const revoked = values.revoke ? await revokeOthers(store, kid, values.reason, terminal) : []
  if (values.json) {
    terminal.out(JSON.stringify({ made, ...shown(life), ...(values.revoke && { revoked }) }))
    return 0
  }
  const known = made ? 'is published as soon as a broker reads it' : 'was published already'
  terminal.out(`${kid} ${known}, and signs from ${instant(life.signsFrom)}`)
  for (const other of revoked) {
    terminal.out(`${other} is revoked: it is published no longer, and no token of it is good`)
  }
  return 0
}

/** Puts every key that is published out of use, but the one. @returns their ids */
async function revokeOthers(
  store: Store,
  kept: string,
  reason: string,
  terminal: Terminal,
): Promise<readonly string[]> {
  const at = epochSeconds(terminal.now())
  const others = (await storedLives(store, at)).filter(
    ({ kid, state }) => kid !== kept && isPublished(state),
  )
  for (const { kid } of others) {
    const what = { kind: 'key', name: nameOf('key', kid), target: kid } as const
    const who = { by: operatorOf(terminal), reason }
    await store.revoke({ ...what, at, until: null, liftedAt: null, ...who })
  }
  return others.map(({ kid }) => kid)
}
