import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import type { Question, Ruling } from '../../src/policy/question.ts'
import { compiled, epoch, fact, question, SETTINGS, shipped, workload } from './world.ts'

const READ = `(principal == ServiceAccount::"prod-eu/payments/settlement", action == Action::"trades:read",
  resource == Audience::"https://mcp.example.com")`
const PERMIT = `@id("permit") permit ${READ};`
/** Passes validation, and overflows a 64-bit number when evaluated. */
const ERRING = 'context.requestedTtl * 9223372036854775807 > 0'

const results = (text: string, asked: Question): string[] =>
  decide(asked, compiled(text)).rulings.map(({ result }) => result)

const EXAMPLE = shipped(
  'examples/working-hours/settlement.cedar',
  'examples/working-hours/change-freeze.cedar',
  'examples/working-hours/guardrail.cedar',
)
  .map(({ text }) => text)
  .join('\n')

test('an empty set denies everything', () => {
  const decision = decide(question({ scopes: [] }), compiled(''))
  assert.equal(decision.permitted, false)
  assert.deepEqual(decision.rulings, [
    { action: 'issue', result: 'unmatched', policies: [], failing: [], report: null },
  ])
})

const HOURS: readonly (readonly [when: string, at: string, result: Ruling['result']])[] = [
  ['06:59:59 on a winter Thursday', '2026-11-19T05:59:59Z', 'unmatched'],
  ['07:00 on a winter Thursday', '2026-11-19T06:00:00Z', 'permitted'],
  ['19:59:59 on a winter Thursday', '2026-11-19T18:59:59Z', 'permitted'],
  ['20:00 on a winter Thursday', '2026-11-19T19:00:00Z', 'unmatched'],
  ['07:00 in summer, an hour earlier by UTC', '2026-07-16T05:00:00Z', 'permitted'],
  ['06:59:59 in summer', '2026-07-16T04:59:59Z', 'unmatched'],
  ['07:00 on the Monday after the clocks went forward', '2026-03-30T05:00:00Z', 'permitted'],
  ['07:00 on the Monday after the clocks went back', '2026-10-26T06:00:00Z', 'permitted'],
  ['noon on a Saturday', '2026-11-21T11:00:00Z', 'unmatched'],
  ['noon on the first day of the freeze', '2026-12-24T11:00:00Z', 'forbidden'],
  ['noon on the day after the freeze, a Saturday', '2027-01-03T11:00:00Z', 'unmatched'],
  ['noon on the first working day after it', '2027-01-04T11:00:00Z', 'permitted'],
]

test('the example permits settlement in working hours and never in a freeze', () => {
  const generation = compiled(EXAMPLE)
  for (const [when, at, result] of HOURS) {
    const decision = decide(question({ at: epoch(at) }), generation)
    assert.equal(decision.rulings[0]?.result, result, when)
    assert.equal(decision.ttl, result === 'permitted' ? 300 : null, when)
  }
})

test('the example’s guardrail holds whatever a team permits', () => {
  const careless = `${EXAMPLE}
    @id("careless") permit (principal in Cluster::"prod-eu", action, resource);`
  const scopes = ['trades:read', 'trades:write']
  const actor = workload('prod-eu', 'reports', 'export')
  const decision = decide(question({ actor, scopes }), compiled(careless))
  assert.deepEqual(decision.granted, ['trades:read'])
  assert.deepEqual(decision.rulings[1]?.policies, ['payments-alone-writes-trades'])
})

test('the permitted part of what was asked is granted, in the order asked', () => {
  const scopes = ['files:read', 'trades:write', 'trades:read', 'issue']
  const decision = decide(question({ scopes }), compiled(EXAMPLE))
  assert.deepEqual(decision.granted, ['trades:read'])
  assert.deepEqual(
    decision.rulings.map(({ result }) => result),
    ['not_offered', 'unmatched', 'permitted', 'not_offered'],
  )
})

test('a permit for a scope does not permit a token without scopes, nor the other way round', () => {
  assert.deepEqual(results(PERMIT, question({ scopes: [] })), ['unmatched'])
  const issue = PERMIT.replace('trades:read', 'issue')
  assert.deepEqual(results(issue, question()), ['unmatched'])
  const decision = decide(question({ scopes: [] }), compiled(issue))
  assert.deepEqual([decision.permitted, decision.granted], [true, []])
})

