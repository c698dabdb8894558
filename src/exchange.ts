/**
 * ★ The story of one token request. Every grant type comes here; there is no second path.
 *
 *     Ask → target → attest → pose → decide → narrow → sign → spend → answer
 *
 * Only preparing evidence and spending it wait. Verifying, deciding, narrowing and signing run to the end
 * at once. Whatever happens, exactly one AuditEvent is written, and before the answer leaves.
 */

import { createHash } from 'node:crypto'
import type { Audit, AuditEvent } from './audit.ts'
import { type Grant, narrow, offeredTtl, type ResourceRules } from './grant.ts'
import type { Evidence, Identity } from './identity.ts'
import type { SigningKeys } from './keys.ts'
import { digestOf, parseJwt, type UnverifiedJwt } from './net/jwt.ts'
import type { Policies } from './policies.ts'
import { decide } from './policy/decide.ts'
import type { Question } from './policy/question.ts'
import { printable, Refusal } from './refusal.ts'
import { spend } from './replay.ts'
import type { Store } from './store/store.ts'
import { signToken } from './token.ts'
import type { TrustTable } from './trust.ts'

/** What the caller wants: parsed and size-checked by `src/http/token.ts`, not trusted. */
export type Ask = {
  /** The decision id. */
  readonly id: string
  readonly grantType: string
  readonly evidence: Evidence
  /** `client_id` as sent. It means something only beside a `client_assertion`. */
  readonly clientId: string | null
  /** Every `resource` parameter (RFC 8707), in canonical form. */
  readonly resources: readonly string[]
  /** Requested scopes without repeats; empty when the parameter was absent. */
  readonly scopes: readonly string[]
  /** The caller's address after the trusted-proxy rules, or null. */
  readonly sourceIp: string | null
}

/** The answer to a request that was granted. */
export type Issued = { readonly token: string; readonly grant: Grant }

/** The stages whose time is measured, in order. */
export type Stage = 'attest' | 'policy' | 'sign' | 'spend' | 'audit'

/** Measures one request: each call takes the time since the previous one. */
export type Lap = (stage: Stage) => void

/** The rooms that a request passes through. Composed in `broker.ts`. */
export type Rooms = {
  readonly issuer: string
  readonly resources: ReadonlyMap<string, ResourceRules>
  readonly trust: TrustTable
  readonly policies: Policies
  readonly keys: SigningKeys
  readonly store: Store
  readonly audit: Audit
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Starts the stopwatch of one request. */
  readonly laps: () => Lap
}

/**
 * Decides one request and issues its token.
 *
 * @throws Refusal when it is turned down, `audit_unavailable` also when its event could not be written
 */
export async function exchange(rooms: Rooms, ask: Ask): Promise<Issued> {
  const lap = rooms.laps()
  let event = opened(ask, rooms.now())
  try {
    const resource = target(rooms.resources, ask.resources)
    const jwt = parseJwt(ask.evidence.value)
    event = { ...event, evidence: described(ask.evidence, jwt) }
    const identity = await attest(rooms, ask, jwt)
    lap('attest')

    // The clock is read again: preparing evidence may have taken seconds.
    const question = pose(ask, identity, resource, seconds(rooms))
    event = { ...event, question }
    const decision = decide(question, rooms.policies.current())
    event = { ...event, decision }
    lap('policy')

    const grant = narrow(question, decision, identity, resource)
    const signer = rooms.keys.signer(question.at)
    const token = signToken(grant, rooms.issuer, ask.id, signer)
    lap('sign')

    await spend(rooms.store, identity)
    lap('spend')
    event = { ...event, outcome: 'issued', token: fingerprint(token, signer.kid, grant) }
    return { token, grant }
  } catch (error) {
    event = { ...event, ...turnedDown(error) }
    throw error
  } finally {
    await rooms.audit.record(event)
    lap('audit')
  }
}

/** The one resource that is asked for (RFC 8707 §2). */
function target(
  resources: ReadonlyMap<string, ResourceRules>,
  asked: readonly string[],
): ResourceRules {
  const [audience, another] = asked
  if (audience === undefined) {
    throw new Refusal('resource_missing', { served: [...resources.keys()] })
  }
  if (another !== undefined) throw new Refusal('resource_repeated', { found: asked.map(printable) })
  const resource = resources.get(audience)
  if (resource === undefined) {
    throw new Refusal('resource_unknown', {
      found: printable(audience),
      served: [...resources.keys()],
    })
  }
  return resource
}

async function attest(rooms: Rooms, ask: Ask, jwt: UnverifiedJwt): Promise<Identity> {
  const prepared = await rooms.trust.select(jwt).prepare(jwt, seconds(rooms))
  const identity = prepared.verify(seconds(rooms))
  const named = ask.evidence.carrier === 'client_assertion' ? ask.clientId : null
  if (named !== null && named !== identity.uri) {
    throw new Refusal('client_mismatched', { found: printable(named), expected: identity.uri })
  }
  return identity
}

/** Puts together everything that the decision may depend on. */
function pose(ask: Ask, identity: Identity, resource: ResourceRules, now: number): Question {
  const requestedTtl = offeredTtl(identity, resource, now)
  if (requestedTtl <= 0) {
    throw new Refusal('token_expired', { expiredAt: identity.expiresAt, now })
  }
  const { kind, trust, uri, principal, ancestry, facts } = identity
  return {
    version: 1,
    at: now,
    sourceIp: ask.sourceIp,
    operation: 'issue',
    audience: resource.audience,
    scopes: ask.scopes,
    requestedTtl,
    sender: 'bearer',
    actor: { kind, trust, uri, principal, ancestry, facts },
    subject: uri,
    chain: [],
    delegationDepth: 0,
    attestationAge: Math.max(0, now - identity.issuedAt),
  }
}

function opened(ask: Ask, nowMilliseconds: number): AuditEvent {
  return {
    version: 1,
    id: ask.id,
    at: new Date(nowMilliseconds).toISOString(),
    outcome: 'failed',
    reason: null,
    detail: {},
    grantType: ask.grantType,
    evidence: described(ask.evidence, null),
    question: null,
    decision: null,
    token: null,
  }
}

function described(evidence: Evidence, jwt: UnverifiedJwt | null): AuditEvent['evidence'] {
  const shown = {
    carrier: evidence.carrier,
    digest: jwt === null ? null : digestOf(jwt),
    claimedIssuer: jwt === null ? null : printable(jwt.claims['iss']),
    claimedSubject: jwt === null ? null : printable(jwt.claims['sub']),
  }
  return [shown]
}

function fingerprint(token: string, kid: string, grant: Grant): AuditEvent['token'] {
  const sha256 = createHash('sha256').update(token).digest('base64url')
  return { sha256, kid, scope: grant.scopes.join(' '), expiresAt: grant.expiresAt }
}

function turnedDown(error: unknown): Pick<AuditEvent, 'outcome' | 'reason' | 'detail' | 'token'> {
  return error instanceof Refusal
    ? { outcome: 'refused', reason: error.reason, detail: error.detail, token: null }
    : { outcome: 'failed', reason: 'internal_error', detail: {}, token: null }
}

function seconds(rooms: Rooms): number {
  return Math.floor(rooms.now() / 1000)
}
