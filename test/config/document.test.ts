/** YAML that is refused before anything in it is read, and everything that can be thrown at the reader. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { issuerFault } from '../../src/config/trust.ts'
import { renderProblem } from '../../src/problem.ts'
import { complaints, GOOD, LEAST, load, marked, swap } from './sample.ts'

const error = (at: string, said: string) => `countersign.yaml:${at}: error: ${said}`

for (const [what, yaml, said] of [
  ['a duplicate key', `${LEAST}▸issuer: https://x.example.com\n`, '"issuer" is set twice'],
  ['a directive', `▸%YAML 1.1\n---\n${LEAST}`, 'YAML directives (%) are not accepted'],
  ['a second document', `${LEAST}▸---\nissuer: a\n`, 'the file holds more than one YAML document'],
  [
    'a tag',
    `${LEAST}store: { sqlite: !!str ▸a }\n`,
    'YAML tags ("tag:yaml.org,2002:str") are not accepted',
  ],
  [
    'a private tag',
    `${LEAST}store: { sqlite: !file ▸a }\n`,
    'YAML tags ("!file") are not accepted',
  ],
  ['an anchor', `${LEAST}store: { sqlite: &a ▸b }\n`, 'YAML anchors (&) are not accepted'],
  [
    'a merge key',
    `${LEAST}▸<<: { store: { sqlite: a } }\n`,
    'YAML merge keys (<<) are not accepted',
  ],
  ['nesting', `${LEAST}store: ${'['.repeat(31)}▸[`, 'nested deeper than 32 levels'],
  [
    'a bracket that never closes',
    `${LEAST}store: { sqlite: a\n▸`,
    'not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
  ],
  ['nothing at all', '▸', 'the configuration is empty'],
  ['only a comment', '▸# later\n', 'the configuration is empty'],
  [
    'a byte order mark',
    `▸\ufeff${LEAST}`,
    'the file starts with a byte order mark; save it without one',
  ],
] as const) {
  test(`${what} is refused at its place`, () => {
    const { text, at } = marked(yaml)
    assert.deepEqual(complaints(text), [error(at, said)])
  })
}

test('an alias is refused, and so is what it stands for', () => {
  const { text, at } = marked(`${LEAST}store: &a { sqlite: b }\naudit: ▸*a\n`)
  assert.deepEqual(complaints(text), [
    error('5:11', 'YAML anchors (&) are not accepted'),
    error(at, 'YAML aliases (*) are not accepted; repeat the value'),
  ])
})

test('a list or a word in place of the configuration is refused', () => {
  for (const text of ['- issuer', 'issuer', '7']) {
    assert.match(complaints(text)[0] ?? '', /1:1: error: is .*, but must be a mapping/)
  }
})

test('bytes that are not UTF-8 are refused, UTF-16 too', () => {
  const refused = [error('1:1', 'the file is not UTF-8 text')]
  assert.deepEqual(complaints(Buffer.from(`${LEAST}# \xe9`, 'latin1')), refused)
  assert.deepEqual(complaints(Buffer.from(`\ufeff${LEAST}`, 'utf16le')), refused)
  assert.ok('config' in load(Buffer.from(GOOD)))
})

test('a file of more than 1 MiB is refused unread', () => {
  assert.deepEqual(complaints(`${LEAST}# ${'x'.repeat(1024 * 1024)}`), [
    error('1:1', `the file has ${LEAST.length + 2 + 1024 * 1024} bytes; at most 1 MiB is read`),
  ])
})

test('problems of every part are told at once, in the order of the file', () => {
  const edits = [
    ['port: 8443', 'port: eight'],
    ['host: 127.0.0.1', 'host: 10.0.0.1'],
    ['audit:', 'audits:'],
    ['rotateEvery: 30d', 'rotateEvery: 1s'],
    ['cluster: prod-us', 'cluster: Prod'],
    ['[trades:read, trades:write]', '[issue, "a*"]'],
    ['sender: bearer', 'sender: dpopp'],
    ['maxTtl: 15m', 'maxTtl: 2d'],
    ['zones: [Europe/Berlin]', 'zones: [Berlin]'],
    ['2026-05-01', '2026-05-32'],
  ] as const
  const text = edits.reduce((yaml, [part, by]) => swap(part, by, yaml), GOOD)
  assert.deepEqual(
    complaints(text).map((line) => line.split(' ').slice(0, 3).join(' ')),
    [
      'countersign.yaml:5:9: error: listen.port',
      'countersign.yaml:9:16: error: admin.host',
      'countersign.yaml:11:40: error: keys.rotateEvery',
      'countersign.yaml:12:1: error: audits',
      'countersign.yaml:23:16: error: trust[1].kubernetes.cluster',
      'countersign.yaml:28:14: error: resources[0].scopes[0]',
      'countersign.yaml:28:21: error: resources[0].scopes[1]',
      'countersign.yaml:29:13: error: resources[0].maxTtl',
      'countersign.yaml:32:13: error: resources[0].sender',
      'countersign.yaml:39:11: error: policies.zones[0]',
      'countersign.yaml:40:65: error: policies.calendars.change-freeze.dates[1]',
    ],
  )
})

test('two kinds that share an issuer are refused: the caller would choose whose rules hold', () => {
  const { text, at } = marked(
    swap('resources:', '  - shop: { name: a, issuer: ▸https://k8s.eu.example.com }\nresources:'),
  )
  assert.deepEqual(complaints(text), [
    error(
      at,
      'trust[2].shop.issuer is "https://k8s.eu.example.com", which "kubernetes:prod-eu" answers for; two kinds cannot share an issuer',
    ),
  ])
})

test('entries that share issuer and audience are refused', () => {
  const shared = swap('https://k8s.us.example.com', 'https://k8s.eu.example.com')
  const { text, at } = marked(
    swap(
      'audience: https://countersign.example.com/k8s/prod-us',
      'audience: ▸https://countersign.example.com',
      shared,
    ),
  )
  assert.deepEqual(complaints(text), [
    error(
      at,
      'trust[1].kubernetes.audience is "https://countersign.example.com", as that of "kubernetes:prod-eu"; entries that share the issuer "https://k8s.eu.example.com" need different audiences',
    ),
  ])
})

test('entries whose issuers are not known yet need different audiences', () => {
  const unknown = 'api: { inCluster: true }'
  const home = swap('issuer: https://k8s.eu.example.com', 'api: { kubeconfig: eu }')
  const first = swap('jwks: { discovery: true }', 'jwks: { file: eu.json }', home)
  const us = swap('issuer: https://k8s.us.example.com', unknown, first)
  assert.deepEqual(complaints(us), [])
  const { text, at } = marked(
    swap(
      'audience: https://countersign.example.com/k8s/prod-us',
      'audience: ▸https://countersign.example.com',
      us,
    ),
  )
  assert.deepEqual(complaints(text), [
    error(
      at,
      'trust[1].kubernetes.audience is "https://countersign.example.com", as that of "kubernetes:prod-eu"; entries whose issuer is read from the API server need different audiences',
    ),
  ])
})

test('an issuer that a platform names later is judged as one that is written down', () => {
  const loaded = load(GOOD)
  assert.ok('config' in loaded)
  const { trust, issuer } = loaded.config
  const [eu, us] = trust
  assert.ok(eu && us)
  const later = { ...us, issuers: [] }
  const judged = (found: string, entry = later) =>
    issuerFault(entry, found, issuer, [eu, entry]) ?? 'none'
  assert.equal(judged('https://new.example.com'), 'none')
  assert.equal(judged('https://k8s.eu.example.com'), 'none', 'another audience')
  assert.match(judged(issuer), /^is our own issuer/)
  const rival = { ...later, audiences: eu.audiences }
  assert.match(judged('https://k8s.eu.example.com', rival), /^is .*as that of "kubernetes:prod-eu"/)
  const shop = { ...later, kind: 'shop' }
  assert.match(judged('https://k8s.eu.example.com', shop), /two kinds cannot share an issuer/)
})

test('an http issuer listens on loopback only, and without tls', () => {
  const plain = `${LEAST.replace('https://cs.example.com', 'http://localhost:8443')}listen:`
  const only = 'but an http issuer may only listen on a loopback address'
  assert.deepEqual(complaints(`${plain} {}`), [error('5:1', `listen.host is "0.0.0.0", ${only}`)])
  assert.deepEqual(complaints(`${plain} { host: "::1", tls: { cert: a, key: b } }`), [
    error('5:29', 'listen.tls contradicts the issuer, which begins with http://'),
  ])
})

const HOSTILE = [
  '[',
  '{',
  '- ',
  '? ',
  ': ',
  '&a ',
  '*a',
  '!!x ',
  '"',
  '\n',
  '\t',
  '|\n',
  '---\n',
  '<<: ',
  '\u0000',
  '\ud800',
  '${',
  '~',
  '__proto__: 1',
  '1e999',
]

test('no damage to the file makes the reader throw or accept silently what it cannot point at', () => {
  const position = fc.nat(GOOD.length)
  const edit = fc.tuple(
    position,
    fc.nat(12),
    fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ maxLength: 8 })),
  )
  const lines = GOOD.split('\n').length + 200
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const text = edits.reduce(
        (yaml, [at, cut, by]) => yaml.slice(0, at) + by + yaml.slice(at + cut),
        GOOD,
      )
      const loaded = load(text)
      if ('config' in loaded) return
      assert.ok(loaded.problems.some(({ severity }) => severity === 'error'))
      for (const { line, column, message } of loaded.problems) {
        assert.ok(line >= 1 && line <= lines && column >= 1)
        assert.doesNotMatch(message, /\n/)
      }
    }),
    { seed: 1, numRuns: 300 },
  )
})

test('any tree of values in place of the settings is judged, not thrown over', () => {
  const names = [
    'issuer',
    'listen',
    'trust',
    'resources',
    'policies',
    'keys',
    'calendars',
    'groups',
    'kubernetes',
    'scopes',
    'zones',
    'dates',
  ]
  const tree = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 1 }), tie('list'), tie('map')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    map: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 6 }),
  }))
  fc.assert(
    fc.property(tree.map, (value) => {
      assert.ok('problems' in load(JSON.stringify(value)))
    }),
    { seed: 1, numRuns: 300 },
  )
})

test('a megabyte of brackets or dashes is refused at its thirty-third level', () => {
  const size = 1024 * 1024
  for (const text of ['['.repeat(size), '- '.repeat(size / 2), '{a: '.repeat(size / 4)]) {
    assert.match(complaints(text)[0] ?? '', /nested deeper than 32 levels/)
  }
})

test('of very many problems the first are told', () => {
  assert.equal(complaints('a: 1\n'.repeat(2000)).length, 20)
  assert.equal(complaints('}'.repeat(100_000)).length, 20)
  const keys = Array.from({ length: 5000 }, (_, index) => `k${index}: 1\n`)
  assert.equal(complaints(keys.join('')).length, 500)
})

test('a problem is one line that editors understand', () => {
  assert.equal(
    renderProblem({ path: 'a.cedar', line: 3, column: 7, severity: 'warning', message: 'why' }),
    `a.cedar:3:7: warning: why`,
  )
})
