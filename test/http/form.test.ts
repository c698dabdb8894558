import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseForm } from '../../src/http/form.ts'
import { Refusal } from '../../src/refusal.ts'

test('parameters are decoded; an empty value is an absent one (RFC 6749 §3.1)', () => {
  const form = parseForm('grant_type=a%3Ab&scope=x+y&empty=&resource=1&resource=&resource=2')
  assert.equal(form.one('grant_type'), 'a:b')
  assert.equal(form.one('scope'), 'x y')
  assert.equal(form.one('empty'), undefined)
  assert.deepEqual(form.all('resource'), ['1', '2'])
  assert.equal(form.one('__proto__'), undefined)
  assert.equal(parseForm('&a=b&&').one('a'), 'b')
  assert.equal(parseForm('a').one('a'), undefined)
  assert.equal(parseForm('?a=b').one('a'), undefined, 'a body is no query')
})

const refused: ReadonlyArray<[what: string, body: string, reason: string]> = [
  ['a repeated parameter', 'scope=a&scope=b', 'parameter_repeated'],
  ['a repeat with the same value', 'scope=a&scope=a', 'parameter_repeated'],
  ['a repeat with an empty value', 'scope=a&scope=', 'parameter_repeated'],
  ['a repeat behind an escape', 'scope=a&%73cope=b', 'parameter_repeated'],
  ['an unknown parameter repeated', 'x=1&x=2', 'parameter_repeated'],
  ['a cut escape', 'scope=%4', 'form_malformed'],
  ['an escape that is not hexadecimal', 'scope=%zz', 'form_malformed'],
  ['bytes that are not UTF-8', 'scope=%ff', 'form_malformed'],
  ['an overlong UTF-8 form of a slash', 'scope=%c0%af', 'form_malformed'],
  [
    'too many parameters',
    Array.from({ length: 33 }, (_, i) => `p${i}=1`).join('&'),
    'form_malformed',
  ],
]

for (const [what, body, reason] of refused) {
  test(`a form with ${what} is refused as ${reason}`, () => {
    assert.throws(() => parseForm(body), { reason })
  })
}

test('fuzz: a form is parsed or refused, never anything else', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('%', '=', '&', '%00', '%e2%82%ac', '+', '__proto__'),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      try {
        parseForm(parts.join('')).one('scope')
      } catch (error) {
        assert.ok(error instanceof Refusal)
      }
    }),
  )
})
