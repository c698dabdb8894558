import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { JsonError, parseJson } from '../../src/net/json.ts'

const DEPTH = 4

suite('strict JSON', () => {
  for (const text of [
    '{}',
    '[]',
    ' { "a" : [ 1 , -0.5e+3 , true , false , null , "x" ] } \n',
    '{"a":{"b":{"c":[]}}}',
    '"\\u00e9\\n\\"\\\\"',
    '"\\\\"',
    '{"":0}',
    '"\\ud83d\\ude00"',
  ]) {
    test(`reads ${text.trim()} as the platform does`, () => {
      assert.equal(JSON.stringify(parseJson(text, DEPTH)), JSON.stringify(JSON.parse(text)))
    })
  }

  const refusals: readonly (readonly [what: string, text: string])[] = [
    ['a repeated name', '{"a":1,"a":2}'],
    ['a repeated name with equal values', '{"a":1,"a":1}'],
    ['a name repeated through an escape', '{"sub":1,"s\\u0075b":2}'],
    ['a repeated name deep inside', '[{"a":{"b":1,"b":1}}]'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['one level too many', '[[[[[]]]]]'],
    ['nothing', ''],
    ['white space', '  '],
    ['a byte order mark', '\ufeff{}'],
    ['two values', '{}{}'],
    ['text after the value', '{} x'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a trailing comma in an array', '[1,]'],
    ['a missing colon', '{"a" 1}'],
    ['a missing value', '{"a":}'],
    ['a name without quotes', '{a:1}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{/**/}'],
    ['an open object', '{"a":1'],
    ['an open array', '[1'],
    ['an open string', '"abc'],
    ['a string that ends in an escape', '"abc\\"'],
    ['an unknown escape', '"\\x41"'],
    ['a raw control character', '"a\nb"'],
    ['a lone surrogate', '"\\ud800"'],
    ['a leading zero', '01'],
    ['a bare point', '1.'],
    ['a plus sign', '+1'],
    ['a number beyond a double', '1e400'],
    ['NaN', 'NaN'],
    ['a no-break space', '\u00a0{}'],
    ['a capital True', 'True'],
  ]
  for (const [what, text] of refusals) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseJson(text, DEPTH), JsonError)
    })
  }

  test('takes __proto__ and constructor as names, not as prototypes', () => {
    const value = parseJson('{"__proto__":{"admin":true}}', DEPTH) as Record<string, unknown>
    assert.deepEqual(Object.keys(value), ['__proto__'])
    assert.equal(value['admin'], undefined)
    assert.equal(value['constructor'], undefined)
    assert.equal(({} as Record<string, unknown>)['admin'], undefined)
  })

  test('never quotes the text in its message', () => {
    assert.throws(
      () => parseJson('{"secret\\x":1}', DEPTH),
      (error: Error) => !error.message.includes('secret'),
    )
  })
})
