import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { compileExpression, compilePolicy } from '../../../src/policy/eval/compile.ts'
import { Unsupported } from '../../../src/policy/eval/failure.ts'
import { load } from '../../../src/policy/load.ts'
import { SETTINGS } from '../world.ts'

const VALUE = { Value: 1 }

const UNKNOWN: readonly (readonly [what: string, node: unknown])[] = [
  ['an operator of tomorrow', { '**': { left: VALUE, right: VALUE } }],
  ['one deep inside', { '!': { arg: { '&&': { left: VALUE, right: { sorted: [VALUE] } } } } }],
  [
    'one where it would never be reached',
    { '&&': { left: { Value: false }, right: { unknown: [VALUE] } } },
  ],
  ['a name that every object has', { constructor: [VALUE] }],
  ['too many operands', { ip: [VALUE, VALUE] }],
  ['too few operands', { isInRange: [VALUE] }],
  ['no operand', { ip: [] }],
  ['a missing side', { '==': { left: VALUE } }],
  ['two operators at once', { '!': { arg: VALUE }, neg: { arg: VALUE } }],
  ['nothing', {}],
  ['a list', [VALUE]],
  ['null', null],
  ['another variable', { Var: 'world' }],
  ['a slot', { Slot: '?principal' }],
  ['a fraction', { Value: 1.5 }],
  ['a number that JSON rounded', { Value: 2 ** 53 }],
  ['a value of no type', { Value: null }],
  ['a pattern of another form', { like: { left: VALUE, pattern: ['Question'] } }],
]

test('what is unknown refuses the policy, wherever it stands', () => {
  for (const [what, node] of UNKNOWN) {
    assert.throws(() => compileExpression(node), Unsupported, what)
  }
})

test('a policy with slots, or with a constraint of another form, is refused', () => {
  const policy = (json: object): PolicyJson => ({
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [],
    ...json,
  })
  assert.throws(
    () => compilePolicy(policy({ principal: { op: '==', slot: '?principal' } })),
    Unsupported,
  )
  assert.throws(() => compilePolicy(policy({ resource: { op: 'near' } })), Unsupported)
  assert.equal(compilePolicy(policy({})).conditions.length, 0)
})

test('expressions nest to a limit, and no further', () => {
  const nested = (depth: number) =>
    Array.from({ length: depth }).reduce<unknown>((arg) => ({ '!': { arg } }), { Value: true })
  assert.doesNotThrow(() => compileExpression(nested(200)))
  assert.throws(() => compileExpression(nested(201)), Unsupported)
  assert.throws(() => compileExpression(nested(20_000)), Unsupported)
})

test('a load says at the policy what cannot be evaluated', async () => {
  const text = `@id("a") permit (principal, action, resource)
    when { context has sourceIp && context.sourceIp == ip("10.0.0.1", "10.0.0.2") };`
  const loaded = await load([{ path: 'a.cedar', text }], SETTINGS)
  assert.ok('problems' in loaded)
  assert.match(JSON.stringify(loaded.problems), /cannot be evaluated here: ip with 2 operands/)
})
