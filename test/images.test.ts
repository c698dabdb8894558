/** Signatures of images: a registry and a Sigstore of our own, whose certificates, log entries and proofs are real. */

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, suite, type TestContext, test } from 'node:test'
import { lookup, type Verdict } from '../attestors/images/lookup.ts'
import { imageName } from '../attestors/images/reference.ts'
import type { ImageIdentity, ImageSettings } from '../attestors/images/settings.ts'
import { createDoor } from '../src/net/fetch.ts'
import { FakeRegistry, IMAGE, REPOSITORY } from './world/registry.ts'
import { scratch } from './world/scratch.ts'
import { FakeSigstore, GITHUB, type Signing, WORKFLOW } from './world/sigstore.ts'

const OTHER = `sha256:${'cd'.repeat(32)}`
const NAME = { registry: 'registry.example.com', repository: REPOSITORY }
const SIGNER: ImageIdentity = { issuer: GITHUB, subject: WORKFLOW }

let sigstore: FakeSigstore
before(async () => {
  sigstore = await FakeSigstore.open()
})

type Stage = {
  readonly registry: FakeRegistry
  readonly trustedRoot: string
  readonly settings: ImageSettings
  /** What is found out about the image. */
  readonly find: (change?: Partial<ImageSettings['registries'][number]>) => Promise<string>
}

async function setStage(t: TestContext, identity: ImageIdentity = SIGNER): Promise<Stage> {
  const registry = await new FakeRegistry().listen(t)
  const trustedRoot = join(scratch(t), 'trusted_root.json')
  writeFileSync(trustedRoot, sigstore.trustedRoot())
  const entry = { name: NAME.registry, url: registry.url, allowPrivate: true }
  const settings = { trustedRoot, identities: [identity], registries: [entry] }
  return {
    registry,
    trustedRoot,
    settings,
    async find(change = {}) {
      const door = createDoor()
      const registries = [{ ...entry, ...change }]
      const { verdict, problem } = await lookup(
        { ...settings, registries },
        door,
      )({
        name: NAME,
        digest: IMAGE,
      })
      return problem === null ? verdict : `${verdict}: ${problem}`
    },
  }
}

suite('an image is verified', () => {
  test('by a statement that the workflow signed about it', async (t) => {
    const { registry, find } = await setStage(t)
    registry.attach(await sigstore.statement(IMAGE))
    assert.equal(await find(), 'verified')
  })

  test('by provenance, or by what cosign signed before there were statements', async (t) => {
    const provenance = await setStage(t)
    const predicateType = 'https://slsa.dev/provenance/v1'
    provenance.registry.attach(await sigstore.statement(IMAGE, { predicateType }))
    assert.equal(await provenance.find(), 'verified')
    const simple = await setStage(t)
    simple.registry.attach(...(await sigstore.simple(IMAGE)))
    assert.equal(await simple.find(), 'verified')
  })

  test('by a good bundle among bad ones, under the referrers tag of a registry without the API', async (t) => {
    const { registry, find } = await setStage(t)
    registry.knowsReferrers = false
    registry.attach('garbage')
    registry.attach(await sigstore.statement(OTHER))
    registry.attach(await sigstore.statement(IMAGE))
    assert.equal(await find(), 'verified')
  })

  test('by a subject of a pattern, which is anchored and whose star ends at a slash', async (t) => {
    const subjectPattern = 'https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main'
    const { registry, find } = await setStage(t, { issuer: GITHUB, subjectPattern })
    const subject = WORKFLOW.replace('acme/planner', 'acme/planner/evil')
    registry.attach(await sigstore.statement(IMAGE, { subject }))
    assert.match(await find(), /^failed: .*signed by/)
    registry.attach(await sigstore.statement(IMAGE))
    assert.equal(await find(), 'verified')
  })

  test('with a token for strangers or for us, and a blob from where the configuration says', async (t) => {
    const { registry, find, trustedRoot } = await setStage(t)
    const elsewhere = await new FakeRegistry().listen(t)
    const bundle = await sigstore.statement(IMAGE)
    registry.attach(bundle)
    elsewhere.attach(bundle)
    Object.assign(registry, { wantsToken: true, blobsAt: elsewhere.url, credentials: 'us:secret' })
    const credentials = `${trustedRoot}.user`
    writeFileSync(credentials, 'us:secret\n')
    const token = { url: `${registry.url}/token`, service: 'registry.example.com' }
    assert.match(await find({ token, blobs: [elsewhere.url] }), /^unknown: .*401/)
    assert.equal(await find({ token, credentials, blobs: [elsewhere.url] }), 'verified')
    assert.deepEqual(
      elsewhere.requests.map(({ authorization }) => authorization),
      [undefined],
      'credentials stay with the registry',
    )
  })
})

