/** The table of kinds. A new kind is its own file or folder, and one line here. */

import type { AttestorKind } from '../src/identity.ts'
import { aws } from './aws/index.ts'
import { azure } from './azure/index.ts'
import { gcp } from './gcp/index.ts'
import { kubernetes } from './kubernetes/index.ts'
import { oidc } from './oidc/index.ts'
import { spiffe } from './spiffe/index.ts'

/** Every kind of platform that can vouch for a workload, in the order of the documentation. */
export const KINDS: readonly AttestorKind<unknown>[] = [kubernetes, aws, azure, gcp, spiffe, oidc]
