/** What doctor reads from the metrics of a running broker: the same names and labels on both ends. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  agoOf,
  askRunning,
  examineImages,
  examineRunning,
  successOf,
} from '../../src/cli/doctor/running.ts'
import type { Meter } from '../../src/http/metrics.ts'
import type { AttestorHealth } from '../../src/identity.ts'
import type { RelayHealth } from '../../src/successes.ts'
import { withTrust } from '../../src/trustmetrics.ts'
import { doorOf, emptyDoor } from '../world/door.ts'

const NOW = 1_800_000_000
const ORIGIN = 'http://127.0.0.1:9443'
const HEALTH = {
  ready: true,
  keys: 1,
  keysAgeSeconds: 1,
  clockSkewSeconds: null,
  problem: null,
}
const NO_METER: Meter = {
  issued() {},
  refused() {},
  introspected() {},
  ruled() {},
  pinned() {},
  took() {},
  expose: async () => ({ type: 'text/plain', text: 'countersign_ready 1\n' }),
}

/** A broker of which only this is known. */
function running(attestors: readonly AttestorHealth[], relays: readonly RelayHealth[] = []) {
  const meter = withTrust(
    NO_METER,
    () => attestors,
    () => relays,
  )
  const door = doorOf(async () => ({ body: (await meter.expose()).text, headers: {} }))
  return askRunning(ORIGIN, door)
}

test('when an entry last vouched, whatever its name holds', async () => {
  const name = 'oidc:a "quoted\\name"}'
  const found = await running([
    { ...HEALTH, trust: name, lastSuccessAt: NOW - 90 },
    { ...HEALTH, trust: 'gcp:google', lastSuccessAt: null },
  ])
  assert.equal(successOf(found, name, NOW), '; last vouched 90 s ago')
  const never = '; has not vouched since the broker started'
  assert.equal(successOf(found, 'gcp:google', NOW), never)
  assert.equal(agoOf(NOW - 119, NOW), '119 s ago')
  assert.equal(agoOf(NOW - 7199, NOW), '119 min ago')
  assert.equal(agoOf(NOW - 7200, NOW), '2 h ago')
})

test('images by what is known of them; well when nothing is left open', async () => {
  const counts = { verified: 3, unknown: 0, failed: 0, waiting: 0, problem: null }
  const found = await running([
    { ...HEALTH, trust: 'kubernetes:a', images: counts },
    { ...HEALTH, trust: 'kubernetes:b', images: { ...counts, failed: 1, waiting: 2 } },
    { ...HEALTH, trust: 'kubernetes:c' },
  ])
  const [good] = examineImages(found, 'kubernetes:a')
  assert.equal(good?.state, 'ok')
  const [bad] = examineImages(found, 'kubernetes:b')
  assert.equal(bad?.state, 'warning')
  assert.equal(bad?.text, '3 verified, 1 failed, 0 unknown, 2 waiting')
  assert.deepEqual(examineImages(found, 'kubernetes:c'), [])
})

test('a relay that failed and has answered since is well, one that has not is doubtful', async () => {
  const relay = (answeredAt: number | null): RelayHealth => ({
    format: 'aws-caller-identity',
    answeredAt,
    failures: new Map([['eu-central-1', NOW - 60]]),
  })
  const states = async (answeredAt: number | null) =>
    examineRunning(await running([], [relay(answeredAt)]), NOW).map(({ state }) => state)
  assert.deepEqual(await states(NOW - 10), ['ok', 'ok'])
  assert.deepEqual(await states(NOW - 600), ['ok', 'warning'])
  assert.deepEqual(await states(null), ['ok', 'warning'])
})

test('where nobody answers there is nothing to say but that', async () => {
  const found = await askRunning(ORIGIN, emptyDoor().door)
  const [first, ...others] = examineRunning(found, NOW)
  assert.deepEqual([first?.state, others.length], ['warning', 0])
  assert.match(first?.text ?? '', /nobody is there/)
  assert.equal(successOf(found, 'gcp:google', NOW), '')
})
