/**
 * ★ The story of one token request. Every grant type comes here; there is no second path.
 *
 *     Ask → target → prove → attest → mandate → pose → decide → narrow → sign → spend → answer
 *
 * Only preparing evidence and spending it wait. Requests of one event-loop turn take each stage together
 * (`pace.ts`). One AuditEvent is written before the answer leaves; if it cannot be, there is no token.
 */

import { hash } from 'node:crypto'
import type { Audit, AuditEvent } from './audit.ts'
import type { Authority } from './authority.ts'
import type { Carried } from './carried.ts'
import type { Geo } from './geo.ts'
import { type Found, type Grant, narrow, offeredTtl } from './grant.ts'
import type { Evidence, Identity, Prepared } from './identity.ts'
import { formOf, issue, type Wanted } from './issuance.ts'
import type { SigningKeys } from './keys.ts'
import { namesOfIdentity, toldOrigins } from './lineage.ts'
import { type Asking, type Mandate, ownMandate } from './mandate.ts'
import type { Pace } from './pace.ts'
import type { Spend } from './pinning.ts'
import type { Policies } from './policies.ts'
import { decide } from './policy/decide.ts'
import type { Decision, Question } from './policy/question.ts'
import { type Held, type Proofs, type Prove, UNBOUND } from './possession.ts'
import { blamed, blaming, Refusal } from './refusal.ts'
import type { SpendableAuthority } from './replay.ts'
import { admit, type Revocations } from './revocations.ts'
import { describedSubject, type ShownSubject, type Subjects } from './subjects.ts'
import type { Targets } from './target.ts'
import { epochSeconds } from './units.ts'
import { demandNamed, described, type Vouching } from './vouching.ts'

/** What the caller wants: parsed and size-checked by `src/http/token.ts`, not trusted. */
export type Ask = {
  /** The decision id. */
  readonly id: string
  readonly grantType: string
  readonly evidence: Evidence
  /** Second evidence of the same workload; null for none. */
  readonly attestation: Evidence | null
  /** Whose authority the request rests on (RFC 8693); null for the workload's own. */
  readonly subject: ShownSubject | null
  /** The workload that may act by the token, as a canonical URI; null for nobody. */
  readonly mayAct: string | null
  /** `client_id` as sent. It means something only beside a `client_assertion`, or where a certificate is the credential. */
  readonly clientId: string | null
  /** An access token, or what else an exchange may ask for. */
  readonly wanted: Wanted
  /** The actor that a person would be asked about (draft-oauth-ai-agents-on-behalf-of-user §4.1); null for none. */
  readonly requestedActor: string | null
  /** Every `resource` parameter (RFC 8707), as sent. */
  readonly resources: readonly string[]
  /** Every `audience` parameter of an exchange (RFC 8693 §2.1), as sent. */
  readonly audiences: readonly string[]
  /** Requested scopes without repeats; empty when the parameter was absent. */
  readonly scopes: readonly string[]
  /** The caller's address after the trusted-proxy rules, or null. */
  readonly sourceIp: string | null
  /** What shows that the caller holds a key; null when nothing does. */
  readonly proofs: Proofs | null
}

/** The answer to a request that was granted. */
export type Issued = {
  readonly token: string
  readonly grant: Grant
  /** What it is, where the answer has to say so: that of an exchange (RFC 8693 §2.2.1); null elsewhere. */
  readonly issuedType: Wanted['type'] | null
}

/** The stages of a request, in order. */
export type Stage = 'prove' | 'prepare' | 'attest' | 'policy' | 'sign' | 'spend' | 'audit'

/** The rooms that a request passes through. Composed in `broker.ts`. */
export type Rooms = {
  readonly issuer: string
  /** Finds what is asked for. */
  readonly targets: Targets
  readonly vouching: Vouching
  readonly subjects: Subjects
  /** What a caller may ask for by somebody's authority. */
  readonly mandate: (authority: Authority, asking: Asking) => Mandate
  /** Judges what the caller shows of keys. */
  readonly prove: Prove
  readonly policies: Policies
  /** Where addresses are. */
  readonly geo: Geo
  readonly keys: SigningKeys
  /** What tokens carry of people, for later hops. */
  readonly carried: Carried
  /** Spends and pins what the request shows. */
  readonly spend: Spend
  readonly revocations: Pick<Revocations, 'revoked' | 'insist'>
  readonly audit: Audit
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Takes the requests of one event-loop turn through each stage together, and measures it. */
  readonly pace: Pace<Stage>
  /** Hears every decision, for the metrics. */
  readonly ruled: (decision: Decision) => void
}

