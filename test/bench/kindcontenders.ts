/** Evidence of each kind, good and signed by the fakes of `test/world`, and the signatures in it by themselves. */

import assert from 'node:assert/strict'
import { type KeyObject, verify, type X509Certificate } from 'node:crypto'
import type { TestContext } from 'node:test'
import { encode } from 'cborg'
import { callerIdentity } from '../../attestors/aws/relay.ts'
import { readMessage } from '../../attestors/azure/cms.ts'
import { KnownChains } from '../../attestors/chain.ts'
import { nitroEvidence } from '../../attestors/nitro/evidence.ts'
import { PRESETS } from '../../attestors/oidc/presets/index.ts'
import type { Attestor } from '../../src/identity.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { setAwsStage } from '../world/aws.ts'
import { setAzureStage } from '../world/azure.ts'
import type { TestClock } from '../world/clock.ts'
import type { MemoryView } from '../world/clusterview.ts'
import { setAzureDocumentStage } from '../world/cms.ts'
import * as nitro from '../world/cose.ts'
import { doorOf } from '../world/door.ts'
import { setGcpStage } from '../world/gcp.ts'
import type { FakeIssuer } from '../world/issuer.ts'
import { setStage as setKubernetesStage } from '../world/kubernetes.ts'
import { setOidcStage } from '../world/oidc.ts'
import { setRelayStage } from '../world/relay.ts'
import { setSpiffeStage } from '../world/spiffe.ts'
import { encoded, REGION, SESSION } from '../world/sts.ts'
import { setX509Stage, shown, svidOf } from '../world/svid.ts'

/** One kind of evidence. */
export type KindContender = {
  readonly name: string
  /** Which signatures it cannot do without. */
  readonly signatures: string
  /** Verifies a piece of evidence, as a request does. Throws where it is refused. */
  readonly verify: () => unknown
  readonly bare: () => void
}

/** What the stages need of a test: somebody to clean up. */
export type Cleaner = { readonly after: (end: () => unknown) => void }

type Minter = FakeIssuer & { mint(): string }

type JwtStage = {
  readonly clock: TestClock
  readonly issuer: Minter
  readonly attestor: Attestor
}

/** Pieces that are shown in turn, so that nothing is fast for having just been seen. */
const PIECES = 64

export async function contenders(cleaner: Cleaner): Promise<readonly KindContender[]> {
  const t = cleaner as TestContext
  const presets = Object.keys(PRESETS) as (keyof typeof PRESETS)[]
  const oidc = await Promise.all(
    presets
      .filter((preset) => preset !== 'azure-attestation')
      .map(async (preset) => jwt(`oidc: ${preset}`, await setOidcStage(t, preset))),
  )
  const watched = await setKubernetesStage(t, {
    watches: true,
    settings: { liveness: 'watch' },
  })
  keepRecords(watched.view)
  return [
    await jwt('kubernetes', await setKubernetesStage(t)),
    await jwt('kubernetes: watch, posture', watched),
    await jwt('aws: web identity', await setAwsStage(t)),
    await relay(t),
    nitroDocument(),
    await jwt('azure', await setAzureStage(t)),
    azureDocument(),
    await jwt('gcp', await setGcpStage(t)),
    await jwt('spiffe: JWT-SVID', await setSpiffeStage(t)),
    await x509(t),
    await jwt('oidc', await setOidcStage(t, null)),
    ...oidc,
  ]
}

/** As the reflector does: an object becomes a record when it arrives, not when somebody asks. */
function keepRecords(view: MemoryView): void {
  const records = {
    pod: view.pod('agents', 'planner-0'),
    node: view.node('node-1'),
    namespace: view.namespace('agents'),
    serviceAccount: view.serviceAccount('agents', 'planner'),
  }
  Object.assign(view, {
    pod: () => records.pod,
    node: () => records.node,
    namespace: () => records.namespace,
    serviceAccount: () => records.serviceAccount,
  })
}

async function jwt(name: string, { clock, issuer, attestor }: JwtStage): Promise<KindContender> {
  await attestor.start()
  const tokens = Array.from({ length: PIECES }, () => issuer.mint())
  const now = clock.seconds()
  const { alg, publicKey } = issuer.signer
  const digest = alg === 'ES384' ? 'sha384' : 'sha256'
  const parts = tokens.map((token) => {
    const end = token.lastIndexOf('.')
    return {
      input: Buffer.from(token.slice(0, end)),
      signature: Buffer.from(token.slice(end + 1), 'base64url'),
    }
  })
  return {
    name,
    signatures: alg,
    verify: inTurn(tokens, (token) => {
      const prepared = attestor.prepare(parseJwt(token), now)
      // A promise would mean that something was asked for.
      assert.ok(!(prepared instanceof Promise))
      prepared.verify(now)
    }),
    bare: inTurn(parts, ({ input, signature }) => hold(digest, input, publicKey, signature)),
  }
}

