/** The state of the instance that a token names, by the real SDK from an EC2 that recomputes what it signs. */

import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { suite, type TestContext, test } from 'node:test'
import { aws } from '../../attestors/aws/index.ts'
import type { AwsSettings, PostureSettings } from '../../attestors/aws/settings.ts'
import { attest, refused } from '../world/attest.ts'
import {
  ACCOUNT,
  AWS_ISSUER,
  type AwsDraft,
  INSTANCE,
  OTHER_ACCOUNT,
  setAwsStage,
} from '../world/aws.ts'
import { settle } from '../world/clock.ts'
import { type Ec2Fault, ec2Instance, FakeEc2, INSTANCE_ID } from '../world/ec2.ts'
import { put } from '../world/kubernetes.ts'
import { FakeSts, SESSION } from '../world/sts.ts'

const REGIONS: PostureSettings = { regions: ['eu-central-1'] }
const CREDENTIALS = {
  accessKeyId: SESSION.accessKeyId,
  secretAccessKey: SESSION.secret,
  sessionToken: SESSION.sessionToken,
}

async function start(t: TestContext, posture = REGIONS) {
  let ec2: FakeEc2 | undefined
  const stage = await setAwsStage(t, {
    settings: { posture },
    async clients(clock) {
      ec2 = await new FakeEc2(clock).listen(t)
      return { ec2: { ...ec2.client(), credentials: CREDENTIALS } }
    },
  })
  return { ...stage, ec2: ec2 ?? assert.fail() }
}

type Stage = Awaited<ReturnType<typeof start>>

/** Facts of the API, with their grades. */
async function posture({ attestor, issuer, clock }: Stage, change?: (token: AwsDraft) => void) {
  const { facts } = await attest(attestor, issuer.mint(change), clock)
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, { value, grade, source }]) =>
      source === 'api:ec2' ? [[name, [value, grade]]] : [],
    ),
  )
}

