import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import fc from 'fast-check'
import { openCedar } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import type { Ruling } from '../../src/policy/question.ts'
import { requestOf } from '../../src/policy/request.ts'
import { standingOf } from '../../src/policy/standing.ts'
import { writeRequest } from '../differential/json.ts'
import { AUDIENCE, compiled, question, workload } from './world.ts'

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
    'action in Action::"trades:*"',
  ),
  resource: fc.constantFrom(
    'resource',
    'resource is Audience',
    `resource == Audience::"${AUDIENCE}"`,
    `resource in Audience::"${AUDIENCE}"`,
    'resource in AudienceGroup::"trading"',
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

test('slicing never changes a decision: the official engine agrees on the full set', () => {
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
      const generation = compiled(texts.join('\n'))
      const standing = standingOf(actor, asked.audience, generation)
      const request = writeRequest(requestOf(asked, generation, standing), standing)
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
  fc.assert(property, { numRuns: 100, seed: 20261121 })
})
