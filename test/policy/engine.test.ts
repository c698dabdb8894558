import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import fc from 'fast-check'
import { openCedar } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import { createEngine } from '../../src/policy/engine.ts'
import type { Ruling } from '../../src/policy/question.ts'
import { placeOf, requestOf } from '../../src/policy/request.ts'
import { AUDIENCE, compiled, question, SETTINGS, workload } from './world.ts'

const OPEN = '@id("open") permit (principal, action, resource);'

/** Nests deeply enough to parse and then exhaust the stack at evaluation. The loader refuses it. */
const TRAP = `@id("trap") permit (principal == ServiceAccount::"prod-eu/payments/settlement", action, resource)
  when { ${Array(3000).fill('context.requestedTtl == 1').join(' || ')} };`

test('a trap denies, and the next decision has a fresh instance', () => {
  let opened = 0
  const engine = createEngine(() => {
    opened++
    const cedar = openCedar()
    if (opened > 1) return cedar
    return {
      ...cedar,
      statefulIsAuthorized: () => {
        throw new Error('RuntimeError: memory access out of bounds')
      },
    }
  })
  const generation = compiled(OPEN, SETTINGS, engine)
  assert.equal(decide(question(), generation).rulings[0]?.result, 'failed')
  assert.equal(opened, 1)
  assert.equal(decide(question(), generation).rulings[0]?.result, 'permitted')
  assert.equal(decide(question(), generation).permitted, true)
  assert.equal(opened, 2)
})

test('an instance that really ran out of stack is replaced', () => {
  const engine = createEngine()
  const generation = compiled(OPEN, SETTINGS, engine)
  const place = placeOf(question().actor, generation)
  const request = requestOf(question(), generation, place, { principal: 'all', context: 'all' })
  const hostile = { key: 'trap', policies: { trap: TRAP } }
  assert.equal(engine.authorize(hostile, 'trades:read', request).kind, 'failed')
  assert.equal(decide(question(), generation).permitted, true)
})

test('a slot that was reused holds the policies of its new owner', () => {
  const engine = createEngine(openCedar, 2)
  const generation = compiled('', SETTINGS, engine)
  const place = placeOf(question().actor, generation)
  const request = requestOf(question(), generation, place, { principal: 'all', context: 'all' })
  const set = (id: string) => ({ key: id, policies: { [id]: OPEN } })
  for (const id of ['a', 'b', 'a', 'c', 'b', 'a', 'd', 'a', 'b', 'c', 'c', 'd', 'b']) {
    const answer = engine.authorize(set(id), 'trades:read', request)
    assert.deepEqual(answer.kind === 'answered' && answer.reasons, [id])
  }
})

test('an instance nobody holds is not kept by the module cache', () => {
  const [one, other] = [openCedar(), openCedar()]
  assert.notEqual(one, other)
  assert.notEqual(one.statefulIsAuthorized, other.statefulIsAuthorized)
})

const constraint = {
  principal: fc.constantFrom(
    'principal',
    'principal is ServiceAccount',
    'principal == ServiceAccount::"prod-eu/payments/settlement"',
    'principal == ServiceAccount::"dev/payments/settlement"',
    'principal in Namespace::"prod-eu/payments"',
    'principal in Cluster::"dev"',
    'principal in Environment::"production"',
    'principal in Group::"payments-jobs"',
    'principal is ServiceAccount in Cluster::"prod-eu"',
    'principal in ServiceAccount::"prod-eu/payments/settlement"',
  ),
  action: fc.constantFrom(
    'action',
    'action == Action::"trades:read"',
    'action in Action::"trades:write"',
    'action in [Action::"trades:read", Action::"trades:write"]',
  ),
  resource: fc.constantFrom(
    'resource',
    'resource is Audience',
    `resource == Audience::"${AUDIENCE}"`,
    `resource in Audience::"${AUDIENCE}"`,
    'resource == Audience::"https://files.example.com"',
  ),
}

const condition = fc.constantFrom(
  '',
  'when { context.now["Europe/Berlin"].weekday <= 5 }',
  'when { principal has pod && principal.pod.name like "settle*" }',
  'when { principal has node.uid }',
  'when { principal has "node" }',
  'when { (if context.sender == "bearer" then principal else ServiceAccount::"x").namespace == "payments" }',
  'when { ServiceAccount::"prod-eu/payments/settlement".name == "settlement" }',
  'when { context.now == context.now && [principal].contains(principal) }',
  'when { {a: context}.a.attestationAge < 60 }',
  'unless { context has sourceIp && context.sourceIp.isLoopback() }',
  'when { context.requestedTtl * 9223372036854775807 > 0 }',
  'unless { context.calendar["change-freeze"] || principal in Cluster::"dev" }',
  'when { context.time > datetime("2026-01-01") }',
)

const policy = fc.record({ effect: fc.constantFrom('permit', 'forbid'), ...constraint, condition })

function agrees(ruling: Ruling, answer: AuthorizationAnswer): boolean {
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  const { decision, diagnostics } = answer.response
  const failing = diagnostics.errors.map(({ policyId }) => policyId).sort()
  const permitted = decision === 'allow' && failing.length === 0
  if ((ruling.result === 'permitted') !== permitted) return false
  // Without a permit for the scope nothing was asked, so neither forbids nor errors are named.
  if (ruling.result === 'unmatched') return true
  if (ruling.result === 'failed') return ruling.failing.join() === failing.join()
  return ruling.policies.join() === [...diagnostics.reason].sort().join()
}

test('slicing and pruning never change a decision: the full set with every attribute agrees', () => {
  const oracle = openCedar()
  const actors = [
    workload('prod-eu', 'payments', 'settlement'),
    workload('prod-eu', 'payments', 'booking'),
    workload('dev', 'payments', 'settlement'),
  ]
  const property = fc.property(
    fc.array(policy, { maxLength: 8 }),
    fc.constantFrom(...actors),
    fc.constantFrom(null, '127.0.0.1'),
    (policies, actor, sourceIp) => {
      const texts = policies.map(
        (p, i) =>
          `@id("p${i}") ${p.effect} (${p.principal}, ${p.action}, ${p.resource}) ${p.condition};`,
      )
      const asked = question({ actor, sourceIp, scopes: ['trades:read', 'trades:write'] })
      const engine = createEngine(() => oracle)
      const generation = compiled(texts.join('\n'), SETTINGS, engine)
      const place = placeOf(actor, generation)
      const request = requestOf(asked, generation, place, { principal: 'all', context: 'all' })
      const staticPolicies = Object.fromEntries(texts.map((text, i) => [`p${i}`, text]))
      return decide(asked, generation).rulings.every((ruling) => {
        const action = { type: 'Action', id: ruling.action }
        return agrees(
          ruling,
          oracle.isAuthorized({ ...request, action, policies: { staticPolicies } }),
        )
      })
    },
  )
  fc.assert(property, { numRuns: 150, seed: 20261121 })
})
