/** Entries of the kind `oidc` against each other and against other kinds: no token may be for two of them. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { KINDS } from '../../attestors/index.ts'
import { loadConfig } from '../../src/config.ts'
import { OPTIONS } from './sample.ts'

const GITHUB = 'https://token.actions.githubusercontent.com'
const CS = 'https://cs.example.com'

function said(...trust: readonly object[]): readonly string[] {
  const settings = {
    issuer: CS,
    trust,
    resources: [{ audience: 'https://mcp.example.com' }],
    policies: { path: 'policies' },
  }
  const loaded = loadConfig(JSON.stringify(settings), { ...OPTIONS, kinds: KINDS })
  return 'problems' in loaded ? loaded.problems.map(({ message }) => message) : []
}

const github = (name: string, require?: object, more: object = {}) => ({
  oidc: { name, issuer: GITHUB, preset: 'github', ...(require && { require }), ...more },
})

const both = (message: string) =>
  `trust[1].oidc.require ${message}: "oidc:b" and "oidc:a" share the issuer "${GITHUB}" and the audience "${CS}"`
const OVERLAP = both('needs a claim whose values no other entry has')

suite('entries of one issuer and audience', () => {
  const good: readonly (readonly [string, object, object])[] = [
    ['of two owners', { repository_owner_id: '1' }, { repository_owner_id: '2' }],
    [
      'of lists without a common value',
      { repository_id: ['1', '2'] },
      { repository_id: ['3', '4'] },
    ],
    [
      'that differ in one of two claims',
      { repository_owner_id: '1', ref: 'a' },
      { repository_owner_id: '1', ref: 'b' },
    ],
    [
      'that write one claim as a pointer',
      { repository_id: '1' },
      { repository_id: '2', '/repository_owner_id': '9' },
    ],
  ]
  for (const [what, a, b] of good) {
    test(`${what} are told apart`, () => assert.deepEqual(said(github('a', a), github('b', b)), []))
  }

  const bad: readonly (readonly [string, object, object])[] = [
    ['of the same owner', { repository_owner_id: '1' }, { repository_owner_id: '1' }],
    ['of lists with a common value', { repository_id: ['1', '2'] }, { repository_id: ['2', '3'] }],
    ['that require different claims', { repository_owner_id: '1' }, { repository_id: '2' }],
    [
      'of which one requires more',
      { repository_owner_id: '1' },
      { repository_owner_id: '1', ref: 'b' },
    ],
    [
      'that name the same claim in two ways',
      { repository_id: '1' },
      { repository_id: '1', '/repository_id': '1' },
    ],
  ]
  for (const [what, a, b] of bad) {
    test(`${what} are refused, both by name`, () => {
      assert.deepEqual(said(github('a', a), github('b', b)), [OVERLAP])
    })
  }

  test('with different audiences may require the same', () => {
    const require = { repository_owner_id: '1' }
    assert.deepEqual(said(github('a', require), github('b', require, { audience: `${CS}/ci` })), [])
  })

  test('need one key source, or the caller would choose whose keys are tried', () => {
    const keys = { jwks: { file: 'github.json' } }
    assert.deepEqual(
      said(
        github('a', { repository_owner_id: '1' }),
        github('b', { repository_owner_id: '2' }, keys),
      ),
      [both('tells nothing apart without the same jwks')],
    )
  })

  test('may spell the default key source out', () => {
    const keys = { jwks: { discovery: true } }
    assert.deepEqual(
      said(
        github('a', { repository_owner_id: '1' }),
        github('b', { repository_owner_id: '2' }, keys),
      ),
      [],
    )
  })

  test('are compared each with each', () => {
    const owners = ['1', '2', '1'].map((id, index) =>
      github('abc'.charAt(index), { repository_owner_id: id }),
    )
    assert.deepEqual(said(...owners), [
      OVERLAP.replace('trust[1]', 'trust[2]').replace('"oidc:b"', '"oidc:c"'),
    ])
  })
})

suite('one entry', () => {
  // biome-ignore format: a table, one row a line
  const rows: readonly (readonly [string, object, string])[] = [
    ['of a shared issuer without a discriminator', github('a'), 'trust[0].oidc must require repository_id or repository_owner_id or enterprise_id: this issuer signs for every customer of its platform'],
    ['with an empty requirement', github('a', {}), 'trust[0].oidc.require must not be empty'],
    ['with an empty text', github('a', { repository_id: '' }), 'trust[0].oidc.require.repository_id must not be empty'],
    ['with an empty list', github('a', { repository_id: [] }), 'trust[0].oidc.require.repository_id must not be empty'],
    ['with a number, which YAML reads without quotes', github('a', { repository_id: 815 }), 'trust[0].oidc.require.repository_id is 815, but must be text or a list of texts; put it in quotes'],
    ['with a number in a list', github('a', { repository_id: ['1', 2] }), 'trust[0].oidc.require.repository_id[1] is 2, but must be text; put it in quotes'],
    ['with a misspelt claim', github('a', { repository_id: '1', repository_owner: 'x', enviroment: 'y' }), 'trust[0].oidc.require.enviroment is no claim of this platform (did you mean "environment"?)'],
    ['with a misspelt preset', { oidc: { name: 'a', issuer: GITHUB, preset: 'gitlub', require: { repository_id: '1' } } }, 'trust[0].oidc.preset is "gitlub", but must be one of github, gitlab, flyio, vercel, terraform, buildkite, circleci, confidential-space, azure-attestation; did you mean "github"?'],
    ['with a foreign audience', github('a', { repository_id: '1' }, { audience: 'https://vercel.com/example' }), 'trust[0].oidc.audience is "https://vercel.com/example", but must be the issuer or begin with "https://cs.example.com/"'],
    ['of our own issuer', { oidc: { name: 'a', issuer: CS, dedicated: true } }, 'trust[0].oidc.issuer is our own issuer: this server cannot vouch for its own callers'],
    ['with a claim of an unknown type', { oidc: { name: 'a', issuer: 'https://id.example.com', dedicated: true, claims: { level: 'number' } } }, 'trust[0].oidc.claims.level is "number", but must be one of string, integer, boolean, strings'],
  ]
  for (const [what, entry, message] of rows) {
    test(`${what} is refused`, () => {
      assert.ok(said(entry).includes(message), said(entry).join('\n'))
    })
  }

  test('of vercel takes the audience that its platform fixes', () => {
    const entry = {
      name: 'a',
      issuer: 'https://oidc.vercel.com',
      preset: 'vercel',
      require: { owner_id: 't' },
    }
    assert.deepEqual(said({ oidc: { ...entry, audience: 'https://vercel.com/example' } }), [])
  })
})

test('the same issuer under two kinds is refused', () => {
  const issuer = 'https://k8s.example.com'
  assert.deepEqual(
    said(
      { kubernetes: { cluster: 'a', issuer } },
      { oidc: { name: 'b', issuer, dedicated: true } },
    ),
    [
      `trust[1].oidc.issuer is "${issuer}", which "kubernetes:a" answers for; two kinds cannot share an issuer`,
    ],
  )
})