/** The event while its request is under way. */
type Draft = { -readonly [Part in keyof AuditEvent]: AuditEvent[Part] }

type Spent = { readonly issued: Issued; readonly takeBack: () => Promise<void> }

/**
 * Decides one request and issues its token: the story, in a frame that records how it ended.
 *
 * @throws Refusal when it is turned down, `audit_unavailable` also when its event could not be written
 */
export async function exchange(rooms: Rooms, ask: Ask): Promise<Issued> {
  const event = opened(ask, rooms.now())
  let spent: Spent
  try {
    spent = await tell(rooms, ask, event)
  } catch (error) {
    turnDown(event, error)
    await rooms.audit.record(event)
    throw error
  }
  try {
    await rooms.pace('audit', () => rooms.audit.record(event))
  } catch (error) {
    // The token will not leave, so its evidence must stay usable: callers are told to try again.
    await spent.takeBack()
    throw error
  }
  return spent.issued
}

/** The story. What it finds out on the way goes into the event at once, for whoever reads a refusal. */
async function tell(rooms: Rooms, ask: Ask, event: Draft): Promise<Spent> {
  const { pace } = rooms
  const { resource, to } = rooms.targets(ask)
  const held = await prove(rooms, ask)
  const prepared = await pace('prepare', () => prepare(rooms, ask, event))
  // The clock is read again: preparing evidence may have taken seconds.
  const identity = await pace('attest', () => attest(ask, prepared, epochSeconds(rooms.now())))
  event.origin = originOf(identity)
  admit(rooms.revocations, namesOfIdentity(identity), epochSeconds(rooms.now()))
  const authority = ask.subject === null ? null : await authorityOf(rooms, ask.subject)
  if (authority !== null) event.origin = { ...originOf(identity), authority: authority.lineage }
  const asking = { identity, held, resource, scopes: ask.scopes, mayAct: ask.mayAct }
  const mandate = mandateOf(rooms, ask, authority, asking)
  const form = formOf(ask.wanted, { to, authority, id: ask.id })

  const found = { identity, authority, held, resource, mandate }
  const question = pose(rooms, ask, found)
  event.question = question
  const decision = await pace('policy', () => decide(question, rooms.policies.inForce()))
  event.decision = decision
  rooms.ruled(decision)

  const grant = narrow(question, decision, found)
  const signer = rooms.keys.signer(question.at)
  const carry = { issuer: rooms.issuer, jti: ask.id, carried: rooms.carried }
  const token = await pace('sign', () => issue(grant, form, carry, signer))

  const spendable = { identity, held, authority: spendableOf(ask, authority) }
  const use = { id: ask.id, at: question.at, sourceIp: ask.sourceIp }
  const takeBack = await pace('spend', () => rooms.spend(spendable, use))
  event.outcome = 'issued'
  event.token = fingerprint(token, signer.kid, grant)
  const issuedType = ask.subject?.carrier === 'subject_token' ? form.type : null
  return { issued: { token, grant, issuedType }, takeBack }
}

/** The key that the token will be bound to. Judged first: it costs no one else anything. */
function prove({ pace, prove: judge, now }: Rooms, { proofs }: Ask): Held | Promise<Held> {
  return proofs === null ? UNBOUND : pace('prove', () => judge(proofs, epochSeconds(now())))
}

function prepare(rooms: Rooms, ask: Ask, event: Draft): Prepared | Promise<Prepared> {
  return rooms.vouching.prepare(ask, epochSeconds(rooms.now()), (seen) => {
    event.evidence = [...seen, ...describedSubject(ask.subject)]
  })
}

