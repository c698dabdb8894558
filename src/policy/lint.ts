/**
 * What Cedar cannot know: which annotations, ids and names exist here. Works on tokens, so that a policy
 * which does not parse is still told everything else that is wrong with it.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { didYouMean } from '../suggest.ts'
import { annotationsOf, fault } from './annotations.ts'
import { headOf } from './head.ts'
import { CONTAINERS, ENVIRONMENT, GROUP, type IdShape, PRINCIPALS } from './principals.ts'
import { type Token, unquote } from './scan.ts'
import { ISSUE } from './schema.ts'
import type { PolicySettings, Problem } from './settings.ts'
import { type Piece, problemAt } from './split.ts'

/** Checks one policy. `json` is null where Cedar could not parse it. */
export function lint(piece: Piece, json: PolicyJson | null, settings: PolicySettings): Problem[] {
  return [
    ...annotations(piece),
    ...entities(piece, settings),
    ...(json ? [...scopes(piece, json, settings), ...openPermit(piece, json)] : []),
  ]
}

/** Reports every id that an earlier policy has taken: the audit log must name one policy. */
export function repeatedIds(pieces: readonly Piece[]): Problem[] {
  const first = new Map<string, string>()
  return pieces.flatMap((piece) => {
    const id = annotationsOf(piece.tokens).find(({ name }) => name === 'id')
    if (id?.value == null) return []
    const earlier = first.get(id.value)
    if (earlier === undefined) {
      const start = id.valueToken?.start ?? 0
      first.set(id.value, `${piece.path}:${piece.place(start).line}`)
      return []
    }
    const message = `the id ${JSON.stringify(id.value)} is already taken at ${earlier}`
    return [problemAt(piece, id.valueToken?.start ?? 0, 'error', message)]
  })
}

function annotations(piece: Piece): Problem[] {
  const found = annotationsOf(piece.tokens)
  const effect = effectToken(piece)
  const problems = found.flatMap((annotation) => {
    const message = fault(annotation, effect?.text ?? '')
    // A bad value is at the value; a name that is wrong, here or at all, at its `@`.
    const known = message?.startsWith('bad value') && annotation.valueToken
    const start = known ? known.start : annotation.nameToken.start - 1
    return message === null ? [] : [problemAt(piece, start, 'error', message)]
  })
  if (effect && !found.some(({ name }) => name === 'id')) {
    const message = 'the policy has no @id: give it a unique one, such as @id("payments-read")'
    problems.push(problemAt(piece, effect.start, 'error', message))
  }
  return problems
}

function effectToken(piece: Piece): Token | undefined {
  return piece.tokens.find(
    ({ text }, index) =>
      (text === 'permit' || text === 'forbid') && piece.tokens[index - 1]?.text !== '@',
  )
}

/** An entity written out in a policy, at the token of its id. */
type Mention = { readonly type: string; readonly id: string; readonly at: Token }

function mentions(piece: Piece): Mention[] {
  return piece.tokens.flatMap((at, index) => {
    const [type, colons] = [piece.tokens[index - 2], piece.tokens[index - 1]]
    if (at.kind !== 'string' || colons?.text !== '::' || type?.kind !== 'word') return []
    return [{ type: type.text, id: unquote(at.text), at }]
  })
}

function entities(piece: Piece, settings: PolicySettings): Problem[] {
  const known = new Map<string, readonly string[]>([
    ['Audience', settings.audiences.map(({ audience }) => audience)],
    [ENVIRONMENT, settings.anchors.flatMap(({ environment }) => environment ?? [])],
    [GROUP, settings.groups.map(({ name }) => name)],
  ])
  return mentions(piece).flatMap((mention) => {
    const shape = PRINCIPALS[mention.type]?.id ?? CONTAINERS[mention.type]?.id
    const message = shape
      ? misshapen(mention, shape, settings)
      : unknown(mention.type, mention.id, known.get(mention.type))
    return message === null ? [] : [problemAt(piece, mention.at.start, 'error', message)]
  })
}

function unknown(type: string, id: string, known: readonly string[] | undefined): string | null {
  if (!known || known.includes(id)) return null
  return `unknown ${type} ${JSON.stringify(id)}${didYouMean(id, known)}`
}

function misshapen(mention: Mention, shape: IdShape, settings: PolicySettings): string | null {
  const parts = mention.id.split('/')
  if (parts.length !== shape.parts.length || parts.includes('')) {
    const form = shape.parts.map((part) => `<${part}>`).join('/')
    return `${mention.type} ${JSON.stringify(mention.id)} is not of the form ${form}`
  }
  const roots = settings.anchors.filter(({ entity }) => entity.type === shape.root)
  return unknown(
    shape.root,
    parts[0] ?? '',
    roots.map(({ entity }) => entity.id),
  )
}

/** Reports scopes in the head that the audience in the head does not offer: nobody could ever get them. */
function scopes(piece: Piece, json: PolicyJson, settings: PolicySettings): Problem[] {
  const { actions, resource } = headOf(json)
  if (actions === null || !('entity' in resource)) return []
  const { id } = resource.entity
  const audience = settings.audiences.find(({ audience }) => audience === id)
  if (!audience) return []
  const everywhere = new Set(settings.audiences.flatMap(({ scopes }) => scopes))
  // An action that nobody offers is a misspelling, which Cedar reports with a better hint.
  const foreign = actions.filter(
    (action) => action !== ISSUE && !audience.scopes.includes(action) && everywhere.has(action),
  )
  return foreign.map((action) => {
    const at = mentions(piece).find(({ type, id }) => type === 'Action' && id === action)?.at
    const offers = audience.scopes.length > 0 ? audience.scopes.join(', ') : 'no scopes'
    const message = `audience ${id} does not offer scope ${action} (it offers ${offers})`
    return problemAt(piece, at?.start ?? 0, 'error', message)
  })
}

function openPermit(piece: Piece, json: PolicyJson): Problem[] {
  if (json.effect !== 'permit' || json.principal.op !== 'All') return []
  const at = piece.tokens.find(({ text }) => text === 'principal')
  const message = 'this permit names no principal: it speaks for every workload of every platform'
  return [problemAt(piece, at?.start ?? 0, 'warning', message)]
}
