/** Documents of Nitro Enclaves and NitroTPM: from a good one, one thing broken at a time. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encode } from 'cborg'
import {
  AWS_NITRO_ROOT,
  claimedNitroChallenge,
  joinsIdentity,
  type NitroDocumentOptions,
  verifyNitroDocument,
} from '../../attestors/nitro/document.ts'
import { joinsInstance, joinsRole } from '../../attestors/nitro/registers.ts'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { issue, KEY_CERT_SIGN } from '../world/authority.ts'
import * as nitro from '../world/cose.ts'

const { root, leaf, bundle } = nitro.nitroAuthorities()
const OPTIONS: NitroDocumentOptions = {
  challenge: nitro.CHALLENGE,
  rules: {
    enclave: { 0: [nitro.measurement(7), nitro.measurement(0)], 8: [nitro.measurement(8)] },
    tpm: { 4: [nitro.measurement(4)], 7: [nitro.measurement(7)] },
  },
  roots: [root.read().fingerprint],
}

const good = () => nitro.enclavePayload(leaf, bundle)
const written = (payload: nitro.Payload, unlike: nitro.Signing = {}) =>
  nitro.signed(encode(payload), leaf, unlike).toString('base64')
const verify = (document: string, change: Partial<NitroDocumentOptions> = {}, now = nitro.NOW) =>
  verifyNitroDocument(document, { ...OPTIONS, ...change }, now)

test('a document says what was measured, and hands over what the code put there', () => {
  const { registers, ...result } = verify(written(good()))
  assert.deepEqual(result, {
    subject: nitro.MODULE,
    facts: {
      'nitro.measured': {
        value: true,
        grade: 'A',
        source: 'attestation document',
        observedAt: nitro.NOW,
      },
    },
    lineage: [`nitro:${nitro.MODULE}`],
    issuedAt: nitro.NOW,
    expiresAt: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000,
    measured: 'enclave',
    instance: nitro.INSTANCE,
    publicKey: null,
    userData: Buffer.from('a key of its own'),
  })
  assert.equal(registers.get(8), nitro.measurement(8))
})

test('a document ends with the first certificate of its chain that does', () => {
  const short = nitro.nitroAuthorities({ last: { until: '20270115110000Z' } }, root)
  const payload = nitro.enclavePayload(short.leaf, short.bundle)
  assert.equal(verify(written(payload)).expiresAt, nitro.NOW + 3 * 3600)
})

test('tagged and untagged, with and without a length: the forms that hypervisors write', () => {
  verify(written(good(), { tagged: true }))
  verify(nitro.signed(nitro.endless(good()), leaf).toString('base64'))
})

test('a NitroTPM has registers of its own, and is measured by rules of its own', async () => {
  const document = written(nitro.tpmPayload(leaf, bundle))
  assert.equal(verify(document).measured, 'tpm')
  const { enclave } = OPTIONS.rules
  assert.ok(enclave)
  await refused(() => verify(document, { rules: { enclave } }), 'measurement_refused')
})

test('the registers of role and instance are what the documentation of AWS prints', () => {
  const result = verify(written(good()))
  assert.equal(joinsRole(result.registers, nitro.ROLE_ARN), true)
  assert.equal(joinsRole(result.registers, `${nitro.ROLE_ARN}s`), false)
  assert.equal(joinsInstance(result.registers, nitro.INSTANCE), true)
  assert.equal(joinsInstance(result.registers, 'i-1234567890abcdef1'), false)
  assert.equal(joinsRole(new Map([[3, nitro.ZERO]]), ''), false)
  assert.equal(joinsRole(new Map(), nitro.ROLE_ARN), false)
})

test('a document joins the identity of its instance, or else of its role', () => {
  const enclave = verify(written(good()))
  const tpm = verify(written(nitro.tpmPayload(leaf, bundle)))
  const [roleArn, instance] = [nitro.ROLE_ARN, nitro.INSTANCE]
  const rows = [
    [enclave, { roleArn }, true],
    [enclave, { roleArn, instance }, true],
    [enclave, { roleArn, instance: 'i-1234567890abcdef1' }, false],
    [enclave, { roleArn: `${roleArn}s` }, false],
    [tpm, { roleArn, instance }, true],
    [tpm, { roleArn, instance: 'i-1234567890abcdef1' }, false],
    [tpm, { roleArn }, false],
    [tpm, {}, false],
    [enclave, {}, false],
  ] as const
  for (const [result, identity, joins] of rows) {
    assert.equal(joinsIdentity(result, identity), joins, JSON.stringify(identity))
  }
})

type Change = (payload: nitro.Payload) => void
const set =
  (name: string, value: unknown): Change =>
  (payload) =>
    void payload.set(name, value)
const register =
  (index: unknown, value: unknown): Change =>
  (payload) =>
    void (payload.get('pcrs') as Map<unknown, unknown>).set(index, value)
const zero = Buffer.alloc(48)

const payloads: readonly (readonly [what: string, change: Change, reason: Reason])[] = [
  ['the nonce of another', set('nonce', Buffer.from('x'.repeat(31))), 'challenge_unknown'],
  ['no nonce', (payload) => void payload.delete('nonce'), 'challenge_unknown'],
  ['a nonce that is null', set('nonce', null), 'challenge_unknown'],
  ['a nonce that is text', set('nonce', nitro.CHALLENGE), 'claim_invalid'],
  ['a nonce of 513 bytes', set('nonce', Buffer.alloc(513)), 'claim_invalid'],
  ['a time 61 s from now', set('timestamp', (nitro.NOW + 61) * 1000), 'token_premature'],
  ['a time 301 s ago', set('timestamp', (nitro.NOW - 301) * 1000), 'token_stale'],
  ['a time that is text', set('timestamp', String(nitro.NOW)), 'claim_invalid'],
  ['a time of zero', set('timestamp', 0), 'claim_invalid'],
  ['another digest', set('digest', 'SHA256'), 'claim_invalid'],
  ['a module of no instance', set('module_id', 'enclave'), 'claim_invalid'],
  ['a member that AWS does not have', set('debug', true), 'claim_invalid'],
  ['registers of both kinds', set('nitrotpm_pcrs', new Map([[4, zero]])), 'claim_invalid'],
  ['the module of a NitroTPM', set('module_id', nitro.TPM_MODULE), 'claim_invalid'],
  ['no registers', set('pcrs', new Map()), 'claim_invalid'],
  [
    'a register that is missing',
    (payload) => void (payload.get('pcrs') as Map<unknown, unknown>).delete(1),
    'measurement_refused',
  ],
  [
    'a named register that is missing',
    (payload) => void (payload.get('pcrs') as Map<unknown, unknown>).delete(8),
    'measurement_refused',
  ],
  ['a register of 32 bytes', register(0, Buffer.alloc(32)), 'claim_invalid'],
  ['a register of number 32', register(32, zero), 'claim_invalid'],
  ['a register by name', register('0', zero), 'claim_invalid'],
  ['another image', register(0, Buffer.alloc(48, 9)), 'measurement_refused'],
  ['an image without its signer', register(8, zero), 'measurement_refused'],
  [
    'debug mode',
    (payload) => [0, 1, 2].map((n) => register(n, zero)(payload)),
    'measurement_refused',
  ],
  ['debug mode, by one register', register(2, zero), 'measurement_refused'],
  ['no certificate', set('certificate', Buffer.alloc(0)), 'claim_invalid'],
  ['a certificate of 1025 bytes', set('certificate', Buffer.alloc(1025)), 'claim_invalid'],
  ['an empty bundle', set('cabundle', []), 'claim_invalid'],
  [
    'a bundle of six',
    set(
      'cabundle',
      Array.from({ length: 6 }, () => root.der),
    ),
    'claim_invalid',
  ],
  [
    'the bundle backwards',
    set('cabundle', bundle.map(({ der }) => der).reverse()),
    'certificate_untrusted',
  ],
  [
    'a bundle with a step missing',
    set('cabundle', [root.der, bundle[2]?.der]),
    'certificate_untrusted',
  ],
  [
    'the certificate of another',
    set('certificate', issue('x', bundle[2], { authority: false }).der),
    'signature_invalid',
  ],
]

suite('nitro: start from a good document, break one thing', () => {
  for (const [what, change, reason] of payloads) {
    test(`${what} is refused as ${reason}`, async () => {
      const payload = good()
      change(payload)
      await refused(() => verify(written(payload)), reason)
    })
  }

  const ES256 = Buffer.from('a10126', 'hex')
  const messages: readonly (readonly [what: string, unlike: nitro.Signing, reason: Reason])[] = [
    ['ES256 in the header', { header: ES256 }, 'algorithm_refused'],
    ['no header', { header: Buffer.alloc(0) }, 'algorithm_refused'],
    ['something unprotected', { unprotected: new Map([[4, 'kid']]) }, 'document_malformed'],
    ['a signature of zeros', { signature: Buffer.alloc(96) }, 'signature_invalid'],
    ['a signature of 64 bytes', { signature: Buffer.alloc(64) }, 'document_malformed'],
  ]
  for (const [what, unlike, reason] of messages) {
    test(`${what} is refused as ${reason}`, async () => {
      await refused(() => verify(written(good(), unlike)), reason)
    })
  }

  const leaves = [
    ['a leaf that is over', { leaf: { until: '20270115075959Z' } }],
    ['a leaf that is an authority', { leaf: { authority: true, usage: 0x84 } }],
    ['an authority that is over', { last: { until: '20270115075959Z' } }],
    ['an authority that is none', { last: { authority: false, usage: KEY_CERT_SIGN } }],
  ] as const
  for (const [what, unlike] of leaves) {
    test(`${what} is refused as certificate_untrusted`, async () => {
      const other = nitro.nitroAuthorities(unlike, root)
      const payload = nitro.enclavePayload(other.leaf, other.bundle)
      const { detail } = await refused(() => verify(written(payload)), 'certificate_untrusted')
      assert.notEqual(detail['problem'], 'the root is not a pinned one')
    })
  }

  test('a root of the same name that is not the pinned one is refused, and so is every root of ours by default', async () => {
    await refused(
      () => verify(written(good()), { roots: [AWS_NITRO_ROOT] }),
      'certificate_untrusted',
    )
    const { roots: _, ...rest } = OPTIONS
    await refused(
      () => verifyNitroDocument(written(good()), rest, nitro.NOW),
      'certificate_untrusted',
    )
  })

  test('a leaf with another curve signs nothing', async () => {
    const other = nitro.nitroAuthorities({ leaf: { kind: 'P-256' } }, root)
    const payload = nitro.enclavePayload(other.leaf, other.bundle)
    await refused(() => verify(written(payload)), 'algorithm_refused')
  })

  test('no rules allow nothing, and zeros are no measurement even where a rule names them', async () => {
    await refused(() => verify(written(good()), { rules: {} }), 'measurement_refused')
    await refused(() => verify(written(good()), { rules: { enclave: {} } }), 'measurement_refused')
    const zeros = { enclave: { 5: [nitro.ZERO] } }
    await refused(() => verify(written(good()), { rules: zeros }), 'measurement_refused')
  })

  test('a message that is no array of four, and a payload that is no map of bytes, are refused', async () => {
    const header = nitro.ES384
    const signature = Buffer.alloc(96)
    const messages = [
      [header, new Map(), encode(good())],
      [header, new Map(), 'text', signature],
      [header, new Map(), encode([]), signature],
      new Map(),
    ]
    for (const message of messages) {
      const document = Buffer.from(encode(message)).toString('base64')
      await refused(() => verify(document), 'document_malformed')
    }
  })

  test('a payload that was changed after it was signed is refused', async () => {
    const bytes = nitro.signed(encode(good()), leaf)
    bytes[bytes.indexOf('a key of its own')] = 0x41
    await refused(() => verify(bytes.toString('base64')), 'signature_invalid')
  })

  test('the challenge that it says it answers can be told before anything is verified', async () => {
    const unsigned = written(good(), { signature: Buffer.alloc(96) })
    assert.equal(claimedNitroChallenge(unsigned), nitro.CHALLENGE)
    const payload = good()
    payload.set('nonce', null)
    await refused(() => claimedNitroChallenge(written(payload)), 'challenge_unknown')
  })
})
