/**
 * Nitro documents as second evidence of an AWS identity. They belong together where AWS signed the same machine into
 * both: the instance, where the identity names one, or else the role.
 */

import type { Attested, Identity, SecondEvidence } from '../../src/identity.ts'
import { KnownChains } from '../chain.ts'
import {
  AWS_NITRO_ROOT,
  claimedNitroChallenge,
  joinsIdentity,
  type NitroResult,
  verifyNitroDocument,
} from './document.ts'
import { type NitroSettings, rulesOf } from './settings.ts'

/** The format of the evidence (`Evidence.format`). */
export const NITRO_FORMAT = 'nitro'

/**
 * Takes the documents that an entry allows.
 * @param roots fingerprints of the roots that are believed
 */
export function nitroEvidence(
  settings: NitroSettings,
  roots: readonly string[] = settings.roots ?? [AWS_NITRO_ROOT],
): SecondEvidence {
  const rules = rulesOf(settings)
  const known = new KnownChains()
  return {
    claimedChallenge: claimedNitroChallenge,
    prepare: (document, challenge) => ({
      verify: (nowSeconds): NitroResult =>
        verifyNitroDocument(document, { challenge, rules, roots, known }, nowSeconds),
    }),
    mismatch(first, second) {
      const roleArn = factOf(first, 'arn')
      const instance = factOf(first, 'ec2.instanceArn')?.replace(/^.*\//, '')
      if (isNitro(second) && joinsIdentity(second, { roleArn, instance })) return null
      const expected = instance ?? roleArn ?? 'a role or an instance that the token names'
      return { expected, found: second.subject }
    },
  }
}

/** What AWS itself signed; nothing that a caller may have chosen joins. */
function factOf({ facts }: Identity, name: string): string | undefined {
  const fact = facts[name]
  return fact?.grade === 'A' && typeof fact.value === 'string' ? fact.value : undefined
}

function isNitro(second: Attested): second is NitroResult {
  return 'registers' in second
}
