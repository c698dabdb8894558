/** The positive probe: a workload with a permit gets what it was promised, and no more. */

import { verifier } from '../../resource/index.ts'
import { pathOf } from '../../uri.ts'
import type { Caller, Reply } from './caller.ts'
import { type Check, insist, look, type ProbeOptions, said } from './report.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What the positive probe is told besides. */
export type IssueOptions = ProbeOptions & {
  /** A scope that the resource offers and no policy permits; null leaves that check out. */
  readonly unpermitted: string | null
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Gets tokens and holds them against what the broker publishes. */
export async function probeIssue(options: IssueOptions): Promise<readonly Check[]> {
  const { call, issuer, token, unpermitted, scope } = options
  const base = pathOf(issuer)
  const document = (path: string) => call({ method: 'GET', path })
  const subjects: string[] = []
  const granted = async (form: Readonly<Record<string, string>>): Promise<string> => {
    const { subject, seconds } = await redeem(options, form)
    subjects.push(subject)
    return `${subject}, ${seconds} s`
  }
  const checks = [
    await look('ready', async () => {
      const { status } = await document('/readyz')
      insist(status === 200, `/readyz answers ${status}`)
      return 'yes'
    }),
    await look('metadata', () =>
      readMetadata(issuer, document(`/.well-known/oauth-authorization-server${base}`)),
    ),
    await look('discovery document', () =>
      readMetadata(issuer, document(`${base}/.well-known/openid-configuration`)),
    ),
    await look('published keys', () => readKeys(document(`${base}/jwks`))),
    await look('a token for this workload', () =>
      granted({ grant_type: JWT_BEARER, assertion: token }),
    ),
    await look('the same by client_assertion', async () => {
      const found = await granted({
        grant_type: 'client_credentials',
        client_assertion_type: JWT_BEARER_ASSERTION,
        client_assertion: token,
      })
      insist(new Set(subjects).size === 1, `two subjects: ${subjects.join(', ')}`)
      return found
    }),
  ]
  if (unpermitted === null) return checks
  const narrow = await look('a scope that no policy permits is left out', () =>
    granted({ grant_type: JWT_BEARER, assertion: token, scope: `${scope} ${unpermitted}` }),
  )
  return [...checks, narrow]
}

async function readMetadata(issuer: string, answer: Promise<Reply>): Promise<string> {
  const reply = await answer
  insist(reply.status === 200, `answers ${said(reply)}`)
  const expected = { issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` }
  for (const [name, value] of Object.entries(expected)) {
    const found = reply.json?.[name]
    insist(found === value, `${name} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}`)
  }
  return issuer
}

async function readKeys(answer: Promise<Reply>): Promise<string> {
  const reply = await answer
  const keys = reply.json?.['keys']
  insist(reply.status === 200 && Array.isArray(keys), `answers ${said(reply)}`)
  insist(keys.length > 0, 'there are none')
  insist(!keys.some((key) => 'd' in key), 'A PRIVATE KEY IS PUBLISHED')
  return `${keys.length}`
}

/** Asks for a token, and verifies it as a resource server would. @throws Error when anything of it is amiss */
async function redeem(
  { call, issuer, resource, scope, now }: IssueOptions,
  form: Readonly<Record<string, string>>,
): Promise<{ readonly subject: string; readonly seconds: number }> {
  const reply = await call({
    method: 'POST',
    path: `${pathOf(issuer)}/token`,
    form: { resource, scope, ...form },
  })
  const { access_token: token, token_type: type, expires_in: seconds } = reply.json ?? {}
  const request = `(request ${String(reply.headers['x-request-id'])})`
  insist(reply.status === 200 && typeof token === 'string', `${said(reply)} ${request}`)
  insist(type === 'Bearer' && typeof seconds === 'number', `is ${type} for ${seconds} s`)
  insist(reply.headers['cache-control'] === 'no-store', 'may be stored by caches')
  const verify = verifier({ issuer, audience: resource, fetch: fetching(issuer, call), now })
  const verified = await verify(token)
  const found = verified.scopes.join(' ')
  insist(found === scope, `has the scopes ${JSON.stringify(found)}, not ${JSON.stringify(scope)}`)
  return { subject: verified.subject, seconds }
}

/** The keys by the same way, for the verifier. */
function fetching(issuer: string, call: Caller): typeof fetch {
  const { origin } = new URL(issuer)
  return async (input) => {
    const url = new URL(String(input))
    insist(url.origin === origin, `keys are asked for at ${url.origin}`)
    const { status, body } = await call({ method: 'GET', path: url.pathname })
    return new Response(body, { status })
  }
}
