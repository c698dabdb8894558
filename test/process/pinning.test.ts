/** An agent whose platform token is pinned to its key: its container restarts, with the key file and without. */

import assert from 'node:assert/strict'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Finished, run } from './cli.ts'
import { mint, RESOURCE, serve, site } from './site.ts'

/** A pod with its projected token, and the memory volume that its containers keep. */
async function pod(t: TestContext) {
  const here = await site(t, 'pin: when-offered')
  await serve(t, here)
  const token = join(here.folder, 'token')
  const key = join(here.folder, 'key.pem')
  writeFileSync(token, mint(here))
  const asked = ['--resource', RESOURCE, '--scope', 'trades:read', '--source', 'kubernetes']
  /** What each new container does: nothing is left of the one before but files. */
  const container = (...options: string[]) =>
    run('token', '--issuer', here.issuer, ...asked, '--token-file', token, ...options)
  return { here, token, key, container }
}

function boundTo({ code, out, err }: Finished): unknown {
  assert.equal(code, 0, err)
  return decodeJwt(out.trim())['cnf']
}

test('a restarted container finds its key, and its token still works', async (t) => {
  const { key, container } = await pod(t)
  const before = boundTo(await container('--dpop', '--key-file', key))
  assert.equal(statSync(key).mode & 0o777, 0o600)
  assert.deepEqual(boundTo(await container('--dpop', '--key-file', key)), before)
})

test('one that has lost its key is refused until the kubelet renews its token', async (t) => {
  const { here, token, key, container } = await pod(t)
  const before = boundTo(await container('--dpop', '--key-file', key))
  rmSync(key)
  for (const options of [['--dpop', '--key-file', key], []]) {
    const { code, out, err } = await container(...options)
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /^countersign token: invalid_grant: The credential was not accepted\./)
  }
  writeFileSync(token, mint(here))
  assert.notDeepEqual(boundTo(await container('--dpop', '--key-file', key)), before)
})
