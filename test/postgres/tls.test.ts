/** A connection that leaves the machine is encrypted, and to the server that was meant. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { PostgresOptions } from '../../src/store/postgres/connections.ts'
import { openPostgres } from '../../src/store/postgres/store.ts'
import { selfSigned } from '../world/certificate.ts'
import { scratch } from '../world/scratch.ts'
import { optionsOf, startPostgres } from './server.ts'
import { server as plain } from './shared.ts'

const certificate = selfSigned('localhost')
const encrypting = await startPostgres(certificate)
after(() => encrypting.close())

test('with its authority the server is known, and the wire is encrypted', async (t) => {
  const ca = join(scratch(t), 'ca.pem')
  writeFileSync(ca, certificate.cert)
  const url = await encrypting.database()
  const store = await openPostgres(optionsOf(url, { host: 'localhost', tls: { ca } }))
  t.after(() => store.close())
  assert.equal(await store.spend('a', 100), true)
  const wires = await encrypting.sql(
    url,
    `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'countersign'`,
  )
  assert.deepEqual(wires, [{ ssl: true }])
})

test('a server that is not the one meant is refused', async (t) => {
  const folder = scratch(t)
  const [ca, other] = [join(folder, 'ca.pem'), join(folder, 'other.pem')]
  writeFileSync(ca, certificate.cert)
  writeFileSync(other, selfSigned('localhost').cert)
  const url = await encrypting.database()
  const rows: readonly (readonly [string, Partial<PostgresOptions>, RegExp])[] = [
    ['no authority', { host: 'localhost', tls: { ca: null } }, /self-signed certificate/],
    ['another authority', { host: 'localhost', tls: { ca: other } }, /self-signed|signature/],
    ['another name', { host: '127.0.0.1', tls: { ca } }, /does not match certificate's altnames/],
    ['no TLS there', { host: 'localhost', port: plain.port, tls: { ca } }, /not support SSL/],
    ['no such file', { tls: { ca: join(folder, 'none.pem') } }, /cannot read store\.ca.*none\.pem/],
  ]
  for (const [what, change, message] of rows) {
    await assert.rejects(openPostgres(optionsOf(url, change)), { message }, what)
  }
})
