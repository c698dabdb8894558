/**
 * The attested document of the Azure Instance Metadata Service: a virtual machine as the fabric names it, bound to our
 * challenge. What is signed:
 *
 *     {"licenseType":"","nonce":"…","plan":{…},"sku":"20_04-lts-gen2","subscriptionId":"5f130ffc-…",
 *      "timeStamp":{"createdOn":"04/19/22 01:27:21 -0000","expiresOn":"04/19/22 07:27:21 -0000"},"vmId":"bd8e7443-…"}
 *
 * It says neither tenant nor resource id, and every process of the machine can ask for it. Every customer of Azure has
 * such documents, so the list of subscriptions is what makes a machine one of ours. No I/O. No clock.
 */

import { isUtf8 } from 'node:buffer'
import type { Attested } from '../../src/identity.ts'
import { isObject, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import { few, printable, Refusal } from '../../src/refusal.ts'
import { epochSeconds } from '../../src/units.ts'
import type { Certificate } from '../certificate.ts'
import { findChain, type KnownChains } from '../chain.ts'
import { invalidClaim, type TextForm, textOf, type Window } from '../claims.ts'
import { checkAnswer, checkMade, decodeDocument } from '../document.ts'
import { signedFacts } from '../facts.ts'
import type { Anchors } from './anchors.ts'
import type { CloudName } from './clouds.ts'
import { readMessage, type SignedMessage, verifyMessage } from './cms.ts'

/** What a document proved: its subject is the id of the machine. UUIDs in lower case. */
export type AzureDocument = Attested & { readonly subscription: string }

/** What a document is judged by. */
export type AzureDocumentOptions = {
  /** What it has to repeat as its nonce. */
  readonly challenge: string
  /** The subscriptions whose machines may show one: UUIDs in lower case. None is nobody. */
  readonly subscriptions: readonly string[]
  /** Default: public. */
  readonly cloud?: CloudName
  /** Chains that held before. Left out: every document is judged from nothing. */
  readonly known?: KnownChains
} & Anchors

/** Whose certificates sign documents, each for itself and the regions below it. */
const SIGNERS: Readonly<Record<CloudName, string>> = {
  public: 'metadata.azure.com',
  usgov: 'metadata.azure.us',
  china: 'metadata.azure.cn',
}

const MAX_BYTES = 16_384
const MAX_JSON_DEPTH = 4
/** Six hours today; what says it lives for years is none of Azure's. */
const MAX_LIFETIME_SECONDS = 86_400
const OID_SERVER_AUTHENTICATION = '2b06010505070301'

const UUID: TextForm = {
  form: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  said: 'a UUID',
}
const SKU: TextForm = { form: /^[!-~]{0,128}$/, said: 'at most 128 printable characters' }
const MOMENT = /^(\d\d)\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) [+-]0000$/

/**
 * Verifies a document, signature first: its content is parsed only when everything about the signer holds.
 * @param document the `signature` member of what the metadata service answered, base64
 * @throws Refusal `evidence_too_large`, `document_malformed`, `algorithm_refused`, `signature_invalid`,
 *   `certificate_untrusted`, `challenge_unknown`, `claim_invalid`, `token_premature`, `token_expired`,
 *   `lifetime_excessive`, `subject_untrusted`
 */
export function verifyAzureDocument(
  document: string,
  options: AzureDocumentOptions,
  nowSeconds: number,
): AzureDocument {
  const { known } = options
  const message = messageOf(document, known)
  verifyMessage(message)
  checkSigner(message.signer, SIGNERS[options.cloud ?? 'public'])
  const purpose = OID_SERVER_AUTHENTICATION
  const chain = findChain(message.signer, options, {
    nowSeconds,
    purpose,
    ...(known && { known }),
  })

  const content = readContent(message.content)
  const { nonce } = content
  checkAnswer(typeof nonce === 'string' ? Buffer.from(nonce) : null, options.challenge)
  const window = checkWindow(content, nowSeconds)
  const vm = textOf(content['vmId'], UUID, 'vmId').toLowerCase()
  const subscription = textOf(content['subscriptionId'], UUID, 'subscriptionId').toLowerCase()
  admit(subscription, options.subscriptions)
  // An image of one's own has no SKU, and says so with an empty text.
  const sku = textOf(content['sku'] ?? '', SKU, 'sku')
  const facts = { 'vm.id': vm, 'vm.subscription': subscription, 'vm.sku': sku || undefined }
  return {
    subject: vm,
    subscription,
    facts: signedFacts(facts, window.issuedAt, 'A', 'attested document'),
    lineage: [`azure-vm:${vm}`],
    issuedAt: window.issuedAt,
    expiresAt: Math.min(window.expiresAt, ...chain.map(({ notAfter }) => notAfter)),
  }
}

