/**
 * What an AWS role shows of itself: a web identity token, or a GetCallerIdentity that is signed and not sent. Both
 * rest on the credentials that the AWS SDK finds where it runs. The SDK is loaded when a source is first asked.
 */

import type { STSClient, STSClientConfig } from '@aws-sdk/client-sts'
import { challengeOf } from '../endpoints.ts'
import { AgentError } from '../failure.ts'
import type { Assertion } from '../index.ts'

/** Where STS is asked. */
export type AwsOptions = {
  /** The region of the endpoint, such as `eu-central-1`. */
  readonly region: string
  /** Further settings of the SDK's client. Default: its own, with the credentials that it finds. */
  readonly client?: STSClientConfig
}

/** Whom a web identity token is for. */
export type WebIdentityOptions = AwsOptions & {
  /** The `audience` of the broker's trust entry. */
  readonly audience: string
}

/** Whom a signed GetCallerIdentity is for. */
export type CallerIdentityOptions = AwsOptions & {
  /** The broker's issuer identifier, exactly. */
  readonly issuer: string
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const DURATION_SECONDS = 300
const SIGNING_ALGORITHM = 'ES384'

const CALLER_IDENTITY = 'urn:x-countersign:client-assertion-type:aws-caller-identity'
const BODY = 'Action=GetCallerIdentity&Version=2011-06-15'

/**
 * Web identity tokens of the role (STS GetWebIdentityToken), a new one for each call.
 * @returns a source that rejects with AgentError `credential_unreadable`
 */
export function webIdentity({ audience, ...options }: WebIdentityOptions): () => Promise<string> {
  const client = clientOf(options)
  return async () => {
    const { GetWebIdentityTokenCommand } = await import('@aws-sdk/client-sts')
    const command = new GetWebIdentityTokenCommand({
      Audience: [audience],
      SigningAlgorithm: SIGNING_ALGORITHM,
      DurationSeconds: DURATION_SECONDS,
    })
    const { WebIdentityToken: token } = await (await client())
      .send(command)
      .catch((cause: Error) => {
        throw unreadable(`STS gave no web identity token: ${cause.name}`, cause)
      })
    if (token !== undefined) return token
    throw unreadable('STS answered without a web identity token')
  }
}

/**
 * Signed GetCallerIdentity requests of the role, each over a new challenge of the broker. The request itself goes
 * nowhere from here: the broker makes it anew.
 * @returns a source that rejects with AgentError
 */
export function callerIdentity(options: CallerIdentityOptions): () => Promise<Assertion> {
  const { issuer, region, fetch: http = fetch, now = Date.now } = options
  const client = clientOf(options)
  return async () => {
    const nonce = await challengeOf(issuer, http)
    const signed = await sign(await client(), region, { issuer, nonce }, new Date(now()))
    const assertion = Buffer.from(JSON.stringify({ region, ...signed, nonce }))
    return { type: CALLER_IDENTITY, assertion: assertion.toString('base64url') }
  }
}

function clientOf({ region, client: settings }: AwsOptions): () => Promise<STSClient> {
  let client: Promise<STSClient> | undefined
  return () => {
    client ??= import('@aws-sdk/client-sts').then(
      ({ STSClient }) => new STSClient({ ...settings, region }),
    )
    return client
  }
}

/** What signing adds to the request that the broker will make. */
async function sign(
  client: STSClient,
  region: string,
  { issuer, nonce }: { readonly issuer: string; readonly nonce: string },
  signingDate: Date,
): Promise<Record<string, string>> {
  const hostname = hostOf(client, region)
  const signer = await client.config.signer({
    name: 'sigv4',
    signingName: 'sts',
    signingRegion: region,
    properties: {},
  })
  const request = {
    method: 'POST',
    protocol: 'https:',
    hostname,
    path: '/',
    query: {},
    body: BODY,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      host: hostname,
      'x-countersign-audience': issuer,
      'x-countersign-nonce': nonce,
    },
  }
  const { headers } = await signer.sign(request, { signingDate }).catch((cause: Error) => {
    throw unreadable(`there are no AWS credentials: ${cause.name}`, cause)
  })
  const [, keyId, signature] =
    /Credential=([^/]+)\/.*Signature=([0-9a-f]+)$/.exec(headers['authorization'] ?? '') ?? []
  const { 'x-amz-date': date, 'x-amz-security-token': session } = headers
  if (!keyId || !signature || !date || !session) {
    throw unreadable('the AWS credentials are long-term: use those of a role')
  }
  return { access_key_id: keyId, amz_date: date, session_token: session, signature }
}

/** The regional endpoint: the broker asks no other, whatever the environment prefers. */
function hostOf(client: STSClient, region: string): string {
  const plain = { UseDualStack: false, UseFIPS: false, UseGlobalEndpoint: false }
  return client.config.endpointProvider({ Region: region, ...plain }).url.hostname
}

function unreadable(what: string, cause?: unknown): AgentError {
  return new AgentError('credential_unreadable', what, null, { cause })
}
