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

test('the AWS SDK is loaded by the first call of a source, so that the test above can fail', async () => {
  const call = `await modules[0].webIdentity({ audience: 'a', region: 'eu-central-1',
    client: { credentials: async () => { throw new Error('none') } } })().catch(() => {})`
  const loaded = await loadedBy([aws], call)
  assert.ok(loaded.includes('@aws-sdk/client-sts'), loaded.join())
})