/**
 * The challenge that a document says it answers, so that one for another is refused at no cost. Nothing is proved.
 * @param known as in `AzureDocumentOptions`
 * @throws Refusal `evidence_too_large`, `document_malformed`, `algorithm_refused`, `challenge_unknown`
 */
export function claimedAzureChallenge(document: string, known?: KnownChains): string {
  const { nonce } = readContent(messageOf(document, known).content)
  if (typeof nonce === 'string' && nonce !== '') return nonce
  throw new Refusal('challenge_unknown', { expected: 'a nonce', found: printable(nonce) })
}

function messageOf(document: string, known: KnownChains | undefined): SignedMessage {
  const bytes = decodeDocument(document, MAX_BYTES)
  return known === undefined ? readMessage(bytes) : readMessage(bytes, (der) => known.read(der))
}

/** Whoever has a certificate of these roots is anybody; whoever has one for this name is the metadata service. */
function checkSigner({ extensions: { names } }: Certificate, domain: string): void {
  if (names.some((name) => name === domain || name.endsWith(`.${domain}`))) return
  const problem = `its names are not ${domain} or below it`
  throw new Refusal('certificate_untrusted', { problem, found: few(names.map(printable)) })
}

function readContent(bytes: Buffer): JsonObject {
  if (!isUtf8(bytes)) throw malformed('not UTF-8')
  try {
    const content = parseJson(bytes.toString(), MAX_JSON_DEPTH)
    if (isObject(content)) return content
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw malformed(cause.message, { cause })
  }
  throw malformed('not an object')
}

function malformed(problem: string, options?: ErrorOptions): Refusal {
  return new Refusal('document_malformed', { encoding: 'JSON', problem }, options)
}

function checkWindow(content: JsonObject, nowSeconds: number): Window {
  const { timeStamp } = content
  if (!isObject(timeStamp)) throw invalidClaim('timeStamp', 'an object', timeStamp)
  const issuedAt = moment(timeStamp['createdOn'], 'createdOn')
  const expiresAt = moment(timeStamp['expiresOn'], 'expiresOn')
  // Its age is not judged. The service caches; but what repeats our challenge was signed after we gave it out.
  checkMade(issuedAt, nowSeconds)
  checkEnd(expiresAt, nowSeconds)
  const lifetimeSeconds = expiresAt - issuedAt
  if (lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    const detail = { lifetimeSeconds, maxLifetimeSeconds: MAX_LIFETIME_SECONDS }
    throw new Refusal('lifetime_excessive', detail)
  }
  return { issuedAt, expiresAt }
}

/** @throws Refusal `token_expired` */
export function checkEnd(expiresAt: number, nowSeconds: number): void {
  if (nowSeconds < expiresAt) return
  throw new Refusal('token_expired', { exp: expiresAt, secondsAgo: nowSeconds - expiresAt })
}

/** Month, day and year of this century, in UTC. A day that the month does not have is no moment. */
function moment(value: unknown, claim: string): number {
  const parts = typeof value === 'string' ? (MOMENT.exec(value)?.slice(1).map(Number) ?? []) : []
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = parts
  const milliseconds = Date.UTC(2000 + year, month - 1, day, hour, minute, second)
  const read = new Date(milliseconds)
  const isReal =
    parts.length === 6 &&
    read.getUTCMonth() === month - 1 &&
    read.getUTCDate() === day &&
    read.getUTCHours() === hour &&
    read.getUTCMinutes() === minute &&
    second < 60
  if (isReal) return epochSeconds(milliseconds)
  throw invalidClaim(claim, 'MM/DD/YY HH:MM:SS -0000', value)
}

function admit(subscription: string, subscriptions: readonly string[]): void {
  if (subscriptions.includes(subscription)) return
  const expected = few(subscriptions)
  throw new Refusal('subject_untrusted', { claim: 'subscriptionId', expected, found: subscription })
}
