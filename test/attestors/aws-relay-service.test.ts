/** What protects STS and us from each other: limits, the circuit, the way there; and what the settings may say. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { REGIONS } from '../../attestors/aws/regions.ts'
import { callerIdentity } from '../../attestors/aws/relay.ts'
import { checkAws } from '../../attestors/aws/settings.ts'
import { Circuit, CircuitError } from '../../attestors/circuit.ts'
import { refused } from '../world/attest.ts'
import { ACCOUNT, AWS_ISSUER, OTHER_ACCOUNT } from '../world/aws.ts'
import { settle, TestClock } from '../world/clock.ts'
import { setRelayStage } from '../world/relay.ts'
import { REGION } from '../world/sts.ts'

suite('an STS that fails', () => {
  test('is left alone for 10 s after five failures, then one call tries', async (t) => {
    const { clock, sts, call, present } = await setRelayStage(t)
    sts.fault = 'error'
    for (let n = 0; n < 8; n += 1) await refused(present(call()), 'sts_unavailable')
    assert.equal(sts.asked.length, 5)
    clock.advance(10)
    const both = await Promise.allSettled([present(call()), present(call())])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.equal(sts.asked.length, 6)
    sts.fault = null
    clock.advance(10)
    await present(call())
    await Promise.all([present(call()), present(call())])
  })

  test('is not left alone for what a caller can bring about', async (t) => {
    const { sts, call, present } = await setRelayStage(t)
    for (let n = 0; n < 8; n += 1) {
      await refused(present(call({ signature: '0'.repeat(64) })), 'sts_refused')
    }
    sts.fault = 'throttled'
    for (let n = 0; n < 8; n += 1) await refused(present(call()), 'sts_unavailable')
    assert.equal(sts.asked.length, 16)
    sts.fault = null
    await present(call())
  })

  test('is waited for 5 s, by 32 callers at once', async (t) => {
    const { clock, sts, call, present } = await setRelayStage(t)
    sts.fault = 'slow'
    const waiting = Array.from({ length: 33 }, () => refused(present(call()), 'sts_unavailable'))
    const first = await Promise.race(waiting)
    assert.match(String(first.detail['problem']), /32 calls are already under way/)
    while (sts.asked.length < 32) await settle()
    clock.advance(5)
    const refusals = await Promise.all(waiting)
    assert.equal(sts.asked.length, 32)
    const late = refusals.filter(({ detail }) => /within 5000 ms/.test(String(detail['problem'])))
    assert.equal(late.length, 32)
  })

  test('one region’s failures are not another’s', async (t) => {
    const regions = [REGION, 'eu-west-1']
    const { sts, call, present } = await setRelayStage(t, { callerIdentity: { regions } })
    sts.fault = 'error'
    for (let n = 0; n < 6; n += 1) await refused(present(call()), 'sts_unavailable')
    const { detail } = await refused(present(call({ region: 'eu-west-1' })), 'sts_unavailable')
    assert.doesNotMatch(String(detail['problem']), /left alone/)
  })
})

suite('the way to STS', () => {
  const ways = [
    ['without the roots of its certificate', { ca: undefined }, /no trusted connection/],
    ['without allowPrivate', { allowPrivate: false }, /a private address/],
    ['with roots that are not there', { ca: '/nowhere/sts.pem' }, /cannot read .* ENOENT/],
  ] as const
  for (const [what, change, problem] of ways) {
    test(`${what} is refused as sts_unavailable`, async (t) => {
      const { sts, call, present } = await setRelayStage(t, { callerIdentity: change as object })
      const { detail } = await refused(present(call()), 'sts_unavailable')
      assert.match(String(detail['problem']), problem)
      assert.equal(sts.asked.length, 0)
    })
  }

  test('has to be the same for every entry of a region', async (t) => {
    const { entries, world } = await setRelayStage(t, { accounts: [ACCOUNT, OTHER_ACCOUNT] })
    const [first = assert.fail(), second = assert.fail()] = entries
    const takes = { regions: [REGION], allowPrivate: true }
    const other = { ...second, settings: { ...second.settings, callerIdentity: takes } }
    assert.throws(
      () => callerIdentity.create([first, other], world),
      /the same ca and allowPrivate/,
    )
  })

  test('leads nowhere when no entry takes such evidence', async (t) => {
    const { entries, world } = await setRelayStage(t)
    const without = entries.map(({ common, settings: { account, issuer } }) => {
      return { common, settings: { account, issuer } }
    })
    assert.equal(callerIdentity.create(without, world), null)
  })

  test('a region that another entry lists does not serve this account', async (t) => {
    const { entries, world, sts, call, clock } = await setRelayStage(t, {
      accounts: [ACCOUNT, OTHER_ACCOUNT],
    })
    const [first = assert.fail(), second = assert.fail()] = entries
    const elsewhere = { ...first.settings.callerIdentity, regions: ['eu-west-1'] }
    const narrowed = { ...first, settings: { ...first.settings, callerIdentity: elsewhere } }
    const relay = callerIdentity.create([narrowed, second], world) ?? assert.fail()
    const value = Buffer.from(JSON.stringify(call())).toString('base64url')
    await refused(relay.prepare(value, clock.seconds()), 'subject_untrusted')
    assert.equal(sts.asked.length, 1)
  })
})

test('a circuit counts failures in a row', async () => {
  const clock = new TestClock()
  const circuit = new Circuit({ most: 1, failures: 2, restMs: 1000 }, clock.now)
  const fail = () =>
    circuit.call(
      () => Promise.reject(new Error('down')),
      () => true,
    )
  const work = () =>
    circuit.call(
      async () => 'done',
      () => true,
    )
  await assert.rejects(fail(), /down/)
  await work()
  await assert.rejects(fail(), /down/)
  assert.equal(await work(), 'done')
  await assert.rejects(fail(), /down/)
  await assert.rejects(fail(), /down/)
  await assert.rejects(work(), CircuitError)
  clock.advance(1)
  assert.equal(await work(), 'done')
})

test('the regions are those that the AWS SDK knows, with the hosts that it asks', async () => {
  const { STSClient } = await import('@aws-sdk/client-sts')
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
  const { endpointProvider } = new STSClient({ region: REGION, credentials }).config
  const flags = { UseDualStack: false, UseFIPS: false, UseGlobalEndpoint: false }
  for (const [name, { host }] of REGIONS) {
    assert.equal(endpointProvider({ Region: name, ...flags }).url.href, `https://${host}/`, name)
  }
  assert.equal(new Set([...REGIONS.values()].map(({ partition }) => partition)).size, 8)
})

suite('settings of callerIdentity', () => {
  const problems = (change: object) => {
    const found: string[] = []
    const settings = { account: ACCOUNT, issuer: AWS_ISSUER, callerIdentity: { regions: [REGION] } }
    checkAws({ ...settings, ...change }, (path, message) => {
      found.push(`${path.join('.')} ${message}`)
    })
    return found
  }
  test('are good as they are', () => assert.deepEqual(problems({}), []))
  const rows = [
    [{ organization: 'o-1a2b3c4d5e' }, /^callerIdentity cannot stand beside organization/],
    [{ organizationPaths: ['o-1a2b3c4d5e/r-ab12/'] }, /^callerIdentity cannot stand beside/],
    [
      { callerIdentity: { regions: [REGION, 'cn-north-1'] } },
      /^callerIdentity.regions.1 is in aws-cn/,
    ],
  ] as const
  for (const [change, message] of rows) {
    test(`refuse ${JSON.stringify(change)}`, () => assert.match(problems(change).join(), message))
  }
})
