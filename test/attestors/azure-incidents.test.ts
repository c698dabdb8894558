/** Attested documents of Azure: what other verifiers got wrong, and what OpenSSL makes of ours. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { bundledRoots } from '../../attestors/azure/roots.ts'
import { refused } from '../world/attest.ts'
import { type Held, issue, purposes } from '../world/authority.ts'
import { der } from '../world/certificate.ts'
import * as azure from '../world/cms.ts'
import { scratch } from '../world/scratch.ts'

const { root, intermediate, leaf, written, verify } = azure.setAzureDocumentStage()
const stranger = () => generateKeyPairSync('rsa', { modulusLength: 2048 })

suite('azure-document: what happened to others', () => {
  test('CVE-2026-46354: a true certificate around content that it did not sign', async () => {
    const signature = sign('sha256', Buffer.from(azure.content()), leaf.privateKey)
    const text = azure.content({ vmId: '00000000-0000-4000-8000-000000000000' })
    await refused(() => verify(written({ text, signature })), 'signature_invalid')
  })

  test('SPIRE azure_imds 1.15.1: a true certificate beside the one that really signed', async () => {
    const own = issue('metadata.azure.com', undefined, { kind: 'rsa', keys: stranger(), serial: 9 })
    const forged = azure.metadataLeaf(own, { keys: stranger() })
    const named = (issuer: Held, certificates: readonly Held[]) =>
      written({ signer: forged, certificates, issuerName: issuer.name })
    // The forger's own is named: its chain is judged, and not that of the true one beside it.
    await refused(() => verify(named(own, [leaf, forged])), 'certificate_untrusted')
    await refused(() => verify(named(own, [forged, leaf])), 'certificate_untrusted')
    // The true one is named: its key verifies, and not that of the forger.
    await refused(() => verify(named(intermediate, [leaf, forged])), 'signature_invalid')
    await refused(() => verify(named(intermediate, [forged, leaf])), 'signature_invalid')
  })

  test('CVE-2026-45796: an address in a certificate is never asked, and the refusal does not repeat it', async () => {
    const address = 'http://169.254.169.254/latest'
    const location = der(
      0x30,
      der(0x06, Buffer.from('2b06010505073002', 'hex')),
      der(0x86, Buffer.from(address)),
    )
    const access = { oid: '2b06010505070101', value: der(0x30, location) }
    const forged = azure.metadataLeaf(issue('anybody', undefined, { kind: 'rsa' }), {
      extra: [purposes(azure.SERVER), access],
    })
    const refusal = await refused(
      () => verify(written({ signer: forged, issuerName: 'anybody' })),
      'certificate_untrusted',
    )
    assert.doesNotMatch(JSON.stringify(refusal.detail), /169\.254/)
  })

  test('SPIRE aws_iid 1.14.6: content beside the signed content is no place for another document', async () => {
    const whole = azure.message({ signer: leaf })
    const beside = der(0x30, whole, der(0x04, Buffer.from(azure.content({ nonce: 'x' }))))
    await refused(() => verify(beside.toString('base64')), 'document_malformed')
    await refused(
      () => verify(Buffer.concat([whole, whole]).toString('base64')),
      'document_malformed',
    )
  })
})

test('OpenSSL reads the same document and verifies it too', (t) => {
  const folder = scratch(t)
  const [document, trusted] = [join(folder, 'document'), join(folder, 'trusted')]
  writeFileSync(document, azure.message({ signer: leaf }))
  writeFileSync(trusted, root.pem + intermediate.pem)
  const options = ['-inform', 'DER', '-in', document, '-CAfile', trusted, '-purpose', 'any']
  const { error, status, stdout, stderr } = spawnSync(
    'openssl',
    ['cms', '-verify', '-binary', ...options],
    { encoding: 'utf8' },
  )
  if (error !== undefined) return t.skip('no openssl on this machine')
  assert.equal(status, 0, stderr)
  assert.equal(stdout, azure.content())
})

test('the pinned root is found in what Node ships', () => {
  const [found, ...others] = bundledRoots()
  assert.match(found?.x509.subject ?? '', /CN=DigiCert Global Root G2$/)
  assert.deepEqual(others, [])
})
