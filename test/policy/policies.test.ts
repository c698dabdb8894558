import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { keepPolicies, type PoliciesOptions, PoliciesRefused } from '../../src/policies.ts'
import { decide } from '../../src/policy/decide.ts'
import { load } from '../../src/policy/load.ts'
import type { Detail } from '../../src/refusal.ts'
import { question, SETTINGS, shipped } from './world.ts'

const PERMIT = '@id("a") @owner("x") permit (principal in Cluster::"prod-eu", action, resource);'
const FORBID = '@id("b") @owner("x") forbid (principal, action, resource);'

const folders: string[] = []
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

async function world(text: string) {
  const root = await mkdtemp(join(tmpdir(), 'countersign-policies-'))
  folders.push(root)
  const warnings: Detail[] = []
  const write = (changed: string) => writeFile(join(root, 'a.cedar'), changed)
  let clock = 1000
  const options: PoliciesOptions = {
    path: root,
    settings: SETTINGS,
    warn: (detail) => warnings.push(detail),
    now: () => clock++,
  }
  await write(text)
  return { options, write, warnings, root }
}

test('a set with errors does not start, and every problem is listed', async () => {
  const { options, root } = await world('@ide("a") permit (principal, action, resource);')
  await assert.rejects(keepPolicies(options), (error) => {
    assert.ok(error instanceof PoliciesRefused)
    assert.match(error.message, new RegExp(`${root}/a.cedar:1:1: error: unknown annotation @ide`))
    assert.match(error.message, /a\.cedar:1:11: error: the policy has no @id/)
    return true
  })
})

test('a good set is swapped in whole; a bad one keeps the one before and says so', async () => {
  const { options, write, warnings } = await world(PERMIT)
  const policies = await keepPolicies(options)
  const first = policies.current()
  assert.equal(policies.status().policies, 1)

  await write(`${PERMIT}\nforbid (`)
  const problems = await policies.reload()
  assert.ok(problems.some(({ severity }) => severity === 'error'))
  assert.equal(policies.current(), first)
  assert.equal(decide(question(), policies.current()).permitted, true)
  assert.deepEqual(policies.status().failing, problems)
  assert.equal(policies.status().failures, 1)
  assert.equal(warnings.length, 1)
  assert.deepEqual(await policies.reload(), problems, 'the same bad set is not tried again')
  assert.equal(policies.status().failures, 1)

  await write(`${PERMIT}\n${FORBID}`)
  const [one, two, three] = [policies.reload(), policies.reload(), policies.reload()]
  assert.equal(two, three)
  await Promise.all([one, two])
  assert.equal(decide(question(), policies.current()).permitted, false)
  assert.equal(decide(question(), first).permitted, true, 'a request keeps its generation')
  assert.deepEqual(policies.status(), {
    generation: policies.current().id,
    loadedAt: policies.status().loadedAt,
    ageSeconds: 0,
    policies: 2,
    failing: null,
    failingSince: null,
    failures: 1,
  })
})

test('a set that fails for too long refuses everything, from its first failure until one loads', async () => {
  const { options, write } = await world(PERMIT)
  let now = 1_000_000
  const policies = await keepPolicies({ ...options, now: () => now, maxStaleSeconds: 60 })
  const good = policies.current()
  now += 3_600_000
  assert.equal(policies.inForce(), good, 'age alone is no failure')

  await write('forbid (')
  await policies.reload()
  now += 50_000
  await write('permit (')
  await policies.reload()
  assert.equal(policies.inForce(), good)
  assert.deepEqual(
    [policies.status().failingSince, policies.status().failures, policies.status().ageSeconds],
    [4_600_000, 2, 3650],
  )
  now += 11_000
  assert.throws(() => policies.inForce(), {
    reason: 'policies_stale',
    detail: { failingForSeconds: 61, limit: 60 },
  })
  assert.equal(policies.current(), good, 'explanations go on')

  await write(FORBID)
  await policies.reload()
  assert.equal(policies.inForce(), policies.current())
  assert.equal(policies.status().failingSince, null)
})

test('a failing set refuses nothing where no limit is set', async () => {
  const { options, write } = await world(PERMIT)
  let now = 0
  const policies = await keepPolicies({ ...options, now: () => now })
  await write('forbid (')
  await policies.reload()
  now += 366 * 86_400_000
  assert.equal(policies.inForce(), policies.current())
})

test('files that vanish are a problem, not an empty set', async () => {
  const { options, root } = await world(PERMIT)
  const policies = await keepPolicies(options)
  await rm(root, { recursive: true })
  folders.splice(folders.indexOf(root), 1)
  assert.match((await policies.reload())[0]?.message ?? '', /no policy file or folder/)
  assert.equal(decide(question(), policies.current()).permitted, true)
})

test('a watched folder is reloaded by itself', { timeout: 10_000 }, async () => {
  const { options, write } = await world(PERMIT)
  const policies = await keepPolicies({ ...options, pollEvery: 20 })
  const first = policies.current()
  policies.watch()
  await write(FORBID)
  // Unref'd timers keep no process alive: this one waits for them.
  const alive = setInterval(() => {}, 1000)
  while (policies.current() === first) await new Promise((resolve) => setTimeout(resolve, 10))
  clearInterval(alive)
  policies.close()
  assert.equal(decide(question(), policies.current()).permitted, false)
})

test('everything that ships loads without a warning', async () => {
  const files = shipped(
    'starter/deny-all.cedar',
    'examples/working-hours/settlement.cedar',
    'examples/working-hours/change-freeze.cedar',
    'examples/working-hours/guardrail.cedar',
    'examples/namespace/payments.cedar',
  )
  const loaded = await load(files, SETTINGS)
  assert.ok('generation' in loaded, JSON.stringify(loaded))
  assert.deepEqual(loaded.warnings, [])
  const outside = decide(question({ sourceIp: '192.0.2.1' }), loaded.generation)
  assert.deepEqual(outside.rulings[0]?.policies, ['known-networks-only'])
  assert.equal(decide(question({ sourceIp: null }), loaded.generation).permitted, false)
  assert.equal(decide(question(), loaded.generation).permitted, true)
})