/** What we do before and after STS is asked. It is STS that verifies: there is no signature of our own to compare with. */
async function relay(t: TestContext): Promise<KindContender> {
  const { call, entries, world, clock } = await setRelayStage(t)
  const { account: Account, arn: Arn, userId: UserId } = SESSION
  const said = {
    GetCallerIdentityResponse: {
      GetCallerIdentityResult: { Account, Arn, UserId },
      ResponseMetadata: { RequestId: '01234567-89ab-cdef-0123-456789abcdef' },
    },
  }
  const answer = { body: JSON.stringify(said), headers: {} }
  // Without a file of its own for roots: a request is not part of this.
  const plain = entries.map(({ settings, ...entry }) => ({
    ...entry,
    settings: { ...settings, callerIdentity: { regions: [REGION] } },
  }))
  const door = doorOf(async () => answer)
  const caller = callerIdentity.create(plain, { ...world, door }) ?? assert.fail()
  const calls = Array.from({ length: PIECES }, () => encoded(call()))
  const now = clock.seconds()
  const { verify: _, ...unit } = await jwt('', await setOidcStage(t, null))
  return {
    ...unit,
    name: 'aws: relay, without STS',
    signatures: 'none of ours; beside RS256',
    verify: inTurn(calls, async (shows) => (await caller.prepare(shows, now)).verify(now)),
  }
}

function nitroDocument(): KindContender {
  const { root, leaf, bundle } = nitro.nitroAuthorities()
  const settings = { enclave: { 0: [nitro.measurement(0)] } }
  const evidence = nitroEvidence(settings, [root.read().fingerprint])
  const payload = Buffer.from(encode(nitro.enclavePayload(leaf, bundle)))
  const documents = Array.from({ length: PIECES }, () =>
    nitro.signed(payload, leaf).toString('base64'),
  )
  const messages = documents.map((document) => {
    const bytes = Buffer.from(document, 'base64')
    const input = encode(['Signature1', nitro.ES384, Buffer.alloc(0), payload])
    return { input: Buffer.from(input), signature: bytes.subarray(-96) }
  })
  const chain = chainOf([leaf, ...bundle.toReversed()])
  return {
    name: 'aws: nitro document',
    signatures: 'ES384, 3 of certificates',
    verify: inTurn(documents, async (document) => {
      const proof = await evidence.prepare(document, nitro.CHALLENGE, nitro.NOW)
      proof.verify(nitro.NOW)
    }),
    bare: inTurn(messages, ({ input, signature }) => {
      hold('sha384', input, leaf.publicKey, signature)
      chain()
    }),
  }
}

function azureDocument(): KindContender {
  const { root, intermediate, leaf, written, verify: judge } = setAzureDocumentStage()
  const known = new KnownChains()
  const documents = Array.from({ length: PIECES }, () => written())
  const { content, signature } = readMessage(Buffer.from(documents[0] ?? '', 'base64'))
  const chain = chainOf([leaf, intermediate, root])
  return {
    name: 'azure: attested document',
    signatures: 'RS256, 2 of certificates',
    verify: inTurn(documents, (document) => judge(document, { known })),
    bare: () => {
      hold('sha256', content, leaf.publicKey, signature)
      chain()
    },
  }
}

async function x509(t: TestContext): Promise<KindContender> {
  const { root, show } = await setX509Stage(t)
  const leaves = Array.from({ length: 8 }, () => svidOf(root))
  const chains = leaves.map((leaf) => chainOf([leaf, root]))
  return {
    name: 'spiffe: X.509-SVID',
    signatures: '1 of a certificate; the handshake aside',
    verify: inTurn(
      leaves.map((leaf) => shown(leaf)),
      (svid) => show(svid),
    ),
    bare: inTurn(chains, (chain) => chain()),
  }
}

/** The signatures of a chain alone, by keys that are at hand. */
function chainOf(
  held: readonly { readonly read: () => { x509: X509Certificate; key: KeyObject } }[],
): () => void {
  const read = held.map((each) => each.read())
  const links = read.flatMap(({ x509: certificate }, index) => {
    const issuer = read[index + 1]
    return issuer === undefined ? [] : [{ certificate, key: issuer.key }]
  })
  return () => {
    for (const { certificate, key } of links) assert.ok(certificate.verify(key))
  }
}

function hold(digest: string, input: Buffer, key: KeyObject, signature: Buffer): void {
  assert.ok(verify(digest, input, { key, dsaEncoding: 'ieee-p1363' }, signature))
}

function inTurn<Piece, Result>(
  pieces: readonly Piece[],
  work: (piece: Piece) => Result,
): () => Result {
  let next = 0
  return () => {
    const piece = pieces[next++ % pieces.length]
    if (piece === undefined) throw new Error('nothing to show')
    return work(piece)
  }
}
