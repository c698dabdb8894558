/**
 * An Azure subscription with virtual machines: Entra, Resource Graph and the metadata service of one machine, and an
 * attestor that takes what they say. The metadata service keeps a document, and shows it again whatever nonce is asked for.
 */

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { azureAttestor } from '../../attestors/azure/attestor.ts'
import type { AzureSettings } from '../../attestors/azure/settings.ts'
import type { Attested, Attestor, Identity } from '../../src/identity.ts'
import { Refusal } from '../../src/refusal.ts'
import { attest, worldOf } from './attest.ts'
import { APP_ID, APP_URI, FakeEntra, TENANT } from './azure.ts'
import { TestClock } from './clock.ts'
import * as cms from './cms.ts'
import { FakeResourceGraph } from './resourcegraph.ts'
import { scratch } from './scratch.ts'

/** What differs from an entry that takes documents of one subscription. */
export type MachineOptions = {
  readonly settings?: Partial<AzureSettings>
  /** Lets the SDK find a credential by itself. */
  readonly ownCredential?: boolean
}

export async function setMachineStage(t: TestContext, options: MachineOptions = {}) {
  const clock = new TestClock(cms.NOW)
  const issuer = await new FakeEntra(clock).listen()
  const graph = await new FakeResourceGraph(clock).listen(t)
  const { root, intermediate, leaf } = cms.azureAuthorities()
  const folder = scratch(t)
  const [roots, intermediates] = [join(folder, 'roots.pem'), join(folder, 'intermediates.pem')]
  writeFileSync(roots, root.pem)
  writeFileSync(intermediates, intermediate.pem)
  const settings: AzureSettings = {
    tenant: TENANT,
    audiences: [APP_ID, APP_URI],
    jwks: { url: issuer.jwksUrl, allowPrivate: true },
    subscriptions: [cms.SUBSCRIPTION],
    roots,
    intermediates,
    ...options.settings,
  }
  const warnings: string[] = []
  const world = {
    ...worldOf(clock),
    door: graph.door(),
    warn: (_detail: unknown, sentence: string) => void warnings.push(sentence),
    ...(!options.ownCredential && { bearer: async () => graph.token }),
  }
  const common = { trust: `azure:${TENANT}`, audience: APP_ID }
  const attestor = azureAttestor(settings, common, world)
  t.after(async () => {
    attestor.close()
    await issuer.close()
  })
  /** A document of the metadata service, as what differs says. */
  const document = (change: Readonly<Record<string, unknown>> = {}) =>
    cms.message({ signer: leaf, text: cms.content(change) }).toString('base64')
  return { clock, issuer, graph, attestor, leaf, document, folder, settings, warnings }
}

export type MachineStage = Awaited<ReturnType<typeof setMachineStage>>

/** Shows second evidence beside a token, as the exchange does, and joins them. */
export async function show(
  { attestor, clock, issuer }: MachineStage,
  value: string,
  { format = 'azure-document', token = issuer.mint(), challenge = cms.CHALLENGE } = {},
): Promise<{ readonly first: Identity; readonly second: Attested }> {
  const second = secondOf(attestor, format)
  const first = await attest(attestor, token, clock)
  const proof = await second.prepare(value, challenge, clock.seconds())
  const attested = proof.verify(clock.seconds())
  const mismatch = second.mismatch(first, attested)
  if (mismatch !== null) throw new Refusal('attestation_mismatched', mismatch)
  return { first, second: attested }
}

export function secondOf({ second }: Attestor, format: string) {
  const found = second?.get(format)
  if (found === undefined) throw new Error(`the entry takes no ${format}`)
  return found
}

/** The metadata service of a machine. */
export type Imds = {
  readonly origin: string
  /** Nonces that were asked for. */
  readonly asked: string[]
  /** How many answers still repeat the document from before. */
  stale: number
  fault: 'error' | 'page' | 'encoding' | null
}

/** @param sign makes the document of a nonce */
export async function startImds(t: TestContext, sign: (nonce: string) => string): Promise<Imds> {
  const asked: string[] = []
  const before = sign('20270115-075900')
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://169.254.169.254')
    const { headers } = request
    const isDirect = headers['metadata'] === 'true' && headers['x-forwarded-for'] === undefined
    const nonce = url.searchParams.get('nonce') ?? ''
    const isAsked = url.pathname === '/metadata/attested/document' && /^\w{1,32}$/.test(nonce)
    if (!isDirect || !isAsked || !url.searchParams.has('api-version')) {
      response.writeHead(400).end('{"error":"Bad request"}')
      return
    }
    asked.push(nonce)
    imds.stale -= 1
    const signature = imds.stale >= 0 ? before : sign(nonce)
    if (imds.fault === 'error') response.writeHead(500).end()
    else if (imds.fault === 'page') response.writeHead(200).end('<html>')
    else {
      const encoding = imds.fault === 'encoding' ? 'jws' : 'pkcs7'
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ encoding, signature }))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const imds: Imds = { origin: `http://127.0.0.1:${port}`, asked, stale: 0, fault: null }
  return imds
}
