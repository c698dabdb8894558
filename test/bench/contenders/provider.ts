/** The peer: oidc-provider with `private_key_jwt`. It takes each `jti` once, so no assertion is sent twice. */

import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { Contender, Started } from '../contender.ts'
import { startStation, verifyToken } from '../http.ts'
import { pool } from '../pool.ts'
import type { ProviderSettings } from '../servers/provider.ts'

const ISSUER = 'https://provider.example.com'
const RESOURCE = 'https://mcp.example.com'
const SCOPE = 'trades:read'
const CLIENT = 'settlement'
const LIFETIME_SECONDS = 3600

/** The peer in memory. */
export function provider(): Contender {
  return {
    name: 'oidc-provider, memory',
    job: 'private_key_jwt RS256 in, ES256 JWT out, assertions cold',
    start,
  }
}

function start(): Promise<Started> {
  const client = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const settings: ProviderSettings = {
    issuer: ISSUER,
    resource: RESOURCE,
    scope: SCOPE,
    clientId: CLIENT,
    clientJwk: { ...client.publicKey.export({ format: 'jwk' }), kid: 'client', use: 'sig' },
    signingJwk: { ...signing.privateKey.export({ format: 'jwk' }), kid: 'signing', use: 'sig' },
  }
  const forms = pool(() => form(client.privateKey))
  let shown = 0
  return startStation({
    server: 'provider',
    settings,
    forms(count) {
      shown += count
      return forms.take(shown - count, count)
    },
    async check(answer, child) {
      const expected = { issuer: ISSUER, audience: RESOURCE }
      const { client_id: id, scope } = await verifyToken(answer, child, expected)
      if (id !== CLIENT || scope !== SCOPE) throw new Error(`it is for ${id}, ${scope}`)
    },
  })
}

function form(key: KeyObject): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: CLIENT,
    sub: CLIENT,
    aud: ISSUER,
    jti: randomUUID(),
    iat: now,
    exp: now + LIFETIME_SECONDS,
  }
  const input = `${encode({ alg: 'RS256', kid: 'client' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), key).toString('base64url')
  return new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: `${input}.${signature}`,
    resource: RESOURCE,
    scope: SCOPE,
  }).toString()
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
