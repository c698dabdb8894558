/**
 * TokenReview (authentication.k8s.io/v1): asks the API server that owns a token whether its pod and
 * service account still exist. The token is shown to that server alone, and only after its signature
 * held: a review discloses it, and another cluster could collect what it is shown.
 */

import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { type Door, DoorError } from '../../src/net/fetch.ts'
import { isObject, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import type { Timers } from '../../src/net/timers.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import type { Named, Workload } from './profile.ts'
import type { KubernetesSettings } from './settings.ts'

export type ApiSettings = NonNullable<KubernetesSettings['api']>

/**
 * Resolves when the API server vouches for this workload now.
 * @throws Refusal `evidence_revoked`, `audience_wrong`, `subject_mismatched`, `review_unavailable`
 */
export type Review = (token: string, workload: Workload) => Promise<void>

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'
const EXTRA = 'authentication.kubernetes.io'
const MAX_DEPTH = 16
const TIMEOUT_MS = 5_000
/** Reviews under way at once for one cluster; further ones are refused, not queued behind a slow server. */
const MAX_REVIEWS = 64
const RBAC = 'Countersign needs create on tokenreviews (ClusterRole system:auth-delegator)'

/** Makes the review of one cluster. The kubeconfig is read on first use. */
export function tokenReview(
  api: ApiSettings,
  audience: string,
  { door, timers }: { readonly door: Door; readonly timers: Timers },
): Review {
  let config: Promise<KubeConfig> | undefined
  let underWay = 0
  return async (token, workload) => {
    if (underWay >= MAX_REVIEWS) throw unavailable(`${MAX_REVIEWS} reviews are already under way`)
    underWay += 1
    // Over all of it: the door has a limit of its own, a login command of the kubeconfig has none.
    const { promise: late, reject } = Promise.withResolvers<never>()
    const cancel = timers.after(TIMEOUT_MS, () => {
      reject(unavailable(`no review within ${TIMEOUT_MS} ms`))
    })
    try {
      config ??= loadConfig(api)
      const status = await Promise.race([post(config, door, token, audience), late])
      checkReview(status, workload, audience)
    } catch (cause) {
      if (cause instanceof Refusal) throw cause
      // Read again next time: the file or its credentials may have been mended.
      config = undefined
      const hint = cause instanceof DoorError && cause.code === 'status' ? `; ${RBAC}` : ''
      throw unavailable(
        `${cause instanceof Error ? cause.message : 'unknown failure'}${hint}`,
        cause,
      )
    } finally {
      cancel()
      underWay -= 1
    }
  }
}

async function loadConfig(api: ApiSettings): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  if (api.kubeconfig === undefined) config.loadFromCluster()
  else config.loadFromFile(api.kubeconfig)
  if (api.context !== undefined) config.setCurrentContext(api.context)
  return config
}

/**
 * The client library knows where the server is and how we log in; the request goes through our own door,
 * because the library follows redirects, reads without limit and obeys `insecure-skip-tls-verify`.
 */
async function post(
  loading: Promise<KubeConfig>,
  door: Door,
  token: string,
  audience: string,
): Promise<JsonObject> {
  const config = await loading
  const server = config.getCurrentCluster()?.server
  if (server === undefined) throw new Error('the kubeconfig names no server')
  const login: RequestOptions = {}
  await config.applyToHTTPSOptions(login)
  const authorization = new Headers(login.headers as Record<string, string>).get('authorization')
  const { body } = await door({
    url: `${server.replace(/\/$/, '')}${PATH}`,
    allow: [new URL(server).origin],
    // The operator named this very server, and API servers live on private addresses.
    allowPrivate: true,
    json: true,
    // Never without audiences: that would mean the API server's own, which every pod's default token has.
    body: JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    }),
    ca: pem(login.ca),
    cert: pem(login.cert),
    key: pem(login.key),
    serverName: login.servername,
    ...(authorization === null ? {} : { authorization }),
  })
  return readStatus(body)
}

function pem(value: unknown): string | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value.toString() : undefined
}

function readStatus(body: string): JsonObject {
  try {
    const answer = parseJson(body, MAX_DEPTH)
    if (isObject(answer) && isObject(answer['status'])) return answer['status']
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
  }
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
