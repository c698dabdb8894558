/**
 * GetCallerIdentity, asked on a caller's behalf. The request is made anew of constants and of six values whose form is
 * known; nothing else that the caller sent goes out, and the host is ours (CVE-2020-16250, CVE-2022-2385). STS
 * recomputes the signature over what we made: over our audience and the caller's challenge, too.
 */

import { readFile } from 'node:fs/promises'
import { DoorError, type DoorRequest } from '../../src/net/fetch.ts'
import { isObject, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import { Refusal } from '../../src/refusal.ts'
import type { RelayWorld } from '../../src/relay.ts'
import { Circuit, CircuitError } from '../circuit.ts'
import type { SignedCall } from './call.ts'
import type { Region } from './regions.ts'

/** Who STS says has signed. */
export type Caller = { readonly account: string; readonly arn: string; readonly userId: string }

/** How a region's endpoint is reached. */
export type Way = {
  /** PEM file, trusted in place of the system's roots. */
  readonly ca?: string | undefined
  /** The host may be at a private address: an interface endpoint of a VPC. */
  readonly allowPrivate?: boolean | undefined
}

/** Asks the STS of one region. @throws Refusal `sts_refused`, `sts_unavailable` */
export type Sts = (call: SignedCall) => Promise<Caller>

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15'
const BODY_TYPE = 'application/x-www-form-urlencoded; charset=utf-8'
/** SHA-256 of `BODY`. */
const BODY_HASH = 'ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843'
const SIGNED_HEADERS =
  'accept;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-countersign-audience;x-countersign-nonce'
const ACCEPT = 'application/json'

const LIMITS = { most: 32, failures: 5, restMs: 10_000 }
const TIMEOUT_MS = 5_000
const MAX_BYTES = 64 * 1024
const ANSWER_DEPTH = 4

/** Makes the client of one region. */
export function stsOf(
  name: string,
  { host }: Region,
  way: Way,
  { door, now, issuer }: Pick<RelayWorld, 'door' | 'now' | 'issuer'>,
): Sts {
  const circuit = new Circuit(LIMITS, now)
  return async (call) => {
    try {
      return await circuit.call(async () => {
        const ca = await rootsOf(way)
        const allowPrivate = way.allowPrivate === true
        const answer = await door({ ...rebuilt(call, name, host, issuer), ca, allowPrivate })
        return readCaller(answer.body)
      }, isFailureOfSts)
    } catch (cause) {
      throw asRefusal(cause, name)
    }
  }
}

/** The one request that a signature of ours can be for. */
function rebuilt(call: SignedCall, region: string, host: string, issuer: string): DoorRequest {
  const { accessKeyId, amzDate, sessionToken, signature, nonce } = call
  const scope = `${amzDate.slice(0, 8)}/${region}/sts/aws4_request`
  const origin = `https://${host}`
  return {
    url: `${origin}/`,
    allow: [origin],
    accept: ACCEPT,
    json: true,
    body: BODY,
    bodyType: BODY_TYPE,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}`,
    headers: {
      'x-amz-content-sha256': BODY_HASH,
      'x-amz-date': amzDate,
      'x-amz-security-token': sessionToken,
      'x-countersign-audience': issuer,
      'x-countersign-nonce': nonce,
    },
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  }
}

/** STS that cannot be asked, or whose answer is not that of GetCallerIdentity. It holds nothing of the answer. */
class StsError extends Error {
  override readonly name = 'StsError'
}

/** Read for each call, so that a file which is replaced counts at once. */
async function rootsOf({ ca }: Way): Promise<string | undefined> {
  if (ca === undefined) return undefined
  return readFile(ca, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new StsError(`cannot read ${ca}: ${cause.code}`, { cause })
  })
}

/**
 * Reads the answer. Another shape is another action's answer, or none of STS: it names nobody.
 * @throws StsError
 */
function readCaller(body: string): Caller {
  const response = members(parsed(body), ['GetCallerIdentityResponse'])[0]
  const [result, metadata] = members(response, ['GetCallerIdentityResult', 'ResponseMetadata'])
  members(metadata, ['RequestId'])
  const [account, arn, userId] = members(result, ['Account', 'Arn', 'UserId'])
  if (typeof account === 'string' && typeof arn === 'string' && typeof userId === 'string') {
    return { account, arn, userId }
  }
  throw new StsError('its answer names the caller by something other than texts')
}

function parsed(body: string): unknown {
  try {
    return parseJson(body, ANSWER_DEPTH)
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw new StsError('its answer is not strict JSON', { cause })
  }
}

/** The values of an object that has exactly these members. */
function members(value: unknown, names: readonly string[]): readonly unknown[] {
  const object: JsonObject = isObject(value) ? value : {}
  const found = Object.keys(object)
  if (found.length === names.length && names.every((name) => Object.hasOwn(object, name))) {
    return names.map((name) => object[name])
  }
  throw new StsError(`its answer does not have exactly ${names.join(', ')} where it should`)
}

const FORBIDDEN = 403
const BAD_REQUEST = 400

/** What a caller can bring about by what it sends: signatures that do not hold, sessions that are over. */
function isFailureOfSts(error: unknown): boolean {
  return !(error instanceof DoorError && [BAD_REQUEST, FORBIDDEN].includes(error.status ?? 0))
}

function asRefusal(cause: unknown, region: string): unknown {
  if (cause instanceof DoorError && cause.status === FORBIDDEN) {
    return new Refusal('sts_refused', { region }, { cause })
  }
  const isKnown = [DoorError, CircuitError, StsError].some((kind) => cause instanceof kind)
  if (!isKnown) return cause
  // 400 is among it: what STS says when it throttles differs from its other 400s only in a body that is not read.
  const problem = (cause as Error).message
  return new Refusal('sts_unavailable', { region, problem }, { cause })
}
