/** `countersign token` with a real projected token: on this host, and as the program of a pod. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { freePorts } from '../../src/cli/ports.ts'
import { verifier } from '../../src/resource/index.ts'
import { start } from '../process/cli.ts'
import { selfSigned } from '../world/certificate.ts'
import { scratch } from '../world/scratch.ts'
import { freeIssuer, RESOURCE, SCOPE, startBroker } from './broker.ts'
import { cliImage, cluster, hostAddress } from './environment.ts'
import { keyFile } from './keys.ts'
import { Namespace } from './namespace.ts'

const HOST = 'host.internal'

test('countersign token prints a token for the pod whose projected token it reads', async (t) => {
  const { issuer, listen } = await freeIssuer()
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const [pod] = await namespace.run({
    name: 'planner-0',
    account: 'planner',
    tokens: { token: issuer },
  })
  assert.ok(pod)
  await startBroker(t, {
    issuer,
    listen,
    trust: [{ cluster: 'real', issuer: cluster.issuer, jwks: await keyFile(t, cluster) }],
    readers: [`real/${namespace.name}/planner`],
  })
  const file = join(scratch(t), 'token')
  writeFileSync(file, await pod.token('token'))
  const options = ['--issuer', issuer, '--resource', RESOURCE, '--token-file', file]
  const finished = await start(t, 'token', ...options, '--scope', SCOPE).finished
  assert.equal(finished.code, 0, finished.err)
  const token = await verifier({ issuer, audience: RESOURCE })(finished.out.trim())
  assert.equal(token.subject, `k8s://real/ns/${namespace.name}/sa/planner`)
  assert.equal(token.claims['pod'], pod.stored.metadata.uid)
})

const skip =
  (cliImage === null || hostAddress === null) &&
  'needs COUNTERSIGN_CLI_IMAGE on the node and COUNTERSIGN_CLUSTER_HOST'

test('a pod runs countersign token itself, against a broker with TLS', { skip }, async (t) => {
  const { cert, key } = selfSigned(HOST)
  const folder = scratch(t)
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(tls.cert, cert)
  writeFileSync(tls.key, key)
  const [port] = await freePorts(1)
  const issuer = `https://${HOST}:${port}`
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const broker = await startBroker(t, {
    issuer,
    listen: { host: hostAddress, port, tls },
    trust: [{ cluster: 'real', issuer: cluster.issuer, jwks: await keyFile(t, cluster) }],
    readers: [`real/${namespace.name}/planner`],
  })
  await namespace.create(authority(cert), caller(issuer))
  await namespace.kubectl(
    'wait',
    '--for=jsonpath={.status.phase}=Succeeded',
    '--timeout=60s',
    'pod/caller',
  )
  const printed = await namespace.kubectl('logs', 'caller')
  const pod = await namespace.get('pod/caller')

  const verify = verifier({
    issuer,
    audience: RESOURCE,
    fetch: (url) => get(new URL(String(url)), broker.running.publicUrl, cert),
  })
  const token = await verify(printed.trim())
  assert.equal(token.subject, `k8s://real/ns/${namespace.name}/sa/planner`)
  assert.equal(token.claims['pod'], pod.metadata.uid)
  const [event] = broker.events()
  assert.equal(event?.question?.sourceIp, pod.status.podIP)
  t.diagnostic(
    `pod ${namespace.name}/caller has uid ${pod.metadata.uid} and called from ${pod.status.podIP}`,
  )
})

function authority(cert: string) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'authority' },
    data: { 'ca.pem': cert },
  }
}

/** A pod whose one container asks the broker at `issuer` with its own projected token, and ends. */
function caller(issuer: string) {
  const mount = (name: string, mountPath: string) => ({ name, mountPath, readOnly: true })
  const projected = { path: 'token', audience: issuer, expirationSeconds: 600 }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'caller' },
    spec: {
      serviceAccountName: 'planner',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      containers: [
        {
          name: 'countersign',
          image: cliImage,
          args: ['token', '--issuer', issuer, '--resource', RESOURCE, '--scope', SCOPE],
          env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/countersign/ca.pem' }],
          volumeMounts: [
            mount('token', '/var/run/secrets/countersign'),
            mount('authority', '/etc/countersign'),
          ],
        },
      ],
      volumes: [
        { name: 'token', projected: { sources: [{ serviceAccountToken: projected }] } },
        { name: 'authority', configMap: { name: 'authority' } },
      ],
    },
  }
}

/** Reads a URL of the broker from this host, which does not know its name. */
async function get(url: URL, base: string, ca: string): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  request(new URL(url.pathname, base), { ca, servername: url.hostname }, (answer) => {
    text(answer).then((body) => resolve(new Response(body)), reject)
  })
    .once('error', reject)
    .end()
  return promise
}
