/** The admin listener: metrics, decisions, and whom it does not answer. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/policy/decide.ts'
import { POLICIES, RESOURCE, startBroker, type TestBroker } from '../world/broker.ts'

const LOCAL = { host: '127.0.0.1:9443' }

async function decision(world: TestBroker, id: unknown) {
  return world.admin.inject({ url: `/decisions/${id}`, headers: LOCAL })
}

test('a denial is explained by its request id: what was decided, why, and what to do', async (t) => {
  const world = await startBroker(t)
  const answer = await world.ask(world.form({ scope: 'trades:delete' }))
  const response = await decision(world, answer.headers['x-request-id'])
  const { event, advice, explanation, sameGeneration } = response.json()
  assert.equal(event.reason, 'policy_denied')
  assert.equal(event.question.actor.facts['pod.name'].value, 'planner-0')
  assert.equal(sameGeneration, true)
  assert.match(advice, /No policy permits this/)
  assert.match(explanation.lines.join('\n'), /trades:delete: DENIED, no permit matches/)
  assert.match(
    explanation.lines.join('\n'),
    /planner-reads \(.*trades\.cedar:\d+, owner team-agents\)/,
  )
})

test('a credential that was refused is explained by its detail', async (t) => {
  const world = await startBroker(t)
  const assertion = world.cluster.mint(({ claims }) =>
    Object.assign(claims, { iss: 'https://elsewhere' }),
  )
  const answer = await world.ask(world.form({ assertion }))
  const { event, advice, explanation } = (
    await decision(world, answer.headers['x-request-id'])
  ).json()
  assert.equal(event.reason, 'issuer_untrusted')
  assert.equal(event.detail.found, 'https://elsewhere')
  assert.deepEqual(event.evidence[0].claimedSubject, 'system:serviceaccount:agents:planner')
  assert.equal(explanation, null)
  assert.match(advice, /trailing slash/)
})

test('after a change of policies a decision is explained by those in force, and says so', async (t) => {
  const world = await startBroker(t, { ownPolicies: true })
  const answer = await world.ask(world.form({ scope: 'trades:delete' }))
  const { writeFileSync } = await import('node:fs')
  writeFileSync(
    `${world.policiesPath}/delete.cedar`,
    `@id("planner-deletes") @owner("x") permit (principal == ServiceAccount::"prod-eu/agents/planner",
      action == Action::"trades:delete", resource == Audience::"${RESOURCE}");`,
  )
  assert.deepEqual(await world.broker.policies.reload(), [])
  const { event, explanation, sameGeneration } = (
    await decision(world, answer.headers['x-request-id'])
  ).json()
  assert.equal(event.reason, 'policy_denied')
  assert.equal(sameGeneration, false)
  assert.match(explanation.lines.join('\n'), /trades:delete: PERMITTED/)
})

test('an unknown, malformed or hostile decision id is not found', async (t) => {
  const world = await startBroker(t)
  for (const id of [
    '00000000-0000-0000-0000-000000000000',
    'x',
    '..%2f..%2fetc',
    "'%20OR%201=1--",
  ]) {
    assert.equal((await decision(world, id)).statusCode, 404, id)
  }
})

test('a web page or a rebound name gets nothing', async (t) => {
  const { admin } = await startBroker(t)
  const asked = (headers: Record<string, string>) => admin.inject({ url: '/metrics', headers })
  assert.equal((await asked(LOCAL)).statusCode, 200)
  assert.equal((await asked({ host: 'localhost:9443' })).statusCode, 200)
  assert.equal((await asked({ host: '[::1]:9443' })).statusCode, 200)
  assert.equal((await asked({ ...LOCAL, origin: 'https://evil.example' })).statusCode, 403)
  assert.equal((await asked({ ...LOCAL, origin: 'null' })).statusCode, 403)
  assert.equal((await asked({ host: 'evil.example' })).statusCode, 403)
  assert.equal((await asked({ host: '127.0.0.1.evil.example' })).statusCode, 403)
})

test('metrics and decisions are not on the public listener, nor the token endpoint on this one', async (t) => {
  const world = await startBroker(t)
  assert.equal((await world.app.inject('/metrics')).statusCode, 404)
  assert.equal((await world.app.inject('/decisions/x')).statusCode, 404)
  const token = await world.admin.inject({ method: 'POST', url: '/token', headers: LOCAL })
  assert.equal(token.statusCode, 404)
})

test('requests are counted by outcome and reason, stages timed, keys and policies watched', async (t) => {
  const world = await startBroker(t)
  await world.ask(world.form())
  await world.ask(world.form({ scope: 'trades:delete' }))
  await world.ask('grant_type=')
  const { body } = await world.admin.inject({ url: '/metrics', headers: LOCAL })
  const count = (outcome: string, reason: string) =>
    new RegExp(
      `^countersign_token_requests_total\\{outcome="${outcome}",reason="${reason}"\\} 1$`,
      'm',
    )
  assert.match(body, count('issued', ''))
  assert.match(body, count('refused', 'policy_denied'))
  assert.match(body, count('refused', 'parameter_missing'))
  assert.match(body, /^countersign_stage_seconds_count\{stage="policy"\} 2$/m)
  assert.match(body, /^countersign_build_info\{version="\d+\.\d+\.\d+"\} 1$/m)
  assert.match(body, /^countersign_ready 1$/m)
  assert.match(body, /^countersign_signing_key_age_seconds 0$/m)
  assert.match(body, /^countersign_signing_keys\{state="signing"\} 1$/m)
  assert.match(body, /^countersign_signing_keys\{state="next"\} 0$/m)
  assert.match(body, /^nodejs_eventloop_lag_p99_seconds /m)
  assert.match(body, /^countersign_policies_failing 0$/m)
  assert.match(body, /^countersign_policies_loaded\{generation="[^"]+"\} 3$/m)
  assert.match(body, /^countersign_trust_keys_age_seconds\{trust="kubernetes:prod-eu"\} 0$/m)
})

test('a bad set of policies keeps the old one in force, and a metric says so', async (t) => {
  const world = await startBroker(t, { ownPolicies: true })
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${world.policiesPath}/trades.cedar`, `${POLICIES['trades.cedar']} permit (oops`)
  assert.notDeepEqual(await world.broker.policies.reload(), [])
  assert.equal((await world.ask(world.form())).status, 200)
  const { body } = await world.admin.inject({ url: '/metrics', headers: LOCAL })
  assert.match(body, /^countersign_policies_failing 1$/m)
})

test('every recorded decision can be made again, to the same result', async (t) => {
  const world = await startBroker(t)
  for (const scope of [
    'trades:read',
    'trades:write',
    'trades:delete',
    'trades:read trades:write',
    'x',
    '',
  ]) {
    await world.ask(world.form({ scope }))
  }
  const events = world.events()
  assert.equal(events.length, 6)
  for (const { question, decision: recorded } of events) {
    assert.ok(question !== null)
    assert.deepEqual(decide(question, world.broker.policies.current()), recorded)
  }
})
