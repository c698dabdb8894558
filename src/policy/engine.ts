/**
 * Evaluates policies in one Cedar instance. A generation has its own engine: preparsed sets are global to an
 * instance, and two generations in one instance would evaluate each other's policies (policy.md §4.6).
 */

import type {
  AuthorizationAnswer,
  CedarValueJson,
  Context,
  EntityJson,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs'
import { type Cedar, openCedar } from './cedar.ts'

/** A value as Cedar's JSON form writes it. */
export type Value = CedarValueJson

/** One authorization question in Cedar's words. */
export type Request = {
  readonly principal: TypeAndId
  readonly resource: TypeAndId
  readonly context: Context
  readonly entities: EntityJson[]
}

/** A set of policies that is evaluated together. `key` is equal only where the policies are. */
export type PolicySet = {
  readonly key: string
  readonly policies: Readonly<Record<string, string>>
}

/** What Cedar said. `failed` means that the call as a whole could not be answered: it denies. */
export type Answer =
  | {
      readonly kind: 'answered'
      readonly allowed: boolean
      /** Ids of the policies that decided. */
      readonly reasons: readonly string[]
      /** Ids of the policies that could not be evaluated. Cedar skips them; we must not. */
      readonly errors: readonly string[]
    }
  | { readonly kind: 'failed'; readonly message: string }

/** Evaluates; never throws. */
export interface Engine {
  authorize(set: PolicySet, action: string, request: Request): Answer
}

/** How many preparsed sets an instance keeps. One costs about 7 kB a policy and is never given back. */
const SLOTS = 512

/**
 * An engine over an instance of its own. Whatever escapes from the instance, a trap or an exhausted
 * stack, leaves its memory in an unknown state: the call fails, the instance is dropped, and the next
 * call gets a fresh one.
 *
 * @param open makes the instance; called at once, so that the first decision does not wait for it
 */
export function createEngine(open: () => Cedar = openCedar, slots: number = SLOTS): Engine {
  let instance: Instance | null = createInstance(open(), slots)
  return {
    authorize(set, action, request) {
      try {
        instance ??= createInstance(open(), slots)
        return instance.authorize(set, action, request)
      } catch (error) {
        instance = null
        return { kind: 'failed', message: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}

/** Like an Engine, but lets traps through: after one it must not be called again. */
type Instance = Engine

function createInstance(cedar: Cedar, slots: number): Instance {
  // Key → slot, least recently used first. Slots cannot be freed, only overwritten: so names are reused.
  const prepared = new Map<string, string>()

  const prepare = ({ key, policies }: PolicySet): string => {
    const known = prepared.get(key)
    const oldest = prepared.size < slots ? undefined : prepared.entries().next().value
    const slot = known ?? oldest?.[1] ?? `slot${prepared.size}`
    prepared.delete(known === undefined && oldest ? oldest[0] : key)
    if (known === undefined) {
      const answer = cedar.preparsePolicySet(slot, { staticPolicies: { ...policies } })
      // The slot may still hold other policies: nobody may use it, nor this instance, again.
      if (answer.type === 'failure') throw new Error('The policies cannot be parsed.')
    }
    prepared.set(key, slot)
    return slot
  }

  return {
    authorize(set, action, { principal, resource, context, entities }) {
      return read(
        cedar.statefulIsAuthorized({
          principal,
          action: { type: 'Action', id: action },
          resource,
          context,
          entities,
          preparsedPolicySetId: prepare(set),
        }),
      )
    },
  }
}

function read(answer: AuthorizationAnswer): Answer {
  if (answer.type === 'failure') {
    return { kind: 'failed', message: answer.errors.map(({ message }) => message).join('; ') }
  }
  const { decision, diagnostics } = answer.response
  return {
    kind: 'answered',
    allowed: decision === 'allow',
    reasons: [...diagnostics.reason].sort(),
    errors: [...new Set(diagnostics.errors.map(({ policyId }) => policyId))].sort(),
  }
}
