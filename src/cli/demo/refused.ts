/** What must be refused, with what the caller hears and what the operator reads. */

import type { Page } from '../page.ts'
import type { Playground } from '../playground.ts'
import type { StandInPod } from '../standin.ts'
import {
  type Answer,
  ask,
  explained,
  IN_HOURS,
  LIFETIME,
  type Minted,
  platformToken,
  SETTLEMENT,
} from './caller.ts'

/** The same day as `IN_HOURS`, 22:40 in Berlin. */
const AFTER_HOURS = Date.parse('2026-11-19T21:40:00Z')

type Expected = { readonly error: string; readonly reason: string }

/** One request that is refused. */
export type Refused = Minted & {
  readonly title: string
  readonly pod: StandInPod
  readonly expect: Expected
}

export const REFUSED: readonly Refused[] = [
  {
    title: 'The wrong namespace: a pod of staging asks',
    pod: { namespace: 'staging', serviceAccount: 'settlement' },
    clock: IN_HOURS,
    expect: { error: 'invalid_scope', reason: 'policy_denied' },
  },
  {
    title: 'Outside working hours: the same pod, 22:40',
    pod: SETTLEMENT,
    clock: AFTER_HOURS,
    expect: { error: 'invalid_scope', reason: 'policy_denied' },
  },
  {
    title: 'The wrong audience: a token made for another service',
    pod: SETTLEMENT,
    clock: IN_HOURS,
    audience: 'https://vault.example.com',
    expect: { error: 'invalid_grant', reason: 'audience_wrong' },
  },
  {
    title: 'An expired token: the file was read once and kept',
    pod: SETTLEMENT,
    clock: IN_HOURS,
    age: LIFETIME + 60,
    expect: { error: 'invalid_grant', reason: 'token_expired' },
  },
]

/** Chapter 4, one of them. */
export async function tellRefusal(
  story: Page,
  ground: Playground,
  refused: Refused,
): Promise<void> {
  story.refusal(refused.title)
  const answer = await ask(ground, platformToken(ground, refused.pod, refused), 'trades:read')
  await tellBothEnds(story, ground, answer, refused.expect)
}

/** What the caller heard, and what the operator reads. */
export async function tellBothEnds(
  story: Page,
  ground: Playground,
  { status, body, requestId }: Answer,
  expected: Expected,
): Promise<void> {
  const decision = await explained(ground, requestId)
  story.fact('heard', `${status} ${body['error']}: ${body['error_description']}`)
  story.quote('you read', [`${decision.reason}: ${decision.advice}`, ...decision.lines.slice(1)])
  story.expect(
    `refused as ${expected.reason}`,
    () => body['error'] === expected.error && decision.reason === expected.reason,
  )
}
