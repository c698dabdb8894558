/** A token is taken back, and introspection sees it at once. */

import type { Page } from '../page.ts'
import type { Playground } from '../playground.ts'
import { about, ask, platformToken, SETTLEMENT } from './caller.ts'

/** Chapter 6. */
export async function tellReturned(
  story: Page,
  ground: Playground,
  now: () => number,
): Promise<void> {
  story.chapter(
    '6',
    'payments/settlement is done before its token is over, and takes it back (RFC 7009).',
  )
  const mounted = platformToken(ground, SETTLEMENT, { clock: now() })
  const { body } = await ask(ground, mounted, 'trades:read')
  const token = String(body['access_token'])
  const before = await about(ground, '/introspect', token, mounted)
  const left = Number(before.body['exp']) * 1000 - now()
  story.fact('introspect', `active: ${before.body['active']}, for ${left / 1000} more seconds`)
  const { status } = await about(ground, '/revoke', token, mounted)
  story.fact('revoke', `${status}`)
  const after = await about(ground, '/introspect', token, mounted)
  story.fact('introspect', JSON.stringify(after.body))
  story.expect(
    'it was active, and is not: nothing else is said of it any more',
    () =>
      before.body['active'] === true &&
      status === 200 &&
      JSON.stringify(after.body) === '{"active":false}',
  )
}
