import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import { explain } from '../../src/policy/explain.ts'
import type { Question } from '../../src/policy/question.ts'
import { compiled, epoch, fact, question, shipped, workload } from './world.ts'

const EXAMPLE = shipped(
  'examples/working-hours/settlement.cedar',
  'examples/working-hours/change-freeze.cedar',
)
  .map(({ text }) => text)
  .join('\n')

function lines(asked: Question, text = EXAMPLE): string[] {
  const generation = compiled(text)
  return [...explain(asked, decide(asked, generation), generation).lines]
}

test('outside working hours the one unmet condition is shown with the time it was', () => {
  assert.deepEqual(lines(question({ at: epoch('2026-11-19T05:59:00Z') })).slice(0, 4), [
    'ServiceAccount::"prod-eu/payments/settlement" asked for https://mcp.example.com at 2026-11-19T05:59:00.000Z',
    'trades:read: DENIED, no permit matches',
    '  nearest: permit settlement-reads-trades (test.cedar:2, owner team-payments): Settlement reads trades on working days, 07:00 to 20:00 in Berlin',
    '    - context.now["Europe/Berlin"].timeOfDay >= duration("7h") (is 6h59m)',
  ])
})

test('a workload of another namespace reads whom the nearest permit is for', () => {
  const actor = workload('prod-eu', 'reports', 'settlement')
  const generation = compiled(EXAMPLE)
  const asked = question({ actor })
  const { rulings } = explain(asked, decide(asked, generation), generation)
  assert.deepEqual(rulings[0]?.candidates[0]?.unmet, [
    {
      text: 'principal == ServiceAccount::"prod-eu/payments/settlement"',
      actual: 'ServiceAccount::"prod-eu/reports/settlement"',
      line: 2,
      column: 1,
    },
  ])
})

test('a freeze names the forbid that won, its owner and what was true', () => {
  assert.deepEqual(lines(question({ at: epoch('2026-12-28T09:00:00Z') })).slice(1), [
    'trades:read: DENIED, a forbid applies, and forbid always wins',
    '  forbid change-freeze (test.cedar:31, owner security): Nobody touches trades during a change freeze',
    '    - context.calendar["change-freeze"] (is true)',
  ])
})

test('an unmet sender names the permit that demands it', () => {
  const actor = workload('prod-eu', 'payments', 'booking')
  const shown = lines(question({ actor, scopes: ['trades:write'] }))
  assert.match(
    shown[1] ?? '',
    /DENIED, a permit matches, but only for a token bound more strongly than "bearer"/,
  )
  assert.match(shown[2] ?? '', /permit booking-writes-trades .*owner team-payments/)
})

test('a scope that the audience does not offer, and what it offers', () => {
  const shown = lines(question({ scopes: ['trades:raed'] }))
  assert.equal(
    shown[1],
    'trades:raed: DENIED, the audience https://mcp.example.com does not offer trades:raed (it offers trades:read, trades:write)',
  )
})

test('facts that do not fit say which', () => {
  const facts = { name: fact(7) }
  const shown = lines(
    question({ actor: workload('prod-eu', 'payments', 'settlement', facts) }),
    '@id("a") permit (principal in Cluster::"prod-eu", action, resource) when { principal.name == "x" };',
  )
  assert.equal(
    shown[1],
    'trades:read: DENIED, the facts do not fit the schema: name is not a string',
  )
})

test('a policy that failed shows the condition that could not be evaluated', () => {
  const text = `@id("big") permit (principal, action, resource)
    when { context.sender == "bearer" && context.requestedTtl * 9223372036854775807 > 0 };`
  assert.deepEqual(lines(question(), text).slice(1), [
    'trades:read: DENIED, a policy could not be evaluated, which denies',
    '  permit big (test.cedar:1)',
    '    - context.sender == "bearer" (is "bearer")',
    '    - cannot be evaluated: context.requestedTtl * 9223372036854775807 > 0 (is 900)',
  ])
})

test('conditions are taken apart where && and || allow it, comments aside, each at its place', () => {
  const text = `@id("a") permit (principal, action, resource)
when {
  principal has pod && // the pod must be known
  principal.pod.name == "job;&&" // and be ours
}
when { context.sender == "mtls" || context.sender == "dpop" }
when { if true then context.attestationAge < 5 && true else false }
unless { context.calendar["change-freeze"] || (context.sender == "bearer" &&
  context.operation == "issue") };`
  const generation = compiled(text)
  const asked = question()
  const { rulings } = explain(asked, decide(asked, generation), generation)
  const unmet = rulings[0]?.candidates[0]?.unmet ?? []
  assert.deepEqual(
    unmet.map(({ text, actual, line, column }) => `${line}:${column} ${text} (${actual})`),
    [
      '4:3 principal.pod.name == "job;&&" ("settlement-0")',
      '6:8 context.sender == "mtls" || context.sender == "dpop" ("bearer")',
      '7:8 if true then context.attestationAge < 5 && true else false (30)',
      '8:47 unless (context.sender == "bearer" && context.operation == "issue") (sender "bearer", operation "issue")',
    ],
  )
})

test('what only failed because its guard did not hold is left out', () => {
  const text = `@id("a") permit (principal, action, resource)
    when { principal has node && principal.node.name == "n1" };`
  assert.deepEqual(lines(question(), text).slice(3), ['    - principal has node (is absent)'])
})

test('a decision of another generation is not explained', () => {
  const decision = decide(question(), compiled(''))
  assert.throws(() => explain(question(), decision, compiled(EXAMPLE)), /generation/)
})
