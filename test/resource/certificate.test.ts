/** Tokens that are bound to a certificate (RFC 8705 §3), shown to a resource server with one, another or none. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { thumbprint } from '../../src/possession.ts'
import { InvalidToken, verifier } from '../../src/resource/index.ts'
import { signer } from '../world/keys.ts'

const NOW = 1_800_000_000
const CERTIFICATE = Buffer.from('a certificate')
const key = signer('broker', 'ES256')
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(cnf: object): string {
  const times = { iat: NOW, exp: NOW + 300, jti: 'j' }
  const who = { iss: 'https://as.example', aud: 'https://rs.example', sub: 's', client_id: 'c' }
  const header = { alg: 'ES256', typ: 'at+jwt', kid: key.kid }
  const input = `${encode(header)}.${encode({ ...who, ...times, cnf })}`
  return `${input}.${key.sign(input).toString('base64url')}`
}

const verify = verifier({
  issuer: 'https://as.example',
  audience: 'https://rs.example',
  now: () => NOW * 1000,
  fetch: async () => Response.json({ keys: [key.jwk] }),
})
const request = (authorization: string, certificate?: Buffer) => ({
  method: 'GET',
  url: '/',
  headers: { authorization },
  ...(certificate && { certificate }),
})
const bound = token({ 'x5t#S256': thumbprint(CERTIFICATE) })

test('a token that is bound to a certificate is good on a connection with it', async () => {
  assert.equal((await verify(request(`Bearer ${bound}`, CERTIFICATE))).subject, 's')
})

test('with another certificate, with none, or by itself it is refused', async () => {
  await assert.rejects(verify(request(`Bearer ${bound}`, Buffer.from('another'))), InvalidToken)
  await assert.rejects(verify(request(`Bearer ${bound}`)), InvalidToken)
  await assert.rejects(verify(bound), InvalidToken)
})

test('a token whose binding is not known here is nobody’s', async () => {
  await assert.rejects(verify(request(`Bearer ${token({ kid: 'x' })}`, CERTIFICATE)), InvalidToken)
})
