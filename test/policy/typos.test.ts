/** A folder with one slip of every class that policy.md §5 lists, and what an operator is told of it. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { load } from '../../src/policy/load.ts'
import { renderProblem } from '../../src/problem.ts'
import { snapshot } from '../../src/snapshot.ts'
import { scratch } from '../world/scratch.ts'
import { epoch, SETTINGS } from './world.ts'

const WHO = 'principal == ServiceAccount::"prod-eu/payments/settlement"'
const PERMIT = `permit (\n  ${WHO},\n  action == Action::"trades:read",\n  resource\n)`

/** File name → a policy in which `▸` stands at the slip, and what is said there. */
const TYPOS: Readonly<Record<string, readonly [policy: string, said: RegExp]>> = {
  annotation: [
    `▸@tll("5m")\n${PERMIT};`,
    /^error: unknown annotation @tll \(did you mean "ttl"\?\)/,
  ],
  annotationValue: [`@ttl(▸"5 min")\n${PERMIT};`, /^error: bad value "5 min" for @ttl/],
  attribute: [
    `${PERMIT}\nwhen { principal has node && ▸principal.node.redy };`,
    /^error: .*redy.*did you mean `ready`/,
  ],
  audience: [
    `permit (${WHO}, action, resource == Audience::▸"https://mcp.exampel.com");`,
    /^error: unknown Audience .*did you mean "https:\/\/mcp\.example\.com"/,
  ],
  calendar: [
    `${PERMIT}\nwhen { ▸context.calendar["change_freeze"] };`,
    /^error: .*change_freeze.*did you mean `change-freeze`/,
  ],
  cidr: [
    `${PERMIT}\nwhen { context has sourceIp && context.sourceIp.isInRange(▸ip("10.0.0.0/88")) };`,
    /^error: .*failed to parse as IP address/,
  ],
  cluster: [
    'permit (principal in Cluster::▸"prod-ue", action, resource);',
    /^error: unknown Cluster "prod-ue" \(did you mean "prod-eu"\?\)/,
  ],
  contextAttribute: [
    `${PERMIT}\nwhen { ▸context.calender["change-freeze"] };`,
    /^error: .*calender.*did you mean `calendar`/,
  ],
  contradiction: [
    `${PERMIT}\n▸when { context.sender == "dpop" && !(context.sender == "dpop") };`,
    /^warning: this policy can never apply: it asks for a condition and for its opposite/,
  ],
  effect: [`▸permitt (${WHO}, action, resource);`, /^error: .*permitt/],
  equals: [`${PERMIT}\nwhen { ▸principal.name = "a" };`, /^error: .*'=='/],
  enumeration: [
    `${PERMIT}\nwhen { context.operation != ▸"exchnge" };`,
    /^error: context\.operation is never "exchnge" \(did you mean "exchange"\?\)/,
  ],
  environment: [
    'permit (principal in Environment::▸"prodution", action, resource);',
    /^error: unknown Environment .*did you mean "production"/,
  ],
  foreignScope: [
    `permit (${WHO}, action == Action::▸"files:read", resource == Audience::"https://mcp.example.com");`,
    /^error: audience .* does not offer scope files:read/,
  ],
  impossible: [
    '▸forbid (principal, action, resource) when { principal == Audience::"https://mcp.example.com" };',
    /^(warning: policy is impossible|error: )/,
  ],
  keyword: [`${PERMIT}\n▸whn { true };`, /^error: .*condition must be either `when` or `unless`/],
  method: [
    `${PERMIT}\nwhen { context has sourceIp && ▸context.sourceIp.isInSubnet(ip("10.0.0.0/8")) };`,
    /^error: .*isInSubnet/,
  ],
  mixedScripts: [
    `permit (principal == ServiceAccount::"prod-eu/рayments/a", action == Action::"trades:read", resource);`,
    /^warning: .*mixed scripts/,
  ],
  optional: [
    `${PERMIT}\nwhen { ▸principal.pod.name == "a" };`,
    /^error: .*optional attribute `pod`/,
  ],
  scope: [
    `permit (${WHO}, action == ▸Action::"trades:raed", resource);`,
    /^error: .*did you mean `Action::"trades:read"`/,
  ],
  syntax: [`${PERMIT}\nwhen { true && ▸};`, /^error: unexpected token `}`/],
  type: [`${PERMIT}\nwhen { context.requestedTtl >= ▸"31" };`, /^error: .*expected/],
  zone: [
    `${PERMIT}\nwhen { ▸context.now["Europe/Berin"].weekday < 6 };`,
    /^error: .*Europe\/Berin.*did you mean/,
  ],
}

test('one slip of every class in one folder: each is told at its place, and nothing else', async (t) => {
  const folder = scratch(t)
  const places = new Map<string, string>()
  for (const [name, [policy]] of Object.entries(TYPOS)) {
    const text = `@id("${name}") @owner("a; b") // no policy ends here;\n${policy}\n`
    const before = text.slice(0, text.indexOf('▸')).split('\n')
    const column = (before.at(-1) ?? '').length + 1
    if (text.includes('▸')) places.set(name, `${before.length}:${column}`)
    writeFileSync(join(folder, `${name}.cedar`), text.replace('▸', ''))
  }
  const loaded = await load(await snapshot(folder), SETTINGS, { at: epoch('2026-11-19T09:00:00Z') })
  assert.ok('problems' in loaded)
  const told = Map.groupBy(loaded.problems.map(renderProblem), (line) =>
    line.slice(folder.length + 1, line.indexOf('.cedar')),
  )
  assert.deepEqual([...told.keys()].sort(), Object.keys(TYPOS).sort())
  for (const [name, [, said]] of Object.entries(TYPOS)) {
    const [line = '', ...more] = told.get(name) ?? []
    assert.deepEqual(more, [], name)
    const [, place = '', message = ''] = /\.cedar:(\d+:\d+): (.*)$/s.exec(line) ?? []
    assert.match(message, said, name)
    if (places.has(name)) assert.equal(place, places.get(name), `${name}: ${line}`)
  }
})
