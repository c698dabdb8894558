/** An agent that shows a certificate: to the broker, to the resource, over real connections, and nowhere else. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { certified } from '../../src/agent/certified.ts'
import {
  AgentError,
  type AgentOptions,
  agent,
  type ClientCertificate,
  certificateFiles,
  certificateIdentity,
} from '../../src/agent/index.ts'
import { command } from '../../src/cli/token.ts'
import { issue } from '../world/authority.ts'
import { alternativeNames, selfSigned } from '../world/certificate.ts'
import { callerOf, ownCertificate } from '../world/mtls.ts'
import { scratch } from '../world/scratch.ts'

const SPIFFE_ID = 'spiffe://example.org/agent'
const svid = ownCertificate('svid', { extra: [alternativeNames([['uri', SPIFFE_ID]])] })
const plain = ownCertificate('plain')

type Seen = { readonly what: string; readonly body: string; readonly subject: string | undefined }

/** A broker and a resource in one, that ask for certificates and write down what they see. */
async function start(t: TestContext, options: Partial<AgentOptions> = {}) {
  const { cert: ca, key } = selfSigned('localhost')
  const seen: Seen[] = []
  const tls = { cert: ca, key, requestCert: true, rejectUnauthorized: false }
  const server = createServer(tls, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const subject = (request.socket as TLSSocket).getPeerX509Certificate()?.subject
    seen.push({ what: `${request.method} ${request.url}`, body, subject })
    const token = { access_token: 'token-1', token_type: 'Bearer', expires_in: 300 }
    if (request.url === '/moved') return response.writeHead(302, { location: '/mcp' }).end()
    if (request.url === '/empty') return response.writeHead(204).end()
    if (request.url === '/silent') return
    if (request.url === '/mcp') return response.end(request.headers.authorization)
    return response.end(
      JSON.stringify(
        request.url === '/token' ? token : { issuer, token_endpoint: `${issuer}/token` },
      ),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
  const as = (held: typeof svid) => ({ ...callerOf(held), ca }) as ClientCertificate
  const asking = agent({
    issuer,
    resource: `${issuer}/mcp`,
    source: async () => 'platform-token',
    certificate: as(plain),
    ...options,
  })
  return { issuer, ca, as, seen, asking }
}

test('the certificate is shown to the broker and to the resource', async (t) => {
  const { asking, seen, issuer } = await start(t)
  const answer = await asking.fetch(`${issuer}/mcp`, { method: 'POST', body: 'hello' })
  assert.equal(await answer.text(), 'Bearer token-1')
  assert.deepEqual(
    seen.map(({ what, subject }) => `${what} ${subject}`),
    [
      'GET /.well-known/oauth-authorization-server CN=plain',
      'POST /token CN=plain',
      'POST /mcp CN=plain',
    ],
  )
  assert.equal(new URLSearchParams(seen[1]?.body).get('assertion'), 'platform-token')
  assert.equal(seen[2]?.body, 'hello')
})

test('an X.509-SVID is the credential itself', async (t) => {
  const { as, seen, issuer } = await start(t)
  const certificate = async () => as(svid)
  const source = certificateIdentity(certificate)
  await agent({ issuer, resource: `${issuer}/mcp`, certificate, source }).token()
  const { body, subject } = seen.at(-1) ?? assert.fail()
  assert.equal(subject, 'CN=svid')
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
    grant_type: 'client_credentials',
    client_id: SPIFFE_ID,
    resource: `${issuer}/mcp`,
  })
})

test('a certificate that was renewed is shown from then on', async (t) => {
  const { as, seen, issuer } = await start(t)
  let current = as(plain)
  const http = certified(async () => current)
  for (const next of [as(plain), as(svid), as(svid)]) {
    current = next
    await (await http(`${issuer}/mcp`)).text()
  }
  assert.deepEqual(
    seen.map(({ subject }) => subject),
    ['CN=plain', 'CN=svid', 'CN=svid'],
  )
})

test('redirects are not followed, nothing goes out without TLS, and an answer may be empty', async (t) => {
  const { as, seen, issuer } = await start(t)
  const http = certified(as(plain))
  await assert.rejects(http(`${issuer}/moved`), /redirects, which is not followed/)
  await assert.rejects(http(issuer.replace('https', 'http')), /is not https/)
  assert.equal(seen.length, 1)
  assert.equal((await http(`${issuer}/empty`)).status, 204)
})

test('a request ends when its caller says so', async (t) => {
  const { as, issuer } = await start(t)
  const stop = new AbortController()
  const asking = certified(as(plain))(`${issuer}/silent`, { signal: stop.signal })
  stop.abort()
  await assert.rejects(asking, { name: 'AbortError' })
})

test('a server that nobody vouches for hears nothing', async (t) => {
  const { issuer, seen } = await start(t)
  const { cert, key } = callerOf(plain) as ClientCertificate
  const source = async () => 'platform-token'
  const asking = agent({ issuer, resource: `${issuer}/mcp`, source, certificate: { cert, key } })
  await assert.rejects(asking.token(), { code: 'broker_unreachable' })
  assert.deepEqual(seen, [])
})

test('what is no certificate, or no X.509-SVID, is said', async (t) => {
  const missing = certificateFiles(join(scratch(t), 'none.pem'), 'none.key')
  await assert.rejects(missing, (error) => {
    return error instanceof AgentError && error.code === 'certificate_unreadable'
  })
  const { cert, key } = callerOf(issue('plain')) as ClientCertificate
  await assert.rejects(certificateIdentity({ cert, key }), /has no SPIFFE ID/)
})

test('countersign token: a certificate comes with its key, and by itself where it is the credential', async (t) => {
  const folder = scratch(t)
  const { cert, key } = callerOf(plain) as ClientCertificate
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  const said: string[] = []
  const terminal = { out: () => {}, note: (line: string) => said.push(line), env: {} }
  const run = (...more: string[]) => {
    const where = ['--issuer', 'https://as.invalid', '--resource', 'https://mcp.invalid']
    return command.run(
      [...where, ...more],
      terminal as unknown as Parameters<typeof command.run>[1],
    )
  }
  await assert.rejects(run('--cert', certFile), /--key/)
  await assert.rejects(run('--key', keyFile), /--cert/)
  await assert.rejects(run('--source', 'x509-svid'), /needs --cert and --key/)
  assert.equal(await run('--source', 'x509-svid', '--cert', certFile, '--key', keyFile), 1)
  assert.match(said.join(), /has no SPIFFE ID/)
})
