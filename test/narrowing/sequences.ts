/**
 * Sequences of exchanges, made by chance, through `exchange` as the endpoint calls it: whoever asks, for whatever, by
 * whatever token, nothing that comes of it is wider than what it came of.
 */

import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import type { Ask } from '../../src/exchange.ts'
import { Refusal } from '../../src/refusal.ts'
import type { Random } from '../differential/random.ts'
import { issue } from '../world/authority.ts'
import { RESOURCE } from '../world/broker.ts'
import {
  ACCESS_TOKEN,
  CHAT,
  CHAT_SERVER,
  type DelegationWorld,
  ID_TOKEN,
} from '../world/delegation.ts'

const FILES = 'https://files.example.com'

/** Resources and policies in which there is much to go wrong: maps both ways, two servers, short lives. */
export const SETTINGS = {
  resources: [
    {
      audience: RESOURCE,
      scopes: ['trades:read', 'trades:write'],
      maxTtl: '10m',
      from: {
        [CHAT]: { 'chat:use': ['trades:read'], 'chat:admin': ['trades:read', 'trades:write'] },
      },
    },
    {
      audience: CHAT,
      scopes: ['chat:use', 'chat:admin'],
      servedBy: [CHAT_SERVER],
      from: { [FILES]: { 'files:read': ['chat:use'] } },
    },
    {
      audience: FILES,
      scopes: ['files:read', 'files:write'],
      maxTtl: '2m',
      servedBy: ['k8s://prod-eu/ns/agents/sa/third'],
      from: { [RESOURCE]: { 'trades:read': ['files:read'], 'trades:write': ['files:write'] } },
    },
  ],
}

export const POLICIES = {
  'narrowing.cedar': `
@id("all") @owner("x")
permit (principal in Namespace::"prod-eu/agents", action, resource);
@id("brief") @owner("x") @ttl("1m")
permit (principal in Namespace::"prod-eu/agents", action == Action::"trades:write", resource);
@id("no-writes-deep") @owner("x")
forbid (principal, action in [Action::"trades:write", Action::"chat:admin"], resource) when { context.delegationDepth >= 2 };
@id("not-after-third") @owner("x")
forbid (principal, action == Action::"chat:use", resource) when { context.chain.contains("k8s://prod-eu/ns/agents/sa/third") };
@id("only-traders") @owner("x")
forbid (principal, action == Action::"delegate", resource) when { context has user && !(context.user in Group::"corp/traders") };
`,
}

const AGENTS = ['planner', 'helper', 'chat', 'third']
const AUDIENCES = [RESOURCE, CHAT, FILES]
const SCOPES = [
  'trades:read',
  'trades:write',
  'chat:use',
  'chat:admin',
  'files:read',
  'files:write',
]
const MAPS = new Map(
  SETTINGS.resources.map(({ audience, from }): [string, Maps] => [audience, from as Maps]),
)

type Maps = Readonly<Record<string, Readonly<Record<string, readonly string[]>> | undefined>>

/** Keys of callers, as their connections show them. */
const CERTIFICATES = [0, 1, 2].map((n) => issue(`client-${n}`).der)

/** What was tried, and what came of it. */
export type Tally = {
  sequences: number
  exchanges: number
  issued: number
  deepest: number
  readonly refused: Map<string, number>
}

export const emptyTally = (): Tally => ({
  sequences: 0,
  exchanges: 0,
  issued: 0,
  deepest: 0,
  refused: new Map(),
})

type Claims = {
  readonly sub: string
  readonly aud: string
  readonly client_id: string
  readonly exp: number
  readonly iat: number
  readonly scope?: string
  readonly cnf?: object
  readonly act?: Actor
  readonly may_act?: { readonly sub: string }
  readonly lineage: readonly string[]
  readonly receipts?: readonly string[]
}
type Actor = { readonly sub: string; readonly act?: Actor }
type Link = { readonly token: string; readonly claims: Claims | null }

/** A world, and the tokens of two people in it. */
export type Cast = {
  readonly world: DelegationWorld
  readonly people: { readonly trader: string; readonly other: string }
}

/** A trader and somebody who is none, signed in for longer than the world lasts. */
export function cast(world: DelegationWorld): Cast {
  const tokenOf = (groups: readonly string[]) =>
    world.idToken(({ claims }) =>
      Object.assign(claims, { groups, exp: Number(claims['iat']) + 86_400 }),
    )
  return { world, people: { trader: tokenOf(['traders']), other: tokenOf(['staff']) } }
}

/** Runs one sequence of up to six exchanges and checks each token against the one before it. */
export async function runSequence(
  { world, people }: Cast,
  by: Random,
  tally: Tally,
): Promise<void> {
  tally.sequences += 1
  let held: Link = { token: by.chance(0.9) ? people.trader : people.other, claims: null }
  if (by.chance(0.3)) held = (await attempt(world, ownAsk(world, by), null, tally)) ?? held
  for (let hop = 0; hop < 6; hop += 1) {
    if (by.chance(0.2)) world.clock.advance(by.below(40))
    const next = await attempt(world, exchangeAsk(world, by, held), held, tally)
    // Mostly go on with the new token; sometimes with the old one again.
    if (next !== null && by.chance(0.9)) held = next
    if (by.chance(0.3)) return
  }
}

