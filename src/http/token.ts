/**
 * `POST /token`: form → Ask, and the answer of RFC 6749 §5.1. Wire names end here. Both carriers of a platform
 * token are read into the same Ask, so that both lead to the same workload.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ask, Issued } from '../exchange.ts'
import type { Evidence } from '../identity.ts'
import { schemeOf } from '../possession.ts'
import { printable, Refusal } from '../refusal.ts'
import { plainAddress } from './address.ts'
import type { ReadCertificates, ShownCertificates } from './certificates.ts'
import { allowAnyOrigin } from './cors.ts'
import {
  issuedType,
  readActor,
  readGranted,
  readSubject,
  readWanted,
  TOKEN_EXCHANGE_GRANT,
} from './delegation.ts'
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
  refuseSecrets(form, request)
  const shown = room.certificates(request)
  const exchanging = grantType === TOKEN_EXCHANGE_GRANT
  const granted = grantType === JWT_BEARER_GRANT ? readGranted(form) : null
  const evidence =
    granted === null ? readEvidence(form, grantType, shown) : readClientAssertion(form)
  return {
    id: request.id,
    grantType,
    evidence,
    attestation: readAttestation(form),
    clientId: form.one('client_id') ?? null,
    subject: exchanging ? readSubject(form) : granted,
    mayAct: readWorkload(form, 'may_act'),
    wanted: exchanging ? readWanted(form) : { type: 'access_token' },
    requestedActor: readWorkload(form, 'requested_actor'),
    resources: form.all('resource'),
    audiences: exchanging ? form.all('audience') : [],
    scopes: readScopes(form.one('scope')),
    sourceIp: plainAddress(request.ip),
    proofs: readProofs(request, room.endpoint, {
      certificates: shown,
      areCredential: evidence.carrier === 'certificate',
      jkt: form.one('dpop_jkt'),
    }),
  }
}

/** RFC 6749 §2.3: one method of client authentication a request. We issue no secrets at all. */
function refuseSecrets(form: Form, { headers }: FastifyRequest): void {
  if (headers.authorization === undefined && form.one('client_secret') === undefined) return
  throw new Refusal('credentials_ambiguous', { problem: 'a client secret is not used here' })
}

function readEvidence(form: Form, grantType: string, shown: ShownCertificates): Evidence {
  if (grantType === TOKEN_EXCHANGE_GRANT) return readActing(form, shown)
  const carrier = CARRIERS.get(grantType)
  if (carrier === undefined) {
    throw new Refusal('grant_type_unsupported', { found: printable(grantType) })
  }
  const other = carrier === 'assertion' ? 'client_assertion' : 'assertion'
  if (form.one(other) !== undefined) {
    throw new Refusal('credentials_ambiguous', { problem: `${carrier} and ${other} together` })
  }
  if (carrier === 'client_assertion' && isSvid(form, shown)) return svidOf(shown)
  if (carrier === 'client_assertion') return readClientAssertion(form)
  return { role: 'workload', carrier, value: need(form, carrier) }
}

/** The acting workload authenticates as actor or as client (RFC 8693 §2.1); a subject token alone yields nothing. */
function readActing(form: Form, shown: ShownCertificates): Evidence {
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
  if (assertion !== undefined) return { ...readClientAssertion(form), role: 'actor' }
  if (isSvid(form, shown)) return { ...svidOf(shown), role: 'actor' }
  throw new Refusal('parameter_missing', { parameter: 'actor_token' })
}

/** draft-ietf-oauth-spiffe-client-auth §3.2: no assertion, a certificate, and the SPIFFE ID as `client_id`. */
function isSvid(form: Form, { chain, identifies }: ShownCertificates): boolean {
  const isAsserted = form.one('client_assertion') ?? form.one('client_assertion_type')
  if (isAsserted !== undefined || chain.length === 0) return false
  return identifies && SPIFFE_ID.test(form.one('client_id') ?? '')
}

function svidOf({ chain }: ShownCertificates): Evidence {
  return {
    role: 'workload',
    ...X509_SVID,
    value: chain.map((der) => der.toString('base64')).join('.'),
  }
}

/** Each grant type has one parameter for the workload's credential. */
const CARRIERS: ReadonlyMap<string, 'assertion' | 'client_assertion'> = new Map([
  [JWT_BEARER_GRANT, 'assertion'],
  [CLIENT_CREDENTIALS_GRANT, 'client_assertion'],
])

/** A workload by its canonical URI; null for none. */
function readWorkload(form: Form, parameter: 'may_act' | 'requested_actor'): string | null {
  const uri = form.one(parameter)
  if (uri === undefined) return null
  if (/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]{1,1024}$/.test(uri)) return uri
  const expected = 'the canonical URI of a workload'
  throw new Refusal('parameter_malformed', { parameter, expected, found: printable(uri) })
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

function successBody({ token, grant, issuedType: type }: Issued): Record<string, string | number> {
  return {
    access_token: token,
    ...(type !== null && { issued_token_type: issuedType(type) }),
    token_type: tokenType(type, grant),
    expires_in: grant.expiresAt - grant.issuedAt,
    ...(grant.scopes.length > 0 && { scope: grant.scopes.join(' ') }),
  }
}

/** RFC 8693 §2.2.1: what is no access token has no way of being used as one. */
function tokenType(type: Issued['issuedType'], { confirmation }: Issued['grant']): string {
  if (type !== null && type !== 'access_token') return 'N_A'
  return schemeOf(confirmation)
}
