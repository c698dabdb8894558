/** What is known of images: looked up in the background, a few at a time, and kept as long as it may be believed. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Finding, ImageRef } from '../attestors/images/lookup.ts'
import { ImageSignatures } from '../attestors/images/signatures.ts'
import { settle, TestClock } from './world/clock.ts'

const HOUR = 3600
const VERIFIED: Finding = { verdict: 'verified', problem: null }
const DOWN: Finding = { verdict: 'unknown', problem: 'the registry is down' }
const UNSIGNED: Finding = { verdict: 'failed', problem: 'no bundle refers to the image' }

function image(n = 0): ImageRef {
  const name = { registry: 'ghcr.io', repository: `acme/app-${n}` }
  return { name, digest: `sha256:${'ab'.repeat(32)}` }
}

/** Looks that are answered when the test says so. */
function setStage() {
  const clock = new TestClock()
  const asked: ((finding: Finding) => void)[] = []
  const warnings: string[] = []
  const signatures = new ImageSignatures(() => new Promise((resolve) => asked.push(resolve)), {
    now: clock.now,
    warn: ({ problem }) => warnings.push(String(problem)),
  })
  const answer = async (finding: Finding) => {
    for (const resolve of asked.splice(0)) resolve(finding)
    await settle()
  }
  const look = (n?: number) => signatures.look(image(n)).verdict
  return { clock, asked, warnings, signatures, answer, look }
}

suite('an image', () => {
  test('is unknown at first sight, whoever asks, and asked for once', async () => {
    const { clock, asked, signatures, answer, look } = setStage()
    assert.deepEqual([look(), look(), look()], ['unknown', 'unknown', 'unknown'])
    assert.equal(asked.length, 1)
    assert.equal(signatures.health().waiting, 1)
    const then = clock.seconds()
    await answer(VERIFIED)
    clock.advance(60)
    assert.deepEqual(signatures.look(image()), { verdict: 'verified', foundAt: then })
    assert.equal(asked.length, 0)
  })

  test('that is verified is looked up anew before that ends, and stays verified meanwhile', async () => {
    const { clock, asked, answer, look } = setStage()
    look()
    await answer(VERIFIED)
    clock.advance(5 * HOUR - 1)
    assert.deepEqual([look(), asked.length], ['verified', 0])
    clock.advance(1)
    assert.deepEqual([look(), asked.length], ['verified', 1])
    await answer(VERIFIED)
    clock.advance(2 * HOUR)
    assert.deepEqual([look(), asked.length], ['verified', 0])
  })

  test('that is verified outlives its registry until its end, and no longer', async () => {
    const { clock, asked, answer, look, signatures } = setStage()
    look()
    await answer(VERIFIED)
    clock.advance(5 * HOUR)
    look()
    await answer(DOWN)
    assert.deepEqual([look(), asked.length], ['verified', 0], 'not asked again at once')
    clock.advance(30)
    assert.deepEqual([look(), asked.length], ['verified', 1])
    await answer(DOWN)
    clock.advance(HOUR - 30)
    assert.equal(look(), 'unknown')
    assert.equal(signatures.health().verified, 0)
  })

  test('that is verified no more has failed at once', async () => {
    const { clock, answer, look } = setStage()
    look()
    await answer(VERIFIED)
    clock.advance(5 * HOUR)
    look()
    await answer(UNSIGNED)
    assert.equal(look(), 'failed')
  })

  test('that has failed is looked up again after minutes, an unknown one after half of one', async () => {
    const { clock, asked, answer, look } = setStage()
    look()
    await answer(DOWN)
    clock.advance(29)
    assert.deepEqual([look(), asked.length], ['unknown', 0])
    clock.advance(1)
    look()
    assert.equal(asked.length, 1)
    await answer(UNSIGNED)
    clock.advance(299)
    assert.deepEqual([look(), asked.length], ['failed', 0])
    clock.advance(1)
    assert.deepEqual([look(), asked.length], ['failed', 1])
    clock.advance(300)
    assert.equal(look(), 'unknown', 'a failure is not believed for ever either')
  })
})

suite('of many images', () => {
  test('four are looked up at once, and no more wait than there is room for', async () => {
    const { asked, answer, look, signatures } = setStage()
    for (let n = 0; n < 2_000; n += 1) look(n)
    assert.equal(asked.length, 4)
    assert.equal(signatures.health().waiting, 1_004)
    let most = 0
    while (asked.length > 0) {
      most = Math.max(most, asked.length)
      await answer(VERIFIED)
    }
    assert.equal(most, 4)
    assert.equal(signatures.health().verified, 1_004)
    look(1_999)
    assert.equal(asked.length, 1, 'what found no room is asked for again')
  })

  test('the oldest are forgotten, not kept without end', async () => {
    const { answer, asked, look, signatures } = setStage()
    for (let n = 0; n < 10_100; n += 1) {
      look(n)
      if (asked.length === 4) await answer(VERIFIED)
    }
    await answer(VERIFIED)
    assert.equal(signatures.health().verified, 10_000)
    assert.equal(look(0), 'unknown')
    assert.equal(look(10_099), 'verified')
  })

  test('health counts each, and names the last problem; the log hears of it once', async () => {
    const { clock, answer, look, signatures, warnings } = setStage()
    look(1)
    await answer(VERIFIED)
    look(2)
    await answer(UNSIGNED)
    look(3)
    await answer(DOWN)
    const problem = `ghcr.io/acme/app-3@${image().digest}: the registry is down`
    const counts = { verified: 1, failed: 1, unknown: 1, waiting: 0 }
    assert.deepEqual(signatures.health(), { ...counts, problem })
    clock.advance(30)
    look(3)
    await answer(DOWN)
    assert.deepEqual(warnings, [UNSIGNED.problem, DOWN.problem])
  })

  test('none is looked up any more once it is closed', async () => {
    const { asked, answer, look, signatures } = setStage()
    for (let n = 0; n < 10; n += 1) look(n)
    signatures.close()
    await answer(VERIFIED)
    look(20)
    assert.equal(asked.length, 0)
  })
})
