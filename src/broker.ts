/** The composition root: Config → Broker. Every room is made here and nowhere else. */

import { randomBytes } from 'node:crypto'
import { type AboutTokens, aboutTokens } from './abouttokens.ts'
import { type AccessTokens, accessTokens } from './accesstoken.ts'
import { type Audit, type AuditSink, auditTo, fileSink } from './audit.ts'
import type { CertificateStatus } from './certificate.ts'
import { type Challenges, challenges } from './challenge.ts'
import { type ClientAuthorities, certificateJudge } from './clientcertificate.ts'
import { type Config, policySettings } from './config.ts'
import { decisionId } from './decisionid.ts'
import { type Behalf, delegation, startProviders } from './delegation.ts'
import { type Ask, exchange, type Issued } from './exchange.ts'
import { type ExplainedDecision, explained } from './explained.ts'
import { type Feed, feeds } from './feed.ts'
import { type Geo, NO_GEO, openGeo } from './geo.ts'
import { certificateReader, type ReadCertificates } from './http/certificates.ts'
import type { MetadataRoom } from './http/metadata.ts'
import { createMeter, type Meter } from './http/metrics.ts'
import type { Attestor, AttestorHealth } from './identity.ts'
import type { SigningKeys } from './keys.ts'
import { createDoor, type Door } from './net/fetch.ts'
import { systemTimers, type Timers } from './net/timers.ts'
import { type Nonces, nonces } from './nonce.ts'
import { openKeys, openStore, secretOf, startUpkeep } from './opening.ts'
import { pace, together } from './pace.ts'
import { pinPolicies, spending } from './pinning.ts'
import { keepPolicies, type Policies } from './policies.ts'
import { possession } from './possession.ts'
import { published } from './published.ts'
import type { Detail } from './refusal.ts'
import { openRevocations, type Revocations } from './revocations.ts'
import type { Store } from './store/store.ts'
import { type Successes, successes } from './successes.ts'
import { targets } from './target.ts'
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
  /** Whose certificates bind tokens; absent for anybody's. */
  readonly clientAuthorities?: ClientAuthorities
  /** Policies that are kept already, of the same settings: brokers of one process may share them. */
  readonly policies?: Policies
}

/** One broker. A process may host several. */
export type Broker = AboutTokens & {
  readonly meter: Meter
  readonly metadata: MetadataRoom
  readonly policies: Policies
  /** What was taken back, as this replica knows it. */
  readonly revocations: Revocations
  readonly bodyLimitBytes: number
  readonly certificates: ReadCertificates
  /** Null where nothing is traced. */
  readonly traces: Traces | null
  /** A new decision id. */
  newId(): string
  /** What a caller has to have its platform sign. */
  newChallenge(): string
  /** What the next DPoP proof has to repeat. */
  newNonce(): string
  /** Decides one request. @throws Refusal */
  exchange(ask: Ask): Promise<Issued>
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
    const providers = await startProviders(config, seen, cleanup)
    const challengeEnd = asked.check
    const noted = successes(world.now)
    const relays = noted.notingRelays(
      openRelays(config, { ...seen, issuer: config.issuer, challengeEnd }),
    )
    const vouched = noted.noting(vouching(attestors, relays, asked))
    const given = nonces(secret, randomBytes)
    const who = { attestors, challenges: asked, nonces: given, vouching: vouched, noted }
    const tokens = accessTokens(config.issuer, keys)
    const behalf = delegation(config, { tokens, providers, secret })
    cleanup.push(startUpkeep(config, world, store, keys, revocations))
    policies.watch()
    geo.watch()
    const opened = { store, keys, revocations, policies, geo, ...who, tokens, behalf, sink, close }
    return assemble(config, world, opened)
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
  readonly nonces: Nonces
  readonly vouching: Vouching
  readonly noted: Successes
  readonly tokens: AccessTokens
  readonly behalf: Behalf
  readonly sink: AuditSink
  readonly close: () => Promise<void>
}

function assemble(config: Config, world: World, parts: Parts): Broker {
  const { store, keys, policies, attestors, sink, close } = parts
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
  const pins = pinPolicies(config)
  const feed = feeds({ issuer: config.issuer, keys, revocations: parts.revocations, seconds })
  const counted = createMeter({
    revocations: () => ({ ...parts.revocations.status(), omitted: feed.omitted() }),
    policies: () => policies.status(),
    attestors: health,
    pinning: [...pins.keys()],
    unkept: audit.unkept,
    keys: () => keys.lives(seconds()),
    certificates: world.certificates ?? (() => []),
    ready,
    seconds,
  })
  const meter = withTrust(counted, health, parts.noted.relays)
  const rooms = roomsOf(config, world, parts, { audit, meter, pins })
  const traces = world.traces ?? null
  return {
    meter,
    traces,
    policies,
    revocations: parts.revocations,
    metadata: published(config, parts, seconds),
    bodyLimitBytes: config.listen.bodyLimitBytes,
    certificates: certificateReader(config.listen),
    newId: () => decisionId(world.now()),
    newChallenge: () => parts.challenges.issue(seconds()),
    newNonce: () => parts.nonces.offer(seconds()),
    exchange: together(
      traces === null ? (ask: Ask) => exchange(rooms, ask) : traced(rooms, traces),
    ),
    ...aboutTokens({ ...rooms, tokens: parts.tokens, seconds }),
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

/** What was made of the parts. */
type Made = {
  readonly audit: Audit
  readonly meter: Meter
  readonly pins: ReturnType<typeof pinPolicies>
}

/** The rooms that requests pass through. */
function roomsOf(config: Config, world: World, parts: Parts, { audit, meter, pins }: Made) {
  const { store, keys, revocations, policies, geo } = parts
  return {
    issuer: config.issuer,
    targets: targets(config),
    vouching: parts.vouching,
    ...parts.behalf,
    prove: possession(parts.nonces, certificateJudge(world.clientAuthorities ?? (() => null))),
    policies,
    geo,
    keys,
    spend: spending(store, pins, meter.pinned),
    revocations,
    audit,
    now: world.now,
    pace: pace(world.stopwatch, meter.took),
    ruled: meter.ruled,
  }
}
