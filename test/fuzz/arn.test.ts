import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  formatRole,
  PARTITIONS,
  parseFunction,
  parseInstance,
  parseRole,
  parseSession,
} from '../../attestors/aws/arn.ts'
import { Refusal } from '../../src/refusal.ts'

const NAME = [...'ABCabc019_+=,.@-']
const PATH = [...NAME, ...'!:*?#%&(){}~']
const partition = fc.constantFrom(...PARTITIONS)
const account = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 12, maxLength: 12 })
const name = fc.string({ unit: fc.constantFrom(...NAME), minLength: 1, maxLength: 64 })
const segment = fc.string({ unit: fc.constantFrom(...PATH), minLength: 1, maxLength: 20 })
const path = fc.array(segment, { maxLength: 5 }).map((parts) => ['', ...parts, ''].join('/'))
const role = fc.record({ partition, account, path, name }, { noNullPrototype: true })

/** What a parser makes of a text: its reading, or null. It may throw nothing but Refusal. */
function reading<Arn>(parse: (text: unknown, claim: string) => Arn, text: unknown): Arn | null {
  try {
    return parse(text, 'sub')
  } catch (error) {
    assert.ok(error instanceof Refusal && error.reason === 'claim_invalid', String(error))
    return null
  }
}

const PARSERS: readonly ((text: unknown, claim: string) => unknown)[] = [
  parseRole,
  parseSession,
  parseInstance,
  parseFunction,
]

suite('fuzz: ARNs', () => {
  test('a role survives writing and reading', () => {
    fc.assert(
      fc.property(role, (arn) => assert.deepEqual(reading(parseRole, formatRole(arn)), arn)),
    )
  })

  test('whatever is read is written back byte by byte', () => {
    const piece = fc.constantFrom(
      'arn:',
      'aws:',
      'iam::',
      '123456789012',
      ':role',
      '/',
      'a',
      'b:',
      '',
      '\n',
      'role/',
    )
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    const near = fc
      .tuple(role, fc.nat(), fc.string({ maxLength: 2 }))
      .map(([arn, at, inserted]) => {
        const whole = formatRole(arn)
        const cut = at % (whole.length + 1)
        return whole.slice(0, cut) + inserted + whole.slice(cut)
      })
    fc.assert(
      fc.property(fc.oneof(text, near), (candidate) => {
        const found = reading(parseRole, candidate)
        if (found !== null) assert.equal(formatRole(found), candidate)
      }),
      { numRuns: 1000 },
    )
  })

  test('nothing throws anything but Refusal', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...PARSERS), (value, parse) => {
        reading(parse, value)
      }),
    )
  })

  const session = `arn:aws:sts::123456789012:assumed-role/settlement/i-0a1b2c3d4e5f60718`
  const long = 'a'.repeat(64)
  const rows: readonly (readonly [
    string,
    (text: unknown, claim: string) => unknown,
    unknown,
    boolean,
  ])[] = [
    ['a session', parseSession, session, true],
    ['a session without a name', parseSession, session.replace(/[^/]*$/, ''), false],
    ['a session with a slash in its name', parseSession, `${session}/x`, false],
    ['a session of IAM', parseSession, session.replace(':sts:', ':iam:'), false],
    ['a role of 64 characters', parseRole, `arn:aws:iam::123456789012:role/${long}`, true],
    ['a role of 65 characters', parseRole, `arn:aws:iam::123456789012:role/${long}a`, false],
    [
      'a path of 512 characters',
      parseRole,
      `arn:aws:iam::123456789012:role/${'p'.repeat(510)}/a`,
      true,
    ],
    [
      'a path of 513 characters',
      parseRole,
      `arn:aws:iam::123456789012:role/${'p'.repeat(255)}/${'p'.repeat(255)}/a`,
      false,
    ],
    ['a role without name', parseRole, 'arn:aws:iam::123456789012:role/', false],
    ['an empty step in a path', parseRole, 'arn:aws:iam::123456789012:role//a', false],
    ['an account of 11 digits', parseRole, 'arn:aws:iam::12345678901:role/a', false],
    ['digits of another script', parseRole, 'arn:aws:iam::12345678901\u0662:role/a', false],
    [
      'a region where IAM has none',
      parseRole,
      'arn:aws:iam:eu-central-1:123456789012:role/a',
      false,
    ],
    ['an unknown partition', parseRole, 'arn:aws-x:iam::123456789012:role/a', false],
    ['a line feed at the end', parseRole, 'arn:aws:iam::123456789012:role/a\n', false],
    ['a role in capitals', parseRole, 'ARN:AWS:IAM::123456789012:ROLE/A', false],
    [
      'an instance',
      parseInstance,
      'arn:aws-us-gov:ec2:us-gov-west-1:123456789012:instance/i-0a1b2c3d',
      true,
    ],
    [
      'an instance without region',
      parseInstance,
      'arn:aws:ec2::123456789012:instance/i-0a1b2c3d',
      false,
    ],
    ['a volume', parseInstance, 'arn:aws:ec2:eu-central-1:123456789012:volume/vol-0a1b2c3d', false],
    [
      'a function of one version',
      parseFunction,
      'arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST',
      true,
    ],
    ['a layer', parseFunction, 'arn:aws:lambda:eu-central-1:123456789012:layer:f', false],
  ]
  for (const [what, parse, text, isRead] of rows) {
    test(`${what} is ${isRead ? 'read' : 'refused'}`, () => {
      assert.equal(reading(parse, text) !== null, isRead)
    })
  }

  test('a session names its role without the path', () => {
    assert.deepEqual(parseSession(session, 'Arn'), {
      partition: 'aws',
      account: '123456789012',
      name: 'settlement',
      session: 'i-0a1b2c3d4e5f60718',
    })
  })
})
