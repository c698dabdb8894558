/** Sets of generated policies with requests, and what the official engine says about them. */

import type { PolicyJson, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs'
import { type Cedar, openCedar } from '../../src/policy/cedar.ts'
import { type Outcome, outcomeOfAll } from '../../src/policy/eval/authorize.ts'
import { compileExpression, compilePolicy } from '../../src/policy/eval/compile.ts'
import type { Request } from '../../src/policy/eval/entities.ts'
import { EvaluationError } from '../../src/policy/eval/failure.ts'
import { OPERATORS, type Operators } from '../../src/policy/eval/operators.ts'
import { parsePolicy } from '../../src/policy/eval/parse.ts'
import { written } from '../../src/policy/eval/text.ts'
import {
  Datetime,
  Decimal,
  Duration,
  Ip,
  Uid,
  type Value,
  ValueSet,
} from '../../src/policy/eval/value.ts'
import { expression, type Node, textOf } from './grammar.ts'
import { readEntities, readFields } from './json.ts'
import { TYPES } from './literals.ts'
import type { Random } from './random.ts'
import { type JsonRequest, request } from './requests.ts'

/** One generated policy. */
export type Sample = {
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly head: string
  readonly clause: 'when' | 'unless'
  readonly body: Node
  readonly json: PolicyJson
}

/** What an engine says: the decision, the policies that determine it, those that err. */
export type Answer = {
  readonly decision: string
  readonly reasons: readonly string[]
  readonly errors: readonly string[]
}

/** Policies, requests, and the official answer to each request. */
export type Case = {
  readonly samples: readonly Sample[]
  readonly requests: readonly {
    readonly json: JsonRequest
    readonly ours: Request
    readonly official: Answer
  }[]
}

const CEDAR: Cedar = openCedar()

/** The text of a policy, with another body where one is given. */
export function sourceOf({ effect, head, clause }: Sample, body: Node): string {
  return `${effect} (${head}) ${clause} { ${textOf(body)} };`
}

/** Policies and requests, with their official answers. */
export function generate(by: Random, policies: number, requests: number): Case {
  const jsons = Array.from({ length: requests }, () => request(by))
  const inputs = jsons.map((json) => ({ json, ours: requestOf(json) }))
  // A set of permits alone tells the outcome of each; a mixed one, how they combine.
  const mixed = by.chance(0.2)
  const samples: Sample[] = []
  while (samples.length < policies) {
    const made = sample(String(samples.length), mixed, by, by.pick(inputs).ours)
    if (made !== null) samples.push(made)
  }
  const texts = new Map(samples.map((each) => [each.id, sourceOf(each, each.body)]))
  const answers = official(texts, jsons)
  return {
    samples,
    requests: inputs.map((input, index) => ({ ...input, official: answers[index] ?? NONE })),
  }
}

const NONE: Answer = { decision: 'none', reasons: [], errors: [] }

/** A request of Cedar's JSON form as ours. */
export function requestOf({
  principal,
  action,
  resource,
  context,
  entities,
}: JsonRequest): Request {
  const uid = ({ type, id }: { type: string; id: string }) => new Uid(type, id)
  return {
    principal: uid(principal),
    action: uid(action),
    resource: uid(resource),
    context: readFields(context),
    entities: readEntities(entities),
  }
}

/** Asks the official engine about one set. */
export function official(
  texts: ReadonlyMap<string, string>,
  requests: readonly JsonRequest[],
): Answer[] {
  const staticPolicies = Object.fromEntries(texts)
  const prepared = CEDAR.preparsePolicySet('differential', { staticPolicies })
  if (prepared.type === 'failure') throw new Error(JSON.stringify(prepared.errors))
  return requests.map((each) => {
    const call = { ...each, preparsedPolicySetId: 'differential' }
    // Its types know no read-only lists.
    const answer = CEDAR.statefulIsAuthorized(call as unknown as StatefulAuthorizationCall)
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
    const { decision, diagnostics } = answer.response
    const errors = [...new Set(diagnostics.errors.map(({ policyId }) => policyId))]
    return { decision, reasons: diagnostics.reason.toSorted(), errors: errors.sort() }
  })
}

/** What our evaluator says, with these operators. */
export function ours(
  samples: readonly Judged[],
  operators: Operators = OPERATORS,
): (request: Request) => Answer {
  const programs = samples.map(({ json }) => compilePolicy(json, operators))
  return (request) => {
    const outcomes = programs.map(({ head, conditions }) =>
      outcomeOfAll([...head, ...conditions], request),
    )
    const named = (outcome: Outcome, effect?: string) =>
      samples
        .filter(
          (each, index) => outcomes[index] === outcome && (effect ?? each.effect) === each.effect,
        )
        .map(({ id }) => id)
        .sort()
    const [permits, forbids] = [named('applies', 'permit'), named('applies', 'forbid')]
    const allowed = permits.length > 0 && forbids.length === 0
    return {
      decision: allowed ? 'allow' : 'deny',
      reasons: allowed ? permits : forbids,
      errors: named('failed'),
    }
  }
}

/** A policy as it is decided by. */
export type Judged = Pick<Sample, 'id' | 'effect' | 'json'>

/** The JSON form of a text that Cedar parses; null for another. */
export function parsed(text: string): PolicyJson | null {
  const result = parsePolicy(CEDAR, text)
  return 'json' in result ? result.json : null
}

const PRINCIPALS = [
  'principal == User::"alice"',
  'principal in Team::"red"',
  'principal in Org::"all"',
  'principal is User',
  'principal is User in Team::"blue"',
  'principal is Team',
  'principal in User::"bob"',
]
const ACTIONS = [
  'action == Action::"read"',
  'action in Action::"all"',
  'action in [Action::"write", Action::"read"]',
  'action in []',
]
const RESOURCES = [
  'resource == User::"bob"',
  'resource in Org::"all"',
  'resource is User',
  'resource is Team in Org::"all"',
]

function sample(id: string, mixed: boolean, by: Random, on: Request): Sample | null {
  const line = (some: readonly string[], any: string) => (by.chance(0.85) ? any : by.pick(some))
  const head = [
    line(PRINCIPALS, 'principal'),
    line(ACTIONS, 'action'),
    line(RESOURCES, 'resource'),
  ].join(', ')
  const rough = {
    id,
    effect: mixed && by.chance(0.3) ? 'forbid' : 'permit',
    head,
    clause: by.chance(0.8) ? 'when' : 'unless',
    body: by.chance(0.3) ? pinned(by, on) : expression('Bool', 1 + by.below(5), by),
  } as const
  const json = parsed(sourceOf({ ...rough, json: NOTHING }, rough.body))
  return json && { ...rough, json }
}

const NOTHING: PolicyJson = {
  effect: 'permit',
  principal: { op: 'All' },
  action: { op: 'All' },
  resource: { op: 'All' },
  conditions: [],
}

/**
 * `e == v`, where `v` is what we take `e` to be on some request: the official engine has to agree to the last
 * digit, which comparisons of unrelated values would hardly ever show.
 */
function pinned(by: Random, on: Request): Node {
  const type = by.pick(TYPES)
  const inner = expression(type, 1 + by.below(3), by)
  const text = literalOf(valueOn(textOf(inner), on))
  const value: Node = { operator: 'literal', type, operands: [], render: () => text ?? 'true' }
  return {
    operator: '==',
    type: 'Bool',
    operands: [inner, value],
    render: ([a, b]) => `(${a} == ${b})`,
  }
}

function valueOn(text: string, on: Request): Value | null {
  const body = parsed(`permit (principal, action, resource) when { [${text}] };`)?.conditions[0]
    ?.body
  if (!body) return null
  try {
    const list = compileExpression(body)(on)
    return list instanceof ValueSet ? (list.elements[0] ?? null) : null
  } catch (error) {
    if (error instanceof EvaluationError) return null
    throw error
  }
}

/** A value as Cedar text; null where there is none. */
function literalOf(value: Value | null): string | null {
  if (value === null) return null
  if (value instanceof Datetime) {
    return `datetime("1970-01-01").offset(duration("${value.milliseconds}ms"))`
  }
  if (value instanceof Duration) return `duration("${value.milliseconds}ms")`
  if (value instanceof Decimal) return `decimal("${written(value)}")`
  if (value instanceof Ip) return `ip("${written(value)}")`
  if (value instanceof ValueSet) return `[${value.elements.map(literalOf).join(', ')}]`
  if (!(value instanceof Map)) return written(value)
  return `{${[...value].map(([name, field]) => `"${name}": ${literalOf(field)}`).join(', ')}}`
}
