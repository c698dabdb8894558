/** What `countersign revoke` is about: from what an operator has at hand to names that a revocation can match. */

import { readFileSync } from 'node:fs'
import { type AccessToken, accessTokens } from '../accesstoken.ts'
import type { AuditEvent } from '../audit.ts'
import type { Config } from '../config.ts'
import { nameOf, shortHash } from '../lineage.ts'
import { openKeys } from '../opening.ts'
import { Refusal } from '../refusal.ts'
import type { Revocation, Store } from '../store/store.ts'
import { demandSecret } from './store.ts'

/** One option and its value, as given. */
export type Asked = {
  readonly kind: 'token' | 'sub' | 'actor' | 'trust' | 'evidence'
  readonly value: string
}

/** What is to be put out of use, and until when. */
export type Target = Pick<Revocation, 'kind' | 'name' | 'target' | 'until'>

const DECISION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NAME = /^[\w-]{16}$/
const ORIGIN = /^[a-z0-9-]+:.+/
const MAX_TARGET_CHARACTERS = 512

/**
 * @param now epoch seconds
 * @throws Error with a sentence for the operator
 */
export async function targetsOf(
  config: Config,
  store: Store,
  { kind, value }: Asked,
  now: number,
): Promise<readonly Target[]> {
  if (value.length > MAX_TARGET_CHARACTERS) {
    throw new Error(`--${kind} has more than ${MAX_TARGET_CHARACTERS} characters`)
  }
  if (kind === 'token') return [await tokenTarget(config, store, value, now)]
  if (kind === 'evidence') return evidenceTargets(store, value)
  return [{ kind, name: nameOf(kind, value), target: value, until: null }]
}

async function tokenTarget(
  config: Config,
  store: Store,
  value: string,
  now: number,
): Promise<Target> {
  const { jti, expiresAt } = DECISION_ID.test(value)
    ? issued(await decision(store, value))
    : await readToken(config, store, value, now)
  return { kind: 'token', name: nameOf('token', jti), target: jti, until: expiresAt }
}

function issued({ id, token }: AuditEvent) {
  if (token === null) throw new Error(`decision ${id} issued no token`)
  return { jti: id, expiresAt: token.expiresAt }
}

async function readToken(
  config: Config,
  store: Store,
  file: string,
  now: number,
): Promise<AccessToken> {
  const text = readFileSync(file, 'utf8').trim()
  demandSecret(config)
  const keys = await openKeys(config, store, { now: () => now * 1000, warn: () => undefined })
  try {
    return accessTokens(config.issuer, keys).read(text, now)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new Error(`${file} holds no token of this broker that is still good (${error.reason})`)
  }
}

async function evidenceTargets(store: Store, value: string): Promise<readonly Target[]> {
  if (DECISION_ID.test(value)) {
    const { origin } = await decision(store, value)
    if (origin === undefined) throw new Error(`decision ${value} proved no evidence`)
    return origin.evidence.map((name) => evidence(`decision ${value}`, name, origin.expiresAt))
  }
  if (NAME.test(value)) return [evidence(value, value, null)]
  if (ORIGIN.test(value)) return [evidence(value, shortHash(value), null)]
  throw new Error('--evidence is the id of a decision, a name of its origin.lineage, or a hash')
}

function evidence(target: string, name: string, until: number | null): Target {
  return { kind: 'evidence', name, target, until }
}

/** Kept for `audit.retention`. */
async function decision(store: Store, id: string): Promise<AuditEvent> {
  const line = await store.findDecision(id, 0)
  if (line === null) throw new Error(`the store keeps no decision ${id}`)
  return JSON.parse(line) as AuditEvent
}
