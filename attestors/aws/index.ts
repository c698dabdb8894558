/** The kind `aws`: a row of the table in `attestors/index.ts`. */

import type { AttestorKind } from '../../src/identity.ts'
import { awsAttestor } from './attestor.ts'
import { callerIdentity } from './relay.ts'
import { AwsSettings, checkAws } from './settings.ts'

/** Roles of AWS accounts, by web identity token or by a signed GetCallerIdentity. */
export const aws: AttestorKind<AwsSettings> = {
  kind: 'aws',
  schema: AwsSettings,
  name: ({ account }) => account,
  issuers: ({ issuer }) => [issuer],
  oneTime: () => true,
  anchor: ({ account }) => ({ type: 'AwsAccount', id: account }),
  check: checkAws,
  relay: callerIdentity,
  create: (settings, common, world) => awsAttestor(settings, common, world),
}
