/**
 * What Cedar cannot know: which annotations, ids and names exist here. Works on tokens, so that a policy
 * which does not parse is still told everything else that is wrong with it.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { didYouMean } from '../suggest.ts'
import { lintAlone } from './alone.ts'
import { type Annotation, annotationsOf, fault } from './annotations.ts'
import { headOf } from './head.ts'
import { type Mention, mentions } from './mentions.ts'
import {
  AUDIENCE,
  AUDIENCE_GROUP,
  CONTAINERS,
  ENVIRONMENT,
  GROUP,
  type IdShape,
  PRINCIPALS,
} from './principals.ts'
import type { Token } from './scan.ts'
import { actionGroup, OPERATIONS } from './schema.ts'
import type { AudienceSettings, PolicySettings, Problem } from './settings.ts'
import { type Piece, problemAt } from './split.ts'
import { lintValues } from './values.ts'

/** Checks one policy by itself. */
export type Lint = (piece: Piece, json: PolicyJson | null) => Problem[]

/** The lint of an installation. Its `json` is null where Cedar could not parse the policy. */
export function linter(settings: PolicySettings): Lint {
  const names = namesOf(settings)
  return (piece, json) => [
    ...annotations(piece),
    ...mentions(piece).flatMap((mention) => {
      const message = unknownEntity(mention, names)
      return message === null ? [] : [problemAt(piece, mention.at.start, 'error', message)]
    }),
    ...(json
      ? [...scopes(piece, json, names), ...lintAlone(piece, json), ...lintValues(piece, json)]
      : []),
  ]
}

/** The `permit` or `forbid` of a policy; what concerns it as a whole is reported there. */
export function effectToken(piece: Piece): Token | undefined {
  return piece.tokens.find(
    ({ text }, index) =>
      (text === 'permit' || text === 'forbid') && piece.tokens[index - 1]?.text !== '@',
  )
}

function annotations(piece: Piece): Problem[] {
  const found = annotationsOf(piece.tokens)
  const effect = effectToken(piece)
  const problems = found.flatMap((annotation) => faultOf(piece, annotation, effect?.text ?? ''))
  if (!effect) return problems
  const lacks = (name: string) => !found.some((annotation) => annotation.name === name)
  if (lacks('id')) {
    const message = 'the policy has no @id: give it a unique one, such as @id("payments-read")'
    problems.push(problemAt(piece, effect.start, 'error', message))
  }
  if (lacks('owner')) {
    const message = 'the policy has no @owner: nobody can be asked when it denies'
    problems.push(problemAt(piece, effect.start, 'warning', message))
  }
  return problems
}

function faultOf(piece: Piece, annotation: Annotation, effect: string): Problem[] {
  const message = fault(annotation, effect)
  if (message === null) return []
  // A bad value is at the value; a name that is wrong, here or at all, at its `@`.
  const value = message.startsWith('bad value') ? annotation.valueToken : null
  return [problemAt(piece, value?.start ?? annotation.nameToken.start - 1, 'error', message)]
}

/** Every name that the configuration knows, found in constant time: sets have thousands of policies. */
type Names = {
  readonly audiences: ReadonlyMap<string, AudienceSettings>
  /** The names of `users`: what their providers call groups needs no declaration. */
  readonly providers: ReadonlySet<string>
  /** Known ids by entity type. */
  readonly ids: ReadonlyMap<string, ReadonlySet<string>>
  /** Scopes of any audience, and their groups. */
  readonly scopes: ReadonlySet<string | null>
}

function namesOf({ audiences, anchors, groups }: PolicySettings): Names {
  const ids = new Map<string, Set<string>>([
    [AUDIENCE, new Set(audiences.map(({ audience }) => audience))],
    [AUDIENCE_GROUP, new Set(audiences.flatMap((audience) => audience.groups))],
    [ENVIRONMENT, new Set(anchors.flatMap(({ environment }) => environment ?? []))],
    [GROUP, new Set(groups.map(({ name }) => name))],
    ['Cluster', new Set()],
  ])
  for (const { entity } of anchors) {
    ids.set(entity.type, (ids.get(entity.type) ?? new Set()).add(entity.id))
  }
  return {
    providers: ids.get('Users') ?? new Set(),
    audiences: new Map(audiences.map((each) => [each.audience, each])),
    ids,
    scopes: new Set(audiences.flatMap(({ scopes }) => [...scopes, ...scopes.map(actionGroup)])),
  }
}

function unknownEntity({ type, id }: Mention, { ids, providers }: Names): string | null {
  const [provider = '', group] = id.split('/', 2)
  if (type === GROUP && group !== undefined && providers.has(provider)) return null
  const row = Object.hasOwn(PRINCIPALS, type) ? PRINCIPALS[type] : CONTAINERS[type]
  return row?.id ? misshapen(type, id, row.id, ids) : unknown(type, id, ids.get(type))
}

function unknown(type: string, id: string, known: ReadonlySet<string> | undefined): string | null {
  if (!known || known.has(id)) return null
  return `unknown ${type} ${JSON.stringify(id)}${didYouMean(id, [...known])}`
}

function misshapen(
  type: string,
  id: string,
  { form, pattern, root }: IdShape,
  ids: Names['ids'],
): string | null {
  const match = pattern.exec(id)
  if (!match) return `${type} ${JSON.stringify(id)} is not of the form ${form}`
  // Policies may be written for a kind before the first trust entry of that kind.
  return root === null ? null : unknown(root, match.groups?.['root'] ?? '', ids.get(root))
}

/** Reports scopes in the head that the audience in the head does not offer: nobody could ever get them. */
function scopes(piece: Piece, json: PolicyJson, names: Names): Problem[] {
  const { actions, resource } = headOf(json)
  if (actions === null || resource.op !== '==') return []
  const audience = names.audiences.get(resource.entity.id)
  if (!audience) return []
  // An action that nobody offers is a misspelling, which Cedar reports with a better hint.
  const offered = new Set([...audience.scopes, ...audience.scopes.map(actionGroup), ...OPERATIONS])
  const foreign = actions.filter((action) => !offered.has(action) && names.scopes.has(action))
  return foreign.map((action) => {
    const at = mentions(piece).find(({ type, id }) => type === 'Action' && id === action)?.at
    const offers = audience.scopes.length > 0 ? audience.scopes.join(', ') : 'no scopes'
    const message = `audience ${audience.audience} does not offer scope ${action} (it offers ${offers})`
    return problemAt(piece, at?.start ?? 0, 'error', message)
  })
}
