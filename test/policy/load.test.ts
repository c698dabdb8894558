import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from '../../src/policy/load.ts'
import { prove } from '../../src/policy/prove.ts'
import type { Problem } from '../../src/policy/settings.ts'
import { compiled, SETTINGS, shipped } from './world.ts'

/** A sound policy around one thing that is wrong; the mark ▸ stands before the reported token. */
const HEAD = 'permit (principal == ServiceAccount::"prod-eu/payments/settlement", action, resource)'
const MISTAKES: readonly (readonly [title: string, policy: string, message: RegExp])[] = [
  [
    'an annotation',
    `▸@tll("5m") @id("ID")\n${HEAD};`,
    /unknown annotation @tll \(did you mean "ttl"\?\)/,
  ],
  ['a @mode', `@id("ID") @mode(▸"reprot")\n${HEAD};`, /bad value "reprot" for @mode/],
  ['a @format', `@id("ID") @format(▸"JWT")\n${HEAD};`, /bad value "JWT" for @format/],
  [
    'an @expires that is no day',
    `@id("ID") @expires(▸"2026-02-30")\n${HEAD};`,
    /bad value "2026-02-30" for @expires/,
  ],
  [
    'an @expires without a zone',
    `@id("ID") @expires(▸"2026-12-31T10:00:00")\n${HEAD};`,
    /bad value .* for @expires/,
  ],
  [
    'an @expires on a forbid',
    '@id("ID") ▸@expires("2026-12-31")\nforbid (principal, action, resource);',
    /@expires is not allowed on a forbid/,
  ],
  [
    'an @format on a forbid',
    '@id("ID") ▸@format("jwt")\nforbid (principal, action, resource);',
    /@format says nothing on a forbid/,
  ],
  ['no @id', `@owner("a")\n▸${HEAD};`, /has no @id/],
  ['an @id without a value', `▸@id\n${HEAD};`, /bad value \(none\) for @id/],
  ['a @ttl', `@id("ID")\n@ttl(▸"5 min")\n${HEAD};`, /bad value "5 min" for @ttl/],
  ['a zero @ttl', `@id("ID")\n@ttl(▸"0s")\n${HEAD};`, /bad value "0s" for @ttl/],
  ['a @sender', `@id("ID")\n@sender(▸"dpopp")\n${HEAD};`, /bad value "dpopp" for @sender/],
  [
    'a @ttl on a forbid',
    '@id("ID")\n▸@ttl("5m")\nforbid (principal, action, resource);',
    /says nothing on a forbid/,
  ],
  ['an annotation twice', `@id("ID")\n▸@id("b")\n${HEAD};`, /duplicate annotation/],
  [
    'a scope',
    '@id("ID") permit (principal in Cluster::"dev",\n action == ▸Action::"trades:raed", resource);',
    /did you mean `Action::"trades:read"`/,
  ],
  [
    'an operation',
    '@id("ID") permit (principal in Cluster::"dev", action == ▸Action::"exchnage", resource);',
    /did you mean `Action::"exchange"`/,
  ],
  [
    'a group of scopes',
    '@id("ID") permit (principal in Cluster::"dev", action in ▸Action::"trade:*", resource);',
    /did you mean `Action::"trades:\*"`/,
  ],
  [
    'a scope beside delegate',
    '@id("ID") permit (principal in Cluster::"dev", action in [Action::"trades:read", Action::▸"delegate"], resource);',
    /names delegate beside trades:read/,
  ],
  [
    'a group of scopes of another audience',
    '@id("ID") permit (principal in Cluster::"dev", action in Action::▸"files:*",\n resource == Audience::"https://mcp.example.com");',
    /does not offer scope files:\*/,
  ],
  [
    'an audience group',
    '@id("ID") permit (principal in Cluster::"dev", action, resource in AudienceGroup::▸"tradin");',
    /unknown AudienceGroup "tradin" \(did you mean "trading"\?\)/,
  ],
  [
    'an AWS role',
    '@id("ID") permit (principal == AwsRole::▸"12345/settlement", action, resource);',
    /not of the form <account>\/<role>/,
  ],
  [
    'a SPIFFE id',
    '@id("ID") permit (principal == SpiffeWorkload::▸"example.org/a", action, resource);',
    /not of the form spiffe:/,
  ],
  [
    'an attribute of another kind',
    `@id("ID") permit (principal is GitHubWorkflow, action, resource)\nwhen { ▸principal.repositoryid == "1" };`,
    /repositoryid.*did you mean `repositoryId`/,
  ],
  [
    'a place read without has',
    `@id("ID") ${HEAD}\nwhen { ▸context.geo.country == "DE" };`,
    /optional attribute `geo`/,
  ],
  [
    'a scope of another audience',
    '@id("ID") permit (principal in Cluster::"dev", action == Action::▸"files:read",\n resource == Audience::"https://mcp.example.com");',
    /does not offer scope files:read/,
  ],
  [
    'an audience',
    '@id("ID") permit (principal in Cluster::"dev", action,\n  resource == Audience::▸"https://mcp.exampel.com");',
    /unknown Audience .* \(did you mean "https:\/\/mcp\.example\.com"\?\)/,
  ],
  [
    'a cluster',
    '@id("ID") permit (principal in Cluster::▸"prod-ue", action, resource);',
    /unknown Cluster "prod-ue" \(did you mean "prod-eu"\?\)/,
  ],
  [
    'a namespace’s cluster',
    '@id("ID") permit (principal in Namespace::▸"prod-ue/payments", action, resource);',
    /unknown Cluster "prod-ue"/,
  ],
  [
    'a service account’s cluster',
    '@id("ID") permit (principal == ServiceAccount::▸"prod-ue/a/b", action, resource);',
    /unknown Cluster "prod-ue"/,
  ],
  [
    'a service account id',
    '@id("ID") permit (principal == ServiceAccount::▸"prod-eu/payments", action, resource);',
    /not of the form <cluster>\/<namespace>\/<service account>/,
  ],
  [
    'an environment',
    '@id("ID") permit (principal in Environment::▸"prodution", action, resource);',
    /unknown Environment .*"production"/,
  ],
  [
    'a group in a condition',
    `@id("ID") ${HEAD} when { principal in Group::▸"payments-job" };`,
    /unknown Group .*"payments-jobs"/,
  ],
  [
    'an inherited property as a type',
    '@id("ID") permit (principal == ▸constructor::"x", action, resource);',
    /unrecognized entity type/,
  ],
  [
    'a calendar',
    `@id("ID") ${HEAD}\nwhen { ▸context.calendar["change_freeze"] };`,
    /attribute `calendar.change_freeze` .*did you mean/,
  ],
  [
    'a zone',
    `@id("ID") ${HEAD}\nwhen { ▸context.now["Europe/Berin"].weekday < 6 };`,
    /Europe\/Berin.*did you mean/,
  ],
  [
    'an attribute',
    `@id("ID") ${HEAD}\nwhen { ▸principal.nmespace == "a" };`,
    /nmespace.*did you mean `namespace`/,
  ],
  [
    'an optional fact read without has',
    `@id("ID") ${HEAD}\nwhen { ▸principal.pod.name == "a" };`,
    /optional attribute `pod`/,
  ],
  [
    'a CIDR',
    `@id("ID") ${HEAD} when { context has sourceIp && context.sourceIp.isInRange(▸ip("10.0.0.0/88")) };`,
    /failed to parse as IP address/,
  ],
  ['a type', `@id("ID") ${HEAD} when { context.requestedTtl < ▸"5" };`, /expected/],
  ['one = for two', `@id("ID") ${HEAD} when { ▸principal.name = "a" };`, /try using '=='/],
  ['an effect', '@id("ID")\n▸permitt (principal, action, resource);', /permitt/],
  ['a keyword', `@id("ID") ${HEAD} ▸whn { true };`, /condition must be either `when` or `unless`/],
  [
    'an unclosed brace',
    `@id("ID") ${HEAD}\nwhen { context.requestedTtl < 5 ▸;`,
    /unexpected token/,
  ],
  ['a template', '@id("ID") permit (principal == ▸?principal, action, resource);', /template/],
  ['a place after wide characters', `@id("ID") @owner("Zoë 🎛") ${HEAD} ▸whn { true };`, /whn/],
]

