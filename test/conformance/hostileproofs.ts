/**
 * Proofs of possession as attackers make them: `[what, the DPoP header, why it is refused]`. Each row breaks one thing
 * of a proof that is good otherwise.
 */

import { createHmac, createPublicKey, createSign, generateKeyPairSync, sign } from 'node:crypto'
import type { Reason } from '../../src/refusal.ts'
import { aliased } from '../world/forge.ts'
import { type Holder, holder, type ProofDraft, signProof } from '../world/proof.ts'

/** What a row is made of: a caller's key, and the good proof of this moment, before and after a change. */
export type Scene = {
  /** What proofs have to name. */
  readonly url: string
  /** Epoch seconds. */
  readonly at: () => number
  /** A JWT that is good for something else. */
  readonly foreign: () => string
  readonly key: Holder
  readonly good: (change?: (draft: ProofDraft) => void) => string
  readonly draft: () => ProofDraft
}

/** One hostile proof. */
export type Row = readonly [what: string, header: (scene: Scene) => string, reason: Reason]

export const OTHER = holder('another')
const SHORT = generateKeyPairSync('rsa', { modulusLength: 1024 })
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })

const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url')
const json = (value: unknown) => encode(JSON.stringify(value))
const signatureOf = (proof: string) => proof.split('.')[2] ?? ''
const inputOf = (proof: string) => proof.slice(0, proof.lastIndexOf('.'))

/** A good proof with other header members, claims, or both. */
const header =
  (change: Record<string, unknown>) =>
  ({ good }: Scene) =>
    good((draft) => Object.assign(draft.header, change))
const claims =
  (change: Record<string, unknown>) =>
  ({ good }: Scene) =>
    good((draft) => Object.assign(draft.claims, change))
const aged =
  (seconds: number) =>
  ({ good, at }: Scene) =>
    good((draft) => Object.assign(draft.claims, { iat: at() + seconds }))
/** Signed as it is, by whatever signs: for what `holder` itself would not sign. */
const signedBy =
  (change: Record<string, unknown>, by: (input: string, scene: Scene) => string | Buffer) =>
  (scene: Scene) => {
    const draft = scene.draft()
    const input = `${json({ ...draft.header, ...change })}.${json(draft.claims)}`
    return `${input}.${encode(by(input, scene))}`
  }
const pem = ({ key }: Scene) =>
  createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' })
const jwkOf = (scene: Scene) => JSON.stringify(scene.draft().header['jwk'])
const hmac = (secret: (scene: Scene) => string | Buffer) => (input: string, scene: Scene) =>
  createHmac('sha256', secret(scene)).update(input).digest()
/** A key that fits nothing but its own kind. */
const rsa = SHORT.publicKey.export({ format: 'jwk' })
const p384 = P384.publicKey.export({ format: 'jwk' })

