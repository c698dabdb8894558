/** A policy that is called void can be removed, and nothing is decided otherwise. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openCedar } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import { check } from '../../src/policy/entry.ts'
import { compile } from '../../src/policy/generation.ts'
import { overlaps } from '../../src/policy/overlap.ts'
import { split } from '../../src/policy/split.ts'
import { question, SETTINGS, THURSDAY, workload } from './world.ts'

const FILES = 'https://files.example.com'
const PRINCIPALS = [
  'principal',
  'principal is ServiceAccount',
  'principal == ServiceAccount::"prod-eu/payments/settlement"',
  'principal == ServiceAccount::"prod-eu/payments/other"',
  'principal in Namespace::"prod-eu/payments"',
  'principal is ServiceAccount in Cluster::"prod-eu"',
  'principal in Environment::"production"',
  'principal in Group::"payments-jobs"',
]
const ACTIONS = ['action', 'action == Action::"trades:read"', 'action in Action::"trades:*"']
const RESOURCES = [
  'resource',
  'resource == Audience::"https://mcp.example.com"',
  'resource in AudienceGroup::"trading"',
]
const CONDITIONS = [
  'when { context.requestedTtl < 500 }',
  'unless { context.sender == "bearer" }',
  'when { context.requestedTtl < 500 && context.sender == "bearer" }',
  'when { !(context.sender == "bearer") }',
  'when { true }',
]
const OBLIGATIONS = [
  '',
  '@ttl("1m")',
  '@ttl("5m")',
  '@sender("dpop")',
  '@format("jwt")',
  '@format("opaque")',
  '@expires("2026-11-18")',
]

const policies = fc.array(
  fc.record({
    effect: fc.constantFrom('permit', 'permit', 'permit', 'forbid'),
    head: fc.tuple(
      fc.constantFrom(...PRINCIPALS),
      fc.constantFrom(...ACTIONS),
      fc.constantFrom(...RESOURCES),
    ),
    conditions: fc.subarray(CONDITIONS),
    obligation: fc.constantFrom(...OBLIGATIONS),
    mode: fc.constantFrom('', '', '', '@mode("report")'),
  }),
  { minLength: 2, maxLength: 6 },
)

const QUESTIONS = ['settlement', 'other', 'third'].flatMap((name) =>
  [100, 900].flatMap((requestedTtl) =>
    (['bearer', 'dpop'] as const).flatMap((sender) => [
      question({ actor: workload('prod-eu', 'payments', name), requestedTtl, sender }),
      question({ actor: workload('dev', 'payments', name), requestedTtl, sender }),
      question({ audience: FILES, scopes: ['files:read'], requestedTtl, sender }),
      question({ scopes: [], requestedTtl, sender, at: THURSDAY - 3 * 86_400 }),
    ]),
  ),
)

test('whatever set of policies: without one that is void, every decision is the same', async () => {
  const cedar = openCedar()
  let voids = 0
  await fc.assert(
    fc.asyncProperty(policies, async (set) => {
      const text = set
        .map(({ effect, head, conditions, obligation, mode }, index) => {
          const notes = effect === 'permit' ? obligation : ''
          return `@id("p${index}") ${notes} ${mode} ${effect} (${head.join()}) ${conditions.join(' ')};`
        })
        .join('\n')
      const entries = split({ path: 'a.cedar', text }).map((piece) => {
        const parsed = cedar.policyToJson(piece.text)
        assert.ok(parsed.type === 'success', piece.text)
        return check(piece, { json: parsed.json, errors: [], warnings: [] }, () => [])
      })
      const all = entries.flatMap(({ policy }) => policy ?? [])
      const outlines = entries.flatMap(({ outline }) => outline ?? [])
      for (const { policy, by } of await overlaps(outlines, SETTINGS)) {
        voids++
        const rest = all.filter(({ id }) => id !== policy.id)
        const [full, less] = [compile(all, SETTINGS), compile(rest, SETTINGS)]
        for (const asked of QUESTIONS) {
          const decided = [full, less].map((generation) => {
            const { granted, permitted, ttl, format } = decide(asked, generation)
            return { granted, permitted, ttl, format }
          })
          assert.deepEqual(decided[0], decided[1], `${policy.id} void by ${by.id} in\n${text}`)
        }
      }
    }),
    { numRuns: 300, seed: 20261121 },
  )
  assert.ok(voids > 100, `only ${voids} were void`)
})