suite('aws posture', () => {
  test('is what EC2 says, each with its grade', async (t) => {
    const stage = await start(t)
    assert.deepEqual(await posture(stage), {
      'ec2.state': ['running', 'B'],
      'ec2.image': ['ami-0123456789abcdef0', 'B'],
      'ec2.launchedAt': [1_799_996_400, 'B'],
      'ec2.imdsv2Required': [true, 'B'],
      'ec2.imdsHopLimit': [1, 'B'],
      'ec2.subnet': ['subnet-0123456789abcdef0', 'B'],
      'ec2.securityGroups': [['sg-0123456789abcdef0'], 'B'],
      'ec2.instanceProfile': [`arn:aws:iam::${ACCOUNT}:instance-profile/settle`, 'B'],
      'ec2.enclaves': [true, 'B'],
      'ec2.bootMode': ['uefi', 'B'],
      'ec2.tpm': ['v2.0', 'B'],
      'ec2.sevSnp': [true, 'B'],
      'ec2.tags': [['team=payments', 'a%3Db='], 'D'],
    })
    assert.deepEqual(stage.ec2.asked, [[INSTANCE_ID]])
    const [state] = stage.attestor.health().cluster ?? []
    assert.deepEqual([state?.collection, state?.fresh, state?.objects], ['instances', true, 1])
  })

  test('takes nothing back that AWS signed', async (t) => {
    const { attestor, issuer, clock } = await start(t)
    const { facts } = await attest(attestor, issuer.mint(), clock)
    assert.equal(facts['ec2.vpc']?.value, 'vpc-0123456789abcdef0')
    assert.equal(facts['ec2.vpc']?.grade, 'A')
  })

  test('is asked for many at once, and again after 45 seconds', async (t) => {
    const stage = await start(t)
    const other = 'i-00000000000000002'
    stage.ec2.instances.push(ec2Instance({ instanceId: other }))
    const named = ({ own }: AwsDraft) =>
      put(own, 'ec2_source_instance_arn', INSTANCE.replace(INSTANCE_ID, other))
    await posture(stage)
    await Promise.all([posture(stage), posture(stage, named), posture(stage, named)])
    stage.clock.advance(44)
    await posture(stage)
    assert.deepEqual(stage.ec2.asked, [[INSTANCE_ID], [other]])
    stage.clock.advance(1)
    await posture(stage)
    assert.equal(stage.ec2.asked.length, 3)
  })

  test('is read through all pages of an answer', async (t) => {
    const stage = await start(t)
    stage.ec2.perPage = 1
    stage.ec2.instances.unshift(ec2Instance({ imageId: 'ami-99999999' }))
    assert.deepEqual((await posture(stage))['ec2.image'], ['ami-0123456789abcdef0', 'B'])
  })

  test('is asked as the role that the entry names', async (t) => {
    const role = `arn:aws:iam::${ACCOUNT}:role/countersign-posture`
    const given = { ...SESSION, accessKeyId: 'ASIAROLEROLEROLE2222', secret: 'of the role' }
    const roles: string[] = []
    let ec2: FakeEc2 | undefined
    const stage = await setAwsStage(t, {
      settings: { posture: { ...REGIONS, role } },
      async clients(clock) {
        ec2 = await new FakeEc2(clock).listen(t)
        ec2.credentials.clear()
        ec2.credentials.set(given.accessKeyId, given)
        const sts = await new FakeSts(clock).listen(t)
        sts.assume = (asked) => {
          roles.push(asked)
          return given
        }
        const httpsAgent = new Agent({ ca: sts.ca, host: '127.0.0.1', port: sts.port })
        const own = { ...ec2.client(), credentials: CREDENTIALS }
        return { ec2: own, sts: { ...own, requestHandler: { httpsAgent } } }
      },
    })
    const known = await posture({ ...stage, ec2: ec2 ?? assert.fail() })
    assert.deepEqual(known['ec2.state'], ['running', 'B'])
    assert.deepEqual(roles, [role])
    assert.match(String(stage.attestor.health().cluster?.[0]?.needs), /countersign-posture/)
  })

  test('goes to the hosts of our table, whatever the environment of the SDK says', async (t) => {
    const asked: string[] = []
    const handle = async ({ protocol, hostname }: { protocol: string; hostname: string }) => {
      asked.push(`${protocol}//${hostname}`)
      throw new Error('nobody is there')
    }
    const before = process.env['AWS_ENDPOINT_URL']
    process.env['AWS_ENDPOINT_URL'] = 'https://evil.example'
    t.after(() => {
      if (before === undefined) delete process.env['AWS_ENDPOINT_URL']
      else process.env['AWS_ENDPOINT_URL'] = before
    })
    const { attestor, issuer, clock } = await setAwsStage(t, {
      settings: { posture: REGIONS },
      clients: async () => ({
        ec2: { requestHandler: { handle } as never, credentials: CREDENTIALS, maxAttempts: 1 },
      }),
    })
    await attest(attestor, issuer.mint(), clock)
    assert.deepEqual(asked, ['https://ec2.eu-central-1.amazonaws.com'])
  })
})

