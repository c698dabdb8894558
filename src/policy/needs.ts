/**
 * Which attributes a policy can read. Handing Cedar a value costs some 8 µs, more than evaluating it, so
 * `decide` hands over only what the policies at hand can ask for. When in doubt: everything.
 */

import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

/** Top-level attribute names of principal and context; `all` where any could be read. */
export type Needs = { readonly principal: Names; readonly context: Names }

/** A set of names, or every name. */
export type Names = ReadonlySet<string> | 'all'

/** What one policy can read, from its JSON form (already bounded in depth). */
export function needsOf(policy: PolicyJson): Needs {
  const found: Found = { principal: new Set(), context: new Set(), all: false }
  for (const { body } of policy.conditions) walk(body, found)
  return found.all ? { principal: 'all', context: 'all' } : found
}

/** What a set of policies can read. */
export function union(needs: readonly Needs[]): Needs {
  const join = (pick: (need: Needs) => Names): Names => {
    const names = new Set<string>()
    for (const picked of needs.map(pick)) {
      if (picked === 'all') return 'all'
      for (const name of picked) names.add(name)
    }
    return names
  }
  return { principal: join((need) => need.principal), context: join((need) => need.context) }
}

type Found = { readonly principal: Set<string>; readonly context: Set<string>; all: boolean }

/** `principal in X` and the like compare identities, not attributes. */
const IDENTITY: ReadonlySet<string> = new Set(['==', '!=', 'in', 'is'])

function walk(node: unknown, found: Found): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const item of node) walk(item, found)
    return
  }
  for (const [operator, operand] of Object.entries(node)) {
    if (operator === 'Value') continue
    if (operator === '.' || operator === 'has') access(operand, found)
    else if (operator === 'Var') found.all ||= operand === 'principal' || operand === 'context'
    else if (IDENTITY.has(operator)) walkIdentity(operand, found)
    else walk(operand, found)
  }
}

/** `a.b.c` reads attribute `b` of `a`; anything but a variable at its root could be any entity. */
function access(operand: { left?: unknown; attr?: unknown }, found: Found): void {
  const { left, attr } = operand
  const root = variable(left)
  if (root === null) {
    const deeper = inner(left)
    if (deeper) access(deeper, found)
    else {
      found.all = true
      walk(left, found)
    }
    return
  }
  const name = Array.isArray(attr) ? attr[0] : attr
  if (typeof name !== 'string') found.all = true
  else if (root === 'principal' || root === 'context') found[root].add(name)
}

function walkIdentity(operand: unknown, found: Found): void {
  if (typeof operand !== 'object' || operand === null) return
  for (const side of Object.values(operand)) if (variable(side) !== 'principal') walk(side, found)
}

function variable(node: unknown): string | null {
  if (typeof node !== 'object' || node === null || !('Var' in node)) return null
  return typeof node.Var === 'string' ? node.Var : null
}

function inner(node: unknown): { left?: unknown; attr?: unknown } | null {
  if (typeof node !== 'object' || node === null || !('.' in node)) return null
  return typeof node['.'] === 'object' ? node['.'] : null
}
