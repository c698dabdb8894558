/** Which claim says who vouches for a token, and how a token goes wrong there: what the contract of a kind asks. */

import type { Reason } from '../../src/refusal.ts'
import type { Draft } from './issuer.ts'

export type Naming = {
  readonly claim: 'iss' | 'sub'
  /** Printed, so that nobody wonders where the rows on the other claim are. */
  readonly note: string
  readonly rows: readonly (readonly [string, (token: Draft) => void, Reason])[]
}

const put =
  (name: string, value: (before: string) => unknown) =>
  ({ claims }: Draft) =>
    void Object.assign(claims, { [name]: value(String(claims[name])) })
const drop =
  (name: string) =>
  ({ claims }: Draft) =>
    void delete claims[name]

/** `iss` names the issuer, as for nearly every kind. */
export const BY_ISSUER: Naming = {
  claim: 'iss',
  note: 'iss says who vouches',
  rows: [
    ['a foreign issuer', put('iss', () => 'https://evil.example'), 'issuer_untrusted'],
    ['an issuer with one more slash', put('iss', (iss) => `${iss}/`), 'issuer_untrusted'],
    ['no issuer', drop('iss'), 'issuer_untrusted'],
  ],
}

/** The trust domain in `sub` does; an `iss` may be there, and proves nothing. */
export const BY_TRUST_DOMAIN: Naming = {
  claim: 'sub',
  note: 'the trust domain in sub says who vouches: rows on iss do not apply, rows on sub stand for them',
  rows: [
    [
      'a foreign trust domain',
      put('sub', (sub) => sub.replace(/^spiffe:..[^/]+/, 'spiffe://evil.example')),
      'issuer_untrusted',
    ],
    ['a subject with one more slash', put('sub', (sub) => `${sub}/`), 'claim_invalid'],
    ['no subject', drop('sub'), 'claim_invalid'],
  ],
}
