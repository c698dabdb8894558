/** Presents a token to an attestor as the token endpoint does, and says how it must be refused. */

import assert from 'node:assert/strict'
import type { Attestor, Identity } from '../../src/identity.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { type Reason, Refusal } from '../../src/refusal.ts'
import type { TestClock } from './clock.ts'

/** Parses, prepares and verifies. Rejects with Refusal. */
export async function attest(
  attestor: Attestor,
  token: string,
  clock: TestClock,
): Promise<Identity> {
  const prepared = await attestor.prepare(parseJwt(token), clock.seconds())
  return prepared.verify(clock.seconds())
}

/** Asserts that work is refused for one of these reasons. Returns the refusal for closer looks. */
export async function refused(
  work: Promise<unknown> | (() => unknown),
  ...reasons: readonly Reason[]
): Promise<Refusal> {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    assert.ok(reasons.includes(error.reason), `${error.reason} ${JSON.stringify(error.detail)}`)
    return error
  }
  assert.fail(`accepted, expected ${reasons.join(' or ')}`)
}

/** The world of an attestor of JWT evidence, on a test's clock. Its warnings are heard by nobody. */
export function worldOf(clock: TestClock) {
  return {
    door: createDoor({ timers: clock.timers }),
    now: clock.now,
    timers: clock.timers,
    warn: () => {},
  }
}
