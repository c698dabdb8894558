/** Attested documents of Azure: from a good one, one thing broken at a time. The quirks of the real service stay. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import { claimedAzureChallenge } from '../../attestors/azure/document.ts'
import { KnownChains } from '../../attestors/chain.ts'
import type { Reason } from '../../src/refusal.ts'
import { refused } from '../world/attest.ts'
import { purposes } from '../world/authority.ts'
import { der, distinguished, integer } from '../world/certificate.ts'
import * as azure from '../world/cms.ts'

const { root, intermediate, leaf, written, verify } = azure.setAzureDocumentStage()

test('a document names its machine, and its facts are of grade A', () => {
  const result = verify(written())
  assert.deepEqual(result, {
    subject: azure.VM_ID,
    subscription: azure.SUBSCRIPTION,
    facts: {
      'vm.id': fact(azure.VM_ID),
      'vm.subscription': fact(azure.SUBSCRIPTION),
      'vm.sku': fact('20_04-lts-gen2'),
    },
    lineage: [`azure-vm:${azure.VM_ID}`],
    issuedAt: azure.NOW,
    expiresAt: azure.NOW + 21_600,
  })
})

function fact(value: string) {
  return { value, grade: 'A', source: 'attested document', observedAt: azure.NOW }
}

test('an image without a SKU has none, and UUIDs in capitals are the same UUIDs', () => {
  const capitals = { vmId: azure.VM_ID.toUpperCase(), sku: '' }
  const { subject, facts } = verify(written({ text: azure.content(capitals) }))
  assert.equal(subject, azure.VM_ID)
  assert.deepEqual(Object.keys(facts), ['vm.id', 'vm.subscription'])
})

test('a document whose certificate ends before it does ends with it', () => {
  const short = azure.metadataLeaf(intermediate, { until: '20270115090000Z' })
  assert.equal(verify(written({ signer: short })).expiresAt, azure.NOW + 3600)
})

test('base64url is read as base64 is, and nothing else is', async () => {
  const bytes = Buffer.from(written(), 'base64')
  verify(bytes.toString('base64url'))
  const aliases = [`${written()}\n`, ` ${written()}`, `${written()}=`, '', written().slice(0, -1)]
  for (const alias of aliases) await refused(() => verify(alias), 'document_malformed')
  await refused(() => verify('A'.repeat(30_000)), 'evidence_too_large')
})

test('the age of a document is not judged: our challenge in it says that it is new', () => {
  assert.equal(verify(written({ text: azure.content(dates(-21_599, 1)) })).expiresAt, azure.NOW + 1)
})

test('sovereign clouds have names of their own', async () => {
  const china = azure.metadataLeaf(intermediate, {}, ['chinaeast2.metadata.azure.cn'])
  verify(written({ signer: china }), { cloud: 'china' })
  await refused(() => verify(written({ signer: china })), 'certificate_untrusted')
  await refused(() => verify(written(), { cloud: 'usgov' }), 'certificate_untrusted')
})

type Break = Partial<azure.Message> | (() => Partial<azure.Message>)
const ALTERED = Buffer.from(azure.content({ vmId: azure.SUBSCRIPTION }))
const ATTRIBUTES = der(0xa0, der(0x30))

const messages: readonly (readonly [what: string, unlike: Break, reason: Reason])[] = [
  [
    'a signature over other content',
    { signature: sign('sha256', ALTERED, leaf.privateKey) },
    'signature_invalid',
  ],
  ['a signature of zeros', { signature: Buffer.alloc(256) }, 'signature_invalid'],
  ['an empty signature', { signature: Buffer.alloc(0) }, 'signature_invalid'],
  [
    'a signature with SHA-1',
    { signature: sign('sha1', Buffer.from(azure.content()), leaf.privateKey) },
    'signature_invalid',
  ],
  ['SHA-1 named as the digest', { digest: azure.OID_SHA1 }, 'algorithm_refused'],
  [
    'a digest named as the signature',
    { signatureAlgorithm: azure.OID_SHA256 },
    'algorithm_refused',
  ],
  ['signed attributes', { attributes: ATTRIBUTES }, 'document_malformed'],
  ['two signers', { signers: 2 }, 'document_malformed'],
  ['no signer', { signers: 0 }, 'document_malformed'],
  ['another type of content', { contentType: '2a864886f70d010703' }, 'document_malformed'],
  ['version 3', { version: 3 }, 'document_malformed'],
  ['no certificate', { certificates: [] }, 'document_malformed'],
  ['the certificate twice', { certificates: [leaf, leaf] }, 'document_malformed'],
  ['five certificates', { certificates: [leaf, root, root, root, root] }, 'document_malformed'],
  ['a signer of another name', { issuerName: 'somebody else' }, 'document_malformed'],
  [
    'a signer of another number',
    { identifier: der(0x30, distinguished(intermediate.name), integer(8)) },
    'document_malformed',
  ],
  [
    'a key of an elliptic curve',
    () => ({ signer: azure.metadataLeaf(intermediate, { kind: 'P-256' }) }),
    'algorithm_refused',
  ],
  [
    'a key of 1024 bits',
    () => ({
      signer: azure.metadataLeaf(intermediate, {
        keys: generateKeyPairSync('rsa', { modulusLength: 1024 }),
      }),
    }),
    'certificate_untrusted',
  ],
  [
    'a certificate of somebody else below the same root',
    () => ({ signer: azure.metadataLeaf(intermediate, {}, ['shop.example']) }),
    'certificate_untrusted',
  ],
  [
    'a name that only ends alike',
    () => ({ signer: azure.metadataLeaf(intermediate, {}, ['evilmetadata.azure.com']) }),
    'certificate_untrusted',
  ],
  [
    'a name that only begins alike',
    () => ({ signer: azure.metadataLeaf(intermediate, {}, ['metadata.azure.com.evil.example']) }),
    'certificate_untrusted',
  ],
  [
    'no names but the common one',
    () => ({ signer: azure.metadataLeaf(intermediate, {}, []) }),
    'certificate_untrusted',
  ],
  [
    'a certificate that is over',
    () => ({ signer: azure.metadataLeaf(intermediate, { until: '20270115075959Z' }) }),
    'certificate_untrusted',
  ],
  [
    'a certificate for clients alone',
    () => ({ signer: azure.metadataLeaf(intermediate, { extra: [purposes(azure.CLIENT)] }) }),
    'certificate_untrusted',
  ],
]

const contents: readonly (readonly [what: string, change: object | string, reason: Reason])[] = [
  ['the nonce of another', { nonce: `${azure.CHALLENGE.slice(0, -1)}6` }, 'challenge_unknown'],
  ['a nonce in capitals', { nonce: azure.CHALLENGE.toUpperCase() }, 'challenge_unknown'],
  ['no nonce', { nonce: undefined }, 'challenge_unknown'],
  ['a nonce that is a list', { nonce: [azure.CHALLENGE] }, 'challenge_unknown'],
  ['no dates', { timeStamp: undefined }, 'claim_invalid'],
  [
    'an ISO date',
    { timeStamp: { createdOn: '2027-01-15T08:00:00Z', expiresOn: azure.moment(azure.NOW + 9) } },
    'claim_invalid',
  ],
  [
    'a day that is none',
    { timeStamp: { createdOn: '02/30/27 08:00:00 -0000', expiresOn: azure.moment(azure.NOW + 9) } },
    'claim_invalid',
  ],
  [
    'another offset',
    { timeStamp: { createdOn: '01/15/27 08:00:00 -0700', expiresOn: azure.moment(azure.NOW + 9) } },
    'claim_invalid',
  ],
  ['an end at this very second', dates(-60, 0), 'token_expired'],
  ['a beginning in 61 s', dates(61, 3600), 'token_premature'],
  ['a life of more than a day', dates(0, 86_401), 'lifetime_excessive'],
  ['no vmId', { vmId: undefined }, 'claim_invalid'],
  ['a vmId that is a query', { vmId: "x' or properties.vmId != '" }, 'claim_invalid'],
  ['a subscription of somebody else', { subscriptionId: azure.VM_ID }, 'subject_untrusted'],
  ['a SKU with a line feed', { sku: 'a\nb' }, 'claim_invalid'],
  [
    'a member twice',
    `${azure.content().slice(0, -1)},"vmId":"${azure.SUBSCRIPTION}"}`,
    'document_malformed',
  ],
  ['a list', '[]', 'document_malformed'],
  ['nothing', '', 'document_malformed'],
]

function dates(from: number, until: number) {
  const [createdOn, expiresOn] = [from, until].map((at) => azure.moment(azure.NOW + at))
  return { timeStamp: { createdOn, expiresOn } }
}

/** Refused as well where the chain of a good one is known: only signatures of certificates are not verified again. */
async function refusedTwice(document: string, reason: Reason): Promise<void> {
  await refused(() => verify(document), reason)
  const known = new KnownChains()
  assert.deepEqual(verify(written(), { known }), verify(written()))
  await refused(() => verify(document, { known }), reason)
}

