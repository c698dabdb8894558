/** Settings of a trust domain: what is refused at the start, alone and beside other entries. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { spiffe } from '../../attestors/spiffe/index.ts'
import type { BundleSettings, SpiffeSettings } from '../../attestors/spiffe/settings.ts'
import { loadConfig } from '../../src/config.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'

const FILE = { file: '/etc/bundle.json' }
const URL = 'https://spire.example.org:8443/'
const WEB: BundleSettings = { url: URL, profile: 'https_web' }
const SPIFFE: BundleSettings = {
  url: URL,
  profile: 'https_spiffe',
  endpointId: 'spiffe://example.org/spire/server',
  bootstrap: '/etc/bootstrap.json',
}

function check(bundle: BundleSettings, ids?: string[]): readonly string[] {
  const said: string[] = []
  const settings: SpiffeSettings = { trustDomain: 'example.org', bundle, ...(ids && { ids }) }
  spiffe.check(settings, (path, message) => said.push(`${path.join('.')}: ${message}`))
  return said
}

function without(bundle: BundleSettings, option: keyof BundleSettings): BundleSettings {
  const { [option]: _gone, ...rest } = bundle
  return rest
}

test('each source with what it needs is in order', () => {
  const ids = ['spiffe://example.org/*', 'spiffe://example.org/a', 'spiffe://example.org/a/*']
  assert.deepEqual(check(FILE, ids), [])
  assert.deepEqual(check({ ...WEB, ca: '/etc/ca.pem', allowPrivate: true }), [])
  assert.deepEqual(check({ ...WEB, url: 'http://127.0.0.1:1/', allowPrivate: true }), [])
  assert.deepEqual(check({ ...SPIFFE, allowPrivate: true }), [])
})

suite('one thing wrong', () => {
  const neither = 'bundle: must have exactly one of file, url'
  const alien = "is not below spiffe://example.org/, the entry's trust domain"
  const malformed = 'is not a SPIFFE ID, spiffe://<trust domain>/<path>'
  // biome-ignore format: a table, one row a line
  const rows: readonly (readonly [string, BundleSettings, readonly string[], string[]?])[] = [
    ['no source', {}, [neither]],
    ['two sources', { ...FILE, ...WEB }, [neither]],
    ['a profile beside a file', { ...FILE, profile: 'https_web' }, ['bundle.profile: has a meaning only with url']],
    ['no profile', { url: URL }, ['bundle.profile: is required with url: https_web or https_spiffe, as its operator says']],
    ['an endpoint id with https_web', { ...WEB, endpointId: 'x' }, ['bundle.endpointId: has no meaning with https_web']],
    ['a bootstrap file with https_web', { ...WEB, bootstrap: 'x' }, ['bundle.bootstrap: has no meaning with https_web']],
    ['http with https_web', { ...WEB, url: 'http://127.0.0.1/' }, ['bundle.url: needs an https URL, not http://127.0.0.1/ (http: a loopback address, with allowPrivate)']],
    ['http with https_spiffe', { ...SPIFFE, url: 'http://127.0.0.1/', allowPrivate: true }, ['bundle.url: needs an https URL']],
    ['a web authority with https_spiffe', { ...SPIFFE, ca: 'x' }, ['bundle.ca: has no meaning with https_spiffe']],
    ['no endpoint id', without(SPIFFE, 'endpointId'), ['bundle.endpointId: is required with https_spiffe']],
    ['no bootstrap file', without(SPIFFE, 'bootstrap'), ['bundle.bootstrap: is required with https_spiffe']],
    ['an endpoint of another trust domain', { ...SPIFFE, endpointId: 'spiffe://example.com/x' }, [`bundle.endpointId: ${alien}`]],
    ['an endpoint id that is a URL', { ...SPIFFE, endpointId: URL }, [`bundle.endpointId: ${malformed}`]],
    ['an id of another trust domain', FILE, [`ids.0: ${alien}`], ['spiffe://example.com/*']],
    ['an id that is a path', FILE, [`ids.1: ${malformed}`], ['spiffe://example.org/a', '/a']],
    ['a star within a segment', FILE, [`ids.0: ${malformed}`], ['spiffe://example.org/a*']],
    ['the trust domain as an id', FILE, ['ids.0: is no workload; spiffe://example.org/* stands for all of them'], ['spiffe://example.org']],
  ]
  for (const [what, bundle, said, ids] of rows) {
    test(what, () => assert.deepEqual(check(bundle, ids), said))
  }
})

suite('beside other entries', () => {
  const problemsOf = (...trust: object[]) => {
    const settings = {
      issuer: 'https://countersign.example.com',
      trust,
      resources: [{ audience: 'https://mcp.example.com' }],
      policies: { path: '/policies' },
    }
    const outside = { path: 'c.yaml', env: {}, baseDir: '/', readFile: () => assert.fail() }
    const loaded = loadConfig(JSON.stringify(settings), outside)
    return 'problems' in loaded ? loaded.problems.map(({ message }) => message).join('\n') : ''
  }
  const entry = (trustDomain: string, more: object = {}) => ({
    spiffe: { trustDomain, bundle: FILE, ...more },
  })

  test('two trust domains get along', () => {
    assert.equal(problemsOf(entry('example.org'), entry('example.com')), '')
  })

  test('two entries of one trust domain do not, whatever their audiences', () => {
    const audience = 'https://countersign.example.com/spiffe'
    const said = problemsOf(entry('example.org'), entry('example.org', { audience }))
    assert.match(said, /"spiffe:example.org", as an earlier entry is; names must be unique/)
  })

  test('nor does an issuer of another kind that takes the trust domain for its name', () => {
    const jwks = { file: '/etc/jwks.json' }
    const oidc = { name: 'x', issuer: 'spiffe://example.org', dedicated: true, jwks }
    assert.match(problemsOf(entry('example.org'), { oidc }), /two kinds cannot share an issuer/)
  })

  for (const trustDomain of ['Example.org', 'spiffe://example.org', 'a/b', '', 'a'.repeat(256)]) {
    test(`"${trustDomain.slice(0, 20)}" is no trust domain`, () => {
      assert.match(problemsOf(entry(trustDomain)), /a trust domain, such as example.org/)
    })
  }

  for (const [what, more] of [
    ['EdDSA', { algorithms: ['EdDSA'] }],
    ['Ed25519', { algorithms: ['Ed25519'] }],
    ['replay: once', { replay: 'once' }],
  ] as const) {
    test(`${what} is no option`, () => assert.notEqual(problemsOf(entry('e.org', more)), ''))
  }
})

test('an id in a policy is one that a workload can have', () => {
  const pattern = PRINCIPALS['SpiffeWorkload']?.id.pattern ?? assert.fail()
  assert.equal(pattern.exec('spiffe://example.org/a/b')?.groups?.['root'], 'example.org')
  for (const id of ['spiffe://example.org', 'spiffe://example.org/', 'spiffe://example.org/a/..']) {
    assert.doesNotMatch(id, pattern)
  }
})
