/** Tests of policies: what their files may say, what is wrong with one, and what a red one stops. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { keepPolicies, PoliciesRefused } from '../../src/policies.ts'
import { coverage, untested } from '../../src/policy/testing/coverage.ts'
import { readInstant } from '../../src/policy/testing/instant.ts'
import { readTestFile } from '../../src/policytests/document.ts'
import { loadWithTests } from '../../src/policytests.ts'
import { renderProblem } from '../../src/problem.ts'
import { run } from '../process/cli.ts'
import { scratch } from '../world/scratch.ts'
import { SETTINGS } from './world.ts'

const iso = (text: string) => {
  const read = readInstant(text)
  return 'at' in read ? new Date(read.at * 1000).toISOString() : read.fault
}

test('instants: the clock on the wall, in winter, in summer, across the world', () => {
  assert.equal(iso('2026-11-19T10:15[Europe/Berlin]'), '2026-11-19T09:15:00.000Z')
  assert.equal(iso('2026-07-16T10:15:30[Europe/Berlin]'), '2026-07-16T08:15:30.000Z')
  assert.equal(iso('2026-11-19T10:15[Asia/Kathmandu]'), '2026-11-19T04:30:00.000Z')
  assert.equal(iso('2026-11-19T10:15[Pacific/Kiritimati]'), '2026-11-18T20:15:00.000Z')
  assert.equal(iso('2026-11-19T10:15Z'), '2026-11-19T10:15:00.000Z')
  assert.equal(iso('2026-11-19T10:15:00+05:45'), '2026-11-19T04:30:00.000Z')
})

test('instants: what no clock shows, or shows twice, is refused', () => {
  assert.match(
    iso('2026-03-29T02:30[Europe/Berlin]'),
    /does not exist: the clocks of Europe\/Berlin skip/,
  )
  assert.match(
    iso('2026-10-25T02:30[Europe/Berlin]'),
    /is two instants.*write 2026-10-25T00:30:00Z or 2026-10-25T01:30:00Z/,
  )
  // Half an hour, not one.
  assert.match(iso('2026-10-04T02:15[Australia/Lord_Howe]'), /does not exist/)
  assert.match(iso('2026-02-30T10:00[Europe/Berlin]'), /no clock shows/)
  assert.match(iso('2026-02-30T10:00Z'), /not in the calendar/)
  assert.match(iso('2026-11-19T25:00[Europe/Berlin]'), /no clock shows/)
  assert.match(iso('2026-11-19T10:15[Europe/Berin]'), /time zone Europe\/Berin, which is unknown/)
  assert.match(iso('tomorrow'), /is not an instant such as/)
})

test('instants: every instant that is written as its zone shows it is read back, or is ambiguous', () => {
  const zones = ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Africa/Casablanca']
  fc.assert(
    fc.property(
      fc.integer({ min: 1_600_000_000, max: 1_900_000_000 }),
      fc.constantFrom(...zones),
      (at, zone) => {
        const shown = new Date(at * 1000)
          .toLocaleString('sv-SE', { timeZone: zone })
          .replace(' ', 'T')
        const read = readInstant(`${shown}[${zone}]`)
        if ('at' in read) assert.equal(read.at, at)
        else assert.match(read.fault, /is two instants/)
      },
    ),
    { numRuns: 300 },
  )
})

const WORLD = { settings: SETTINGS, policies: ['settlement-reads-trades', 'change-freeze'] }

function problems(text: string): string[] {
  return readTestFile({ path: 'a.test.yaml', text }, WORLD).problems.map(renderProblem)
}

const GOOD = `fixtures:
  settlement:
    principal: ServiceAccount::"prod-eu/payments/settlement"
    audience: https://mcp.example.com
    at: 2026-11-19T10:15[Europe/Berlin]
    facts: { pod.name: a, pod.uid: b }
tests:
  - name: reads
    use: settlement
    with: { scope: trades:read, facts: { pod.name: c } }
    decision: allow
`

test('a good file: fixtures and changes are put together, facts one by one', () => {
  const { tests, problems } = readTestFile({ path: 'a.test.yaml', text: GOOD }, WORLD)
  assert.deepEqual(problems, [])
  const question = tests[0]?.question
  assert.deepEqual(question?.scopes, ['trades:read'])
  assert.equal(question?.at, Date.parse('2026-11-19T09:15:00Z') / 1000)
  assert.equal(question?.actor.facts['pod.name']?.value, 'c')
  assert.equal(question?.actor.facts['pod.uid']?.value, 'b')
  assert.equal(question?.actor.facts['namespace']?.value, 'payments')
  assert.equal(question?.subject, 'k8s://prod-eu/ns/payments/sa/settlement')
  assert.deepEqual(tests[0]?.place, { path: 'a.test.yaml', line: 8, column: 11 })
})

test('every slip is at its place, with what was meant', () => {
  const slip = (from: string | RegExp, to: string, expected: RegExp) => {
    const text = GOOD.replace(from, to)
    assert.notEqual(text, GOOD)
    const found = problems(text)
    assert.equal(found.length, 1, found.join('\n'))
    assert.match(found[0] ?? '', expected)
  }
  slip(
    'decision: allow',
    'decison: allow\n    decision: deny',
    /^a\.test\.yaml:11:5: error: .*decison.*did you mean "decision"/,
  )
  slip(
    'decision: allow',
    'decision: alow',
    /:11:15: error: .*"alow", not one of allow, deny \(did you mean "allow"/,
  )
  slip('    decision: allow\n', '', /:8:5: error: tests\[0\] has no `decision`/)
  slip(
    'use: settlement',
    'use: setlement',
    /:9:10: error: .*not a fixture \(did you mean "settlement"/,
  )
  slip(
    'scope: trades:read',
    'scope: trades:raed',
    /:10:20: error: .*does not offer \(did you mean "trades:read"/,
  )
  slip('"prod-eu/', '"prod-ue/', /:3:16: error: .*Cluster "prod-ue".*did you mean "prod-eu"/)
  slip('ServiceAccount::', 'ServiceAcount::', /:3:16: error: .*did you mean "ServiceAccount"/)
  slip('mcp.example', 'mpc.example', /:4:15: error: .*not configured \(did you mean "https:\/\/mcp/)
  slip(
    'pod.name: a',
    'pod.nam: a',
    /:6:14: error: .*pod\.nam.* is no fact of a ServiceAccount \(did you mean "pod.name"/,
  )
  slip('pod.name: c', 'pod.name: 7', /:10:52: error: .*is not a String/)
  slip('T10:15', 'T25:15', /:5:9: error: .*which no clock shows/)
  slip('    at: 2026-11-19T10:15[Europe/Berlin]\n', '', /says no `at`/)
  slip(
    'decision: allow',
    'decision: allow\n    reason: [change-freze]',
    /:12:14: error: .*not the @id of a policy \(did you mean "change-freeze"/,
  )
  slip('decision: allow', 'decision: allow\n    ttl: fast', /:12:10: error: .*not a duration/)
  slip(
    'decision: allow',
    'decision: { trades:read: allow, trades:write: deny }',
    /:11:37: error: .*is not a field here/,
  )
  slip('    with:', '    request: {}\n    with:', /stands beside `use`/)
  slip('with: { scope', 'with: { sourceIp: 10.0.0.300, scope', /not an IP address/)
  slip(
    'with: { scope',
    'with: { at: 2026-11-19T10:15[Europe/Berlin], scope',
    /:10:17: error: inside \{ \} an instant needs quotes/,
  )
  slip('tests:', 'test:', /no tests|did you mean "tests"/)
})

test('hostile test files are problems, never exceptions', () => {
  const json = fc.jsonValue({ maxDepth: 4 })
  fc.assert(
    fc.property(json, json, json, (fixtures, request, test) => {
      const text = JSON.stringify({
        fixtures: { f: fixtures },
        tests: [
          {
            name: 'x',
            use: 'f',
            with: request,
            decision: test,
            reason: test,
            ttl: test,
            entities: request,
          },
          test,
        ],
      })
      readTestFile({ path: 'a.test.yaml', text }, WORLD)
    }),
    { numRuns: 300 },
  )
})

test("Cedar's own field names: request, entities, num_errors", async () => {
  const files = [
    {
      path: 'a.cedar',
      text: '@id("a") permit (principal is ServiceAccount, action, resource) when { principal has pod && principal.pod.name == "x" };',
    },
    {
      path: 'a.test.yaml',
      text: `tests:
  - name: by entities
    request: { principal: 'ServiceAccount::"prod-eu/a/b"', audience: https://mcp.example.com, scope: trades:read, at: 2026-11-19T09:15:00Z }
    entities: [{ uid: { type: ServiceAccount, id: prod-eu/a/b }, attrs: { pod: { name: x, uid: y } } }]
    decision: allow
    reason: [a]
    num_errors: 0
`,
    },
  ]
  const loaded = await loadWithTests(files, SETTINGS)
  assert.ok('generation' in loaded, JSON.stringify(loaded))
})

const PERMIT =
  '@id("a") @owner("x") permit (principal in Cluster::"prod-eu", action == Action::"trades:read", resource);'
const TEST = `tests:
  - name: reads
    request:
      principal: ServiceAccount::"prod-eu/a/b"
      audience: https://mcp.example.com
      scope: trades:read
      at: 2026-11-19T10:15[Europe/Berlin]
    decision: allow
`

test('a red test does not start a broker, and a reload keeps the policies from before', async (t) => {
  const folder = scratch(t)
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('a.cedar', PERMIT)
  write('a.test.yaml', TEST.replace('allow', 'deny'))
  const options = {
    path: folder,
    settings: SETTINGS,
    warn: () => undefined,
    now: () => 1_800_000_000_000,
  }
  await assert.rejects(keepPolicies(options), (error) => {
    assert.ok(error instanceof PoliciesRefused)
    assert.match(
      error.message,
      /a\.test\.yaml:2:11: error: test "reads" is red: trades:read: expected deny, got allow \(permit a/,
    )
    return true
  })

  write('a.test.yaml', TEST)
  const policies = await keepPolicies(options)
  t.after(() => policies.close())
  const first = policies.current()
  write('a.cedar', PERMIT.replace('permit', 'forbid'))
  const found = await policies.reload()
  assert.match(
    renderProblem(found[0] ?? assert.fail()),
    /a\.test\.yaml:2:11: error: test "reads" is red/,
  )
  assert.equal(policies.current(), first)
  assert.equal(policies.status().failures, 1)

  write('a.test.yaml', TEST.replace('allow', 'deny'))
  assert.deepEqual(
    (await policies.reload()).filter(({ severity }) => severity === 'error'),
    [],
  )
  assert.notEqual(policies.current(), first)
})

test('coverage: what no test turns off is named, and an untested policy is a warning at its place', async () => {
  const text = `${PERMIT.replace(';', ' when { context.sender == "bearer" && context.requestedTtl > 5 } unless { context.requestedTtl > 9000 };')}
@id("b") @owner("x") forbid (principal, action == Action::"trades:write", resource);`
  const loaded = await loadWithTests(
    [
      { path: 'a.cedar', text },
      { path: 'a.test.yaml', text: TEST },
    ],
    SETTINGS,
  )
  assert.ok('generation' in loaded, JSON.stringify(loaded))
  const covered = await coverage(loaded.results, loaded.generation)
  assert.deepEqual(
    covered.map(({ policy, applied }) => [policy, applied]),
    [
      ['a', 1],
      ['b', 0],
    ],
  )
  assert.deepEqual(
    covered[0]?.conditions.map(({ text, seenTrue, seenFalse }) => [text, seenTrue, seenFalse]),
    [
      ['context.sender == "bearer"', true, false],
      ['context.requestedTtl > 5', true, false],
      ['unless context.requestedTtl > 9000', true, false],
    ],
  )
  assert.match(
    renderProblem(untested(covered)[0] ?? assert.fail()),
    /^a\.cedar:2:\d+: warning: no test: "b"/,
  )
})

test('policy test: a red test is explained, counted, in JUnit and in the exit code', async (t) => {
  const folder = scratch(t)
  writeFileSync(
    join(folder, 'countersign.yaml'),
    readFileSync('policies/examples/working-hours/countersign.yaml'),
  )
  writeFileSync(
    join(folder, 'a.cedar'),
    PERMIT.replace(';', ' when { context.requestedTtl < 60 };'),
  )
  writeFileSync(join(folder, 'a.test.yaml'), TEST.replace('reads', 'reads <always> & "more"'))
  const report = join(folder, 'junit.xml')
  const red = await run('policy', 'test', folder, '--junit', report)
  assert.equal(red.code, 1)
  assert.match(
    red.out,
    /✗ reads <always> & "more" {2}line 2\n +trades:read: expected allow, got deny \(unmatched\)/,
  )
  assert.match(red.out, /- context\.requestedTtl < 60 \(is 900\)/)
  assert.match(red.out, /never true: context\.requestedTtl < 60 {2}.*a\.cedar:1:\d+/)
  assert.match(red.out, /0 tests passed, 1 FAILED, 0 of 1 policies tested/)
  const xml = readFileSync(report, 'utf8')
  assert.match(xml, /<testsuites name="countersign policy test" tests="1" failures="1"/)
  assert.match(
    xml,
    /name="reads &lt;always&gt; &amp; &quot;more&quot;" file=".*a\.test\.yaml" line="2">\n +<failure message="trades:read: expected/,
  )
  const json = JSON.parse((await run('policy', 'test', folder, '--json')).out)
  assert.equal(json.tests[0].passed, false)
  assert.equal(json.coverage[0].conditions[0].seenTrue, false)
  const check = await run('policy', 'check', folder)
  assert.equal(check.code, 1)
  assert.match(check.out, /a\.test\.yaml:2:11: error: test "reads/)
})