test('every mistake is reported at its token, all of one set at once', async () => {
  const files = MISTAKES.map(([title, policy], index) => ({
    path: `${title}.cedar`,
    text: `// a; "comment"\n${policy.replace('▸', '').replace('"ID"', `"p${index}"`)}\n`,
  }))
  const loaded = await load(files, SETTINGS)
  assert.ok('problems' in loaded)
  for (const [index, [title, policy, message]] of MISTAKES.entries()) {
    const marked = policy.replace('"ID"', `"p${index}"`)
    const before = marked.slice(0, marked.indexOf('▸')).split('\n')
    const place = { line: before.length + 1, column: (before.at(-1) ?? '').length + 1 }
    const found: Problem[] = loaded.problems.filter(
      ({ path, severity }) => path === `${title}.cedar` && severity === 'error',
    )
    assert.equal(found.length, 1, `${title}: ${JSON.stringify(found)}`)
    assert.match(found[0]?.message ?? '', message, title)
    assert.deepEqual({ line: found[0]?.line, column: found[0]?.column }, place, title)
  }
})

test('a broken policy hides nothing: its neighbours and its own other mistakes are reported', async () => {
  const loaded = await load(
    [
      {
        path: 'a.cedar',
        text: '@tll("1")\npermitt (principal in Cluster::"x", action, resource);',
      },
      { path: 'b.cedar', text: '@id("same") forbid (principal, action, resource);' },
      { path: 'c.cedar', text: '\n@id("same") forbid (principal, action, resource);' },
    ],
    SETTINGS,
  )
  assert.ok('problems' in loaded)
  const places = loaded.problems.map(({ path, line, column }) => `${path}:${line}:${column}`)
  assert.deepEqual(places, [
    'a.cedar:1:1',
    'a.cedar:2:1',
    'a.cedar:2:32',
    'b.cedar:1:13',
    'c.cedar:2:5',
    'c.cedar:2:13',
  ])
  assert.match(loaded.problems[4]?.message ?? '', /"same" is already taken at b\.cedar:1/)
})

