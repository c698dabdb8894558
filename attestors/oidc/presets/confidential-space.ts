/**
 * Google Confidential Space: what runs in a measured virtual machine, by the digest of its image. Debug images,
 * images out of support, and commands or variables that the operator changed are refused; the entry pins the digests.
 */

import type { JsonObject } from '../../../src/net/json.ts'
import { invalidClaim } from '../../claims.ts'
import { claimAt } from '../places.ts'
import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const DIGEST = '/submods/container/image_digest'
const SIGNER = 'signer@confidentialspace-sign.iam.gserviceaccount.com'

export const confidentialSpace: Preset = {
  principal: 'ConfidentialWorkload',
  issuers: /^https:\/\/confidentialcomputing\.googleapis\.com$/,
  issuersSaid: 'https://confidentialcomputing.googleapis.com',
  shared: /^https:\/\/confidentialcomputing\.googleapis\.com$/,
  discriminators: ['/submods/gce/project_number', '/submods/gce/project_id', DIGEST],
  pins: [DIGEST],
  claims: names(
    'attester_tcb dbgstat eat_nonce google_service_accounts hwmodel oemid secboot sub submods',
    'swname swversion tdx',
  ),
  facts: {
    imageDigest: must(DIGEST, /^sha256:[0-9a-f]{64}$/),
    imageReference: may('/submods/container/image_reference'),
    restartPolicy: may('/submods/container/restart_policy'),
    serviceAccounts: may('google_service_accounts', 'strings'),
    // A shielded VM also says so here, and encrypts no memory.
    hardware: must('hwmodel', /^GCP_(AMD_SEV(_ES|_SNP)?|INTEL_TDX)$/),
    secureBoot: may('secboot', 'boolean'),
    softwareVersion: may('swversion', 'strings'),
    support: may('/submods/confidential_space/support_attributes', 'strings'),
    'instance.project': must('/submods/gce/project_id'),
    'instance.projectNumber': must('/submods/gce/project_number', /^\d{1,20}$/),
    'instance.id': must('/submods/gce/instance_id', /^\d{1,20}$/),
    'instance.zone': may('/submods/gce/zone'),
  },
  subject: `{/submods/gce/project_number}/{${DIGEST}}`,
  lineage: { instance: '/submods/gce/instance_id', image: DIGEST },
  maxLifetime: '61m',
  replay: 'reusable',
  // Its discovery document names keys on another origin.
  jwks: () => ({ url: `https://www.googleapis.com/service_accounts/v1/metadata/jwk/${SIGNER}` }),
  defaultAudience: /^https:\/\/sts\.google(apis)?\.com$/,
  fixedAudience: null,
  request:
    'ask the launcher (/run/container_launcher/teeserver.sock) for a token with the audience <ours>',
  challenge: ({ eat_nonce: nonces }) => (Array.isArray(nonces) ? nonces : [nonces]),
  check: checkMeasured,
}

function checkMeasured(claims: JsonObject): void {
  equal(claims, 'swname', 'CONFIDENTIAL_SPACE')
  equal(claims, 'dbgstat', 'disabled-since-boot')
  const support = '/submods/confidential_space/support_attributes'
  const attributes = claimAt(claims, support)
  if (!Array.isArray(attributes) || !attributes.includes('STABLE')) {
    throw invalidClaim(support, 'a list with STABLE', attributes)
  }
  for (const override of ['/submods/container/env_override', '/submods/container/cmd_override']) {
    const found = claimAt(claims, override) ?? null
    if (found !== null)
      throw invalidClaim(override, 'null: what runs is what the image says', found)
  }
}

function equal(claims: JsonObject, place: string, expected: string): void {
  const found = claimAt(claims, place)
  if (found !== expected) throw invalidClaim(place, expected, found)
}
