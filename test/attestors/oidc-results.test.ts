/** Attestation results as second evidence: bound by our challenge, from exactly one instance, under a pinned policy. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { selfSigned } from '../world/certificate.ts'
import type { TestClock } from '../world/clock.ts'
import { renamed, signer } from '../world/keys.ts'
import { put, setOidcStage } from '../world/oidc.ts'
import { VM } from '../world/oidcclaims.ts'

const CHALLENGE = 'a-challenge-of-ours'
const TEE = '/x-ms-isolation-tee'
const JKU = 'https://example.weu.attest.azure.net/certs'

type Stage = Awaited<ReturnType<typeof setOidcStage>>

async function verify({ results, clock }: Stage, token: string, challenge = CHALLENGE) {
  const proof = await results.prepare(token, challenge, clock.seconds())
  return proof.verify(clock.seconds())
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('azure-attestation: a measured machine, by the id of its VM; the jku is not read', async (t) => {
  const stage = await setOidcStage(t, 'azure-attestation')
  const token = stage.issuer.mint(({ header }) => put(header, 'jku', 'https://evil.example/certs'))
  const result = await verify(stage, token)
  assert.equal(result.subject, VM)
  assert.deepEqual(result.lineage, [`vm:azure-attestation/${VM}`])
  assert.equal(result.expiresAt, stage.clock.seconds() + 8 * 3600)
  const facts = Object.entries(result.facts).map(([name, { value, grade }]) => [name, value, grade])
  assert.deepEqual(facts, [
    ['entry', 'azure-attestation', 'A'],
    ['subject', VM, 'A'],
    ['attested.type', 'sevsnpvm', 'A'],
    ['attested.compliance', 'azure-compliant-cvm', 'A'],
    ['attested.vm', VM, 'A'],
    ['attested.policyHash', 'cG9saWN5LW9mLW91cnM', 'A'],
    ['attested.launchMeasurement', 'ab'.repeat(48), 'A'],
    ['attested.bootloaderSvn', 10, 'A'],
    ['attested.microcodeSvn', 115, 'A'],
    ['attested.secureBoot', true, 'A'],
  ])
})

test('confidential-space: the challenge is one of its nonces', async (t) => {
  const stage = await setOidcStage(t, 'confidential-space')
  await verify(stage, stage.issuer.mint())
  await verify(
    stage,
    stage.issuer.mint(({ claims }) => put(claims, 'eat_nonce', CHALLENGE)),
  )
  for (const nonces of [
    undefined,
    [],
    ['another-nonce'],
    [CHALLENGE.toUpperCase()],
    [[CHALLENGE]],
  ]) {
    const token = stage.issuer.mint(({ claims }) => put(claims, 'eat_nonce', nonces))
    await refused(verify(stage, token), 'challenge_unknown')
  }
  const foreign = stage.issuer.mint(({ claims }) => put(claims, 'aud', 'https://other.example'))
  await refused(verify(stage, foreign), 'audience_wrong')
})

/** The DER of a certificate, as `x5c` has it. */
function x5c(pem: string): string {
  return pem.replace(/-----[A-Z ]+-----|\n/g, '')
}

test('azure-attestation: keys are read out of certificates, and one that is none is passed over', async (t) => {
  const stage = await setOidcStage(t, 'azure-attestation')
  const { issuer, results } = stage
  const { kid, publicKey } = issuer.signer
  const certificate = x5c(selfSigned('maa', {}, publicKey).cert)
  const publish = (...jwks: object[]) => {
    issuer.signers = jwks.map((jwk) => ({ ...issuer.signer, jwk: { kty: 'RSA', ...jwk } }))
  }
  publish({ kid, x5c: [certificate] }, { kid: 'a', x5c: ['AAAA'] }, { kid: 'b', x5c: [] })
  await verify(stage, issuer.mint())
  assert.equal(results.health().keys, 1)
})

test('azure-attestation: a certificate of another kind of key verifies nothing', async (t) => {
  const stage = await setOidcStage(t, 'azure-attestation')
  const { kid } = stage.issuer.signer
  const jwk = { kid, kty: 'RSA', x5c: [x5c(selfSigned('maa').cert)] }
  stage.issuer.signers = [{ ...stage.issuer.signer, jwk }]
  await refused(verify(stage, stage.issuer.mint()), 'key_unknown', 'issuer_keys_unavailable')
})

type Row = readonly [what: string, place: string, value: unknown, reason: Reason]