type Row = readonly [what: string, signing: Signing, expected: RegExp]

const BAD_STATEMENTS: readonly Row[] = [
  ['about another image', { about: OTHER }, /about another image/],
  ['of another issuer', { issuer: 'https://evil.example' }, /of https:\/\/evil\.example$/],
  ['of an issuer that begins like ours', { issuer: `${GITHUB}.evil.example` }, /signed by/],
  ['of another workflow', { subject: WORKFLOW.replace('planner', 'other') }, /signed by/],
  [
    'whose subject only has ours in it',
    { subject: `https://evil.example/?${WORKFLOW}` },
    /signed by https:\/\/evil/,
  ],
  [
    'whose subject only begins with ours',
    { subject: `${WORKFLOW}-evil` },
    /signed by .*main-evil of/,
  ],
  [
    'whose subject our dots would match as an expression',
    { subject: WORKFLOW.replace('github.com', 'githubXcom') },
    /signed by/,
  ],
  [
    'that is a list of parts and no signature',
    { predicateType: 'https://spdx.dev/Document' },
    /no signature/,
  ],
  ['in another envelope', { payloadType: 'text/plain' }, /its payload is text\/plain/],
  [
    'that is in no log, so that nobody knows when',
    { isLogged: false },
    /inclusion|timestamps|tlog/i,
  ],
  ['logged after its certificate had expired', { loggedAfter: 3600 }, /certificate/],
  ['by another key than that of the certificate', { isForged: true }, /signature/],
]

suite('an image has failed with a statement', () => {
  for (const [what, signing, expected] of BAD_STATEMENTS) {
    test(what, async (t) => {
      const { registry, find } = await setStage(t)
      registry.attach(await sigstore.statement(IMAGE, signing))
      const found = await find()
      assert.match(found, /^failed: sha256:/)
      assert.match(found, expected)
    })
  }
})

/** Changes a member somewhere in a bundle, whatever its depth. */
function tampered(bundle: string, member: string, change: (value: string) => string): string {
  return JSON.stringify(
    JSON.parse(bundle, (name, value) => (name === member ? change(value) : value)),
  )
}
const flipped = (value: string) => `${value[0] === 'M' ? 'N' : 'M'}${value.slice(1)}`

type Break = (stage: Stage) => Promise<unknown> | unknown
type Place = readonly [what: string, breakIt: Break, verdict: Verdict, problem: RegExp]

const good = () => sigstore.statement(IMAGE)