test('an audience that is not configured is offered nothing', () => {
  const open = '@id("open") permit (principal, action, resource);'
  const audience = 'https://unknown.example.com'
  assert.deepEqual(results(open, question({ audience })), ['not_offered'])
  assert.deepEqual(results(open, question({ audience, scopes: [] })), ['not_offered'])
})

test('a forbid wins over every permit', () => {
  const forbid = '@id("stop") forbid (principal in Environment::"production", action, resource);'
  const decision = decide(question(), compiled(`${PERMIT}\n${forbid}`))
  assert.deepEqual(decision.rulings[0], {
    action: 'trades:read',
    result: 'forbidden',
    policies: ['stop'],
    failing: [],
    report: null,
  })
})

test('a forbid that cannot be evaluated denies, although Cedar itself would permit', () => {
  const forbid = `@id("erring") forbid (principal, action, resource) when { ${ERRING} };`
  const decision = decide(question(), compiled(`${PERMIT}\n${forbid}`))
  assert.equal(decision.permitted, false)
  assert.deepEqual(decision.rulings[0]?.failing, ['erring'])
  assert.equal(decision.rulings[0]?.result, 'failed')
})

test('a permit that cannot be evaluated denies even beside one that permits', () => {
  const other = `@id("other") permit (principal, action, resource) when { ${ERRING} };`
  assert.deepEqual(results(`${PERMIT}\n${other}`, question()), ['failed'])
})

test('the strictest @format of all permits that granted something counts', () => {
  const sealed = PERMIT.replace('@id', '@format("opaque") @id')
  const plain =
    '@id("b") @format("jwt") permit (principal, action == Action::"trades:read", resource);'
  const idle =
    '@id("c") @format("opaque") permit (principal, action == Action::"trades:write", resource) when { false };'
  const rows = [
    [[PERMIT], null],
    [[PERMIT, plain], 'jwt'],
    [[PERMIT, plain, idle], 'jwt'],
    [[sealed], 'opaque'],
    [[sealed, plain], 'opaque'],
  ] as const
  for (const [policies, expected] of rows) {
    const asked = question({ scopes: ['trades:read', 'trades:write'] })
    assert.equal(decide(asked, compiled(policies.join('\n'))).format, expected)
  }
})

test('the shortest @ttl of all permits that granted something counts', () => {
  const text = [
    PERMIT.replace('@id', '@ttl("10m") @id'),
    '@id("b") @ttl("90s") permit (principal, action == Action::"trades:read", resource);',
    '@id("c") @ttl("1s") permit (principal, action == Action::"trades:write", resource) when { false };',
  ].join('\n')
  assert.equal(
    decide(question({ scopes: ['trades:read', 'trades:write'] }), compiled(text)).ttl,
    90,
  )
  assert.equal(decide(question(), compiled(PERMIT)).ttl, null)
})

test('the strongest @sender of all matching permits must be met', () => {
  const text = [
    PERMIT.replace('@id', '@sender("dpop") @id'),
    '@id("weak") @sender("bearer") permit (principal, action, resource);',
  ].join('\n')
  const generation = compiled(text)
  const rule = (sender: Question['sender']) => decide(question({ sender }), generation).rulings[0]
  assert.equal(rule('bearer')?.result, 'sender_unmet')
  assert.deepEqual(rule('bearer')?.policies, ['permit'])
  assert.equal(rule('dpop')?.result, 'permitted')
  assert.equal(rule('mtls')?.result, 'permitted')
})

