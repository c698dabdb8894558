/** What policies can speak of beside workloads and scopes: groups of both, other kinds of workload, places. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import { load } from '../../src/policy/load.ts'
import type { Party, Place } from '../../src/policy/question.ts'
import type { PolicySettings } from '../../src/policy/settings.ts'
import { AUDIENCE, compiled, epoch, fact, question, SETTINGS, THURSDAY } from './world.ts'

const WHO = 'principal == ServiceAccount::"prod-eu/payments/settlement"'
const DAY = 86_400

/** Whether a permit with this head and condition lets a question pass. */
function permits(policy: string, change: Parameters<typeof question>[0] = {}, settings = SETTINGS) {
  return decide(question(change), compiled(`@id("a") ${policy};`, settings)).permitted
}

test('a group of scopes holds those of its prefix, and no others', () => {
  const policy = `permit (${WHO}, action in Action::"trades:*", resource)`
  assert.equal(permits(policy), true)
  assert.equal(permits(policy, { scopes: ['trades:write'] }), true)
  assert.equal(
    permits(policy, { audience: 'https://files.example.com', scopes: ['files:read'] }),
    false,
  )
  assert.equal(permits(policy, { scopes: [] }), false, 'a token without scopes is no trade')
  assert.equal(
    permits(`permit (${WHO}, action, resource) when { action in Action::"trades:*" }`),
    true,
  )
})

test('an audience is in the groups that the configuration names', () => {
  const policy = `permit (${WHO}, action, resource in AudienceGroup::"trading")`
  assert.equal(permits(policy), true)
  assert.equal(
    permits(policy, { audience: 'https://files.example.com', scopes: ['files:read'] }),
    false,
  )
})

const ROLE: Party = {
  kind: 'aws',
  trust: 'aws:123456789012',
  uri: 'aws://aws/123456789012/role/settlement',
  principal: { type: 'AwsRole', id: '123456789012/settlement' },
  ancestry: [],
  facts: Object.fromEntries(
    Object.entries({
      account: '123456789012',
      partition: 'aws',
      role: 'settlement',
      arn: 'arn:…',
    }).map(([name, value]) => [name, fact(value)]),
  ),
}

const CLOUD: PolicySettings = {
  ...SETTINGS,
  anchors: [
    {
      trust: 'aws:123456789012',
      entity: { type: 'AwsAccount', id: '123456789012' },
      environment: 'production',
    },
  ],
  groups: [{ name: 'payments-jobs', members: [ROLE.principal] }],
}

test('a workload of another kind is in its groups, and in the environment of the entry that vouches', () => {
  const asks = { actor: ROLE }
  const head = (who: string) => `permit (${who}, action, resource)`
  assert.equal(permits(head('principal == AwsRole::"123456789012/settlement"'), asks, CLOUD), true)
  assert.equal(permits(head('principal in Environment::"production"'), asks, CLOUD), true)
  assert.equal(permits(head('principal in Group::"payments-jobs"'), asks, CLOUD), true)
  assert.equal(permits(head('principal is ServiceAccount'), asks, CLOUD), false)
  const other = { actor: { ...ROLE, trust: 'aws:999999999999' } }
  assert.equal(permits(head('principal in Environment::"production"'), other, CLOUD), false)
})

test('an account that no entry vouches for is unknown once one does for another', async () => {
  const text =
    '@id("a") @owner("a") permit (principal == AwsRole::"123456789013/a", action, resource);'
  const early = await load([{ path: 'a.cedar', text }], SETTINGS)
  assert.ok('generation' in early, 'policies may come before the first entry of a kind')
  const loaded = await load([{ path: 'a.cedar', text }], CLOUD)
  assert.ok('problems' in loaded)
  assert.match(
    loaded.problems[0]?.message ?? '',
    /unknown AwsAccount "123456789013" \(did you mean "123456789012"/,
  )
})

test('an optional fact that is unknown satisfies nothing, and fails where it is not asked for', () => {
  const tagged = 'principal has principalTags && principal.principalTags.contains("team=a")'
  const policy = `permit (principal is AwsRole, action, resource) when { ${tagged} }`
  assert.equal(permits(policy, { actor: ROLE }, CLOUD), false)
  const facts = { ...ROLE.facts, principalTags: fact(['team=a']) }
  assert.equal(permits(policy, { actor: { ...ROLE, facts } }, CLOUD), true)
})

test('a place has country, continent, system and the age of the database; nowhere is no place', () => {
  const place: Place = {
    country: 'DE',
    continent: 'EU',
    asn: 3320,
    builtAt: THURSDAY - 10 * DAY - 5,
  }
  const when = (condition: string, found: Place | null) =>
    permits(`permit (${WHO}, action, resource) when { context has geo && ${condition} }`, {
      place: found,
    })
  assert.equal(when('context.geo.country == "DE" && context.geo.continent == "EU"', place), true)
  assert.equal(when('context.geo has asn && context.geo.asn == 3320', place), true)
  assert.equal(when('context.geo.ageDays == 10', place), true)
  assert.equal(when('context.geo has asn', { ...place, asn: null }), false)
  assert.equal(when('true', null), false)
  const recorded = { ...question({ place }), place: undefined }
  const generation = compiled(
    `@id("a") permit (${WHO}, action, resource) unless { context has geo };`,
  )
  const before = decide(JSON.parse(JSON.stringify(recorded)), generation)
  assert.equal(before.permitted, true, 'a Question from before there were places has none')
})

test('a calendar whose ranges overlap and stand in any order has the days of all', () => {
  const ranges = [
    { from: '2026-12-24', to: '2027-01-02' },
    { from: '2026-01-01', to: '2026-01-01' },
    { from: '2026-12-20', to: '2026-12-31' },
    { from: '2026-12-25', to: '2026-12-26' },
  ]
  const settings = { ...SETTINGS, calendars: [{ name: 'c', zone: 'Europe/Berlin', ranges }] }
  const holds = (at: string) =>
    permits(
      `permit (${WHO}, action, resource == Audience::"${AUDIENCE}") when { context.calendar["c"] }`,
      { at: epoch(at) },
      settings,
    )
  const inside = [
    '2026-01-01T12:00:00Z',
    '2026-12-19T23:00:00Z',
    '2026-12-31T23:30:00Z',
    '2027-01-02T22:59:59Z',
  ]
  const outside = [
    '2025-12-31T22:59:59Z',
    '2026-01-01T23:00:00Z',
    '2026-12-19T22:59:59Z',
    '2027-01-02T23:00:00Z',
  ]
  for (const at of inside) assert.equal(holds(at), true, at)
  for (const at of outside) assert.equal(holds(at), false, at)
})
