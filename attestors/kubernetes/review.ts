/**
 * TokenReview (authentication.k8s.io/v1): asks the API server that owns a token whether its pod and
 * service account still exist. The token is shown to that server alone, and only after its signature
 * held: a review discloses it, and another cluster could collect what it is shown.
 */

import { isObject, type JsonObject } from '../../src/net/json.ts'
import type { Timers } from '../../src/net/timers.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { type ClusterApi, ClusterApiError } from './api.ts'
import type { Named, Workload } from './profile.ts'

/**
 * Resolves when the API server vouches for this workload now.
 * @throws Refusal `evidence_revoked`, `audience_wrong`, `subject_mismatched`, `review_unavailable`
 */
export type Review = (token: string, workload: Workload) => Promise<void>

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'
const EXTRA = 'authentication.kubernetes.io'
const TIMEOUT_MS = 5_000
/** Reviews under way at once for one cluster; further ones are refused, not queued behind a slow server. */
const MAX_REVIEWS = 64
const RBAC = 'Countersign needs create on tokenreviews (ClusterRole system:auth-delegator)'

/** Makes the review of one cluster. */
export function tokenReview(api: ClusterApi, audience: string, timers: Timers): Review {
  let underWay = 0
  return async (token, workload) => {
    if (underWay >= MAX_REVIEWS) throw unavailable(`${MAX_REVIEWS} reviews are already under way`)
    underWay += 1
    // Over all of it: one attempt has a limit, but a login may be read anew for a second one.
    const { promise: late, reject } = Promise.withResolvers<never>()
    const cancel = timers.after(TIMEOUT_MS, () => {
      reject(unavailable(`no review within ${TIMEOUT_MS} ms`))
    })
    try {
      const status = await Promise.race([ask(api, token, audience), late])
      checkReview(status, workload, audience)
    } catch (cause) {
      if (!(cause instanceof ClusterApiError)) throw cause
      throw unavailable(cause.status === null ? cause.message : `${cause.message}; ${RBAC}`, cause)
    } finally {
      cancel()
      underWay -= 1
    }
  }
}

async function ask(api: ClusterApi, token: string, audience: string): Promise<JsonObject> {
  const { status } = await api.post(PATH, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    // Never without audiences: that would mean the API server's own, which every pod's default token has.
    spec: { token, audiences: [audience] },
  })
  if (isObject(status)) return status
  throw unavailable('the API server did not answer with a TokenReview')
}

/**
 * Judges `status`. Exported for tests of answers that a real API server does not give.
 * @throws Refusal as `Review`, `review_unavailable` excepted
 */
export function checkReview(status: JsonObject, workload: Workload, audience: string): void {
  const { error = '', authenticated, audiences, user } = status
  if (authenticated !== true || error !== '') {
    throw new Refusal('evidence_revoked', { problem: printable(error || 'not authenticated') })
  }
  // An authenticator that knows nothing of audiences returns none, and has checked none.
  if (!Array.isArray(audiences) || !audiences.includes(audience)) {
    throw new Refusal('audience_wrong', { expected: audience, found: printable(audiences) })
  }
  if (!isObject(user)) throw mismatch('user', 'an object', user)
  const { namespace, serviceAccount, pod, node, jti } = workload
  equal('username', `system:serviceaccount:${namespace}:${serviceAccount.name}`, user['username'])
  equal('uid', serviceAccount.uid, user['uid'])
  const extra = isObject(user['extra']) ? user['extra'] : {}
  checkObject(extra, 'pod', pod)
  checkObject(extra, 'node', node)
  if (jti !== null) equal('credential-id', `JTI=${jti}`, sole(extra, 'credential-id'))
}

function checkObject(extra: JsonObject, kind: string, expected: Named | null): void {
  if (expected === null) return
  equal(`${kind}-name`, expected.name, sole(extra, `${kind}-name`))
  equal(`${kind}-uid`, expected.uid, sole(extra, `${kind}-uid`))
}

function sole(extra: JsonObject, name: string): unknown {
  const values = extra[`${EXTRA}/${name}`]
  return Array.isArray(values) && values.length === 1 ? values[0] : values
}

function equal(member: string, expected: string, found: unknown): void {
  if (found !== expected) throw mismatch(member, expected, found)
}

function mismatch(member: string, expected: string, found: unknown): Refusal {
  return new Refusal('subject_mismatched', { member, expected, found: printable(found) })
}

function unavailable(problem: string, cause?: unknown): Refusal {
  return new Refusal('review_unavailable', { problem: printable(problem) }, { cause })
}
