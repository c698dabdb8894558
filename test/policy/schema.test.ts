import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCedar } from '../../src/policy/cedar.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import { quote, unquote } from '../../src/policy/scan.ts'
import { schema } from '../../src/policy/schema.ts'
import { didYouMean, suggest } from '../../src/suggest.ts'
import { SETTINGS } from './world.ts'

test('the schema is one that Cedar accepts, whatever configured names contain', () => {
  const names = ['a"b', 'back\\slash', 'line\nbreak', 'häß 🎛', '\u0000']
  const settings = {
    ...SETTINGS,
    audiences: [{ audience: 'https://a', scopes: names, groups: [] }],
    calendars: names.map((name) => ({ name, zone: 'UTC', ranges: [] })),
  }
  const answer = openCedar().schemaToJson(schema(settings))
  assert.ok(answer.type === 'success', JSON.stringify(answer))
  assert.deepEqual(
    Object.keys(answer.json['']?.actions ?? {}).sort(),
    [...names, 'issue', 'exchange', 'delegate'].sort(),
  )
})

test('what an attestor may not know is optional in the schema, and the rest is not', () => {
  const text = schema(SETTINGS)
  for (const optional of ['"pod"?:', '"node"?:', '"uid"?:', 'sourceIp?:']) {
    assert.ok(text.includes(optional), optional)
  }
  assert.ok(text.includes('"namespace": String'))
})

test('a scope is in the group of its prefix, an audience in its groups, a workload in its containers', () => {
  const answer = openCedar().schemaToJson(schema(SETTINGS))
  assert.ok(answer.type === 'success', JSON.stringify(answer))
  const { actions = {}, entityTypes = {} } = answer.json[''] ?? {}
  assert.deepEqual(
    actions['trades:read']?.memberOf?.map(({ id }) => id),
    ['trades:*'],
  )
  assert.equal(actions['delegate']?.memberOf?.length ?? 0, 0)
  const within = (type: string) => {
    const found = entityTypes[type]
    return found && 'memberOfTypes' in found ? found.memberOfTypes : []
  }
  assert.deepEqual(within('Audience'), ['AudienceGroup'])
  assert.deepEqual(within('ServiceAccount'), ['Namespace', 'Group'])
  assert.deepEqual(within('AwsRole'), ['Environment', 'Group'])
  assert.deepEqual(within('User'), ['Group'])
})

test('every attribute of every kind is documented with its grade', () => {
  const text = schema(SETTINGS)
  for (const [name, { attributes }] of Object.entries(PRINCIPALS)) {
    assert.ok(text.includes(`entity ${name} `), name)
    for (const { grade, doc } of Object.values(attributes)) {
      assert.ok(text.includes(`@grade("${grade}") @doc(${quote(`Grade ${grade}. ${doc}`)})`), doc)
    }
  }
})

test('a schema for checking keeps its names, whatever they look like, and loses only explanations', () => {
  const scope = '@doc("x") a'
  const settings = {
    ...SETTINGS,
    audiences: [{ audience: 'https://a', scopes: [scope], groups: [] }],
  }
  const lean = schema(settings, { actions: [scope], principals: ['User'] })
  const answer = openCedar().schemaToJson(lean)
  assert.ok(answer.type === 'success', JSON.stringify(answer))
  assert.deepEqual(Object.keys(answer.json['']?.actions ?? {}), [scope])
  assert.ok(!lean.includes('Grade A'))
})

test('a Cedar string survives quoting', () => {
  for (const text of ['', 'a"b', '\\', '\n\t\u0000', '🎛', '\\u{41}']) {
    assert.equal(unquote(quote(text)), text)
  }
  assert.equal(unquote('"\\u{41}\\x42\\n\\""'), 'AB\n"')
})

test('only what could be a slip of the hand is suggested', () => {
  const known = ['ttl', 'ticket', 'owner']
  assert.equal(suggest('tll', known), 'ttl')
  assert.equal(suggest('Owner', known), 'owner')
  assert.equal(suggest('tikcet', known), 'ticket')
  assert.equal(suggest('description', known), undefined)
  assert.equal(suggest('x', known), undefined)
  assert.equal(didYouMean('x', known), '')
})
