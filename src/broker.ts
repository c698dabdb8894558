/** The composition root: Config → Broker. Every room is made here and nowhere else. */

import { randomBytes } from 'node:crypto'
import { accessTokens } from './accesstoken.ts'
import { ADVICE } from './advice.ts'
import { type Audit, type AuditEvent, type AuditSink, auditTo, fileSink } from './audit.ts'
import { callers } from './caller.ts'
import type { CertificateStatus } from './certificate.ts'
import { type Challenges, challenges } from './challenge.ts'
import { type Config, policySettings } from './config.ts'
import { decisionId } from './decisionid.ts'
import { type Ask, exchange, type Issued, type Rooms } from './exchange.ts'
import { type Feed, feeds } from './feed.ts'
import { type Geo, NO_GEO, openGeo } from './geo.ts'
import type { MetadataRoom } from './http/metadata.ts'
import { createMeter, type Meter } from './http/metrics.ts'
import type { Attestor, AttestorHealth } from './identity.ts'
import { type Finding, type Inquiry, introspect } from './introspection.ts'
import type { SigningKeys } from './keys.ts'
import { createDoor, type Door } from './net/fetch.ts'
import { systemTimers, type Timers } from './net/timers.ts'
import { openKeys, openStore, secretOf, startUpkeep } from './opening.ts'
import { pace, together } from './pace.ts'
import { keepPolicies, type Policies } from './policies.ts'
import { decide } from './policy/decide.ts'
import { type Explanation, explain } from './policy/explain.ts'
import { possession } from './possession.ts'
import type { Detail } from './refusal.ts'
import { openRevocations, type Revocations } from './revocations.ts'
import { type Return, takeBack } from './revoking.ts'
import type { Store } from './store/store.ts'
import { type Successes, successes } from './successes.ts'
import { type Traces, traced } from './traces.ts'
import { withTrust } from './trustmetrics.ts'
import { epochSeconds } from './units.ts'
import { openRelays, startAttestors } from './vouchers.ts'
import { type Vouching, vouching } from './vouching.ts'

/** What a broker needs of the process it runs in. */
export type World = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A monotonic clock, milliseconds. */
  readonly stopwatch: () => number
  /** Where audit lines go when the configuration names no file. */
  readonly auditSink: AuditSink
  /** A sentence for the operator, with data. */
  readonly warn: (detail: Detail, sentence: string) => void
  /** Time that passes; the process's own when absent. */
  readonly timers?: Timers
  /** The door out; a test may hand in one with its own resolver. */
  readonly door?: Door
  /** Where requests are traced; absent for nowhere. */
  readonly traces?: Traces
  /** The certificates of the listeners, for the metrics. */
  readonly certificates?: () => readonly CertificateStatus[]
  /** Policies that are kept already, of the same settings: brokers of one process may share them. */
  readonly policies?: Policies
}

/** A decision as the operator reads it. */
export type ExplainedDecision = {
  readonly event: AuditEvent
  /** What to do about the refusal; null when a token was issued. */
  readonly advice: string | null
  /** Null when the request was refused before there was anything to decide. */
  readonly explanation: Explanation | null
  /** Whether the policies in force now are those that decided. If not, the explanation is theirs. */
  readonly sameGeneration: boolean
}

/** One broker. A process may host several. */
export type Broker = {
  readonly meter: Meter
  readonly metadata: MetadataRoom
  readonly policies: Policies
  /** What was taken back, as this replica knows it. */
  readonly revocations: Revocations
  readonly bodyLimitBytes: number
  /** Null where nothing is traced. */
  readonly traces: Traces | null
  /** A new decision id. */
  newId(): string
  /** What a caller has to have its platform sign. */
  newChallenge(): string
  /** Decides one request. @throws Refusal */
  exchange(ask: Ask): Promise<Issued>
  /** Says what a token is good for. @throws Refusal */
  introspect(inquiry: Inquiry): Promise<Finding>
  /** Takes a token back for its holder. @throws Refusal */
  takeBack(wish: Return): Promise<void>
  /** The signed feed of revocations. @throws Refusal */
  feed(): Promise<Feed>
  /** Whether a valid request would be answered now. */
  ready(): boolean
  /** It is not ready from now on, so that no further callers are sent here. It still answers. */
  retire(): void
  retired(): boolean
  attestors(): readonly AttestorHealth[]
  /** The event of a decision and why it was so; null when it is not kept. */
  explainDecision(id: string): Promise<ExplainedDecision | null>
  /** Ends background work and closes the store. Call it when no request is under way. */
  close(): Promise<void>
}

/**
 * Builds a broker and starts its background work. An issuer that cannot be reached does not stop it; unusable
 * policies, keys or store do.
 *
 * @throws Error with a sentence for the operator
 */
