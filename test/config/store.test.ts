// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the file
/** The store section: a file or a shared database, and no word of its password in any message. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { Config } from '../../src/config.ts'
import { loadConfig } from '../../src/config.ts'
import { renderProblem } from '../../src/problem.ts'
import { GOOD, OPTIONS, swap } from './sample.ts'

const SQLITE = '{ sqlite: /var/lib/countersign/state.db }'
const URL = 'postgres://cs:s3cret%2Fpass@db.example:6432/countersign'

/** Loads the sample with another store; `url` is what `${env:DATABASE_URL}` stands for. */
function loadStore(section: string, url: string) {
  const text = swap(SQLITE, section, GOOD)
  return loadConfig(text, { ...OPTIONS, env: { ...OPTIONS.env, DATABASE_URL: url } })
}

function storeOf(section: string, url: string): Config['store'] {
  const loaded = loadStore(section, url)
  assert.ok('config' in loaded, JSON.stringify(loaded))
  return loaded.config.store
}

/** What is said about a store, without its place in the file. */
function said(section: string, url: string): readonly string[] {
  const loaded = loadStore(section, url)
  const problems = 'config' in loaded ? loaded.warnings : loaded.problems
  return problems.map((problem) => renderProblem(problem).replace(/^\S+ /, ''))
}

const SECTION = '{ postgres: "${env:DATABASE_URL}" }'

test('a URL becomes an address, its password a secret', () => {
  const store = storeOf(SECTION, URL)
  assert.ok('postgres' in store)
  const { password, ...rest } = store.postgres
  assert.deepEqual(rest, {
    host: 'db.example',
    port: 6432,
    user: 'cs',
    database: 'countersign',
    tls: { ca: null },
    connections: 10,
  })
  assert.equal(password?.reveal(), 's3cret/pass')
  assert.doesNotMatch(`${JSON.stringify(store)} ${inspect(store, { depth: 9 })}`, /s3cret/)
})

// biome-ignore format: a table, one row a line
const ENCRYPTED: readonly (readonly [url: string, encrypted: boolean])[] = [
  ['postgres://cs@db.example/x', true],
  ['postgresql://cs@db.example/x?sslmode=require', true],
  ['postgres://cs@db.example/x?sslmode=verify-ca', true],
  ['postgres://cs@127.0.0.1/x?sslmode=verify-full', true],
  ['postgres://cs@db.example/x?sslmode=disable', false],
  ['postgres://cs@localhost/x', false],
  ['postgres://cs@[::1]/x', false],
  ['postgres://cs@x/x?host=/run/postgresql', false],
]

test('a connection that leaves the machine is encrypted unless sslmode says otherwise', () => {
  for (const [url, encrypted] of ENCRYPTED) {
    const store = storeOf(SECTION, url)
    assert.ok('postgres' in store)
    assert.equal(store.postgres.tls !== null, encrypted, url)
    assert.equal(store.postgres.port, 5432)
  }
})

const NO_URL =
  'error: store.postgres is not a URL such as postgres://user:password@host:5432/database; a password is percent-encoded'
const PARAMETER = 'error: store.postgres has a parameter other than host and sslmode'
const MODE =
  'error: store.postgres has an sslmode that is not one of disable, require, verify-ca, verify-full; others may fall back to plain text'

// biome-ignore format: a table, one row a line
const REFUSED: readonly (readonly [what: string, section: string, url: string, said: string])[] = [
  ['no URL', SECTION, 's3cret', NO_URL],
  ['an empty value', SECTION, '', NO_URL],
  ['another scheme', SECTION, 'mysql://cs:s3cret@db.example/x', NO_URL],
  ['no user', SECTION, 'postgres://db.example/x', NO_URL],
  ['no database', SECTION, 'postgres://cs:s3cret@db.example/', NO_URL],
  ['a password with #', SECTION, 'postgres://cs:1#s3cret@db.example/x', NO_URL],
  ['a password with ?', SECTION, 'postgres://cs:1?s3cret=@db.example/x', NO_URL],
  ['a password with %', SECTION, 'postgres://cs:s3cret%@db.example/x', NO_URL],
  ['a parameter that is none of ours', SECTION, 'postgres://cs@db.example/x?s3cret=1', PARAMETER],
  ['an sslmode that falls back', SECTION, 'postgres://cs:s3cret@db.example/x?sslmode=prefer', MODE],
  ['an sslmode without verification', SECTION, 'postgres://cs:s3cret@db.example/x?sslmode=no-verify', MODE],
  ['both stores', '{ sqlite: a, postgres: "${env:DATABASE_URL}" }', URL, 'error: store must have exactly one of sqlite, postgres'],
  ['a missing variable', '{ postgres: "${env:NONE}" }', URL, 'error: store.postgres names the environment variable "NONE", which is not set'],
  ['a reference in a text', '{ postgres: "postgres://cs:${env:DATABASE_URL}@db/x" }', URL, 'error: store.postgres must be ${file:PATH} or ${env:NAME} and nothing else'],
  ['authorities without encryption', '{ postgres: "${env:DATABASE_URL}", ca: ca.pem }', `${URL}?sslmode=disable`, 'error: store.ca is not used: the connection is not encrypted'],
  ['authorities of a file', '{ sqlite: a, ca: ca.pem }', URL, 'error: store.ca has a meaning only with postgres'],
  ['connections of a file', '{ sqlite: a, connections: 10 }', URL, 'error: store.connections has a meaning only with postgres'],
  ['too few connections', '{ postgres: "${env:DATABASE_URL}", connections: 3 }', URL, 'error: store.connections is 3, but must be at least 4'],
  ['a password in the file', `{ postgres: ${JSON.stringify(URL)} }`, '', 'warning: store.postgres is written in the file itself; use ${file:PATH} or ${env:NAME}'],
  ['a number, which is not repeated', '{ postgres: 53037 }', '', 'error: store.postgres is a value, but must be text; put it in quotes'],
]

for (const [what, section, url, expected] of REFUSED) {
  test(`store: ${what}`, () => {
    const messages = said(section, url)
    assert.deepEqual(messages, [expected])
    assert.doesNotMatch(messages.join(), /s3cret|53037/)
  })
}

test('a URL without a password may stand in the file', () => {
  assert.deepEqual(said('{ postgres: "postgres://cs@localhost/x" }', ''), [])
})

test('replicas that share a database need a secret of their own', () => {
  const text = swap(SQLITE, SECTION, swap(', secret: "${file:keys.secret}"', '', GOOD))
  const loaded = loadConfig(text, { ...OPTIONS, env: { ...OPTIONS.env, DATABASE_URL: URL } })
  assert.ok('problems' in loaded)
  assert.deepEqual(loaded.problems.map(renderProblem), [
    'countersign.yaml:11:1: error: keys.secret is required with store.postgres: every replica opens the signing keys with it',
  ])
})
