/** The signatures of a pod's images as facts of its identity: as good as the weakest of them. */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import type { Verdict } from '../attestors/images/lookup.ts'
import { ImageSignatures } from '../attestors/images/signatures.ts'
import { attest } from './world/attest.ts'
import { settle } from './world/clock.ts'
import { put, STRANGE_UID, setStage } from './world/kubernetes.ts'
import { container, DIGEST, type Draft } from './world/workload.ts'

const OTHER = `sha256:${'b'.repeat(64)}`

/** A cluster whose images are called after what becomes of them; the rest is verified. */
async function setPod(t: TestContext, change: (pod: Draft) => void) {
  const stage = await setStage(t, {
    watches: true,
    settings: { liveness: 'jwks', posture: true },
    signatures: (clock) =>
      new ImageSignatures(
        async ({ name }) => {
          const called = /failed|unknown/.exec(name.repository)?.[0] ?? 'verified'
          return { verdict: called as Verdict, problem: called === 'verified' ? null : called }
        },
        { now: clock.now, warn: () => {} },
      ),
  })
  change(stage.view.objects.pod)
  const facts = async () => {
    const { facts: found } = await attest(stage.attestor, stage.issuer.mint(), stage.clock)
    return { text: found['image.signature'], flag: found['image.signatureVerified'] }
  }
  return { ...stage, facts }
}

type Row = readonly [what: string, change: (pod: Draft) => void, Verdict, grade: 'B' | 'C']

function ephemeral(pod: Draft): void {
  pod.spec.ephemeralContainers = [container('failed-shell')]
}

function byTag(pod: Draft): void {
  pod.spec.containers[0].image = 'registry.example.com/agent:1'
}

const ROWS: readonly Row[] = [
  ['all of them signed', () => {}, 'verified', 'B'],
  [
    'an init container that is not',
    ({ spec }) => put(spec.initContainers[0], 'image', `ghcr.io/failed@${DIGEST}`),
    'failed',
    'B',
  ],
  ['a debug container that is not', ephemeral, 'failed', 'B'],
  [
    'one of which nobody knows',
    ({ spec }) => put(spec.containers[0], 'image', `ghcr.io/unknown@${DIGEST}`),
    'unknown',
    'B',
  ],
  [
    'one that failed beside an unknown one',
    (pod) => {
      ephemeral(pod)
      pod.spec.containers[0].image = `ghcr.io/unknown@${DIGEST}`
    },
    'failed',
    'B',
  ],
  ['one named by tag, whose digest the kubelet reports', byTag, 'verified', 'C'],
  [
    'one named by tag that does not run yet',
    (pod) => {
      byTag(pod)
      pod.status.containerStatuses = []
    },
    'unknown',
    'C',
  ],
  [
    'a volume of an image that is named by tag',
    ({ spec }) => spec.volumes.push({ name: 'model', image: { reference: 'ghcr.io/model:1' } }),
    'unknown',
    'C',
  ],
  [
    'a volume of an image that is not signed',
    ({ spec }) =>
      spec.volumes.push({ name: 'model', image: { reference: `ghcr.io/failed@${DIGEST}` } }),
    'failed',
    'B',
  ],
  [
    'an image that has no name',
    ({ spec }) => put(spec.containers[0], 'image', `../agent@${DIGEST}`),
    'unknown',
    'B',
  ],
  [
    'more images than a pod has',
    ({ spec }) => {
      spec.containers = Array.from({ length: 101 }, (_, n) => container(`agent-${n}`))
    },
    'unknown',
    'C',
  ],
]

suite('a pod with', () => {
  for (const [what, change, verdict, grade] of ROWS) {
    test(`${what}: ${verdict}, grade ${grade}`, async (t) => {
      const { clock, facts } = await setPod(t, change)
      const first = await facts()
      assert.deepEqual([first.text?.value, first.flag], ['unknown', undefined], 'at first sight')
      const then = clock.seconds()
      await settle()
      clock.advance(10)
      const { text, flag } = await facts()
      const common = { grade, source: 'sigstore' }
      const observedAt = verdict === 'unknown' ? text?.observedAt : then
      assert.deepEqual(text, { ...common, value: verdict, observedAt })
      const expected = { ...common, value: verdict === 'verified', observedAt }
      assert.deepEqual(flag, verdict === 'unknown' ? undefined : expected)
    })
  }

  test('what the kubelet reports beside a digest of its own: the pod’s counts', async (t) => {
    const { view, facts } = await setPod(t, ({ status }) =>
      put(status.containerStatuses[0], 'imageID', `registry.example.com/agent@${OTHER}`),
    )
    await facts()
    await settle()
    assert.equal((await facts()).text?.value, 'verified')
    assert.equal(view.pod('agents', 'planner-0')?.images?.[0]?.digest, DIGEST)
  })
})

suite('nothing is known of the images of', () => {
  const rows: readonly (readonly [string, (stage: Awaited<ReturnType<typeof setPod>>) => void])[] =
    [
      ['a namesake', ({ view }) => put(view.objects.pod.metadata, 'uid', STRANGE_UID)],
      ['a pod that is gone', ({ view }) => put(view.objects, 'pod', null)],
      ['pods that cannot be believed', ({ view }) => void view.stale.add('pods')],
    ]
  for (const [what, breakIt] of rows) {
    test(what, async (t) => {
      const stage = await setPod(t, () => {})
      await stage.facts()
      await settle()
      breakIt(stage)
      const { text, flag } = await stage.facts()
      assert.deepEqual([text?.value, flag], ['unknown', undefined])
    })
  }

  test('an entry without images, which says nothing about them at all', async (t) => {
    const stage = await setStage(t, { watches: true })
    const { facts } = await attest(stage.attestor, stage.issuer.mint(), stage.clock)
    assert.ok(!('image.signature' in facts) && !('image.signatureVerified' in facts))
    assert.ok(!('images' in stage.attestor.health()))
  })
})
