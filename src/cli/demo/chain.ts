/** The second act: user → agent → sub-agent, with less authority at each hop, and who can tell afterwards. */

import { decodeJwt, type JWTPayload } from 'jose'
import { InvalidReceipts, type VerifiedChain, verifyReceipts } from '../../resource/receipts.ts'
import type { Page } from '../page.ts'
import type { Playground } from '../playground.ts'
import { about, platformToken, publicKeys } from './caller.ts'
import { ALICE, CRAWLER, exchangeAs, HELPER, type People, PLANNER, uriOf } from './people.ts'
import { tellBothEnds } from './refused.ts'

const EVERYTHING = 'trades:read trades:write'

/** The world as the agents see it. */
type Scene = { readonly ground: Playground; readonly clock: number }

/** Chapters 7 to 11. */
export async function tellChain(
  story: Page,
  ground: Playground,
  { idToken }: People,
  clock: number,
): Promise<void> {
  const scene: Scene = { ground, clock }
  const planner = await tellDelegation(story, scene, idToken(clock))
  const helper = await tellHandingOn(story, scene, planner)
  await tellReceipts(story, scene, decodeJwt(helper))
  await tellWidening(story, scene, helper)
  await tellObserved(story, scene, planner)
  await tellCascade(story, scene, planner, helper)
}

/** Alice’s agent gets a token of its own, in which she is the subject. */
async function tellDelegation(story: Page, scene: Scene, subject: string): Promise<string> {
  const { ground, clock } = scene
  story.chapter(
    '7',
    'Alice, a trader, has signed in at the chat app. Her agent shows her ID token, and its own platform token.',
  )
  const asked = { clock, scope: EVERYTHING, mayAct: HELPER }
  const { status, body } = await exchangeAs(ground, PLANNER, { subject, type: 'id_token' }, asked)
  const token = String(body['access_token'])
  const { sub, act, may_act: mayAct } = decodeJwt(token) as Claims
  story.fact('gets', `${status}  scope=${body['scope']}  expires_in=${body['expires_in']}`)
  story.fact('sub', String(sub))
  story.fact('act', actorsOf(act).join(' ← '))
  story.fact('may_act', String(mayAct?.sub))
  story.expect('the token is Alice’s, says who acts for her, and who may go on from there', () =>
    [sub, actorsOf(act).join(), mayAct?.sub].every(
      (uri, index) => uri === [ALICE, uriOf(PLANNER), uriOf(HELPER)][index],
    ),
  )
  return token
}

/** The agent lets a sub-agent do a part of the work, and only that. */
async function tellHandingOn(story: Page, scene: Scene, parent: string): Promise<string> {
  const { ground, clock } = scene
  story.chapter('8', 'The agent hands its token to a helper, which takes what it needs: to read.')
  const brought = { subject: parent, type: 'access_token' } as const
  const { body } = await exchangeAs(ground, HELPER, brought, { clock, scope: 'trades:read' })
  const child = String(body['access_token'])
  const [before, after] = [decodeJwt(parent) as Claims, decodeJwt(child) as Claims]
  story.quote('chain', [
    `${ALICE}  what a trader may`,
    `└─ ${uriOf(PLANNER)}  ${before.scope}  ${lifeOf(before)} s`,
    `   └─ ${uriOf(HELPER)}  ${after.scope}  ${lifeOf(after)} s`,
  ])
  story.fact('narrowed', `− trades:write  − ${lifeOf(before) - lifeOf(after)} s  − may_act`)
  story.expect('Alice stays the subject; both agents are named, the newest first', () =>
    [after.sub, ...actorsOf(after.act)].every(
      (uri, index) => uri === [ALICE, uriOf(HELPER), uriOf(PLANNER)][index],
    ),
  )
  story.expect(
    'there is less of everything: scopes, time, and nobody may go on',
    () =>
      after.scope === 'trades:read' &&
      before.scope === EVERYTHING &&
      lifeOf(after) < lifeOf(before) &&
      after.may_act === undefined,
  )
  return child
}