const ROWS: readonly Row[] = [
  ['another instance', 'iss', 'https://evil.weu.attest.azure.net', 'issuer_untrusted'],
  ['a policy of somebody else', 'x-ms-policy-hash', 'b3RoZXI', 'subject_untrusted'],
  ['no policy hash', 'x-ms-policy-hash', undefined, 'subject_untrusted'],
  ['a debuggable machine', `${TEE}/x-ms-sevsnpvm-is-debuggable`, true, 'claim_invalid'],
  ['nothing said of debugging', `${TEE}/x-ms-sevsnpvm-is-debuggable`, undefined, 'claim_invalid'],
  ['debugging "false" in a text', `${TEE}/x-ms-sevsnpvm-is-debuggable`, 'false', 'claim_invalid'],
  ['another kind of hardware', `${TEE}/x-ms-attestation-type`, 'sgx', 'claim_invalid'],
  ['a machine that does not comply', `${TEE}/x-ms-compliance-status`, 'none', 'claim_invalid'],
  ['no isolation', 'x-ms-isolation-tee', undefined, 'claim_invalid'],
  ['an enclave, not a machine', 'x-ms-attestation-type', 'sgx', 'claim_invalid'],
  ['no VM id', 'x-ms-azurevm-vmid', undefined, 'claim_invalid'],
  ['an audience: made out to somebody', 'aud', 'https://countersign.example', 'claim_invalid'],
  ['no runtime data', 'x-ms-runtime', undefined, 'challenge_unknown'],
  [
    'a challenge of another',
    '/x-ms-runtime/client-payload/nonce',
    base64('other'),
    'challenge_unknown',
  ],
  [
    'an alias of the challenge',
    '/x-ms-runtime/client-payload/nonce',
    `${base64(CHALLENGE)}=`,
    'challenge_unknown',
  ],
  ['an expiry at this very second', 'exp', 1_800_000_000, 'token_expired'],
  ['a lifetime of nine hours', 'exp', 1_800_032_400, 'lifetime_excessive'],
  ['validity that begins in 31 s', 'nbf', 1_800_000_031, 'token_premature'],
]

suite('azure-attestation: start from a good result, break one thing', () => {
  for (const [what, place, value, reason] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const stage = await setOidcStage(t, 'azure-attestation')
      const token = stage.issuer.mint(({ header, claims }) => {
        put(header, 'jku', JKU)
        put(claims, place, value)
      })
      await refused(verify(stage, token), reason)
      // What costs nothing to see drives no request.
      if (reason !== 'claim_invalid') assert.deepEqual(stage.issuer.requests, [])
    })
  }

  test('a nonce that only the caller told the service is none', async (t) => {
    const stage = await setOidcStage(t, 'azure-attestation')
    const token = stage.issuer.mint(({ claims }) => {
      put(claims, 'nonce', CHALLENGE)
      put(claims, 'x-ms-runtime', { keys: [] })
    })
    await refused(verify(stage, token), 'challenge_unknown')
  })

  test('an empty challenge binds nothing', async (t) => {
    const stage = await setOidcStage(t, 'azure-attestation')
    const token = stage.issuer.mint(({ claims }) =>
      put(claims, '/x-ms-runtime/client-payload/nonce', ''),
    )
    await refused(verify(stage, token, ''), 'challenge_unknown')
  })

  test('a draft that is not signed (alg none) is refused', async (t) => {
    const stage = await setOidcStage(t, 'azure-attestation')
    const token = stage.issuer.mint(({ header }) => put(header, 'alg', 'none'))
    await refused(verify(stage, token), 'algorithm_refused')
  })

  test('other members that choose a key are refused as ever', async (t) => {
    const stage = await setOidcStage(t, 'azure-attestation')
    for (const member of ['jwk', 'x5u', 'x5c', 'crit']) {
      const token = stage.issuer.mint(({ header }) => put(header, member, ['x']))
      await refused(verify(stage, token), 'header_refused')
    }
  })

  test('a foreign key of the same name signs nothing', async (t) => {
    const stage = await setOidcStage(t, 'azure-attestation')
    const forger = await setOidcStage(t, 'azure-attestation', {
      signers: [renamed(signer('stranger'), stage.issuer.signer.kid)],
    })
    await refused(verify(stage, forger.issuer.mint()), 'signature_invalid')
  })

  test('a result that ends between prepare and verify is refused', async (t) => {
    const { results, issuer, clock } = await setOidcStage(t, 'azure-attestation')
    const token = issuer.mint(({ claims }) => put(claims, 'exp', clock.seconds() + 1))
    const proof = await results.prepare(token, CHALLENGE, clock.seconds())
    later(clock)
    await refused(() => proof.verify(clock.seconds()), 'token_expired')
  })
})

function later(clock: TestClock): void {
  clock.advance(1)
}
