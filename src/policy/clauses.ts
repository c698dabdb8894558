/** What the conditions of a policy say and read, from Cedar's JSON form (already bounded in depth). */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

/** What can be told of a policy's conditions without evaluating them. */
export type Clauses = {
  /** Each `&&`-part of the conditions by its JSON: the policy applies only where all of them hold. */
  readonly terms: ReadonlySet<string>
  /** Attribute paths that are read or tested: `principal.node.name`, `context.operation`. */
  readonly reads: ReadonlySet<string>
  /** Whether the principal itself is compared (`principal in …`). */
  readonly identifies: boolean
}

/** Reads the clauses off a policy. */
export function clausesOf(policy: PolicyJson): Clauses {
  const terms = new Set<string>()
  const found = { reads: new Set<string>(), identifies: false }
  for (const { kind, body } of policy.conditions) {
    const asserted = kind === 'when'
    for (const part of parts(body, asserted ? '&&' : '||')) terms.add(term(part, asserted))
    walk(body, found)
  }
  // `when { true }` asks for nothing.
  terms.delete('{"Value":true}')
  terms.delete('!{"Value":false}')
  return { terms, ...found }
}

/** A part by its JSON, after a `!` where it must not hold. */
function term(part: unknown, asserted: boolean): string {
  const negated = field(part, '!')
  if (negated !== undefined) return term(field(negated, 'arg'), !asserted)
  return `${asserted ? '' : '!'}${JSON.stringify(part)}`
}

function parts(node: unknown, operator: '&&' | '||'): unknown[] {
  const sides = field(node, operator)
  if (sides === undefined) return [node]
  return [...parts(field(sides, 'left'), operator), ...parts(field(sides, 'right'), operator)]
}

type Found = { readonly reads: Set<string>; identifies: boolean }

const COMPARING = ['==', '!=', 'in', 'is']

function walk(node: unknown, found: Found): void {
  if (typeof node !== 'object' || node === null) return
  const path = pathOf(node)
  if (path !== null) {
    found.reads.add(path)
    return
  }
  for (const [operator, operand] of Object.entries(node)) {
    if (operator === 'Value') continue
    if (COMPARING.includes(operator)) {
      found.identifies ||= ['left', 'right'].some(
        (side) => variable(field(operand, side)) === 'principal',
      )
    }
    walk(operand, found)
  }
}

/** `principal.pod.name` for an access or a `has` that starts at a variable; null for anything else. */
export function pathOf(node: unknown): string | null {
  const access = field(node, '.') ?? field(node, 'has')
  if (access === undefined) return null
  const attr = field(access, 'attr')
  const left = field(access, 'left')
  const before = variable(left) ?? pathOf(left)
  if (before === null) return null
  return [before, ...(Array.isArray(attr) ? attr : [attr])].join('.')
}

function variable(node: unknown): string | null {
  const name = field(node, 'Var')
  return typeof name === 'string' ? name : null
}

/** A property of a node of unknown shape. */
export function field(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined
  return Object.hasOwn(node, name) ? Reflect.get(node, name) : undefined
}
