import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCedar } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import { parsePolicy } from '../../src/policy/eval/parse.ts'
import { linter } from '../../src/policy/lint.ts'
import type { Party, Question, Ruling } from '../../src/policy/question.ts'
import { split } from '../../src/policy/split.ts'
import { compiled, fact, question, SETTINGS } from './world.ts'

const WHO = 'principal == ServiceAccount::"prod-eu/payments/settlement"'
const HERE = 'resource == Audience::"https://mcp.example.com"'
const SCOPE = `@id("scope") permit (${WHO}, action == Action::"trades:read", ${HERE});`
const operation = (name: string, when = '') =>
  `@id("${name}") permit (${WHO}, action == Action::"${name}", ${HERE})${when};`

const ALICE: Party = {
  kind: 'users',
  trust: 'users:corp',
  uri: 'user://corp/alice',
  principal: { type: 'User', id: 'corp/alice' },
  ancestry: [{ type: 'Group', id: 'corp/traders' }],
  facts: { provider: fact('corp'), subject: fact('alice'), acr: fact('mfa') },
}

function asked(change: Partial<Question> = {}): Question {
  return question({
    operation: 'delegate',
    user: ALICE,
    subject: ALICE.uri,
    scopes: ['trades:read'],
    ...change,
  })
}

type Row = readonly [
  title: string,
  policies: string,
  change: Partial<Question>,
  results: readonly Ruling['result'][],
  granted: readonly string[],
]

const ROWS: readonly Row[] = [
  ['both permits', SCOPE + operation('delegate'), {}, ['permitted', 'permitted'], ['trades:read']],
  ['a permit on the scope alone never opens delegation', SCOPE, {}, ['unmatched', 'permitted'], []],
  [
    'nor a permit on delegation alone the scope',
    operation('delegate'),
    {},
    ['permitted', 'unmatched'],
    [],
  ],
  [
    'a permit to exchange is none to delegate',
    SCOPE + operation('exchange'),
    {},
    ['unmatched', 'permitted'],
    [],
  ],
  [
    'an exchange asks for exchange',
    SCOPE + operation('exchange'),
    { operation: 'exchange' },
    ['permitted', 'permitted'],
    ['trades:read'],
  ],
  [
    'a forbid on delegation closes it',
    `${SCOPE}${operation('delegate')}@id("no") forbid (principal, action == Action::"delegate", resource);`,
    {},
    ['forbidden', 'permitted'],
    [],
  ],
  [
    'a scope named like an operation is offered by nobody',
    SCOPE + operation('delegate'),
    { scopes: ['trades:read', 'exchange'] },
    ['permitted', 'permitted', 'not_offered'],
    ['trades:read'],
  ],
  [
    'the user’s group',
    SCOPE +
      operation('delegate', ' when { context has user && context.user in Group::"corp/traders" }'),
    {},
    ['permitted', 'permitted'],
    ['trades:read'],
  ],
  [
    'another group',
    SCOPE +
      operation('delegate', ' when { context has user && context.user in Group::"corp/admins" }'),
    {},
    ['unmatched', 'permitted'],
    [],
  ],
  [
    'a group of the configuration',
    SCOPE +
      operation('delegate', ' when { context has user && context.user in Group::"payments-jobs" }'),
    {},
    ['unmatched', 'permitted'],
    [],
  ],
  [
    'how the user signed in',
    SCOPE +
      operation(
        'delegate',
        ' when { context has user && context.user has acr && context.user.acr == "mfa" }',
      ),
    {},
    ['permitted', 'permitted'],
    ['trades:read'],
  ],
  [
    'no user',
    SCOPE + operation('delegate', ' when { context has user }'),
    { user: null },
    ['unmatched', 'permitted'],
    [],
  ],
  [
    'only three deep',
    SCOPE + operation('delegate', ' when { context.delegationDepth < 3 }'),
    { delegationDepth: 3 },
    ['unmatched', 'permitted'],
    [],
  ],
  [
    'a forbid reads who acted before',
    `${SCOPE}${operation('delegate')}@id("no") forbid (principal, action, resource) when { context.chain.contains("k8s://dev/ns/a/sa/b") };`,
    { chain: ['k8s://dev/ns/a/sa/b'] },
    ['forbidden', 'forbidden'],
    [],
  ],
  [
    'a group that is not the provider’s own',
    SCOPE + operation('delegate'),
    { user: { ...ALICE, ancestry: [{ type: 'Group', id: 'payments-jobs' }] } },
    ['failed', 'failed'],
    [],
  ],
  [
    'a group of another provider',
    SCOPE + operation('delegate'),
    { user: { ...ALICE, ancestry: [{ type: 'Group', id: 'corpse/traders' }] } },
    ['failed', 'failed'],
    [],
  ],
  [
    'a user who is a workload',
    SCOPE + operation('delegate'),
    { user: { ...ALICE, principal: { type: 'ServiceAccount', id: 'prod-eu/a/b' } } },
    ['failed', 'failed'],
    [],
  ],
]

for (const [title, policies, change, results, granted] of ROWS) {
  test(`delegation: ${title}`, () => {
    const decision = decide(asked(change), compiled(policies))
    assert.deepEqual(
      decision.rulings.map(({ result }) => result),
      results,
    )
    assert.deepEqual(decision.granted, granted)
    assert.equal(decision.permitted, granted.length > 0)
  })
}

test('delegation without scopes asks for the operation alone, and never for issue', () => {
  const { rulings, permitted } = decide(asked({ scopes: [] }), compiled(operation('delegate')))
  assert.deepEqual([rulings.map(({ action }) => action), permitted], [['delegate'], true])
  assert.equal(decide(asked({ scopes: [] }), compiled(operation('issue'))).permitted, false)
})

test('the ttl of the permit on the operation counts too', () => {
  const short = operation('delegate').replace('permit', '@ttl("1m") permit')
  assert.equal(decide(asked(), compiled(SCOPE + short)).ttl, 60)
})

test('a permit that rests on who acted before does not load; a forbid does', () => {
  const lint = linter({
    ...SETTINGS,
    anchors: [
      ...SETTINGS.anchors,
      { trust: 'users:corp', entity: { type: 'Users', id: 'corp' }, environment: null },
    ],
  })
  const cedar = openCedar()
  const errors = (text: string) =>
    split({ path: 'a.cedar', text }).flatMap((piece) => {
      const parsed = parsePolicy(cedar, piece.text)
      return lint(piece, 'errors' in parsed ? null : parsed.json)
        .filter(({ severity }) => severity === 'error')
        .map(({ message }) => message)
    })
  const chain = 'when { context.chain.contains("x") };'
  assert.match(errors(`@id("a") permit (${WHO}, action, ${HERE}) ${chain}`).join(), /only a forbid/)
  assert.deepEqual(errors(`@id("a") forbid (${WHO}, action, ${HERE}) ${chain}`), [])
  const group = (name: string) =>
    errors(
      `@id("a") forbid (principal, action, resource) when { context has user && context.user in Group::"${name}" };`,
    )
  assert.deepEqual(group('corp/traders'), [])
  assert.match(group('crop/traders').join(), /unknown Group/)
})
