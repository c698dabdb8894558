import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { canonicalPlace, claimAt } from '../../attestors/oidc/places.ts'
import { checkRequirements, meets } from '../../attestors/oidc/requirements.ts'
import { encodePart, readTemplate, renderSubject } from '../../attestors/oidc/subject.ts'
import { CLAIM_TYPES, may, must, readFacts } from '../../attestors/oidc/typed.ts'
import { type Json, type JsonObject, parseJson } from '../../src/net/json.ts'
import { Refusal } from '../../src/refusal.ts'

/** What a strict parser makes of any object: without prototypes, as tokens are. */
const claims = fc
  .dictionary(
    fc.constantFrom('a', 'b', 'c', '__proto__', 'a/b', 'a~b'),
    fc.jsonValue({ maxDepth: 3 }),
  )
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('\\ud'))
  .map((text) => parseJson(text, 8) as JsonObject)

const place = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    '/a/b',
    '/a/0',
    '/__proto__/x',
    'constructor',
    '/constructor/name',
    '/a~1b',
    '/',
  ),
  fc.string({ maxLength: 8 }),
)

/** The value, or the Refusal; any other error is a failure of the test. */
function outcome<Value>(work: () => Value): Value | Refusal {
  try {
    return work()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

suite('fuzz: claims', () => {
  test('a place finds what JSON has there, and never anything inherited', () => {
    fc.assert(
      fc.property(claims, place, (payload, where) => {
        const found = claimAt(payload, where)
        assert.ok(found === undefined || JSON.stringify(payload).includes(JSON.stringify(found)))
      }),
    )
  })

  test('RFC 6901: every member can be pointed at, at any depth', () => {
    const escaped = (step: string) => step.replaceAll('~', '~0').replaceAll('/', '~1')
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 5 }), (steps) => {
        const inner = steps.reduceRight<Json>((value, step) => {
          const level: Record<string, Json> = Object.create(null)
          level[step] = value
          return level
        }, 'here')
        assert.equal(claimAt(inner as JsonObject, `/${steps.map(escaped).join('/')}`), 'here')
      }),
    )
  })

  test('a name and its pointer are one place', () => {
    assert.equal(canonicalPlace('a'), canonicalPlace('/a'))
    assert.equal(canonicalPlace('a/b'), canonicalPlace('/a~1b'))
    assert.notEqual(canonicalPlace('a/b'), canonicalPlace('/a/b'))
  })

  test('requirements hold for the very texts and nothing else', () => {
    const allowed = fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1, maxLength: 3 }))
    fc.assert(
      fc.property(claims, fc.dictionary(place, allowed, { maxKeys: 3 }), (payload, require) => {
        const expected = Object.entries(require).every(([where, values]) => {
          const found = claimAt(payload, where)
          return typeof found === 'string' && [values].flat().includes(found)
        })
        assert.equal(meets(payload, require), expected)
        const refusal = outcome(() => checkRequirements(payload, require))
        assert.equal(refusal === undefined, expected)
      }),
    )
  })

  test('typed claims are of their type, absent, or refused', () => {
    const isOf = {
      string: (value: unknown) => typeof value === 'string' && value !== '',
      integer: Number.isSafeInteger,
      boolean: (value: unknown) => typeof value === 'boolean',
      strings: (value: unknown) =>
        Array.isArray(value) && value.every((item) => typeof item === 'string'),
    }
    fc.assert(
      fc.property(
        claims,
        place,
        fc.constantFrom(...CLAIM_TYPES),
        fc.boolean(),
        (payload, where, type, required) => {
          const read = outcome(() =>
            readFacts(payload, [
              ['fact', required ? must(where, undefined, type) : may(where, type)],
            ]),
          )
          if (read instanceof Refusal) return
          if ('fact' in read) assert.ok(isOf[type](read['fact']))
          else assert.ok(!required)
        },
      ),
    )
  })
})

suite('fuzz: subjects', () => {
  const value = fc.oneof(
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
    fc.constantFrom('a/b', '%2F', '..', '.', 'a:b@c', '"', '\\', ' ', 'é', '😀', "(!*')"),
  )

  test('an encoded part has only what a path segment may have, and says the same', () => {
    fc.assert(
      fc.property(value, (text) => {
        if (!text.isWellFormed()) return
        const encoded = encodePart(text)
        assert.match(encoded, /^(?:[A-Za-z0-9._~:@-]|%[0-9A-F]{2})+$/)
        assert.equal(decodeURIComponent(encoded), text)
      }),
    )
  })

  test('different claims never make the same subject, and it is one path below its entry', () => {
    const template = readTemplate('org:{a}/x{b}y/{c}')
    assert.ok(typeof template !== 'string')
    const triple = fc.tuple(value, value, value)
    fc.assert(
      fc.property(triple, triple, (one, other) => {
        const [first, second] = [one, other].map(([a, b, c]) =>
          outcome(() => renderSubject(template, { a, b, c })),
        )
        if (typeof first !== 'string' || typeof second !== 'string') return
        assert.equal(first === second, JSON.stringify(one) === JSON.stringify(other))
        assert.equal(first.split('/').length, 3)
        assert.equal(new URL(`oidc://entry/${first}`).href, `oidc://entry/${first}`)
      }),
    )
  })

  test('any text is a template or is refused with a sentence, and what renders is never empty', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab{}/.:~% "'), maxLength: 12 })
    fc.assert(
      fc.property(text, claims, (source, payload) => {
        const template = readTemplate(source)
        if (typeof template === 'string') return assert.ok(template.length > 10)
        const subject = outcome(() => renderSubject(template, payload))
        if (subject instanceof Refusal) return
        assert.match(subject, /^[^/\s"\\]+(?:\/[^/\s"\\]+)*$/)
      }),
    )
  })
})
