/**
 * `POST /token`: form → Ask, and the answer of RFC 6749 §5.1. Wire names end here. Both carriers of a platform
 * token are read into the same Ask, so that both lead to the same workload.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ask, Issued } from '../exchange.ts'
import type { Evidence } from '../identity.ts'
import { printable, Refusal } from '../refusal.ts'
import { plainAddress } from './address.ts'
import type { ReadCertificates, ShownCertificates } from './certificates.ts'
import { allowAnyOrigin } from './cors.ts'
import { type Form, parseForm } from './form.ts'
import { postOnly } from './methods.ts'
import type { Meter } from './metrics.ts'
import { offerNonce, readProofs } from './proofs.ts'

/** RFC 7523 §2.1. */
export const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** RFC 6749 §4.4. */
export const CLIENT_CREDENTIALS_GRANT = 'client_credentials'

/**
 * What `client_assertion_type` may say: of a JWT, the kind of attestor that has to answer for it, where it is not
 * whichever is selected (RFC 7523 §2.2; draft-ietf-oauth-spiffe-client-auth §3.1); of other evidence, its format.
 */
const ASSERTION_TYPES: ReadonlyMap<string, Pick<Evidence, 'kind' | 'format'>> = new Map([
  ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer', {}],
  ['urn:ietf:params:oauth:client-assertion-type:jwt-spiffe', { kind: 'spiffe' }],
  [
    'urn:x-countersign:client-assertion-type:aws-caller-identity',
    { format: 'aws-caller-identity' },
  ],
])

/** What `attestation_type` may say, and the format that it means. */
const ATTESTATION_TYPES: ReadonlyMap<string, string> = new Map([
  ['urn:x-countersign:attestation-type:azure-document', 'azure-document'],
  ['urn:x-countersign:attestation-type:azure-attestation', 'azure-attestation'],
  ['urn:x-countersign:attestation-type:nitro', 'nitro'],
])

/** SPIFFE client authentication by X.509-SVID: whoever names itself so is who its certificate says it is. */
const SPIFFE_ID = /^spiffe:\/\//
/** As `attestors/spiffe/x509.ts` takes it: base64 of the DER, leaf first, joined by dots. */
const X509_SVID = { carrier: 'certificate', format: 'x509-svid' } as const

const FORM = 'application/x-www-form-urlencoded'
const MAX_SCOPES = 32
const MAX_SCOPE_CHARACTERS = 256

/** RFC 6749 §3.3: scope-token, without spaces. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Requests that may wait for a key, a review or the store at one time. More are asked to come back. */
const MAX_IN_FLIGHT = 2_000

/** What the route needs of the broker. */
export type TokenRoom = {
  /** The longest form that is read. */
  readonly bodyLimitBytes: number
  /** The URL of this endpoint as published. */
  readonly endpoint: string
  readonly certificates: ReadCertificates
  readonly exchange: (ask: Ask) => Promise<Issued>
  /** What the next DPoP proof has to repeat. */
  readonly newNonce: () => string
  readonly meter: Pick<Meter, 'issued'>
}

/** Registers the token endpoint at a path. */
export function tokenRoute(app: FastifyInstance, path: string, room: TokenRoom): void {
  let inFlight = 0

  app.post(path, { bodyLimit: room.bodyLimitBytes }, async (request, reply) => {
    allowAnyOrigin(reply)
    reply.header('cache-control', 'no-store')
    offerNonce(request, reply, room.newNonce)
    if (inFlight >= MAX_IN_FLIGHT) throw new Refusal('overloaded', { inFlight })
    inFlight += 1
    try {
      const issued = await room.exchange(readAsk(request, room))
      room.meter.issued()
      return successBody(issued)
    } finally {
      inFlight -= 1
    }
  })

  postOnly(app, path, 'token')
}

/** Parses the form body; registered as Fastify's parser for it. */
export function parseFormBody(_request: FastifyRequest, body: string): Promise<Form> {
  return new Promise((resolve) => resolve(parseForm(body)))
}

