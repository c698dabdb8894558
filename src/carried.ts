/**
 * What a delegated token carries of the person behind it, for the decisions of later hops: groups, and how they signed
 * in. Sealed, since it is nobody's matter but ours; bound to its token, since it would mean nothing in another.
 */

import type { AccessToken } from './accesstoken.ts'
import type { Party } from './policy/question.ts'
import { Refusal } from './refusal.ts'
import type { Seal } from './seal.ts'
import { PERSON } from './uri.ts'

/** The claim that holds it. */
export const CARRIED = 'ctx'

/** Groups of a large company do not fit into a token that goes with every request. */
const MAX_BYTES = 2048

/** Seals and opens what tokens carry. */
export type Carried = {
  /**
   * @param jti of the token that will carry it
   * @throws Refusal `user_oversized`
   */
  seal(user: Party, jti: string): string
  /**
   * The person behind a token of ours; null where a workload is.
   * @throws Refusal `claim_invalid` for what does not open, which is a key of ours in another's hand
   */
  open(token: AccessToken): Party | null
}

type Wire = Pick<Party, 'trust' | 'facts'> & { readonly groups: readonly string[] }

/** @param seals made for this purpose alone */
export function carried(seals: Seal): Carried {
  return {
    seal({ trust, facts, ancestry }, jti) {
      const wire: Wire = { trust, facts, groups: ancestry.map(({ id }) => id) }
      const sealed = Buffer.from(seals.seal(Buffer.from(JSON.stringify(wire)), jti))
      const text = sealed.toString('base64url')
      if (text.length <= MAX_BYTES) return text
      throw new Refusal('user_oversized', { characters: text.length, limit: MAX_BYTES })
    },
    open({ subject, claims, jti }) {
      if (!subject.startsWith(PERSON)) return null
      const sealed = claims[CARRIED]
      if (typeof sealed !== 'string') throw new Refusal('claim_invalid', { claim: CARRIED })
      return partyOf(subject.slice(PERSON.length), opened(seals, sealed, jti))
    },
  }
}

function opened(seals: Seal, sealed: string, jti: string): Wire {
  try {
    return JSON.parse(seals.open(Buffer.from(sealed, 'base64url'), jti).toString('utf8')) as Wire
  } catch (cause) {
    throw new Refusal('claim_invalid', { claim: CARRIED }, { cause })
  }
}

function partyOf(id: string, { trust, facts, groups }: Wire): Party {
  return {
    kind: 'users',
    trust,
    uri: `${PERSON}${id}`,
    principal: { type: 'User', id },
    ancestry: groups.map((group) => ({ type: 'Group', id: group })),
    facts,
  }
}