test('hostile policies are each blamed and the sound one between them survives', async () => {
  const body = (condition: string) => `@id("x") ${HEAD} when { ${condition} };`
  const hostile: Readonly<Record<string, readonly [policy: string, message: RegExp]>> = {
    long: [body(`"${'a'.repeat(10_000)}" == "a"`), /characters, more than 10000/],
    brackets: [body(`${'('.repeat(200)}true${')'.repeat(200)}`), /more than 32 deep/],
    or: [body(Array(400).fill('true').join(' || ')), /nests too deeply/],
    plus: [body(`${Array(500).fill('1').join(' + ')} > 0`), /exhausts the policy engine|nests/],
    dots: [body(`context${'.a'.repeat(500)}`), /exhausts the policy engine|nests/],
  }
  const texts = Object.entries(hostile).map(([path, [text]]) => ({ path, text }))
  const files = [...texts, { path: 'sound', text: body('true') }].map(({ path, text }) => ({
    path,
    text: text.replace('"x"', `"${path}"`),
  }))
  const loaded = await load(files, SETTINGS)
  assert.ok('problems' in loaded)
  const errors = loaded.problems.filter(({ severity }) => severity === 'error')
  assert.deepEqual(errors.map(({ path }) => path).sort(), Object.keys(hostile).sort())
  for (const { path, message } of errors) assert.match(message, hostile[path]?.[1] ?? /^$/, path)
})

test('a text that kills the thread that reads it is blamed, and its neighbours are not', async () => {
  const sound = `${HEAD};`
  const killer = `${HEAD} when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`
  const verdicts = await prove([sound, killer, sound, killer], SETTINGS, 10_000)
  const errors = verdicts.map((verdict) => verdict.errors[0]?.message ?? '')
  assert.deepEqual(
    errors.map((message) => /exhausts the policy engine/.test(message)),
    [false, true, false, true],
  )
  assert.deepEqual([verdicts[0]?.errors, verdicts[2]?.errors], [[], []])
})

test('a worker that does not start in time fails the load, whatever the policies', async () => {
  await assert.rejects(
    prove(['permit (principal, action, resource);'], SETTINGS, 1),
    /could not be checked/,
  )
})

test('a set with a warning loads, and an empty set is a legal one', async () => {
  const open =
    '@id("open") @owner("a") permit (principal, action, resource) when { context.calendar["change-freeze"] };'
  const loaded = await load([{ path: 'a.cedar', text: open }], SETTINGS)
  assert.ok('generation' in loaded)
  assert.deepEqual(
    loaded.warnings.map(({ line, column }) => [line, column]),
    [[1, 33]],
  )
  const empty = await load(shipped('starter/deny-all.cedar'), SETTINGS)
  assert.ok('generation' in empty)
  assert.equal(empty.generation.policies.size, 0)
})

test('equal policies and settings make equal generation ids, and any change another', () => {
  const text = `@id("a") ${HEAD};`
  const id = compiled(text).id
  assert.equal(compiled(text).id, id)
  assert.notEqual(compiled(`${text.replace('"a"', '"b"')}`).id, id)
  assert.notEqual(compiled(text, { ...SETTINGS, groups: [] }).id, id)
})

test('settings whose names would smuggle Cedar values make no schema', async () => {
  const calendars = [{ name: '__entity', zone: 'UTC', ranges: [] }]
  await assert.rejects(
    load([{ path: 'a', text: `@id("a") ${HEAD};` }], { ...SETTINGS, calendars }),
    {
      message: /could not be checked/,
    },
  )
})
