/** What a set of sound policies is warned of. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, loader } from '../../src/policy/load.ts'
import { epoch, SETTINGS } from './world.ts'

const AT = epoch('2026-11-19T09:00:00Z')
const ROLE = 'AwsRole::"123456789012/settlement"'
const ONE = 'principal == ServiceAccount::"prod-eu/payments/settlement"'
const SPACE = 'principal in Namespace::"prod-eu/payments"'

/** Policies, each with an owner, and the warnings expected at the tokens marked ▸. */
async function warned(title: string, policies: readonly string[], messages: readonly RegExp[]) {
  const text = policies
    .map((policy, index) => `@id("p${index}")\n@owner("a")\n${policy}\n`)
    .join('\n')
  const expected = text.split('\n').flatMap((line, index) => {
    const column = line.indexOf('▸')
    return column < 0 ? [] : [`${index + 1}:${column + 1}`]
  })
  const file = { path: 'a.cedar', text: text.replaceAll('▸', '') }
  const loaded = await load([file], SETTINGS, { at: AT })
  assert.ok('warnings' in loaded, `${title}: ${JSON.stringify(loaded)}`)
  const places = loaded.warnings.map(({ line, column }) => `${line}:${column}`)
  assert.deepEqual(places, expected, `${title}: ${JSON.stringify(loaded.warnings)}`)
  for (const [index, message] of messages.entries()) {
    assert.match(loaded.warnings[index]?.message ?? '', message, title)
  }
}

test('a clean set is passed in silence', async () => {
  await warned(
    'clean',
    [
      `permit (${ONE}, action in Action::"trades:*", resource in AudienceGroup::"trading")\nwhen { context has geo && context.geo.country == "DE" && context.geo.ageDays < 30 };`,
      `@expires("2026-12-31") @ttl("5m") @format("jwt") @ticket("SEC-1")\npermit (${SPACE}, action == Action::"trades:read", resource)\nwhen { principal has image.digestPinned && principal.image.digestPinned };`,
      `permit (principal == ${ROLE}, action in [Action::"trades:read", Action::"delegate"], resource)\nwhen { context.operation == "delegate" };`,
      '@mode("report")\nforbid (principal, action, resource) unless { context has sourceIp };',
    ],
    [],
  )
})

test('a permit for everybody, and one for everybody and everything', async () => {
  const gate = 'when { context.sender == "mtls" };'
  await warned(
    'open',
    [
      `permit (▸principal, action, resource == Audience::"https://files.example.com") ${gate}`,
      `permit (▸principal, action == Action::"trades:read", resource) ${gate}`,
      `forbid (principal, action, resource) ${gate.replace('mtls', 'bearer')}`,
    ],
    [/names no principal/, /neither a principal nor an audience/],
  )
})

test('a permit that rests only on what a tenant or a node says of itself', async () => {
  const body = (condition: string) =>
    `action == Action::"trades:read", resource)\nwhen { ${condition} };`
  const labelled = 'principal has podLabels && principal.podLabels.contains("app=x")'
  const ready = 'principal has node.ready && principal.node.ready'
  await warned(
    'self-reported',
    [
      `permit (▸${SPACE}, ${body(labelled)}`,
      `permit (▸principal is ServiceAccount, ${body(ready)}`,
      `permit (${SPACE}, ${body(`${ready} && principal has pod && principal.pod.name == "a"`)}`,
      `permit (${ONE}, ${body('principal has nodeLabels && principal.nodeLabels.contains("a=b")')}`,
      `permit (principal is ServiceAccount, ${body(`${labelled} && principal in Group::"payments-jobs"`)}`,
    ],
    [/podLabels \(grade D\)/, /node\.ready \(grade C\)/],
  )
})

test('a policy that has expired, and one that can never apply', async () => {
  await warned(
    'expired',
    [
      `@expires(▸"2026-11-18")\npermit (${ONE}, action, resource);`,
      `@expires("2026-11-19")\npermit (principal in Cluster::"dev", action, resource);`,
      `▸permit (${SPACE}, action, resource) when { principal is User };`,
    ],
    [/has expired/, /impossible/],
  )
})

test('a policy that another makes void', async () => {
  const scope = 'action == Action::"trades:read"'
  const narrow = 'when { context.sender == "dpop" && context.requestedTtl < 60 };'
  await warned(
    'overlaps',
    [
      `permit (${SPACE}, action in Action::"trades:*", resource) when { context.requestedTtl < 60 };`,
      `▸permit (${ONE}, ${scope}, resource in AudienceGroup::"trading") ${narrow}`,
      `▸permit (${SPACE}, ${scope}, resource == Audience::"https://mcp.example.com")\nwhen { context.requestedTtl < 60 };`,
      // Shorter-lived, or without end where the broader ends: these do have an effect.
      `@ttl("1m")\npermit (${ONE}, ${scope}, resource) ${narrow}`,
      `permit (${ONE}, ${scope}, resource);`,
      'forbid (principal in Environment::"production", action, resource == Audience::"https://files.example.com");',
      `▸permit (${ONE}, action == Action::"files:read", resource == Audience::"https://files.example.com");`,
      `▸forbid (${SPACE}, action, resource == Audience::"https://files.example.com")\nunless { context.delegationDepth == 0 };`,
      `@mode("report")\nforbid (principal, action, resource);`,
    ],
    [
      /adds nothing to p3 \(a\.cedar:14\)/,
      /adds nothing to p0/,
      /the forbid p5/,
      /adds nothing to p5/,
    ],
  )
})

test('what has no owner is named at its effect', async () => {
  const text = `@id("a")\npermit (${ONE}, action, resource);`
  const loaded = await load([{ path: 'a.cedar', text }], SETTINGS)
  assert.ok('warnings' in loaded)
  assert.deepEqual(
    loaded.warnings.map(({ line, column, message }) => [line, column, message.slice(0, 24)]),
    [[2, 1, 'the policy has no @owner']],
  )
})

test('a reload reports what a first load would, whatever changed and moved', async () => {
  const one = `@id("a") @owner("x") permit (${ONE}, action, resource);`
  const two = `@id("b") @owner("x") permit (${ONE}, action, resource) when { context.requestedTtl < 5 };`
  const bad = `@id("c") @owner("x") permit (${ONE}, action, resource) when { context.requestedTt < 5 };`
  const sets = [
    [one, two],
    [`\n\n${one}`, two],
    [one, bad],
    [two],
    [`${two}\n${one}`, ''],
    [bad, one],
  ]
  const kept = loader(SETTINGS)
  for (const set of sets) {
    const files = set.map((text, index) => ({ path: `${index}.cedar`, text }))
    const [again, fresh] = [await kept.load(files), await load(files, SETTINGS)]
    const found = (loaded: typeof again) =>
      'problems' in loaded
        ? loaded.problems
        : [
            loaded.warnings,
            loaded.generation.id,
            [...loaded.generation.policies.values()].map(({ id, line, path }) => [id, line, path]),
          ]
    assert.deepEqual(found(again), found(fresh))
  }
})
