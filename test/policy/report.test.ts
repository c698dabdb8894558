import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import type { Question } from '../../src/policy/question.ts'
import { compiled, epoch, question } from './world.ts'

const PERMIT = '@id("permit") permit (principal, action, resource);'
const ERRING = 'context.requestedTtl * 9223372036854775807 > 0'
const report = (policy: string) => `@mode("report") ${policy}`

const ruled = (text: string, asked: Question = question()) =>
  decide(asked, compiled(text)).rulings[0]

const EFFECTS: readonly (readonly [
  title: string,
  text: string,
  result: string,
  policies: string[] | null,
])[] = [
  ['a forbid that applies', '@id("r") forbid (principal, action, resource);', 'forbidden', ['r']],
  [
    'one that does not',
    '@id("r") forbid (principal, action, resource) when { false };',
    'permitted',
    null,
  ],
  [
    'one that cannot be evaluated',
    `@id("r") forbid (principal, action, resource) when { ${ERRING} };`,
    'failed',
    ['r'],
  ],
  [
    'a permit beside it',
    '@id("r") permit (principal, action, resource);',
    'permitted',
    ['permit', 'r'],
  ],
  [
    'a permit that demands more',
    '@id("r") @sender("dpop") permit (principal, action, resource);',
    'sender_unmet',
    ['r'],
  ],
]

test('a policy of mode report changes nothing, and its ruling says what it would', () => {
  for (const [title, text, result, policies] of EFFECTS) {
    const ruling = ruled(`${PERMIT} ${report(text)}`)
    assert.equal(ruling?.result, 'permitted', title)
    assert.deepEqual(ruling?.policies, ['permit'], title)
    assert.deepEqual(ruling?.failing, [], title)
    assert.deepEqual(ruling?.report, policies && { result, policies }, title)
  }
})

test('a permit of mode report grants nothing, and would', () => {
  const text = report('@id("r") @ttl("1m") permit (principal, action, resource);')
  const decision = decide(question(), compiled(text))
  assert.deepEqual([decision.permitted, decision.granted, decision.ttl], [false, [], null])
  assert.equal(decision.rulings[0]?.result, 'unmatched')
  assert.deepEqual(decision.rulings[0]?.report, { result: 'permitted', policies: ['r'] })
  const forbidden = `${text} @id("f") forbid (principal, action, resource);`
  assert.deepEqual(ruled(forbidden)?.report, { result: 'forbidden', policies: ['f'] })
})

test('a request that fails anyway is no different for a report', () => {
  const erring = `@id("e") forbid (principal, action, resource) when { ${ERRING} };`
  const idle = report('@id("r") forbid (principal, action, resource) when { false };')
  const ruling = ruled(`${PERMIT} ${erring} ${idle}`)
  assert.deepEqual([ruling?.result, ruling?.failing, ruling?.report], ['failed', ['e'], null])
})

test('an expired permit is as if it were not there, from its instant on', () => {
  const text = '@id("p") @expires("2026-11-19T10:00:00Z") permit (principal, action, resource);'
  assert.equal(ruled(text, question({ at: epoch('2026-11-19T09:59:59Z') }))?.result, 'permitted')
  assert.equal(ruled(text, question({ at: epoch('2026-11-19T10:00:00Z') }))?.result, 'unmatched')
  const beside = `${text} ${PERMIT}`
  assert.deepEqual(ruled(beside, question({ at: epoch('2027-01-01T00:00:00Z') }))?.policies, [
    'permit',
  ])
  const erring = `@id("p") @expires("2020-01-01") permit (principal, action, resource) when { ${ERRING} };`
  assert.equal(ruled(`${erring} ${PERMIT}`)?.result, 'permitted')
})

test('conditions about the action are asked for each action', () => {
  const text =
    '@id("p") permit (principal, action, resource) when { action == Action::"trades:read" && action in Action::"trades:*" };'
  const scopes = ['trades:read', 'trades:write']
  assert.deepEqual(decide(question({ scopes }), compiled(text)).granted, ['trades:read'])
  assert.deepEqual(decide(question({ scopes: scopes.toReversed() }), compiled(text)).granted, [
    'trades:read',
  ])
})