function attest(ask: Ask, prepared: Prepared, now: number): Identity {
  const identity = prepared.verify(now)
  const { evidence, subject, clientId } = ask
  const { carrier } = evidence
  const authenticates = carrier === 'client_assertion' || carrier === 'certificate'
  // Beside an ID-JAG it may also be the name that its issuer has for the client.
  const isOwn = authenticates && subject?.carrier !== 'assertion'
  demandNamed(identity, isOwn ? clientId : null)
  return identity
}

/** The first evidence can be shown again with a second one that ends later, so its own end counts. */
function originOf(identity: Identity): NonNullable<AuditEvent['origin']> {
  return { ...toldOrigins(identity), expiresAt: identity.replay.until ?? identity.expiresAt }
}

/** Whose authority it is. What is wrong with a subject token is never said of the workload's credential. */
async function authorityOf(
  { subjects, revocations, pace, now }: Rooms,
  shown: ShownSubject,
): Promise<Authority> {
  try {
    const proof = await pace('prepare', () => subjects.prepare(shown, epochSeconds(now())))
    const authority = await pace('attest', () => proof.verify(epochSeconds(now())))
    admit(revocations, authority.names, authority.issuedAt)
    return authority
  } catch (error) {
    throw blamed(shown.carrier, error)
  }
}

/** What the caller may ask for. What is wrong with using a subject token here is not said of the caller's own either. */
function mandateOf(
  rooms: Rooms,
  { subject, clientId }: Ask,
  authority: Authority | null,
  asking: Asking,
): Mandate {
  if (subject === null || authority === null) return ownMandate(asking)
  const { use } = authority
  // Beside an ID-JAG a client may be named as the ID-JAG names it, too: so it is registered for this use.
  const isAlias = use.by === 'client' && use.name === clientId
  if (subject.carrier === 'assertion') demandNamed(asking.identity, isAlias ? null : clientId)
  return blaming(subject.carrier, () => rooms.mandate(authority, asking))
}

function spendableOf({ subject }: Ask, authority: Authority | null): SpendableAuthority | null {
  return subject === null || authority === null ? null : { ...authority, carrier: subject.carrier }
}

/** Puts together everything that the decision may depend on. */
function pose(rooms: Rooms, ask: Ask, found: Found): Question {
  const { identity, authority, held, resource, mandate } = found
  const now = epochSeconds(rooms.now())
  const requestedTtl = offeredTtl(found, now)
  if (requestedTtl <= 0) {
    throw new Refusal('token_expired', { expiredAt: identity.expiresAt, now })
  }
  const { kind, trust, uri, principal, ancestry, facts } = identity
  return {
    version: 1,
    at: now,
    sourceIp: ask.sourceIp,
    place: rooms.geo.place(ask.sourceIp),
    operation: mandate.operation,
    audience: resource.audience,
    scopes: mandate.scopes,
    requestedTtl,
    sender: held.sender,
    actor: { kind, trust, uri, principal, ancestry, facts },
    subject: mandate.subject,
    user: authority?.user ?? null,
    chain: mandate.chain,
    delegationDepth: mandate.chain.length,
    attestationAge: Math.max(0, now - identity.issuedAt),
  }
}

function opened(ask: Ask, nowMilliseconds: number): Draft {
  return {
    version: 1,
    id: ask.id,
    at: new Date(nowMilliseconds).toISOString(),
    outcome: 'failed',
    reason: null,
    detail: {},
    grantType: ask.grantType,
    ...(ask.requestedActor !== null && { requestedActor: ask.requestedActor }),
    evidence: [...described(ask, null), ...describedSubject(ask.subject)],
    question: null,
    decision: null,
    token: null,
  }
}

function fingerprint(token: string, kid: string, grant: Grant): AuditEvent['token'] {
  const { scopes, mayAct, expiresAt } = grant
  const sha256 = hash('sha256', token, 'base64url')
  return { sha256, kid, scope: scopes.join(' '), ...(mayAct !== null && { mayAct }), expiresAt }
}

function turnDown(event: Draft, error: unknown): void {
  const refusal = error instanceof Refusal ? error : null
  event.outcome = refusal === null ? 'failed' : 'refused'
  event.reason = refusal?.reason ?? 'internal_error'
  event.detail = refusal?.detail ?? {}
}