const IN = (head: string) => `@id("p") permit (${head}, action, resource);`
const HEADS: readonly (readonly [head: string, who: string, permitted: boolean])[] = [
  [IN('principal in Namespace::"prod-eu/payments"'), 'prod-eu/payments/settlement', true],
  [IN('principal in Namespace::"prod-eu/payments"'), 'prod-eu/other/settlement', false],
  [IN('principal in Cluster::"prod-eu"'), 'prod-eu/other/x', true],
  [IN('principal in Cluster::"prod-eu"'), 'dev/payments/settlement', false],
  [IN('principal in Environment::"production"'), 'prod-eu/other/x', true],
  [IN('principal in Environment::"production"'), 'dev/payments/settlement', false],
  [IN('principal in Group::"payments-jobs"'), 'prod-eu/payments/settlement', true],
  [IN('principal in Group::"payments-jobs"'), 'dev/payments/settlement', false],
  [IN('principal is ServiceAccount in Cluster::"dev"'), 'dev/a/b', true],
  [IN('principal is Namespace in Cluster::"dev"'), 'dev/a/b', false],
  [IN('principal is ServiceAccount'), 'dev/a/b', true],
]

test('a principal is matched by what the configuration says it is in', () => {
  for (const [text, who, permitted] of HEADS) {
    const [cluster = '', namespace = '', name = ''] = who.split('/')
    const actor = workload(cluster, namespace, name)
    assert.equal(decide(question({ actor }), compiled(text)).permitted, permitted, `${text} ${who}`)
  }
})

test('a party cannot bring its own groups or environments', () => {
  const actor = workload('dev', 'a', 'b')
  const ancestry = [...actor.ancestry, { type: 'Group', id: 'payments-jobs' }]
  const text = '@id("p") permit (principal in Group::"payments-jobs", action, resource);'
  assert.deepEqual(results(text, question({ actor: { ...actor, ancestry } })), ['failed'])
})

const smuggled = JSON.parse('{"__entity":{"type":"Group","id":"payments-jobs"}}')
const MISFITS: readonly (readonly [title: string, asked: Question])[] = [
  ['an entity in a fact', question({ actor: workload('dev', 'a', 'b', { name: fact(smuggled) }) })],
  ['a number in a string fact', question({ actor: workload('dev', 'a', 'b', { uid: fact(1) }) })],
  ['half a pod', question({ actor: workload('dev', 'a', 'b', { 'pod.uid': fact(smuggled) }) })],
  ['an entity as subject', question({ subject: smuggled })],
  ['a fraction', question({ attestationAge: 1.5 })],
  ['no instant', question({ at: Number.NaN })],
  ['an address that is none', question({ sourceIp: 'localhost' })],
  [
    'another principal type',
    question({
      actor: { ...workload('dev', 'a', 'b'), principal: { type: 'constructor', id: 'x' } },
    }),
  ],
]

test('values that do not fit the schema are denied as failed, never evaluated', () => {
  const everything = compiled(`@id("p") permit (principal, action, resource)
    when { context == context || ServiceAccount::"x".uid == "y" };`)
  assert.equal(decide(question(), everything).permitted, true)
  for (const [title, asked] of MISFITS) {
    assert.equal(decide(asked, everything).rulings[0]?.result, 'failed', title)
  }
})

test('an unknown fact satisfies nothing', () => {
  const text = `@id("p") permit (principal, action, resource) when { principal has node.uid };
    @id("q") permit (principal, action, resource) when { context has sourceIp };`
  assert.deepEqual(results(text, question({ sourceIp: null })), ['unmatched'])
  const actor = workload('dev', 'a', 'b', { 'node.name': fact('n1') })
  assert.deepEqual(results(text, question({ sourceIp: null, actor })), ['unmatched'])
  const known = workload('dev', 'a', 'b', { 'node.name': fact('n1'), 'node.uid': fact('u') })
  assert.deepEqual(results(text, question({ sourceIp: null, actor: known })), ['permitted'])
})

test('an IPv4 address in IPv6 dress is still in its IPv4 range', () => {
  const text = `${PERMIT} @id("f") forbid (principal, action, resource)
    when { context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")) };`
  assert.deepEqual(results(text, question({ sourceIp: '::ffff:10.1.2.3' })), ['forbidden'])
})

test('two generations with the same ids never evaluate each other’s policies', () => {
  const permitting = compiled(PERMIT)
  const forbidding = compiled(PERMIT.replace('permit (', 'forbid ('), SETTINGS)
  for (let round = 0; round < 3; round++) {
    assert.equal(decide(question(), permitting).permitted, true)
    assert.equal(decide(question(), forbidding).permitted, false)
  }
})