function readAsk(request: FastifyRequest, room: TokenRoom): Ask {
  if (request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== FORM) {
    throw new Refusal('form_malformed', { problem: `the content type is not ${FORM}` })
  }
  if (request.url.includes('?')) {
    throw new Refusal('form_malformed', { problem: 'parameters in the query (RFC 6749 §3.2)' })
  }
  const form = request.body as Form
  const grantType = need(form, 'grant_type')
  const shown = room.certificates(request)
  const evidence = readEvidence(form, grantType, request, shown)
  return {
    id: request.id,
    grantType,
    evidence,
    attestation: readAttestation(form),
    clientId: form.one('client_id') ?? null,
    resources: form.all('resource'),
    scopes: readScopes(form.one('scope')),
    sourceIp: plainAddress(request.ip),
    proofs: readProofs(request, room.endpoint, {
      certificates: shown.chain,
      areCredential: evidence.carrier === 'certificate',
      jkt: form.one('dpop_jkt'),
    }),
  }
}

function readEvidence(
  form: Form,
  grantType: string,
  request: FastifyRequest,
  shown: ShownCertificates,
): Evidence {
  // RFC 6749 §2.3: one method of client authentication a request. We issue no secrets at all.
  if (request.headers.authorization !== undefined || form.one('client_secret') !== undefined) {
    throw new Refusal('credentials_ambiguous', { problem: 'a client secret is not used here' })
  }
  const carrier = CARRIERS.get(grantType)
  if (carrier === undefined) {
    throw new Refusal('grant_type_unsupported', { found: printable(grantType) })
  }
  const other = carrier === 'assertion' ? 'client_assertion' : 'assertion'
  if (form.one(other) !== undefined) {
    throw new Refusal('credentials_ambiguous', { problem: `${carrier} and ${other} together` })
  }
  if (carrier === 'client_assertion' && isSvid(form, shown)) {
    const value = shown.chain.map((der) => der.toString('base64')).join('.')
    return { role: 'workload', ...X509_SVID, value }
  }
  const said = carrier === 'client_assertion' ? assertionType(form) : {}
  return { role: 'workload', carrier, value: need(form, carrier), ...said }
}

/** draft-ietf-oauth-spiffe-client-auth §3.2: no assertion, a certificate, and the SPIFFE ID as `client_id`. */
function isSvid(form: Form, { chain, identifies }: ShownCertificates): boolean {
  const isAsserted = form.one('client_assertion') ?? form.one('client_assertion_type')
  if (isAsserted !== undefined || chain.length === 0) return false
  return identifies && SPIFFE_ID.test(form.one('client_id') ?? '')
}

/** Second evidence goes with either carrier. */
function readAttestation(form: Form): Evidence | null {
  const type = form.one('attestation_type')
  if (type === undefined && form.one('attestation') === undefined) return null
  const value = need(form, 'attestation')
  const format = ATTESTATION_TYPES.get(need(form, 'attestation_type'))
  if (format === undefined) {
    const expected = [...ATTESTATION_TYPES.keys()]
    throw new Refusal('attestation_refused', { found: printable(type), expected })
  }
  return { role: 'attestation', carrier: 'attestation', value, format }
}

function assertionType(form: Form): Pick<Evidence, 'kind' | 'format'> {
  const type = need(form, 'client_assertion_type')
  const said = ASSERTION_TYPES.get(type)
  if (said !== undefined) return said
  throw new Refusal('parameter_malformed', {
    parameter: 'client_assertion_type',
    found: printable(type),
    expected: [...ASSERTION_TYPES.keys()],
  })
}

/** Each grant type has one parameter for the workload's credential. */
const CARRIERS: ReadonlyMap<string, 'assertion' | 'client_assertion'> = new Map([
  [JWT_BEARER_GRANT, 'assertion'],
  [CLIENT_CREDENTIALS_GRANT, 'client_assertion'],
])

function need(form: Form, parameter: string): string {
  const value = form.one(parameter)
  if (value === undefined) throw new Refusal('parameter_missing', { parameter })
  return value
}

function readScopes(scope: string | undefined): readonly string[] {
  if (scope === undefined) return []
  const scopes = [...new Set(scope.split(' ').filter((token) => token !== ''))]
  if (scopes.length > MAX_SCOPES) {
    throw new Refusal('scope_malformed', { problem: 'too many scopes', limit: MAX_SCOPES })
  }
  for (const token of scopes) {
    if (!SCOPE_TOKEN.test(token) || token.length > MAX_SCOPE_CHARACTERS) {
      throw new Refusal('scope_malformed', { found: printable(token) })
    }
  }
  return scopes
}

function successBody({ token, grant }: Issued): Record<string, string | number> {
  return {
    access_token: token,
    token_type: grant.confirmation !== null && 'jkt' in grant.confirmation ? 'DPoP' : 'Bearer',
    expires_in: grant.expiresAt - grant.issuedAt,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
  }
}
