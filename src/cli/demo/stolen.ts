/** What a thief has of a stolen token, where its owner has a key: nothing. */

import { type AgentKey, agent, freshKey } from '../../agent/index.ts'
import { proving } from '../../agent/proof.ts'
import { InvalidToken, verifier } from '../../resource/index.ts'
import type { Page } from '../page.ts'
import { type Playground, SAMPLE_RESOURCE } from '../playground.ts'
import { ask, network, platformToken, SETTLEMENT } from './caller.ts'
import { tellBothEnds } from './refused.ts'

const TRADES = `${SAMPLE_RESOURCE}/trades`

/** The world as a holder of a key sees it. */
type Scene = {
  readonly ground: Playground
  readonly http: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** What the kubelet mounted, and a thief has read. */
  readonly mounted: string
}

/** Chapter 5. */
export async function tellStolen(
  story: Page,
  ground: Playground,
  now: () => number,
): Promise<void> {
  story.chapter(
    '5',
    'payments/settlement proves a key of its own with each request. A thief has its tokens, not its key.',
  )
  const mounted = platformToken(ground, SETTLEMENT, { clock: now() })
  const scene: Scene = { ground, http: network(resourceServer(ground, now)), now, mounted }
  const stolen = await tellBound(story, scene)
  await tellStolenToken(story, scene, stolen)
  await tellStolenFile(story, scene)
}

/** The owner gets a token that is bound to its key, and uses it. */
async function tellBound(story: Page, scene: Scene): Promise<string> {
  const { issuer } = scene.ground
  const dpop = freshKey()
  const owner = agent({
    issuer,
    resource: SAMPLE_RESOURCE,
    scopes: ['trades:read'],
    source: async () => scene.mounted,
    dpop,
    fetch: scene.http,
    now: scene.now,
  })
  const token = await owner.token()
  const { status } = await owner.fetch(TRADES)
  story.fact('its key', `cnf.jkt=${dpop.jkt}, in every token it gets`)
  story.fact('the server', `${status}, because the request proves that key`)
  story.expect('the owner works as before', () => status === 200)
  return token
}

/** An access token in the hands of somebody else. */
async function tellStolenToken(story: Page, { http, now }: Scene, token: string): Promise<void> {
  story.refusal('A stolen access token: from a log, a proxy, another server')
  const shown = (scheme: string) =>
    new Request(TRADES, { headers: { authorization: `${scheme} ${token}` } })
  const plain = await http(shown('Bearer'))
  const proved = await proving(freshKey(), http, now)(shown('DPoP'), token)
  story.fact('as it is', `${plain.status}`)
  story.fact('other key', `${proved.status}`)
  story.expect('the resource server refuses it without the key, and with another one', () =>
    [plain, proved].every(({ status }) => status === 401),
  )
}

/** The platform's token in the hands of somebody else, who would get tokens of its own with it. */
async function tellStolenFile(story: Page, scene: Scene): Promise<void> {
  const expected = { error: 'invalid_grant', reason: 'evidence_key_mismatch' }
  story.refusal('A stolen platform token: the file, and a key of the thief’s own')
  await tellBothEnds(story, scene.ground, await show(scene, freshKey()), expected)
  story.refusal('The same without any key')
  await tellBothEnds(story, scene.ground, await show(scene, null), expected)
}

function show({ ground, http, now, mounted }: Scene, key: AgentKey | null) {
  const prove = key && proving(key, http, now)
  const send = prove ? (request: Request) => prove(request, null) : undefined
  return ask(ground, mounted, 'trades:read', send)
}

/** What an API is, as far as tokens go. */
function resourceServer({ issuer }: Playground, now: () => number) {
  const verify = verifier({ issuer, audience: SAMPLE_RESOURCE, now })
  return async (request: Request): Promise<Response> => {
    try {
      await verify(request)
      return new Response('[]', { status: 200 })
    } catch (error) {
      if (!(error instanceof InvalidToken)) throw error
      return new Response(null, { status: 401 })
    }
  }
}
