/** What a broker loads that neither trusts a cloud nor watches a cluster, in a process of its own: no SDK at all. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { scratch } from './world/scratch.ts'

const ROOT = join(import.meta.dirname, '..')
const PERMIT = '@id("a") @owner("x") permit (principal in Cluster::"prod-eu", action, resource);'

/** Starts a broker, does something with it, ends it; and returns the packages of SDKs that were loaded. */
async function loadedBy(t: TestContext, then = ''): Promise<readonly string[]> {
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.cedar'), PERMIT)
  const inline = { inline: { keys: [] } }
  const config = {
    issuer: 'https://countersign.test',
    store: { sqlite: ':memory:' },
    trust: [
      { kubernetes: { cluster: 'prod-eu', issuer: 'https://k8s.test', jwks: inline } },
      { oidc: { name: 'jobs', issuer: 'https://id.test', dedicated: true, jwks: inline } },
      { spiffe: { trustDomain: 'example.org', bundle: { file: join(folder, 'bundle.json') } } },
    ],
    resources: [{ audience: 'https://mcp.example.com', scopes: ['trades:read'] }],
    policies: { path: folder },
  }
  const script = `
    import { registerHooks } from 'node:module'
    const loaded = new Set()
    registerHooks({ load(url, context, next) {
      const name = /node_modules\\/(@(?:aws-sdk|smithy|azure|kubernetes|sigstore)\\/[^/]+)/.exec(url)?.[1]
      if (name !== undefined) loaded.add(name)
      return next(url, context)
    } })
    const { loadConfig } = await import('${ROOT}/src/config.ts')
    const { createBroker } = await import('${ROOT}/src/broker.ts')
    const outside = { path: 'c.yaml', env: {}, baseDir: '/', readFile: () => '' }
    const found = loadConfig(${JSON.stringify(JSON.stringify(config))}, outside)
    if (!('config' in found)) throw new Error(JSON.stringify(found))
    const broker = await createBroker(found.config, {
      now: () => 1_800_000_000_000,
      stopwatch: () => 0,
      warn: () => {},
      auditSink: { write: async () => {}, close() {} },
    })
    ${then}
    await broker.close()
    console.log(JSON.stringify([...loaded]))`
  // A file: the thread that checks policies could not start below a script from the command line.
  const file = join(folder, 'start.mjs')
  writeFileSync(file, script)
  const args = ['--disable-warning=ExperimentalWarning', file]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

test('a broker without AWS, Azure and watched clusters starts without any SDK', async (t) => {
  assert.deepEqual(await loadedBy(t), [])
})

test('what verifies images is loaded by the first of them, so that the test above can fail', async (t) => {
  const use = `
    const { bundleJudge } = await import('${ROOT}/attestors/images/bundle.ts')
    await bundleJudge({ trustedRoot: '{}', identities: [] }).catch(() => {})`
  const loaded = await loadedBy(t, use)
  assert.ok(loaded.includes('@sigstore/verify'), loaded.join())
})
