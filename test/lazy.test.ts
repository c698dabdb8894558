/** What is loaded by importing us, in a process of its own: no SDK of a cloud before somebody uses it. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '..')

/** Imports these files and does something, and prints every module of a cloud SDK that was loaded. */
async function loadedBy(files: readonly string[], then = ''): Promise<readonly string[]> {
  const script = `
    import { registerHooks } from 'node:module'
    const loaded = new Set()
    registerHooks({ load(url, context, next) {
      const name = /node_modules\\/(@(?:aws-sdk|smithy|azure|kubernetes)\\/[^/]+)/.exec(url)?.[1]
      if (name !== undefined) loaded.add(name)
      return next(url, context)
    } })
    const modules = await Promise.all(${JSON.stringify(files)}.map((file) => import(file)))
    ${then}
    console.log(JSON.stringify([...loaded]))`
  const args = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  return JSON.parse(stdout)
}

const broker = join(ROOT, 'src/broker.ts')
const agent = join(ROOT, 'src/agent/index.ts')
const aws = join(ROOT, 'src/agent/sources/aws.ts')

test('importing the broker, the agent and its AWS source loads no SDK of a cloud', async () => {
  assert.deepEqual(await loadedBy([broker, agent, aws]), [])
})

test('HTTP/2 is loaded by the first call of the SPIFFE source, and not before', async () => {
  const http2 = async (then: string) => {
    const script = `const { spiffe } = await import(${JSON.stringify(agent)})
      ${then}
      console.log(process.moduleLoadList.includes('NativeModule http2'))`
    const args = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script]
    return (await promisify(execFile)(process.execPath, args, { cwd: ROOT })).stdout.trim()
  }
  assert.equal(await http2(''), 'false')
  const socket = 'unix:///nowhere/agent.sock'
  const call = `await spiffe({ audience: 'a', socket: '${socket}' })().catch(() => {})`
  assert.equal(await http2(call), 'true')
})

test('the AWS SDK is loaded by the first call of a source, so that the test above can fail', async () => {
  const call = `await modules[0].webIdentity({ audience: 'a', region: 'eu-central-1',
    client: { credentials: async () => { throw new Error('none') } } })().catch(() => {})`
  const loaded = await loadedBy([aws], call)
  assert.ok(loaded.includes('@aws-sdk/client-sts'), loaded.join())
})

const kinds = ['aws', 'azure'].map((kind) => join(ROOT, `attestors/${kind}/attestor.ts`))
const entries = `
  const world = { door: async () => { throw new Error('none') }, now: () => 0, warn() {} }
  const aws = modules[0].awsAttestor({ account: '123456789012', issuer: 'https://i',
    jwks: { inline: { keys: [] } }, posture: { regions: ['eu-central-1'] } }, { trust: 'a', audience: 'a' }, world)
  const azure = modules[1].azureAttestor({ tenant: 't', audiences: ['a'], jwks: { inline: { keys: [] } },
    subscriptions: ['s'], intermediates: '/nowhere' }, { trust: 'b', audience: 'a' }, world)
  await Promise.all([aws.start(), azure.start()])
  aws.close()
  azure.close()`

test('entries that look machines up load no SDK of a cloud before there is one to look up', async () => {
  assert.deepEqual(await loadedBy(kinds, entries), [])
})

test('looking an instance up loads the SDK of EC2, and a credential that of Azure', async () => {
  const files = ['aws/ec2.ts', 'azure/credential.ts'].map((name) => join(ROOT, 'attestors', name))
  const asked = `
    const timers = { after: () => () => {}, random: () => 0 }
    const ec2 = { credentials: async () => { throw new Error('none') } }
    const options = { region: 'eu-central-1', account: '1', role: undefined, timers, clients: { ec2 } }
    await modules[0].ec2Of(options)(['i-1']).catch(() => {})
    process.env.AZURE_TOKEN_CREDENTIALS = 'EnvironmentCredential'
    await modules[1].bearerOf(undefined, 'management.azure.com', timers)().catch(() => {})`
  const loaded = await loadedBy(files, asked)
  for (const sdk of ['@aws-sdk/client-ec2', '@azure/identity']) assert.ok(loaded.includes(sdk), sdk)
})
