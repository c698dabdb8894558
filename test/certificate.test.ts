/** The certificate of a listener: read, refused, replaced while it runs. */

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { covers, keepCertificate, readCertificate } from '../src/certificate.ts'
import { selfSigned } from './world/certificate.ts'
import { call, startRun, writePair } from './world/run.ts'
import { scratch } from './world/scratch.ts'

function filesIn(folder: string) {
  return {
    setting: 'listen.tls',
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    clientCa: null,
  }
}

test('a pair that cannot be used is refused with its setting and its file', (t) => {
  const folder = scratch(t)
  const files = filesIn(folder)
  const good = writePair(folder, 'cs.test')
  const other = selfSigned('cs.test')
  for (const [what, file, text, said] of [
    [
      'an empty certificate',
      'cert.pem',
      '',
      /^listen\.tls\.cert: .*cert\.pem holds no usable PEM$/,
    ],
    ['a key as certificate', 'cert.pem', good.key, /^listen\.tls\.cert: /],
    ['half a certificate', 'cert.pem', good.cert.slice(0, 300), /^listen\.tls\.cert: /],
    ['no key', 'key.pem', 'none', /^listen\.tls\.key: .*key\.pem holds no usable PEM$/],
    ['the key of another', 'key.pem', other.key, /^listen\.tls\.key: .* is not the private key of/],
    [
      'a broken chain',
      'cert.pem',
      `${good.cert}${good.cert.slice(0, 300)}\n-----END CERTIFICATE-----\n`,
      /^listen\.tls: /,
    ],
  ] as const) {
    writeFileSync(files.cert, good.cert)
    writeFileSync(files.key, good.key)
    assert.ok(readCertificate(files).leaf, what)
    writeFileSync(join(folder, file), text)
    assert.throws(() => readCertificate(files), { message: said }, what)
  }
  rmSync(files.key)
  assert.throws(() => readCertificate(files), { message: /^listen\.tls\.(key|cert): / })
})

test('a missing file is named, and so is the authority of callers', (t) => {
  const folder = scratch(t)
  const files = filesIn(folder)
  writePair(folder, 'cs.test')
  const file = join(folder, 'ca.pem')
  const clientCa = { setting: 'listen.tls.clientCa', file }
  assert.throws(() => readCertificate({ ...files, clientCa }), {
    message: /^listen\.tls\.clientCa: .*ca\.pem cannot be read \(ENOENT\)$/,
  })
  writeFileSync(file, 'none')
  assert.throws(() => readCertificate({ ...files, clientCa }), {
    message: /^listen\.tls\.clientCa: .* holds no usable PEM$/,
  })
})

test('a certificate covers the names and addresses in it', (t) => {
  const folder = scratch(t)
  writePair(folder, 'cs.test')
  const certificate = readCertificate(filesIn(folder))
  assert.equal(covers(certificate, 'cs.test'), true)
  assert.equal(covers(certificate, 'other.test'), false)
  assert.equal(covers(certificate, '127.0.0.1'), false)
  assert.equal(covers(certificate, '[::1]'), false)
})

test('a new pair is taken up once, a bad one is told once, and the pair before stays', (t) => {
  const folder = scratch(t)
  writePair(folder, 'cs.test', { until: '20300101000000Z' })
  const warnings: string[] = []
  const kept = keepCertificate(filesIn(folder), {
    warn: ({ problem }) => warnings.push(String(problem)),
  })
  const told: string[] = []
  kept.watch(({ cert }) => told.push(cert))
  t.after(() => kept.close())
  kept.refresh()
  assert.deepEqual(told, [], 'nothing has changed')
  assert.equal(kept.status().notAfter, Date.UTC(2030, 0) / 1000)

  const before = kept.current().cert
  writeFileSync(join(folder, 'key.pem'), selfSigned('cs.test').key)
  kept.refresh()
  kept.refresh()
  assert.equal(kept.current().cert, before)
  assert.match(kept.status().failing ?? '', /is not the private key of/)
  assert.equal(warnings.length, 1)

  const renewed = writePair(folder, 'cs.test', { until: '20310101000000Z' })
  kept.refresh()
  assert.deepEqual(told, [renewed.cert])
  assert.deepEqual(kept.status(), {
    setting: 'listen.tls',
    notAfter: Date.UTC(2031, 0) / 1000,
    failing: null,
  })
})

/** Lays a pair out as the kubelet mounts a Secret: `tls.crt` leads through `..data` to a dated folder. */
function mountSecret(folder: string, dated: string, name: string): string {
  mkdirSync(join(folder, dated))
  const pair = writePair(join(folder, dated), name)
  symlinkSync(dated, join(folder, '..next'))
  renameSync(join(folder, '..next'), join(folder, '..data'))
  return pair.cert
}

async function serving(t: TestContext) {
  let ca = ''
  const site = await startRun(t, (folder) => {
    ca = mountSecret(folder, '..1', 'first.test')
    const tls = { cert: join(folder, '..data/cert.pem'), key: join(folder, '..data/key.pem') }
    return { listen: { host: '127.0.0.1', port: 0, tls } }
  })
  return { ...site, ca, url: `${site.running.publicUrl}/livez` }
}

test('after a swap new handshakes have the new certificate, and no connection is dropped', async (t) => {
  const { running, folder, ca, url } = await serving(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca, servername: 'first.test' })
  t.after(() => agent.destroy())
  const sockets = new Set<TLSSocket>()
  const stay = () =>
    new Promise<number>((resolve, reject) => {
      const outgoing = request(url, { agent }, (response) => {
        sockets.add(response.socket as TLSSocket)
        response.resume().on('end', () => resolve(response.statusCode ?? 0))
      })
      outgoing.on('error', reject).end()
    })
  assert.equal(await stay(), 200)

  const next = mountSecret(folder, '..2', 'second.test')
  running.refreshCertificates()
  assert.equal(await stay(), 200)
  assert.equal(sockets.size, 1, 'the same connection')
  assert.equal((await call(url, { ca: next, servername: 'second.test' })).status, 200)
  await assert.rejects(call(url, { ca, servername: 'first.test' }), 'the old one is not served')
})

test('a broken renewal keeps the old certificate, and a metric says so', async (t) => {
  const { running, folder, ca, url, log } = await serving(t)
  const metrics = async () => (await fetch(`${running.adminUrl}/metrics`)).text()
  const end =
    /^countersign_certificate_expiry_timestamp_seconds\{setting="listen\.tls"\} 253402300799$/m
  assert.match(await metrics(), end)
  assert.match(await metrics(), /^countersign_certificate_failing\{setting="listen\.tls"\} 0$/m)
  writeFileSync(join(folder, '..data/key.pem'), selfSigned('first.test').key)
  running.refreshCertificates()
  assert.equal((await call(url, { ca, servername: 'first.test' })).status, 200)
  assert.match(await metrics(), /^countersign_certificate_failing\{setting="listen\.tls"\} 1$/m)
  assert.match(log(), /a changed certificate cannot be used/)
})
