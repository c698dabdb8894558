/** Which key a caller has proved, of all that it shows. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { certificateJudge } from '../src/clientcertificate.ts'
import { nonces } from '../src/nonce.ts'
import { type Proofs, possession, thumbprint, UNBOUND } from '../src/possession.ts'
import { refused } from './world/attest.ts'
import { issue } from './world/authority.ts'
import { holder } from './world/proof.ts'

const NOW = 1_800_000_000
const URL = 'https://as.example/token'
const given = nonces('a secret of at least thirty-two characters', randomBytes)
const prove = possession(
  given,
  certificateJudge(() => null),
)
const me = holder()
const proof = () => me.prove({ url: URL, at: NOW, nonce: given.offer(NOW) })
const shown = (change: Partial<Proofs>): Proofs => ({
  dpop: null,
  jkt: null,
  token: null,
  method: 'POST',
  url: URL,
  certificates: [],
  areCredential: false,
  ...change,
})
const CERTIFICATE = issue('client').der

test('nothing shown is nothing proved', () => {
  assert.deepEqual(prove(shown({}), NOW), UNBOUND)
})

test('a proof binds to its key', () => {
  const { sender, confirmation, proof: once } = prove(shown({ dpop: proof() }), NOW)
  assert.deepEqual([sender, confirmation, once?.until], ['dpop', { jkt: me.jkt }, NOW + 60])
})

test('a certificate binds to itself, and is not spent', () => {
  const { sender, confirmation, proof: once } = prove(shown({ certificates: [CERTIFICATE] }), NOW)
  const expected = { 'x5t#S256': thumbprint(CERTIFICATE) }
  assert.deepEqual([sender, confirmation, once], ['mtls', expected, null])
})

test('of a proof and a certificate the proof counts, because it was made for this request', async () => {
  const both = shown({ dpop: proof(), certificates: [CERTIFICATE] })
  assert.deepEqual(prove(both, NOW).confirmation, { jkt: me.jkt })
  const bad = shown({ dpop: 'bad', certificates: [CERTIFICATE] })
  await refused(() => prove(bad, NOW), 'proof_malformed')
})

test('the key that the request names has to be the one that is proved', async () => {
  assert.equal(prove(shown({ dpop: proof(), jkt: me.jkt }), NOW).sender, 'dpop')
  for (const jkt of [holder('another').jkt, me.jkt.toLowerCase(), 'x']) {
    await refused(() => prove(shown({ dpop: proof(), jkt }), NOW), 'proof_mismatched')
  }
  const unproved = shown({ jkt: me.jkt, certificates: [CERTIFICATE] })
  await refused(() => prove(unproved, NOW), 'proof_missing')
})

test('beside an access token a proof has to be made for it', async () => {
  await refused(() => prove(shown({ dpop: proof(), token: 'a.b.c' }), NOW), 'proof_mismatched')
})
