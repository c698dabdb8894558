/** Nitro documents beside the tokens of an AWS account: what joins them, and what settings allow. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encode } from 'cborg'
import { aws } from '../../attestors/aws/index.ts'
import { nitroEvidence } from '../../attestors/nitro/evidence.ts'
import { checkNitro, type NitroSettings } from '../../attestors/nitro/settings.ts'
import type { Fact, Identity } from '../../src/identity.ts'
import { refused } from '../world/attest.ts'
import { setAwsStage } from '../world/aws.ts'
import * as nitro from '../world/cose.ts'

const { root, leaf, bundle } = nitro.nitroAuthorities()
const SETTINGS: NitroSettings = {
  enclave: { 0: [nitro.measurement(0)] },
  tpm: { 4: [nitro.measurement(4)] },
}
const evidence = nitroEvidence(SETTINGS, [root.read().fingerprint])
const written = (payload: nitro.Payload) => nitro.signed(encode(payload), leaf).toString('base64')
const DOCUMENT = written(nitro.enclavePayload(leaf, bundle))
const TPM_DOCUMENT = written(nitro.tpmPayload(leaf, bundle))

async function proved(document: string) {
  const proof = await evidence.prepare(document, nitro.CHALLENGE, nitro.NOW)
  return proof.verify(nitro.NOW)
}

/** An identity of which only these facts matter. */
function identity(values: Readonly<Record<string, string>>, grade: Fact['grade'] = 'A'): Identity {
  const facts = Object.entries(values).map(
    ([name, value]) => [name, { value, grade, source: 'token', observedAt: nitro.NOW }] as const,
  )
  return {
    kind: 'aws',
    trust: 'aws:123456789012',
    uri: 'aws://aws/123456789012/role/Webserver',
    principal: { type: 'AwsRole', id: '123456789012/Webserver' },
    ancestry: [],
    facts: Object.fromEntries(facts),
    issuedAt: nitro.NOW,
    expiresAt: nitro.NOW + 300,
    replay: { policy: 'once', key: 'k' },
    lineage: [],
  }
}

const arn = nitro.ROLE_ARN
const instanceArn = (id: string) => `arn:aws:ec2:eu-central-1:123456789012:instance/${id}`

suite('nitro beside a token', () => {
  test('joins by the instance that the token names, and by the role where it names none', async () => {
    assert.equal(evidence.claimedChallenge(DOCUMENT), nitro.CHALLENGE)
    const here = { arn, 'ec2.instanceArn': instanceArn(nitro.INSTANCE) }
    assert.equal(evidence.mismatch(identity(here), await proved(DOCUMENT)), null)
    assert.equal(evidence.mismatch(identity({ arn }), await proved(DOCUMENT)), null)
    assert.equal(evidence.mismatch(identity(here), await proved(TPM_DOCUMENT)), null)
  })

  const strangers: readonly (readonly [string, Identity, string])[] = [
    [
      'of another instance with the same role',
      identity({ arn, 'ec2.instanceArn': instanceArn('i-0a1b2c3d4e5f60718') }),
      DOCUMENT,
    ],
    ['of another role', identity({ arn: `${arn}s` }), DOCUMENT],
    ['beside nothing that names a role or an instance', identity({}), DOCUMENT],
    ['of a NitroTPM, with the same role alone', identity({ arn }), TPM_DOCUMENT],
    ['of a role that the caller chose to name', identity({ arn }, 'D'), DOCUMENT],
  ]
  for (const [what, first, document] of strangers) {
    test(`a document ${what} does not belong to it`, async () => {
      assert.notEqual(evidence.mismatch(first, await proved(document)), null)
    })
  }

  test('what is no Nitro document joins nothing', async () => {
    const { subject, facts, lineage, issuedAt, expiresAt } = await proved(DOCUMENT)
    const other = { subject, facts, lineage, issuedAt, expiresAt }
    assert.deepEqual(evidence.mismatch(identity({ arn }), other), {
      expected: arn,
      found: nitro.MODULE,
    })
  })

  test('another challenge than ours is refused', async () => {
    const proof = await evidence.prepare(DOCUMENT, 'x'.repeat(31), nitro.NOW)
    await refused(() => proof.verify(nitro.NOW), 'challenge_unknown')
  })

  test('an AWS entry takes documents only where it says so, and believes no root but that of AWS', async (t) => {
    assert.equal((await setAwsStage(t)).attestor.second, undefined)
    const { attestor } = await setAwsStage(t, { settings: { nitro: SETTINGS } })
    const second = attestor.second?.get('nitro') ?? assert.fail()
    const proof = await second.prepare(DOCUMENT, nitro.CHALLENGE, nitro.NOW)
    await refused(() => proof.verify(nitro.NOW), 'certificate_untrusted')
  })
})

suite('settings of nitro', () => {
  const rows: readonly (readonly [string, NitroSettings, readonly string[]])[] = [
    ['a good one', SETTINGS, []],
    ['none at all', {}, ['']],
    [
      'registers that say nothing of the code',
      { enclave: { 4: [nitro.measurement(4)] } },
      ['enclave'],
    ],
    ['zeros', { tpm: { 4: [nitro.measurement(4)], 7: [nitro.ZERO] } }, ['tpm.7.0']],
  ]
  for (const [what, settings, expected] of rows) {
    test(`${what}: ${expected.length} problems`, () => {
      const found: string[] = []
      checkNitro(settings, (path) => found.push(path.join('.')))
      assert.deepEqual(found, expected)
    })
  }

  test('the entry reports them below `nitro`', () => {
    const found: string[] = []
    const issuer = 'https://6f1d2c3b-0a49-4e58-8d77-9c0b1a2e3f40.tokens.sts.global.api.aws'
    aws.check({ account: '123456789012', issuer, nitro: {} }, (path) => found.push(path.join('.')))
    assert.deepEqual(found, ['nitro'])
  })
})
