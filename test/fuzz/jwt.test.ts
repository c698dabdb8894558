import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { JsonError, parseJson } from '../../src/net/json.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { verifySignature } from '../../src/net/signature.ts'
import { Refusal } from '../../src/refusal.ts'
import { signer } from '../world/keys.ts'

const key = signer('cluster', 'ES256')
const encode = (text: string) => Buffer.from(text).toString('base64url')
const mint = (claims: unknown) => {
  const input = `${encode(JSON.stringify({ alg: key.alg, kid: key.kid }))}.${encode(JSON.stringify(claims))}`
  return `${input}.${key.sign(input).toString('base64url')}`
}
const GOOD = mint({
  iss: 'https://issuer.example',
  aud: 'a',
  sub: 's',
  nested: { a: [1, 2, { b: null }] },
})

/** Whether work succeeds; any error but a Refusal is a failure of the test. */
function accepts(work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

const verifies = (text: string) =>
  accepts(() => verifySignature(parseJwt(text), key.publicKey, ['ES256']))

suite('fuzz: parseJwt', () => {
  test('never throws anything but a Refusal', () => {
    const base64url = fc.string({ unit: fc.constantFrom(...'AZaz09-_=+/. \n{}"') })
    const parts = fc.array(fc.oneof(base64url, fc.json().map(encode), fc.string().map(encode)), {
      maxLength: 6,
    })
    fc.assert(fc.property(parts, (segments) => void accepts(() => parseJwt(segments.join('.')))))
  })

  test('a good token in which anything was changed never verifies', () => {
    assert.ok(verifies(GOOD))
    const at = fc.nat(GOOD.length - 1)
    fc.assert(
      fc.property(at, fc.string({ maxLength: 2 }), fc.nat(2), (index, inserted, removed) => {
        const mutant = GOOD.slice(0, index) + inserted + GOOD.slice(index + removed)
        assert.equal(verifies(mutant), mutant === GOOD)
      }),
    )
  })

  test('no other text has the same bytes: aliases of base64url are refused', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n\t'
    const segments = GOOD.split('.')
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.constantFrom(...alphabet),
        fc.boolean(),
        (part, character, appended) => {
          const mutant = segments.map((segment, index) => {
            if (index !== part) return segment
            return appended ? segment + character : segment.slice(0, -1) + character
          })
          const text = mutant.join('.')
          assert.equal(verifies(text), text === GOOD)
        },
      ),
    )
  })

  test('time grows with length alone: the worst 16 KiB take no more than many times the best', () => {
    const worst = [
      '['.repeat(12_000),
      '"\\'.repeat(6000),
      '{"a":'.repeat(2400),
      '\\"'.repeat(6000),
      '1'.repeat(12_000),
      ' '.repeat(12_000),
    ]
    for (const payload of worst) {
      const cpu = process.cpuUsage()
      for (let round = 0; round < 20; round += 1) {
        accepts(() => parseJwt(`${encode('{"alg":"ES256","kid":"k"}')}.${encode(payload)}.AAAA`))
      }
      const microseconds = process.cpuUsage(cpu).user / 20
      assert.ok(microseconds < 20_000, `${microseconds} µs for ${payload.slice(0, 8)}…`)
    }
  })
})

suite('fuzz: strict JSON', () => {
  test('reads whatever the platform writes, to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value)
        const same = () =>
          assert.equal(JSON.stringify(parseJson(text, 20)), JSON.stringify(JSON.parse(text)))
        // The platform writes lone surrogates, which I-JSON forbids.
        if (text.includes('\\ud')) assert.throws(() => parseJson(text, 20), JsonError)
        else same()
      }),
    )
  })

  // What the platform writes is read by the platform; a space makes our own reader read the very same.
  const readings = (text: string) =>
    [text, ` ${text}`].map((each) => {
      try {
        return parseJson(each, 6)
      } catch (error) {
        assert.ok(error instanceof JsonError)
        return 'refused'
      }
    })
  const padding = `"padding":"${'x'.repeat(128)}"`

  test('reads the same by whichever reader', () => {
    const pieces = [
      ...['{', '}', '[', ']', ',', ':', '"a"', '"b"', '"__proto__"', '"toJSON"', '"1"', '"0"'],
      ...['1', '1.0', '-0', '1e400', '1e21', '1e+21', '"\\n"', '"\\ud800"', '"é\u2028"', 'null'],
    ]
    const broken = fc
      .array(fc.constantFrom(...pieces), { maxLength: 12 })
      .map((all) => all.join(''))
    const name = fc.constantFrom('a', 'b', '__proto__', 'toJSON', '1', '0', 'constructor')
    const { value: whole } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 8, depthIdentifier: 'json' },
        fc.constantFrom(...pieces.filter((piece) => !'{}[],:'.includes(piece))),
        fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'json' }).map((all) => `[${all}]`),
        fc
          .array(fc.tuple(name, tie('value')), { maxLength: 3, depthIdentifier: 'json' })
          .map((all) => `{${all.map(([key, value]) => `"${key}":${value}`)}}`),
      ),
    }))
    let quick = 0
    fc.assert(
      fc.property(fc.oneof(broken, whole), (value) => {
        const [one, other] = readings(`{${padding},"v":${value}}`)
        assert.deepEqual(one, other)
        if (one !== 'refused') quick += 1
      }),
      { numRuns: 2000 },
    )
    assert.ok(quick > 200, `${quick} were read`)
  })

  for (const [what, value] of [
    ['a repeated name', '{"a":1,"a":1}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":1}'],
    ['a number beyond a double', '[1e400]'],
    ['a lone surrogate', '"\\ud800"'],
    ['one level too many', '[[[[[[]]]]]]'],
    ['thousands of levels', `${'['.repeat(8000)}${']'.repeat(8000)}`],
  ] as const) {
    test(`${what} is refused in a text that is long enough for the platform`, () => {
      assert.deepEqual(readings(`{${padding},"v":${value}}`), ['refused', 'refused'])
    })
  }

  test('is never more lenient than the platform', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\u0041e-.+ntrue\n') }), (text) => {
        try {
          parseJson(text, 20)
        } catch (error) {
          assert.ok(error instanceof JsonError)
          return
        }
        JSON.parse(text)
      }),
    )
  })

  test('a name said twice is refused however it is escaped', () => {
    const name = fc.string({ minLength: 1, maxLength: 8, unit: 'binary-ascii' })
    const escaped = (text: string) =>
      [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
    fc.assert(
      fc.property(name, fc.boolean(), (text, nested) => {
        const twice = `{${JSON.stringify(text)}:1,"${escaped(text)}":2}`
        assert.throws(() => parseJson(nested ? `{"a":[${twice}]}` : twice, 20), JsonError)
      }),
    )
  })
})
