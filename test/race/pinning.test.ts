/**
 * Two callers with two keys use one platform token at the same time, each at another replica. Exactly one wins, and
 * the token is good with its key alone from then on, at both.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Holder, holder } from '../world/proof.ts'
import { RESOURCE, type Replicas, startReplicas } from './replicas.ts'

const ROUNDS = 1_000
/** Rounds under way at one time, so that requests of different tokens share turns and statements. */
const LANES = 4

type Answer = { readonly status: number; readonly error: string | null; readonly id: string }

const WON = { status: 200, error: null }
const LOST = { status: 400, error: 'invalid_grant' }

/** A caller that keeps the server's nonce, as RFC 9449 §8 asks. */
function caller(site: Replicas, key: Holder) {
  let nonce: string | undefined
  return async function use(assertion: string, replica: 0 | 1): Promise<Answer> {
    for (;;) {
      const at = Math.floor(Date.now() / 1000)
      const url = `${site.issuer}/token`
      const dpop = key.prove({ url, at, ...(nonce !== undefined && { nonce }) })
      const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
      const form = { grant_type, assertion, resource: RESOURCE, scope: 'trades:read' }
      const response = await fetch(`${site.both[replica].origin}/token`, {
        method: 'POST',
        headers: { dpop },
        body: new URLSearchParams(form),
      })
      nonce = response.headers.get('dpop-nonce') ?? nonce
      const { error = null } = (await response.json()) as { readonly error?: string }
      const id = response.headers.get('x-request-id') ?? ''
      if (error !== 'use_dpop_nonce') return { status: response.status, error, id }
    }
  }
}

type Use = ReturnType<typeof caller>
type Tally = Record<'rounds' | 'wins' | 'losses' | 'both' | 'none', number> & {
  /** By caller: nobody wins by its place alone. */
  readonly wonBy: [number, number]
  readonly lost: string[]
}

async function race(site: Replicas, callers: readonly [Use, Use], counted: Tally): Promise<void> {
  const round = counted.rounds
  counted.rounds += 1
  const token = site.mint()
  // Who is sent first, and to which replica, takes turns.
  const order = round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)
  const place = (who: 0 | 1) => ((who + (round >> 1)) % 2) as 0 | 1
  const ended: [Answer | null, Answer | null] = [null, null]
  await Promise.all(
    order.map(async (who) => {
      ended[who] = await callers[who](token, place(who))
    }),
  )
  const won = ended.flatMap((answer, who) => (answer?.status === 200 ? [who as 0 | 1] : []))
  if (won.length === 2) counted.both += 1
  if (won.length === 0) counted.none += 1
  const [winner] = won
  if (winner === undefined || won.length === 2) return
  const loser = winner === 0 ? 1 : 0
  counted.wins += 1
  counted.losses += 1
  counted.wonBy[winner] += 1
  const refused = ended[loser]
  assert.partialDeepStrictEqual(refused, LOST)
  // Each at the replica that it has not asked yet.
  const again = await callers[loser](token, place(winner))
  assert.partialDeepStrictEqual(again, LOST)
  assert.partialDeepStrictEqual(await callers[winner](token, place(loser)), WON)
  counted.lost.push(refused?.id ?? '', again.id)
}

/** What the operator reads of every refusal: both sides, and that they differ. */
function assertTold(site: Replicas, keys: readonly string[], lost: readonly string[]): void {
  const events = new Map(
    site.both.flatMap((replica) => replica.recorded().map((event) => [event.id, event] as const)),
  )
  for (const id of lost) {
    const event = events.get(id)
    assert.equal(event?.reason, 'evidence_key_mismatch')
    const { firstKey, key, firstRequest } = event.detail
    assert.deepEqual([firstKey, key].map(String).sort(), keys)
    assert.equal(events.get(String(firstRequest))?.outcome, 'issued')
  }
}

test(`one platform token, two keys, two replicas, at once, ${ROUNDS} times: one wins`, async (t: TestContext) => {
  const site = await startReplicas({ trust: 'pin: when-offered' })
  t.after(() => site.close())
  const keys = [holder('one'), holder('other')] as const
  const callers = [caller(site, keys[0]), caller(site, keys[1])] as const
  // The first requests also compile, connect and fetch keys; let nobody win by that.
  for (const use of callers) {
    for (const replica of [0, 1] as const) {
      assert.partialDeepStrictEqual(await use(site.mint(), replica), WON)
    }
  }
  const counted: Tally = {
    ...{ rounds: 0, wins: 0, losses: 0, both: 0, none: 0 },
    ...{ wonBy: [0, 0], lost: [] },
  }
  const lane = async () => {
    while (counted.rounds < ROUNDS) await race(site, callers, counted)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  const { rounds, wins, losses, both, none, wonBy, lost } = counted
  t.diagnostic(
    `rounds ${rounds}, wins ${wins}, losses ${losses}, both won ${both}, none won ${none}`,
  )
  t.diagnostic(`won by the one ${wonBy[0]}, by the other ${wonBy[1]}`)
  t.diagnostic(
    `used again: refused for the loser ${lost.length / 2}, accepted for the winner ${wins}`,
  )
  assert.deepEqual(
    { rounds, wins, losses, both, none },
    {
      rounds: ROUNDS,
      wins: ROUNDS,
      losses: ROUNDS,
      both: 0,
      none: 0,
    },
  )
  assertTold(site, keys.map(({ jkt }) => `jkt:${jkt}`).sort(), lost)
})
