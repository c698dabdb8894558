// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the file
/** `countersign check` and the commands that read the store, where the store is a shared database. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { scratch } from '../world/scratch.ts'
import { run } from './cli.ts'

/** A port where nobody listens. */
const URL = 'postgres://cs:s3cret@127.0.0.1:1/countersign'

/** A configuration with one policy; returns its path. */
function site(t: TestContext, url: string, keys = 'keys: { secret: "${file:secret}" }'): string {
  const folder = scratch(t)
  writeFileSync(join(folder, 'url'), url)
  writeFileSync(join(folder, 'secret'), 's'.repeat(32))
  writeFileSync(join(folder, 'a.cedar'), '')
  const path = join(folder, 'countersign.yaml')
  writeFileSync(
    path,
    `issuer: http://127.0.0.1:2
listen: { host: 127.0.0.1 }
admin: { port: 3 }
store: { postgres: "\${file:url}" }
${keys}
trust: [{ kubernetes: { cluster: a, issuer: http://127.0.0.1:4, jwks: { inline: { keys: [] } } } }]
resources: [{ audience: https://mcp.example.com }]
policies: { path: a.cedar }
`,
  )
  return path
}

test('check looks at the settings of a database, not at the database', async (t) => {
  const { out } = await run('check', '--config', site(t, URL))
  assert.doesNotMatch(out, /store|keys|s3cret/)
})

test('check names what is wrong with a database at its place, and repeats no password', async (t) => {
  const { code, out } = await run('check', '--config', site(t, `${URL}?sslmode=prefer`, ''))
  assert.equal(code, 1)
  assert.match(out, /countersign\.yaml:4:20: error: store\.postgres has an sslmode/)
  assert.match(
    out,
    /countersign\.yaml:\d+:\d+: error: keys\.secret is required with store\.postgres/,
  )
  assert.doesNotMatch(out, /s3cret/)
})

test('explain says that the database does not answer, without its password', async (t) => {
  const id = '00000000-0000-4000-8000-000000000000'
  const { code, out, err } = await run('policy', 'explain', id, '--config', site(t, URL))
  assert.equal(code, 1)
  assert.match(err, /cannot use the store: PostgreSQL at 127\.0\.0\.1:1: .*ECONNREFUSED/)
  assert.doesNotMatch(`${out}${err}`, /s3cret|\n {4}at /)
})
