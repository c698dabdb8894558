/**
 * `POST /token`: form → Ask, and the answer of RFC 6749 §5.1. Wire names end here. Both carriers of a platform
 * token are read into the same Ask, so that both lead to the same workload.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ask, Issued } from '../exchange.ts'
import type { Evidence } from '../identity.ts'
import { printable, Refusal } from '../refusal.ts'
import { ACCESS_TOKEN } from '../subjects.ts'
import { plainAddress } from './address.ts'
import type { ReadCertificates, ShownCertificates } from './certificates.ts'
import { allowAnyOrigin } from './cors.ts'
import { readActor, readSubject, TOKEN_EXCHANGE_GRANT } from './delegation.ts'
import { readAttestation, readClientAssertion } from './evidence.ts'
import { demandForm, type Form, need, parseForm } from './form.ts'
import { gate } from './gate.ts'
import { postOnly } from './methods.ts'
import type { Meter } from './metrics.ts'
import { offerNonce, readProofs } from './proofs.ts'

/** RFC 7523 §2.1. */
export const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** RFC 6749 §4.4. */
export const CLIENT_CREDENTIALS_GRANT = 'client_credentials'

/** SPIFFE client authentication by X.509-SVID: whoever names itself so is who its certificate says it is. */
const SPIFFE_ID = /^spiffe:\/\//
/** As `attestors/spiffe/x509.ts` takes it: base64 of the DER, leaf first, joined by dots. */
const X509_SVID = { carrier: 'certificate', format: 'x509-svid' } as const

const MAX_SCOPES = 32
const MAX_SCOPE_CHARACTERS = 256

/** RFC 6749 §3.3: scope-token, without spaces. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

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
  const enter = gate()

  app.post(path, { bodyLimit: room.bodyLimitBytes }, async (request, reply) => {
    allowAnyOrigin(reply)
    reply.header('cache-control', 'no-store')
    offerNonce(request, reply, room.newNonce)
    const issued = await enter(async () => room.exchange(readAsk(request, room)))
    room.meter.issued()
    return successBody(issued)
  })

  postOnly(app, path, 'token')
}

/** Parses the form body; registered as Fastify's parser for it. */
export function parseFormBody(_request: FastifyRequest, body: string): Promise<Form> {
  return new Promise((resolve) => resolve(parseForm(body)))
}

function readAsk(request: FastifyRequest, room: TokenRoom): Ask {
  const form = demandForm(request)
  const grantType = need(form, 'grant_type')
  const shown = room.certificates(request)
  const evidence = readEvidence(form, grantType, request, shown)
  return {
    id: request.id,
    grantType,
    evidence,
    attestation: readAttestation(form),
    clientId: form.one('client_id') ?? null,
    subject: grantType === TOKEN_EXCHANGE_GRANT ? readSubject(form) : null,
    mayAct: readMayAct(form.one('may_act')),
    resources: readTargets(form, grantType),
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
  if (grantType === TOKEN_EXCHANGE_GRANT) return readActing(form)
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
  if (carrier === 'client_assertion') return readClientAssertion(form)
  return { role: 'workload', carrier, value: need(form, carrier) }

  /** The acting workload authenticates as actor or as client (RFC 8693 §2.1); a subject token alone yields nothing. */
  function readActing(form: Form): Evidence {
    if (form.one('assertion') !== undefined) {
      throw new Refusal('credentials_ambiguous', { problem: 'assertion in a token exchange' })
    }
    const actor = readActor(form)
    const assertion = form.one('client_assertion')
    if (actor !== null && assertion !== undefined) {
      throw new Refusal('credentials_ambiguous', {
        problem: 'actor_token and client_assertion together',
      })
    }
    if (actor !== null) return actor
    if (assertion === undefined)
      throw new Refusal('parameter_missing', { parameter: 'actor_token' })
    return { ...readClientAssertion(form), role: 'actor' }
  }
}

/** draft-ietf-oauth-spiffe-client-auth §3.2: no assertion, a certificate, and the SPIFFE ID as `client_id`. */
function isSvid(form: Form, { chain, identifies }: ShownCertificates): boolean {
  const isAsserted = form.one('client_assertion') ?? form.one('client_assertion_type')
  if (isAsserted !== undefined || chain.length === 0) return false
  return identifies && SPIFFE_ID.test(form.one('client_id') ?? '')
}

/** Each grant type has one parameter for the workload's credential. */
const CARRIERS: ReadonlyMap<string, 'assertion' | 'client_assertion'> = new Map([
  [JWT_BEARER_GRANT, 'assertion'],
  [CLIENT_CREDENTIALS_GRANT, 'client_assertion'],
])

/** RFC 8693 §2.1: in an exchange, `audience` says the same as `resource`. */
function readTargets(form: Form, grantType: string): readonly string[] {
  const resources = form.all('resource')
  if (grantType !== TOKEN_EXCHANGE_GRANT) return resources
  return [...new Set([...resources, ...form.all('audience')])]
}

/** The workload that may act by the token that is asked for: its canonical URI. */
function readMayAct(uri: string | undefined): string | null {
  if (uri === undefined) return null
  if (/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]{1,1024}$/.test(uri)) return uri
  const expected = 'the canonical URI of a workload'
  throw new Refusal('parameter_malformed', {
    parameter: 'may_act',
    expected,
    found: printable(uri),
  })
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

function successBody({ token, grant, exchanged }: Issued): Record<string, string | number> {
  return {
    access_token: token,
    ...(exchanged && { issued_token_type: ACCESS_TOKEN }),
    token_type: grant.confirmation !== null && 'jkt' in grant.confirmation ? 'DPoP' : 'Bearer',
    expires_in: grant.expiresAt - grant.issuedAt,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
  }
}