// biome-ignore format: a table, one row a line
export const HOSTILE: readonly Row[] = [
  // Malformed.
  ['nothing', () => '', 'proof_malformed'],
  ['a word', () => 'proof', 'proof_malformed'],
  ['two segments', ({ good }) => inputOf(good()), 'proof_malformed'],
  ['four segments', ({ good }) => `${good()}.AAAA`, 'proof_malformed'],
  ['no signature', ({ good }) => `${inputOf(good())}.`, 'proof_malformed'],
  ['padding', ({ good }) => `${good()}=`, 'proof_malformed'],
  ['another spelling of the signature', ({ good }) => aliased(good()), 'proof_malformed'],
  ['two proofs', ({ good }) => `${good()}, ${good()}`, 'proof_malformed'],
  ['a scheme before it', ({ good }) => `DPoP ${good()}`, 'proof_malformed'],
  ['a header that is a list', ({ good }) => good().replace(/^[^.]+/, json([1])), 'proof_malformed'],
  ['claims that are text', ({ good }) => good().replace(/\.[^.]+\./, `.${json('x')}.`), 'proof_malformed'],
  ['claims that are not UTF-8', ({ good }) => good().replace(/\.[^.]+\./, `.${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.`), 'proof_malformed'],
  ['a claim twice', ({ draft, good }) => good().replace(/\.[^.]+\./, `.${encode(JSON.stringify(draft().claims).replace('{', '{"htm":"GET",'))}.`), 'proof_malformed'],
  ['brackets without end', ({ good }) => good().replace(/\.[^.]+\./, `.${encode('['.repeat(3000))}.`), 'proof_malformed'],
  ['no typ', header({ typ: undefined }), 'proof_malformed'],
  ['the typ of any JWT', header({ typ: 'JWT' }), 'proof_malformed'],
  ['the typ of an access token', header({ typ: 'at+jwt' }), 'proof_malformed'],
  ['critical extensions', header({ crit: ['exp'], exp: 1 }), 'proof_malformed'],
  ['no jti', claims({ jti: undefined }), 'proof_malformed'],
  ['an empty jti', claims({ jti: '' }), 'proof_malformed'],
  ['a jti that is a number', claims({ jti: 1 }), 'proof_malformed'],
  ['no htm', claims({ htm: undefined }), 'proof_malformed'],
  ['no htu', claims({ htu: undefined }), 'proof_malformed'],
  ['several htu', ({ good, draft }) => good(({ claims }) => { claims['htu'] = [draft().claims['htu'], 'https://evil.example/token'] }), 'proof_malformed'],
  ['no iat', claims({ iat: undefined }), 'proof_malformed'],
  ['an iat that is text', claims({ iat: '1800000000' }), 'proof_malformed'],
  // Foreign: a JWT for something else, or from elsewhere.
  ['a JWT for something else', ({ foreign }) => foreign(), 'proof_malformed'],
  ['a proof for another server', claims({ htu: 'https://evil.example/token' }), 'proof_mismatched'],
  ['a proof for another endpoint', ({ good, url }) => good(({ claims }) => { claims['htu'] = `${url}/more` }), 'proof_mismatched'],
  ['a proof for what the Host header says', claims({ htu: 'http://localhost/token' }), 'proof_mismatched'],
  ['a proof for http', ({ good, url }) => good(({ claims }) => { claims['htu'] = url.replace('https', 'http') }), 'proof_mismatched'],
  ['a proof for a path that only decodes to ours', ({ good, url }) => good(({ claims }) => { claims['htu'] = url.replace(/(?=[^/]+$)/, 'x%2F..%2F') }), 'proof_mismatched'],
  ['a htu that is no URL', claims({ htu: 'token' }), 'proof_mismatched'],
  ['another method', claims({ htm: 'PUT' }), 'proof_mismatched'],
  ['a method in small letters', claims({ htm: 'post' }), 'proof_mismatched'],
  // Over, and not yet.
  ['an old proof', aged(-60), 'proof_expired'],
  ['a proof from the beginning of time', claims({ iat: 0 }), 'proof_expired'],
  ['a proof from before it', claims({ iat: -1e15 }), 'proof_expired'],
  ['a proof of the future', aged(31), 'proof_premature'],
  ['a proof of the end of time', claims({ iat: 1e300 }), 'proof_premature'],
  // Oversized.
  ['a proof of nine kilobytes', claims({ more: 'x'.repeat(7000) }), 'proof_malformed'],
  ['a long jti', claims({ jti: 'x'.repeat(257) }), 'proof_malformed'],
  ['a long nonce', claims({ nonce: 'x'.repeat(257) }), 'proof_malformed'],
  // Confused algorithms.
  ['no alg', header({ alg: undefined }), 'proof_key_refused'],
  ['alg none', header({ alg: 'none' }), 'proof_key_refused'],
  ['an alg of every object', header({ alg: 'constructor' }), 'proof_key_refused'],
  ['an HMAC keyed with the public key', signedBy({ alg: 'HS256' }, hmac(pem)), 'proof_key_refused'],
  ['an HMAC keyed with the jwk', signedBy({ alg: 'HS256' }, hmac(jwkOf)), 'proof_key_refused'],
  ['an HMAC that says ES256', signedBy({}, hmac(pem)), 'proof_signature_invalid'],
  ['RS256 with an EC key', header({ alg: 'RS256' }), 'proof_key_refused'],
  ['ES256 with a key of P-384', signedBy({ jwk: { kty: p384.kty, crv: p384.crv, x: p384.x, y: p384.y } }, (input) => sign('sha256', Buffer.from(input), { key: P384.privateKey, dsaEncoding: 'ieee-p1363' })), 'proof_key_refused'],
  // Keys.
  ['no jwk', header({ jwk: undefined }), 'proof_key_refused'],
  ['a jwk that is text', header({ jwk: 'x' }), 'proof_key_refused'],
  ['a symmetric jwk', header({ jwk: { kty: 'oct', k: 'AAAA' } }), 'proof_key_refused'],
  ['a private jwk', ({ key, good }) => good(({ header }) => { header['jwk'] = key.privateKey.export({ format: 'jwk' }) }), 'proof_key_refused'],
  ['a point that is not on the curve', ({ good, draft }) => good(({ header }) => { const jwk = draft().header['jwk'] as object; header['jwk'] = { ...jwk, y: encode(Buffer.alloc(32, 1)) } }), 'proof_key_refused'],
  ['an RSA key of 1024 bits', signedBy({ alg: 'RS256', jwk: { kty: rsa.kty, n: rsa.n, e: rsa.e } }, (input) => createSign('sha256').update(input).sign(SHORT.privateKey)), 'proof_key_refused'],
  // Wrong keys.
  ['a signature of another key', ({ draft }) => signProof(draft(), OTHER.privateKey, 'ES256'), 'proof_signature_invalid'],
  ['the signature of another proof', ({ good }) => `${inputOf(good())}.${signatureOf(good())}`, 'proof_signature_invalid'],
  ['a signature of zeros', ({ good }) => `${inputOf(good())}.${encode(Buffer.alloc(64))}`, 'proof_signature_invalid'],
  ['a signature in DER', signedBy({}, (input, { key }) => sign('sha256', Buffer.from(input), key.privateKey)), 'proof_signature_invalid'],
]