suite('azure-document: start from a good document, break one thing', () => {
  for (const [what, unlike, reason] of messages) {
    test(`${what} is refused as ${reason}`, async () => {
      const broken = typeof unlike === 'function' ? unlike() : unlike
      await refusedTwice(written(broken), reason)
    })
  }
  for (const [what, change, reason] of contents) {
    test(`${what} is refused as ${reason}`, async () => {
      const text = typeof change === 'string' ? change : azure.content({ ...change })
      await refusedTwice(written({ text }), reason)
    })
  }

  test('bytes that are no UTF-8 are refused, properly signed as they are', async () => {
    const text = azure.content()
    const bytes = azure.message({ signer: leaf, text }).toString('latin1')
    const broken = Buffer.from(bytes.replace('20_04-lts-gen2', '\xff0_04-lts-gen2'), 'latin1')
    await refused(() => verify(broken.toString('base64')), 'signature_invalid')
    await refused(() => claimedAzureChallenge(broken.toString('base64')), 'document_malformed')
  })

  test('a known chain below roots that are ours no longer is refused, and so is one that has ended', async () => {
    const known = new KnownChains()
    verify(written(), { known })
    await refused(() => verify(written(), { known, roots: [] }), 'certificate_untrusted')
    await refused(() => verify(written(), { known, intermediates: [] }), 'certificate_untrusted')
    const short = written({
      signer: azure.metadataLeaf(intermediate, { until: '20270115090000Z' }),
    })
    verify(short, { known }, 3600)
    await refused(() => verify(short, { known }, 3601), 'certificate_untrusted')
  })

  test('no subscriptions, roots or challenge of ours: nobody is let in', async () => {
    await refused(() => verify(written(), { subscriptions: [] }), 'subject_untrusted')
    await refused(() => verify(written(), { roots: [] }), 'certificate_untrusted')
    await refused(() => verify(written(), { intermediates: [] }), 'certificate_untrusted')
    const empty = written({ text: azure.content({ nonce: '' }) })
    await refused(() => verify(empty, { challenge: '' }), 'challenge_unknown')
  })

  test('the challenge that it says it answers can be told before anything is verified', async () => {
    assert.equal(claimedAzureChallenge(written({ signature: Buffer.alloc(9) })), azure.CHALLENGE)
    const without = written({ text: azure.content({ nonce: 7 }) })
    await refused(() => claimedAzureChallenge(without), 'challenge_unknown')
  })
})
