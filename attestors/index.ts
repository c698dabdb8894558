/** The table of kinds. A new kind is its own file or folder, and one line here. */

import type { AttestorKind } from '../src/identity.ts'
import { kubernetes } from './kubernetes/index.ts'

/** Every kind of platform that can vouch for a workload, in the order of the documentation. */
export const KINDS: readonly AttestorKind<unknown>[] = [kubernetes]
