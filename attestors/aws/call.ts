/**
 * A signed GetCallerIdentity as a caller hands it over: not the request, only what signing it added. What it sends is
 * base64url of
 *
 *     {"region":"eu-central-1","access_key_id":"ASIA…","amz_date":"20261120T234000Z","session_token":"…",
 *      "signature":"<64 hex digits>","nonce":"<our challenge>"}
 *
 * No I/O. No clock.
 */

import { isUtf8 } from 'node:buffer'
import { isObject, type Json, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { epochSeconds } from '../../src/units.ts'

/** The six values. None is believed: STS alone can tell whether the signature holds. */
export type SignedCall = {
  readonly region: string
  readonly accessKeyId: string
  /** As signed, `YYYYMMDDTHHMMSSZ`. */
  readonly amzDate: string
  /** The same instant, epoch seconds. */
  readonly signedAt: number
  readonly sessionToken: string
  readonly signature: string
  readonly nonce: string
}

const MAX_CHARACTERS = 8192
const DEPTH = 1

/** What each member looks like. None can hold a line break, so that none reaches over into another header. */
const FORMS = {
  region: /^[a-z0-9-]{4,32}$/,
  access_key_id: /^A[A-Z]{3}[A-Z0-9]{12,124}$/,
  amz_date: /^\d{8}T\d{6}Z$/,
  session_token: /^[!-~]{1,4096}$/,
  signature: /^[0-9a-f]{64}$/,
  nonce: /^[!-~]{1,128}$/,
} as const
type Member = keyof typeof FORMS

/** What temporary credentials begin with; AKIA are those of a user, which do not end. */
const TEMPORARY = 'ASIA'
const DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

/**
 * @throws Refusal `evidence_too_large`, `token_malformed`, `claim_invalid`; `token_legacy` for a long-term access key
 */
export function readCall(text: string): SignedCall {
  if (text.length > MAX_CHARACTERS) {
    throw new Refusal('evidence_too_large', { bytes: text.length, maxBytes: MAX_CHARACTERS })
  }
  const object = parse(text)
  const unknown = Object.keys(object).filter((name) => !Object.hasOwn(FORMS, name))
  if (unknown.length > 0) throw malformed(`has members beside ${Object.keys(FORMS).join(', ')}`)
  const accessKeyId = read(object, 'access_key_id')
  if (!accessKeyId.startsWith(TEMPORARY)) {
    throw new Refusal('token_legacy', { expected: `${TEMPORARY}…`, found: accessKeyId.slice(0, 4) })
  }
  const amzDate = read(object, 'amz_date')
  return {
    region: read(object, 'region'),
    accessKeyId,
    amzDate,
    signedAt: instantOf(amzDate),
    sessionToken: read(object, 'session_token'),
    signature: read(object, 'signature'),
    nonce: read(object, 'nonce'),
  }
}

/** One call has one spelling: what is not canonical base64url of strict JSON is none. */
function parse(text: string): JsonObject {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw malformed('is not canonical base64url')
  if (!isUtf8(bytes)) throw malformed('is not UTF-8')
  let value: Json
  try {
    value = parseJson(bytes.toString('utf8'), DEPTH)
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw malformed(`is not strict JSON: ${cause.message}`, { cause })
  }
  if (!isObject(value)) throw malformed('is not a JSON object')
  return value
}

function malformed(problem: string, options?: ErrorOptions): Refusal {
  return new Refusal('token_malformed', { problem: `the call ${problem}` }, options)
}

/** It names the member and never shows its value: two of them are credentials. */
function read(object: JsonObject, member: Member): string {
  const value = object[member]
  if (typeof value === 'string' && FORMS[member].test(value)) return value
  throw new Refusal('claim_invalid', { claim: member, expected: String(FORMS[member]) })
}

function instantOf(amzDate: string): number {
  const parts = (DATE.exec(amzDate) ?? []).slice(1).map(Number)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second)
  // The 31st of June would otherwise be the 1st of July.
  const written = new Date(milliseconds).toISOString().replace(/[-:]|\.\d+/g, '')
  if (written === amzDate) return epochSeconds(milliseconds)
  throw new Refusal('claim_invalid', {
    claim: 'amz_date',
    expected: 'an instant of the calendar',
    found: printable(amzDate),
  })
}