suite('aws posture is unknown, and the token is taken as ever', () => {
  const faults: readonly Ec2Fault[] = ['error', 'forbidden', 'throttled', 'page', 'reset']
  for (const fault of faults) {
    test(`where EC2 answers ${fault}; doctor says so, until it answers again`, async (t) => {
      const stage = await start(t)
      stage.ec2.fault = fault
      assert.deepEqual(await posture(stage), {})
      const [state] = stage.attestor.health().cluster ?? []
      assert.deepEqual([state?.fresh, state?.synced], [false, false])
      assert.match(String(state?.problem), /^DescribeInstances in eu-central-1: \w+$/)
      stage.ec2.fault = null
      assert.notDeepEqual(await posture(stage), {})
      assert.equal(stage.attestor.health().cluster?.[0]?.problem, null)
    })
  }

  test('where EC2 says nothing for three seconds', async (t) => {
    const stage = await start(t)
    stage.ec2.fault = 'slow'
    const asking = posture(stage)
    while (!stage.clock.pending().includes(3)) await settle()
    stage.clock.advance(3)
    assert.deepEqual(await asking, {})
    assert.match(String(stage.attestor.health().cluster?.[0]?.problem), /within 3000 ms/)
  })

  test('after five failures without asking, for ten seconds', async (t) => {
    const stage = await start(t)
    stage.ec2.fault = 'error'
    for (let time = 0; time < 6; time += 1) assert.deepEqual(await posture(stage), {})
    assert.equal(stage.ec2.refused, 5)
    stage.ec2.fault = null
    assert.deepEqual(await posture(stage), {})
    stage.clock.advance(10)
    assert.notDeepEqual(await posture(stage), {})
  })

  const rows: readonly (readonly [
    string,
    (stage: Stage) => ((t: AwsDraft) => void) | undefined,
  ])[] = [
    ['of an instance that EC2 does not know', ({ ec2 }) => ec2.forget()],
    ['of an instance of another account', ({ ec2 }) => ec2.belongTo(OTHER_ACCOUNT)],
    [
      'of an instance in a region that is not asked',
      () =>
        ({ own }) =>
          put(own, 'ec2_source_instance_arn', INSTANCE.replace('eu-central-1', 'us-east-1')),
    ],
    [
      'of a token that names no instance',
      () =>
        ({ own }) => {
          for (const name of Object.keys(own)) if (name.startsWith('ec2')) delete own[name]
        },
    ],
    ['with credentials that EC2 does not take', ({ ec2 }) => void ec2.credentials.clear()],
  ]
  for (const [what, spoil] of rows) {
    test(what, async (t) => {
      const stage = await start(t)
      assert.deepEqual(await posture(stage, spoil(stage)), {})
    })
  }

  const halves: readonly (readonly [string, Record<string, string>, string])[] = [
    ['no metadata options', { metadataOptions: '' }, 'ec2.imdsv2Required'],
    [
      'metadata options under way',
      { metadataOptions: '<state>pending</state><httpTokens>required</httpTokens>' },
      'ec2.imdsv2Required',
    ],
    ['an image of another form', { imageId: 'aki-1' }, 'ec2.image'],
    [
      'a group of another form',
      { groupSet: '<item><groupId>x</groupId></item>' },
      'ec2.securityGroups',
    ],
    ['no TPM', { tpmSupport: '' }, 'ec2.tpm'],
  ]
  for (const [what, change, fact] of halves) {
    test(`as far as ${fact} goes, where EC2 tells ${what}`, async (t) => {
      const stage = await start(t)
      stage.ec2.instances = [ec2Instance(change)]
      const known = await posture(stage)
      assert.ok(!(fact in known) && 'ec2.state' in known, JSON.stringify(known))
    })
  }

  test('a token that does not hold drives no request', async (t) => {
    const stage = await start(t)
    const [head = '', body = '', signature = ''] = stage.issuer.mint().split('.')
    const forged = [head, body, signature.replace(/^../, 'AA')].join('.')
    await refused(attest(stage.attestor, forged, stage.clock), 'signature_invalid')
    assert.deepEqual(stage.ec2.asked, [])
  })

  test('without the setting nothing is asked', async (t) => {
    const { attestor } = await setAwsStage(t)
    assert.equal(attestor.health().cluster, undefined)
  })
})

test('IMDSv1 that still answers is said as it is, and metadata that is off refuses it', async (t) => {
  const stage = await start(t)
  const options = (tokens: string, endpoint: string) =>
    `<state>applied</state><httpTokens>${tokens}</httpTokens><httpEndpoint>${endpoint}</httpEndpoint>`
  stage.ec2.instances = [ec2Instance({ metadataOptions: options('optional', 'enabled') })]
  assert.deepEqual((await posture(stage))['ec2.imdsv2Required'], [false, 'B'])
  stage.clock.advance(45)
  stage.ec2.instances = [ec2Instance({ metadataOptions: options('optional', 'disabled') })]
  assert.deepEqual((await posture(stage))['ec2.imdsv2Required'], [true, 'B'])
})

test('settings of posture are of the entry’s partition and account', () => {
  const rows: readonly (readonly [PostureSettings, readonly string[]])[] = [
    [REGIONS, []],
    [{ ...REGIONS, role: `arn:aws:iam::${ACCOUNT}:role/a/b` }, []],
    [{ regions: ['cn-north-1', 'eu-west-1'] }, ['posture.regions.0']],
    [{ ...REGIONS, role: `arn:aws:iam::${OTHER_ACCOUNT}:role/a` }, ['posture.role']],
    [{ ...REGIONS, role: `arn:aws-cn:iam::${ACCOUNT}:role/a` }, ['posture.role']],
    [{ ...REGIONS, role: `arn:aws:iam::${ACCOUNT}:user/a` }, ['posture.role']],
  ]
  for (const [settings, expected] of rows) {
    const found: string[] = []
    const entry: AwsSettings = { account: ACCOUNT, issuer: AWS_ISSUER, posture: settings }
    aws.check(entry, (path) => found.push(path.join('.')))
    assert.deepEqual(found, expected)
  }
})
