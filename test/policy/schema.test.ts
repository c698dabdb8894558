import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCedar } from '../../src/policy/cedar.ts'
import { quote, unquote } from '../../src/policy/scan.ts'
import { schema } from '../../src/policy/schema.ts'
import { didYouMean, suggest } from '../../src/suggest.ts'
import { SETTINGS } from './world.ts'

test('the schema is one that Cedar accepts, whatever configured names contain', () => {
  const names = ['a"b', 'back\\slash', 'line\nbreak', 'häß 🎛', '\u0000']
  const settings = {
    ...SETTINGS,
    audiences: [{ audience: 'https://a', scopes: names }],
    calendars: names.map((name) => ({ name, zone: 'UTC', ranges: [] })),
  }
  const answer = openCedar().schemaToJson(schema(settings))
  assert.ok(answer.type === 'success', JSON.stringify(answer))
  assert.deepEqual(Object.keys(answer.json['']?.actions ?? {}).sort(), [...names, 'issue'].sort())
})

test('what an attestor may not know is optional in the schema, and the rest is not', () => {
  const text = schema(SETTINGS)
  for (const optional of ['"pod"?:', '"node"?:', '"uid"?:', 'sourceIp?:']) {
    assert.ok(text.includes(optional), optional)
  }
  assert.ok(text.includes('"namespace": String'))
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
