/** The entities that a policy names, at their tokens; also of a policy that does not parse. */

import { type Token, unquote } from './scan.ts'
import type { Piece } from './split.ts'

/** An entity written out in a policy, at the token of its id. */
export type Mention = { readonly type: string; readonly id: string; readonly at: Token }

/** Every entity of a policy, in order. */
export function mentions(piece: Piece): Mention[] {
  return piece.tokens.flatMap((at, index) => {
    const [type, colons] = [piece.tokens[index - 2], piece.tokens[index - 1]]
    if (at.kind !== 'string' || colons?.text !== '::' || type?.kind !== 'word') return []
    return [{ type: type.text, id: unquote(at.text), at }]
  })
}