const BROKEN: readonly Place[] = [
  ['no bundle', () => {}, 'failed', /no bundle refers/],
  ['garbage', ({ registry }) => registry.attach('garbage'), 'failed', /./],
  ['an empty object', ({ registry }) => registry.attach('{}'), 'failed', /./],
  [
    'a changed signature',
    async ({ registry }) => registry.attach(tampered(await good(), 'sig', flipped)),
    'failed',
    /signature|tlog/,
  ],
  [
    'a changed payload',
    async ({ registry }) => registry.attach(tampered(await good(), 'payload', flipped)),
    'failed',
    /./,
  ],
  [
    'a changed promise of the log',
    async ({ registry }) =>
      registry.attach(tampered(await good(), 'signedEntryTimestamp', flipped)),
    'failed',
    /promise/,
  ],
  [
    'the log entry of another signature',
    async ({ registry }) => {
      const [ours, other] = [JSON.parse(await good()), JSON.parse(await good())]
      ours.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries
      registry.attach(JSON.stringify(ours))
    },
    'failed',
    /mismatch/,
  ],
  [
    'a payload about another image',
    async ({ registry }) => registry.attach(...(await sigstore.simple(OTHER))),
    'failed',
    /about another image/,
  ],
  [
    'a signature without its payload',
    async ({ registry }) => registry.attach((await sigstore.simple(IMAGE))[0]),
    'failed',
    /no payload/,
  ],
  [
    'a huge bundle',
    async ({ registry }) => registry.attach(`${await good()}${' '.repeat(300_000)}`),
    'failed',
    /has 30\d{4} bytes/,
  ],
  [
    'something of another type',
    async ({ registry }) => registry.attach(await good(), undefined, 'application/spdx+json'),
    'failed',
    /no bundle refers/,
  ],
  [
    'a good bundle behind sixteen bad ones',
    async ({ registry }) => {
      for (let n = 0; n < 16; n += 1) registry.attach(`garbage ${n}`)
      registry.attach(await good())
    },
    'unknown',
    /more refers/,
  ],
  [
    'an index that goes on',
    ({ registry }) => Object.assign(registry, { hasMore: true }),
    'unknown',
    /more refers/,
  ],
  [
    'a registry that fails',
    ({ registry }) => Object.assign(registry, { fault: 'error' }),
    'unknown',
    /answered 500/,
  ],
  [
    'a registry that sends us elsewhere',
    ({ registry }) => Object.assign(registry, { fault: 'redirect' }),
    'unknown',
    /redirects are not followed/,
  ],
  [
    'blobs at an origin that nobody configured',
    async ({ registry }) => {
      registry.attach(await good())
      registry.blobsAt = 'http://127.0.0.2:1'
    },
    'unknown',
    /redirects are not followed/,
  ],
  [
    'a registry that alters what it has',
    async ({ registry }) => {
      registry.attach(await good())
      registry.alter = (body) => `${body} `
    },
    'unknown',
    /something other than sha256:/,
  ],
  [
    'no trusted root',
    async ({ registry, trustedRoot }) => {
      registry.attach(await good())
      rmSync(trustedRoot)
    },
    'unknown',
    /trustedRoot: ENOENT/,
  ],
  [
    'the trusted root of another Sigstore',
    async ({ registry, trustedRoot }) => {
      registry.attach(await good())
      writeFileSync(trustedRoot, (await FakeSigstore.open()).trustedRoot())
    },
    'failed',
    /./,
  ],
]

suite('an image is not verified with', () => {
  for (const [what, breakIt, verdict, problem] of BROKEN) {
    test(`${what}: ${verdict}`, async (t) => {
      const stage = await setStage(t)
      await breakIt(stage)
      const found = await stage.find()
      assert.equal(found.split(':', 1)[0], verdict, found)
      assert.match(found, problem)
    })
  }

  test('a registry that is not configured: unknown, and nobody is asked', async (t) => {
    const { registry, settings } = await setStage(t)
    const name = { registry: 'elsewhere.example', repository: REPOSITORY }
    const { verdict } = await lookup(settings, createDoor())({ name, digest: IMAGE })
    assert.equal(verdict, 'unknown')
    assert.deepEqual(registry.requests, [])
  })
})

test('names of images are read as runtimes read them', () => {
  const rows: readonly (readonly [string, string | null])[] = [
    ['nginx', 'docker.io library/nginx'],
    ['acme/planner:1.2', 'docker.io acme/planner'],
    [`ghcr.io/acme/planner:1@${IMAGE}`, 'ghcr.io acme/planner'],
    ['registry.example.com:5000/a/b/c', 'registry.example.com:5000 a/b/c'],
    ['localhost/app', 'localhost app'],
    [IMAGE.slice(7), `docker.io library/${IMAGE.slice(7)}`],
    ['', null],
    ['ghcr.io/acme/../planner', null],
    ['ghcr.io/Acme/planner', null],
    ['ghcr.io/acme/planner?x', null],
    ['evil.example@ghcr.io/acme', null],
    [`ghcr.io/${'a'.repeat(600)}`, null],
  ]
  for (const [written, expected] of rows) {
    const name = imageName(written)
    assert.equal(name && `${name.registry} ${name.repository}`, expected, written)
  }
})