export async function createBroker(config: Config, world: World): Promise<Broker> {
  const store = await openStore(config)
  const cleanup: (() => void | Promise<void>)[] = [() => store.close()]
  const close = async () => {
    for (const end of cleanup.splice(0).reverse()) await end()
  }
  try {
    const sink = config.audit.file === null ? world.auditSink : fileSink(config.audit.file)
    cleanup.push(() => sink.close())
    const secret = secretOf(config, world)
    const timers = world.timers ?? systemTimers
    const revocations = await openRevocations({ ...world, store, timers })
    cleanup.push(() => revocations.close())
    const isRevoked = (name: string) => revocations.revoked([name], 0) !== null
    const keys = await openKeys(config, store, world, secret, isRevoked)
    const seen = { ...world, door: world.door ?? createDoor() }
    // Platforms are asked for their keys while a thread of its own loads the policies.
    const starting = startAttestors(config, seen, cleanup)
    starting.catch(() => undefined)
    const policies =
      world.policies ??
      (await keepPolicies({
        path: config.policies.path,
        settings: policySettings(config),
        warn: world.warn,
        now: world.now,
        maxStaleSeconds: config.policies.maxStaleSeconds,
      }))
    cleanup.push(() => policies.close())
    const geo =
      config.policies.geo === null
        ? NO_GEO
        : await openGeo({ ...config.policies.geo, warn: world.warn })
    cleanup.push(() => geo.close())
    const asked = challenges(secret, randomBytes)
    const attestors = await starting
    const challengeEnd = asked.check
    const noted = successes(world.now)
    const relays = noted.notingRelays(
      openRelays(config, { ...seen, issuer: config.issuer, challengeEnd }),
    )
    const vouched = noted.noting(vouching(attestors, relays, asked))
    const who = { attestors, challenges: asked, vouching: vouched, noted }
    cleanup.push(startUpkeep(config, world, store, keys, revocations))
    policies.watch()
    geo.watch()
    return assemble(config, world, { store, keys, revocations, policies, geo, ...who, sink, close })
  } catch (error) {
    await close()
    throw error
  }
}

type Parts = {
  readonly store: Store
  readonly keys: SigningKeys
  readonly revocations: Revocations
  readonly policies: Policies
  readonly geo: Geo
  readonly attestors: readonly Attestor[]
  readonly challenges: Challenges
  readonly vouching: Vouching
  readonly noted: Successes
  readonly sink: AuditSink
  readonly close: () => Promise<void>
}

function assemble(config: Config, world: World, parts: Parts): Broker {
  const { store, keys, policies, geo, attestors, sink, close } = parts
  const health = () =>
    attestors.map((attestor) => ({
      ...attestor.health(),
      lastSuccessAt: parts.noted.last(attestor.trust),
    }))
  const { retentionSeconds } = config.audit
  const audit = auditTo({ sink, store, retentionSeconds, now: world.now, warn: world.warn })
  const seconds = () => epochSeconds(world.now())
  let retired = false
  const ready = () => !retired && audit.working() && health().some((attestor) => attestor.ready)
  const feed = feeds({ issuer: config.issuer, keys, revocations: parts.revocations, seconds })
  const counted = createMeter({
    revocations: () => ({ ...parts.revocations.status(), omitted: feed.omitted() }),
    policies: () => policies.status(),
    attestors: health,
    unkept: audit.unkept,
    keys: () => keys.lives(seconds()),
    certificates: world.certificates ?? (() => []),
    ready,
    seconds,
  })
  const meter = withTrust(counted, health, parts.noted.relays)
  const rooms = {
    issuer: config.issuer,
    resources: new Map(config.resources.map((resource) => [resource.audience, resource])),
    vouching: parts.vouching,
    prove: possession(),
    policies,
    geo,
    keys,
    revocations: parts.revocations,
    store,
    audit,
    now: world.now,
    pace: pace(world.stopwatch, meter.took),
    ruled: meter.ruled,
  }
  const traces = world.traces ?? null
  return {
    meter,
    traces,
    policies,
    revocations: parts.revocations,
    metadata: metadataOf(config, attestors, () => keys.published(seconds())),
    bodyLimitBytes: config.listen.bodyLimitBytes,
    newId: () => decisionId(world.now()),
    newChallenge: () => parts.challenges.issue(seconds()),
    exchange: together(
      traces === null ? (ask: Ask) => exchange(rooms, ask) : traced(rooms, traces),
    ),
    ...aboutTokens(config, { ...rooms, seconds }),
    feed: feed.current,
    ready,
    retire() {
      retired = true
    },
    retired: () => retired,
    attestors: health,
    explainDecision: (id) => explained(audit, policies, id),
    async close() {
      retired = true
      await close()
    },
  }
}

function metadataOf(
  { issuer, resources }: Config,
  attestors: readonly Attestor[],
  publishedKeys: MetadataRoom['publishedKeys'],
): MetadataRoom {
  return {
    issuer,
    scopes: [...new Set(resources.flatMap((resource) => resource.scopes))],
    assertionAlgorithms: [...new Set(attestors.flatMap((attestor) => attestor.algorithms))],
    spiffe: attestors.some(({ kind }) => kind === 'spiffe'),
    publishedKeys,
  }
}

/** What can be asked about a token that has left. */
function aboutTokens(
  { resources }: Pick<Config, 'resources'>,
  rooms: Rooms & { readonly revocations: Revocations; readonly seconds: () => number },
): Pick<Broker, 'introspect' | 'takeBack'> {
  const asking = { ...rooms, tokens: accessTokens(rooms.issuer, rooms.keys) }
  const servers = new Map(resources.map(({ audience, servedBy }) => [audience, servedBy]))
  const servedBy = (audience: string) => servers.get(audience) ?? []
  const known = { ...asking, servedBy, callers: callers(asking) }
  return {
    introspect: (inquiry) => introspect(known, inquiry),
    takeBack: (wish) => takeBack(known, wish),
  }
}

async function explained(
  audit: Audit,
  policies: Policies,
  id: string,
): Promise<ExplainedDecision | null> {
  const event = await audit.find(id)
  if (event === null) return null
  const { question, decision, reason } = event
  const advice = reason === null || reason === 'internal_error' ? null : ADVICE[reason]
  const generation = policies.current()
  const sameGeneration = decision === null || decision.generation === generation.id
  const judged = sameGeneration || question === null ? decision : decide(question, generation)
  const explanation =
    question === null || judged === null ? null : explain(question, judged, generation)
  return { event, advice, explanation, sameGeneration }
}
