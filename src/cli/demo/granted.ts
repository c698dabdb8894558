/** The good case: a token, and what the resource server sees in it. */

import { verifier } from '../../resource/index.ts'
import type { Page } from '../page.ts'
import { type Playground, SAMPLE_RESOURCE } from '../playground.ts'
import { ask, explained, platformToken, SETTLEMENT } from './caller.ts'

/** Chapters 2 and 3. */
export async function tellSuccess(
  story: Page,
  ground: Playground,
  now: () => number,
): Promise<void> {
  story.chapter(
    '2',
    'Thursday, 10:15 in Berlin. payments/settlement shows the token its kubelet mounted.',
  )
  const mounted = platformToken(ground, SETTLEMENT, { clock: now() })
  const answer = await ask(ground, mounted, 'trades:read trades:write')
  story.fact('asks for', 'trades:read trades:write')
  story.fact(
    'gets',
    `${answer.status}  scope=${answer.body['scope']}  expires_in=${answer.body['expires_in']}`,
  )
  story.expect(
    'trades:read is granted, for the five minutes of the policy',
    () =>
      [answer.status, answer.body['scope'], answer.body['expires_in']].join() ===
      '200,trades:read,300',
  )
  const decision = await explained(ground, answer.requestId)
  story.quote('and not trades:write, because', decision.lines.slice(1).filter(aboutWriting))
  story.expect('trades:write is not', () =>
    decision.lines.some((line) => /^trades:write: DENIED/.test(line)),
  )

  story.chapter('3', `The resource server ${SAMPLE_RESOURCE} verifies what it is shown.`)
  const verify = verifier({ issuer: ground.issuer, audience: SAMPLE_RESOURCE, now })
  const token = await verify(String(answer.body['access_token']))
  for (const claim of ['sub', 'aud', 'scope', 'pod', 'lineage']) {
    const value = token.claims[claim]
    story.fact(claim, Array.isArray(value) ? value.join(' ') : String(value))
  }
  story.expect(
    'signature, issuer, audience and lifetime hold; it names the pod',
    () =>
      token.subject === 'k8s://prod-eu/ns/payments/sa/settlement' &&
      token.claims['pod'] !== undefined,
  )
}

/** The lines that explain trades:write, up to the next ruling. */
function aboutWriting(_line: string, index: number, lines: readonly string[]): boolean {
  const from = lines.findIndex((line) => line.startsWith('trades:write'))
  return from >= 0 && index >= from
}