/** Whoever has the public keys can tell the chain, without the broker and without the tokens in between. */
async function tellReceipts(story: Page, { ground }: Scene, claims: JWTPayload): Promise<void> {
  story.chapter('9', 'An auditor has the last token and our public keys, and asks nobody.')
  const keys = await publicKeys(ground)
  const chain = await verifyReceipts(claims, keys)
  story.quote('receipts', [`${chain.subject}, by ${chain.vouchedBy}`, ...chain.hops.map(lineOf)])
  story.expect(
    'each hop is signed, follows the one before, and leads to this token',
    () => chain.hops.length === 2 && chain.hops[1]?.actor === uriOf(HELPER),
  )
  const [first = '', ...rest] = claims['receipts'] as readonly string[]
  const forged = { ...claims, receipts: [first.replace(/.$/, otherCharacter), ...rest] }
  const problem = await verifyReceipts(forged, keys).catch((error) => error)
  story.fact('forged', `${problem instanceof Error ? problem.message : 'passes'}`)
  story.expect('one character is changed, and it does not hold', () => {
    return problem instanceof InvalidReceipts
  })
}

/** The helper wants back what it was not given. */
async function tellWidening(story: Page, { ground, clock }: Scene, subject: string): Promise<void> {
  story.chapter('10', 'Authority only shrinks, and seeing a token is no right to use it.')
  story.refusal('A widening: the helper, by its own token, asks to write. Its policy permits that')
  const brought = { subject, type: 'access_token' } as const
  const answer = await exchangeAs(ground, HELPER, brought, { clock, scope: 'trades:write' })
  await tellBothEnds(story, ground, answer, { error: 'invalid_scope', reason: 'scope_exceeded' })
}

/** A token in the hands of a workload that it was not given to. */
async function tellObserved(story: Page, { ground, clock }: Scene, subject: string): Promise<void> {
  story.refusal('A token that was merely observed: agents/crawler found the planner’s in a log')
  const brought = { subject, type: 'access_token' } as const
  const answer = await exchangeAs(ground, CRAWLER, brought, { clock, scope: 'trades:read' })
  await tellBothEnds(story, ground, answer, {
    error: 'invalid_request',
    reason: 'subject_unusable',
  })
}

/** What hangs on a token falls with it. */
async function tellCascade(
  story: Page,
  { ground, clock }: Scene,
  parent: string,
  child: string,
): Promise<void> {
  story.chapter('11', 'Alice stops her agent: the planner takes its token back.')
  const introspect = async () => {
    const helper = platformToken(ground, HELPER, { clock })
    return (await about(ground, '/introspect', child, helper)).body
  }
  const before = await introspect()
  story.fact('helper’s', `active: ${before['active']}`)
  const planner = platformToken(ground, PLANNER, { clock })
  const { status } = await about(ground, '/revoke', parent, planner)
  story.fact('planner’s', `revoked: ${status}`)
  const after = await introspect()
  story.fact('helper’s', JSON.stringify(after))
  story.expect(
    'the helper’s token is good for nothing, though nobody named it',
    () => before['active'] === true && JSON.stringify(after) === '{"active":false}',
  )
}

type Claims = JWTPayload & {
  readonly scope?: string
  readonly act?: Actor
  readonly may_act?: { readonly sub: string }
}

type Actor = { readonly sub: string; readonly act?: Actor }

/** Newest first. */
function actorsOf(act: Actor | undefined): readonly string[] {
  return act === undefined ? [] : [act.sub, ...actorsOf(act.act)]
}

/** Seconds. */
function lifeOf({ iat, exp }: Claims): number {
  return Number(exp) - Number(iat)
}

function lineOf({ actor, audience, scopes }: VerifiedChain['hops'][number]): string {
  return `→ ${actor}  ${scopes.join(' ')} at ${audience}`
}

function otherCharacter(character: string): string {
  return character === 'A' ? 'Q' : 'A'
}
