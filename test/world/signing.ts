/** Signing keys of a broker in memory, and tokens that they make. */

import { carried } from '../../src/carried.ts'
import type { Grant } from '../../src/grant.ts'
import { type SigningKeys, signingKeys } from '../../src/keys.ts'
import { sealer } from '../../src/seal.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { makeToken } from '../../src/token.ts'

export const ISSUED_AT = 1_800_000_000
export const ROTATE_EVERY = 30 * 24 * 3600
const SECRET = 'a secret of at least thirty-two characters'

/** Keys that nobody else has, the first of them made at `ISSUED_AT`. */
export async function freshKeys(t: { after(end: () => void): void }): Promise<SigningKeys> {
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const keys = signingKeys(store, sealer(SECRET, 'signing keys'), ROTATE_EVERY)
  await keys.refresh(ISSUED_AT)
  return keys
}

export const GRANT: Grant = {
  subject: 'k8s://prod-eu/ns/agents/sa/planner',
  clientId: 'k8s://prod-eu/ns/agents/sa/planner',
  audience: 'https://mcp.example.com',
  scopes: ['trades:read', 'trades:write'],
  issuedAt: ISSUED_AT,
  expiresAt: ISSUED_AT + 300,
  confirmation: null,
  format: 'jwt',
  lineage: ['AAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBB'],
  act: null,
  hop: null,
  mayAct: null,
  user: null,
  claims: { team: 'payments' },
}

export const TOKEN_ISSUER = 'https://countersign.test'

/** A token of `GRANT`, changed. */
export function tokenOf(keys: SigningKeys, change: Partial<Grant> = {}, jti = 'jti-1'): string {
  const making = { issuer: TOKEN_ISSUER, jti, carried: carried(sealer(SECRET, 'carried people')) }
  return makeToken({ ...GRANT, ...change }, making, keys.signer(ISSUED_AT))
}