async function attempt(
  world: DelegationWorld,
  ask: Ask,
  before: Link | null,
  tally: Tally,
): Promise<Link | null> {
  tally.exchanges += 1
  try {
    const { token } = await world.broker.exchange(ask)
    const claims = decodeJwt(token) as unknown as Claims
    tally.issued += 1
    tally.deepest = Math.max(tally.deepest, actorsOf(claims.act).length)
    assertWithin(ask, claims, before?.claims ?? null)
    return { token, claims }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    tally.refused.set(error.reason, (tally.refused.get(error.reason) ?? 0) + 1)
    return null
  }
}

/** What must hold of every token, and against the token that it came of. */
function assertWithin(ask: Ask, claims: Claims, before: Claims | null): void {
  const scopes = scopesOf(claims)
  assert.equal(claims.aud, ask.resources[0])
  assert.ok(ask.scopes.length === 0 || scopes.every((each) => ask.scopes.includes(each)))
  assert.equal(claims.may_act?.sub, ask.mayAct ?? undefined, 'may_act is never copied')
  assert.ok(actorsOf(claims.act).length <= 4)
  if (before === null) return
  assert.equal(claims.sub, before.sub, 'sub stays')
  assert.ok(claims.exp <= before.exp, 'no token outlives the one it came of')
  const reach =
    claims.aud === before.aud
      ? scopesOf(before)
      : scopesOf(before).flatMap((each) => MAPS.get(claims.aud)?.[before.aud]?.[each] ?? [])
  assert.deepEqual(
    scopes.filter((each) => !reach.includes(each)),
    [],
    'scopes only narrow',
  )
  assert.ok(before.cnf === undefined || claims.cnf !== undefined, 'a binding is never weakened')
  assertChain(claims, before)
  assert.deepEqual(
    before.lineage.filter((each) => !claims.lineage.includes(each)),
    [],
  )
  assert.deepEqual(claims.receipts?.slice(0, -1) ?? [], before.receipts ?? [])
}

/** The old chain is whole in the new one; its outermost actor is who asked. */
function assertChain(claims: Claims, before: Claims): void {
  const [now, then] = [actorsOf(claims.act), actorsOf(before.act)]
  assert.deepEqual(now.slice(now.length - then.length), then)
  assert.ok(now.length - then.length <= 1)
  assert.equal(now[0] ?? claims.sub, claims.client_id)
}

function scopesOf({ scope = '' }: Claims): readonly string[] {
  return scope === '' ? [] : scope.split(' ')
}

function actorsOf(act: Actor | undefined): readonly string[] {
  return act === undefined ? [] : [act.sub, ...actorsOf(act.act)]
}

function ownAsk(world: DelegationWorld, by: Random): Ask {
  return { ...common(world, by, by.pick(AGENTS)), subject: null, scopes: someScopes(by) }
}

function exchangeAsk(world: DelegationWorld, by: Random, { token, claims }: Link): Ask {
  const fitting = claims === null ? by.pick(AGENTS) : rightful(claims, by)
  const agent = by.chance(0.7) ? fitting : by.pick(AGENTS)
  return {
    ...common(world, by, agent),
    ...(claims !== null && by.chance(0.5) && { resources: [claims.aud] }),
    subject: {
      carrier: 'subject_token',
      value: token,
      type: claims === null ? ID_TOKEN : ACCESS_TOKEN,
    },
    scopes: claims === null || by.chance(0.6) ? someScopes(by) : [],
  }
}

/** Somebody who may well use the token. */
function rightful(claims: Claims, by: Random): string {
  const uris = [claims.client_id, claims.may_act?.sub, CHAT_SERVER].filter(
    (uri) => uri !== undefined,
  )
  return by.pick(uris).split('/').at(-1) ?? 'planner'
}

function someScopes(by: Random): string[] {
  return SCOPES.filter(() => by.chance(0.5))
}

function common(
  world: DelegationWorld,
  by: Random,
  agent: string,
): Omit<Ask, 'subject' | 'scopes'> {
  const certificate = by.chance(0.3) ? by.pick(CERTIFICATES) : null
  return {
    id: world.broker.newId(),
    grantType: 'property',
    evidence: { role: 'actor', carrier: 'actor_token', value: world.actor(agent) },
    attestation: null,
    clientId: null,
    resources: [by.pick(AUDIENCES)],
    audiences: [],
    wanted: { type: 'access_token' },
    requestedActor: null,
    mayAct: by.chance(0.5) ? `k8s://prod-eu/ns/agents/sa/${by.pick(AGENTS)}` : null,
    sourceIp: null,
    proofs:
      certificate === null
        ? null
        : {
            dpop: null,
            method: 'POST',
            url: `${world.issuer}/token`,
            token: null,
            jkt: null,
            areCredential: false,
            certificates: [certificate],
          },
  }
}
