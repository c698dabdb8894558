/** Everything that ships: the tests beside the policies, and how much of the policies they show. */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { loadFile } from '../src/cli/settings.ts'
import { policySettings } from '../src/config.ts'
import { createFormatter } from '../src/policy/format.ts'
import { coverage, untested } from '../src/policy/testing/coverage.ts'
import { apart, loadWithTests } from '../src/policytests.ts'
import { renderProblem } from '../src/problem.ts'
import { snapshot } from '../src/snapshot.ts'
import { SETTINGS } from './policy/world.ts'

const POLICIES = resolve(import.meta.dirname, '../policies')
const EXAMPLES = join(POLICIES, 'examples')
const FOLDERS = readdirSync(EXAMPLES).filter((name) => !name.includes('.'))

/** An instant at which nothing that ships has expired. */
const NOW = Date.parse('2026-11-19T09:00:00Z') / 1000

test('there are ten examples and more, and the README lists each', () => {
  assert.ok(FOLDERS.length >= 10)
  const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  for (const folder of FOLDERS) assert.ok(readme.includes(`](${folder})`), folder)
})

for (const folder of FOLDERS) {
  test(`policies/examples/${folder}: loads, all tests pass, every policy and condition is tested`, async (t) => {
    const path = join(EXAMPLES, folder)
    const configured = loadFile(join(path, 'countersign.yaml'), {})
    assert.ok('config' in configured, JSON.stringify(configured))
    assert.equal(configured.config.policies.path, path)
    const settings = policySettings(configured.config)
    const loaded = await loadWithTests(await snapshot(path, { tests: true }), settings, { at: NOW })
    assert.ok(
      'generation' in loaded,
      'problems' in loaded ? loaded.problems.map(renderProblem).join('\n') : '',
    )

    assert.deepEqual(loaded.warnings.map(renderProblem), [])
    for (const policy of loaded.generation.policies.values()) {
      assert.notEqual(policy.owner, null, policy.id)
      assert.notEqual(policy.description, null, policy.id)
    }

    const covered = await coverage(loaded.results, loaded.generation)
    assert.deepEqual(untested(covered), [])
    const conditions = covered.flatMap((policy) => policy.conditions)
    const missed = conditions.filter(({ seenTrue, seenFalse }) => !(seenTrue && seenFalse))
    t.diagnostic(
      `${folder}: ${loaded.results.length} tests, ${covered.length} policies, ${conditions.length - missed.length} of ${conditions.length} conditions`,
    )
    assert.deepEqual(
      missed.map(({ text }) => text),
      [],
    )
  })
}

test('the starter permits nothing, and its first steps are valid and tested as they stand', async () => {
  const files = await snapshot(join(POLICIES, 'starter'), { tests: true })
  const empty = await loadWithTests(files, SETTINGS)
  assert.ok('generation' in empty)
  assert.equal(empty.generation.policies.size, 0)

  const filled = files[0]?.text
    .replaceAll('<cluster>/<namespace>/<service account>', 'prod-eu/payments/settlement')
    .replaceAll('<scope>', 'trades:read')
    .replaceAll('<audience>', 'https://mcp.example.com')
    .replaceAll(/^\/\/ ?/gm, '')
  const policy = /^@id[\s\S]*?\);$/m.exec(filled ?? '')?.[0] ?? ''
  const tests = /^tests:[\s\S]*$/m.exec(filled ?? '')?.[0] ?? ''
  const steps = [
    { path: 'first.cedar', text: policy },
    { path: 'first.test.yaml', text: tests },
  ]
  const loaded = await loadWithTests(steps, SETTINGS)
  assert.ok('generation' in loaded, JSON.stringify(loaded))
  assert.deepEqual(loaded.warnings, [])
  assert.deepEqual(untested(await coverage(loaded.results, loaded.generation)), [])
})

test('what ships is in the layout of policy fmt', async () => {
  const format = createFormatter()
  for (const file of apart(await snapshot(POLICIES)).policies) {
    assert.deepEqual(format(file), { text: file.text }, file.path)
  }
})
