/**
 * Microsoft Azure Attestation (MAA): what a confidential virtual machine was measured to be. Anybody can create an
 * instance with a policy of their own, so the issuer is exact and the policy's hash is pinned. A result has no
 * audience: it serves only beside a first evidence, bound by our challenge.
 *
 *     {"iss":"https://shared.weu.attest.azure.net","exp":…,"iat":…,"nbf":…,"secureboot":true,
 *      "x-ms-attestation-type":"azurevm","x-ms-azurevm-vmid":"…","x-ms-policy-hash":"…",
 *      "x-ms-isolation-tee":{"x-ms-attestation-type":"sevsnpvm","x-ms-compliance-status":"azure-compliant-cvm",
 *                            "x-ms-sevsnpvm-is-debuggable":false,"x-ms-sevsnpvm-launchmeasurement":"…",…},
 *      "x-ms-runtime":{"client-payload":{"nonce":"<base64>"},"keys":[…]}}
 *
 * The nonce is looked for only in `x-ms-runtime`, which the machine itself had quoted: a `nonce` beside it is an echo
 * of whoever asked, and an old quote could be shown with a new one.
 */

import type { JsonObject } from '../../../src/net/json.ts'
import { invalidClaim } from '../../claims.ts'
import { claimAt } from '../places.ts'
import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const TEE = '/x-ms-isolation-tee'
const VM = 'x-ms-azurevm-vmid'

export const azureAttestation: Preset = {
  principal: null,
  issuers: /^https:\/\/[a-z0-9]+(\.[a-z0-9]+)?\.attest\.azure\.(net|us|cn)$/,
  issuersSaid: 'https://<instance>.<region>.attest.azure.net',
  shared: /^/,
  discriminators: ['x-ms-policy-hash'],
  pins: ['x-ms-policy-hash'],
  claims: names(
    'secureboot x-ms-attestation-type x-ms-azurevm-vmid x-ms-isolation-tee x-ms-policy-hash',
    'x-ms-policy-signer x-ms-runtime x-ms-ver',
  ),
  facts: {
    'attested.type': must(`${TEE}/x-ms-attestation-type`, /^sevsnpvm$/),
    'attested.compliance': must(`${TEE}/x-ms-compliance-status`, /^azure-compliant-cvm$/),
    'attested.vm': must(VM, /^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/),
    'attested.policyHash': must('x-ms-policy-hash'),
    'attested.launchMeasurement': may(`${TEE}/x-ms-sevsnpvm-launchmeasurement`),
    'attested.bootloaderSvn': may(`${TEE}/x-ms-sevsnpvm-bootloader-svn`, 'integer'),
    'attested.microcodeSvn': may(`${TEE}/x-ms-sevsnpvm-microcode-svn`, 'integer'),
    'attested.secureBoot': may('secureboot', 'boolean'),
  },
  subject: `{${VM}}`,
  lineage: { vm: VM },
  maxLifetime: '8h',
  replay: 'reusable',
  keysAreCertificates: true,
  jwks: (issuer) => ({ url: `${issuer}/certs` }),
  defaultAudience: null,
  fixedAudience: null,
  request: 'put our challenge into the client payload of the guest attestation',
  challenge: (claims) => [clientNonce(claims)],
  unread: ['jku'],
  check: checkGuest,
}

function checkGuest(claims: JsonObject): void {
  equal(claims, 'x-ms-attestation-type', 'azurevm')
  // Absent is not false: only a machine that says it cannot be looked into is taken.
  equal(claims, `${TEE}/x-ms-sevsnpvm-is-debuggable`, false)
  if ('aud' in claims) throw invalidClaim('aud', 'absent: a result is for nobody', claims['aud'])
}

function equal(claims: JsonObject, place: string, expected: string | boolean): void {
  const found = claimAt(claims, place)
  if (found !== expected) throw invalidClaim(place, String(expected), found)
}

function clientNonce(claims: JsonObject): string | undefined {
  const nonce = claimAt(claims, '/x-ms-runtime/client-payload/nonce')
  if (typeof nonce !== 'string') return undefined
  const bytes = Buffer.from(nonce, 'base64')
  return bytes.toString('base64') === nonce ? bytes.toString('latin1') : undefined
}
