/**
 * `POST /token`: form → Ask, and the answer of RFC 6749 §5.1. Wire names end here. Both carriers of a platform
 * token are read into the same Ask, so that both lead to the same workload.
 */

import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ask, Issued } from '../exchange.ts'
import type { Evidence } from '../identity.ts'
import { printable, Refusal } from '../refusal.ts'
import { allowAnyOrigin } from './cors.ts'
import { readAttestation, readClientAssertion } from './evidence.ts'
import { demandForm, type Form, need, parseForm } from './form.ts'
import { gate } from './gate.ts'
import { postOnly } from './methods.ts'
import type { Meter } from './metrics.ts'
import { readProofs } from './proofs.ts'

/** RFC 7523 §2.1. */
export const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** RFC 6749 §4.4. */
export const CLIENT_CREDENTIALS_GRANT = 'client_credentials'

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
  readonly exchange: (ask: Ask) => Promise<Issued>
  readonly meter: Pick<Meter, 'issued'>
}

/** Registers the token endpoint at a path. */
export function tokenRoute(app: FastifyInstance, path: string, room: TokenRoom): void {
  const enter = gate()

  app.post(path, { bodyLimit: room.bodyLimitBytes }, async (request, reply) => {
    allowAnyOrigin(reply)
    reply.header('cache-control', 'no-store')
    const issued = await enter(async () => room.exchange(readAsk(request, room.endpoint)))
    room.meter.issued()
    return successBody(issued)
  })

  postOnly(app, path, 'token')
}

/** Parses the form body; registered as Fastify's parser for it. */
export function parseFormBody(_request: FastifyRequest, body: string): Promise<Form> {
  return new Promise((resolve) => resolve(parseForm(body)))
}

function readAsk(request: FastifyRequest, endpoint: string): Ask {
  const form = demandForm(request)
  const grantType = need(form, 'grant_type')
  return {
    id: request.id,
    grantType,
    evidence: readEvidence(form, grantType, request),
    attestation: readAttestation(form),
    clientId: form.one('client_id') ?? null,
    resources: form.all('resource'),
    scopes: readScopes(form.one('scope')),
    sourceIp: sourceIp(request.ip),
    proofs: readProofs(request, endpoint),
  }
}

/** A socket that also takes IPv6 shows IPv4 callers as mapped (RFC 4291 §2.5.5.2); policies name them as IPv4. */
function sourceIp(address: string): string | null {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  return isIP(plain) === 0 ? null : plain
}

function readEvidence(form: Form, grantType: string, request: FastifyRequest): Evidence {
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
  if (carrier === 'client_assertion') return readClientAssertion(form)
  return { role: 'workload', carrier, value: need(form, carrier) }
}

/** Each grant type has one parameter for the workload's credential. */
const CARRIERS: ReadonlyMap<string, 'assertion' | 'client_assertion'> = new Map([
  [JWT_BEARER_GRANT, 'assertion'],
  [CLIENT_CREDENTIALS_GRANT, 'client_assertion'],
])

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
