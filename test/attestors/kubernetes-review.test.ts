import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { suite, test } from 'node:test'
import type { Workload } from '../../attestors/kubernetes/profile.ts'
import { checkReview } from '../../attestors/kubernetes/review.ts'
import type { Reason } from '../../src/refusal.ts'
import { attest, refused } from '../world/attest.ts'
import { settle } from '../world/clock.ts'
import { POD_UID } from '../world/cluster.ts'
import { AUDIENCE, put, STRANGE_UID, setStage } from '../world/kubernetes.ts'

suite('TokenReview', () => {
  test('a token of a living pod is accepted, and the API saw it with our audience', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    const token = issuer.mint()
    await attest(attestor, token, clock)
    assert.deepEqual(issuer.reviews, [{ token, audiences: [AUDIENCE] }])
  })

  test('a token of a deleted pod is evidence_revoked', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    issuer.deleted.add(POD_UID)
    await refused(attest(attestor, issuer.mint(), clock), 'evidence_revoked')
  })

  test('a forged token is never shown to the API', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    const token = issuer.mint()
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.AAAA`
    await refused(attest(attestor, forged, clock), 'signature_invalid')
    await refused(
      attest(
        attestor,
        issuer.mint(({ own }) => void delete own['pod']),
        clock,
      ),
      'token_unbound',
    )
    assert.deepEqual(issuer.reviews, [])
  })

  for (const fault of [
    'redirect',
    'error',
    'reset',
    'endless',
    'media_type',
    'truncated',
  ] as const) {
    test(`an API that answers with ${fault} is review_unavailable, and is asked again`, async (t) => {
      const { clock, issuer, attestor } = await setStage(t, { reviews: true })
      await attestor.start()
      issuer.fault = fault
      await refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
      issuer.fault = null
      await attest(attestor, issuer.mint(), clock)
    })
  }

  test('an API that does not answer within five seconds is review_unavailable', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    await attestor.start()
    issuer.fault = 'slow'
    const reached = issuer.reached()
    const answer = refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
    await reached
    clock.advance(5)
    await answer
  })

  test('a kubeconfig whose login command hangs is review_unavailable after five seconds', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    await attestor.start()
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['0.2'] }
    issuer.kubeconfig({ exec })
    const answer = refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
    await settle()
    clock.advance(5)
    await answer
    assert.deepEqual(issuer.reviews, [])
  })

  test('a kubeconfig that cannot be read is review_unavailable, and is read again', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    rmSync(issuer.kubeconfig())
    await refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
    issuer.kubeconfig()
    await attest(attestor, issuer.mint(), clock)
  })

  test('a reviewer without permission is told which permission', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    issuer.kubeconfig({ token: 'expired-token' })
    const refusal = await refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
    assert.match(String(refusal.detail['problem']), /403.*system:auth-delegator/)
  })

  test('more reviews than the limit are refused, not queued', async (t) => {
    const { clock, issuer, attestor } = await setStage(t, { reviews: true })
    await attestor.start()
    issuer.fault = 'slow'
    const reached = issuer.reached()
    const waiting = Array.from({ length: 64 }, () =>
      refused(attest(attestor, issuer.mint(), clock), 'review_unavailable'),
    )
    await reached
    const refusal = await refused(attest(attestor, issuer.mint(), clock), 'review_unavailable')
    assert.match(String(refusal.detail['problem']), /already under way/)
    clock.advance(5)
    await Promise.all(waiting)
  })
})

suite('an answer of TokenReview', () => {
  const uid = '74cfa759-eea1-4ce4-aa19-5d0ffdbfeffc'
  const workload: Workload = {
    namespace: 'agents',
    serviceAccount: { name: 'planner', uid },
    pod: { name: 'planner-0', uid: POD_UID },
    node: { name: 'node-1', uid: STRANGE_UID },
    jti: 'c85e5f8b-ac5c-4bf7-a80b-855517709007',
  }
  const good = () => {
    const extra: Record<string, string[]> = {
      'authentication.kubernetes.io/credential-id': [`JTI=${workload.jti}`],
      'authentication.kubernetes.io/pod-name': ['planner-0'],
      'authentication.kubernetes.io/pod-uid': [POD_UID],
      'authentication.kubernetes.io/node-name': ['node-1'],
      'authentication.kubernetes.io/node-uid': [STRANGE_UID],
    }
    const user = { username: 'system:serviceaccount:agents:planner', uid, extra }
    const status = { authenticated: true, audiences: [AUDIENCE], user }
    return { status, user, extra }
  }
  type Answer = ReturnType<typeof good>
  const rows: readonly (readonly [string, (answer: Answer) => void, Reason])[] = [
    ['not authenticated', ({ status }) => put(status, 'authenticated', false), 'evidence_revoked'],
    [
      'authenticated in a string',
      ({ status }) => put(status, 'authenticated', 'true'),
      'evidence_revoked',
    ],
    [
      'an error beside authenticated',
      ({ status }) => put(status, 'error', 'x'),
      'evidence_revoked',
    ],
    [
      'no audiences (an authenticator that ignores them)',
      ({ status }) => put(status, 'audiences', []),
      'audience_wrong',
    ],
    ['other audiences', ({ status }) => put(status, 'audiences', ['x']), 'audience_wrong'],
    ['another user', ({ user }) => put(user, 'username', 'system:admin'), 'subject_mismatched'],
    [
      'a service account made anew',
      ({ user }) => put(user, 'uid', STRANGE_UID),
      'subject_mismatched',
    ],
    [
      'another pod',
      ({ extra }) => put(extra, 'authentication.kubernetes.io/pod-uid', [STRANGE_UID]),
      'subject_mismatched',
    ],
    [
      'no pod',
      ({ extra }) => void delete extra['authentication.kubernetes.io/pod-uid'],
      'subject_mismatched',
    ],
    [
      'another node',
      ({ extra }) => put(extra, 'authentication.kubernetes.io/node-name', ['x']),
      'subject_mismatched',
    ],
    [
      'another token',
      ({ extra }) => put(extra, 'authentication.kubernetes.io/credential-id', ['JTI=x']),
      'subject_mismatched',
    ],
  ]

  test('that names the same workload is accepted', () => {
    checkReview(good().status, workload, AUDIENCE)
  })

  for (const [what, breakIt, reason] of rows) {
    test(`with ${what} is refused as ${reason}`, async () => {
      const answer = good()
      breakIt(answer)
      await refused(() => checkReview(answer.status, workload, AUDIENCE), reason)
    })
  }
})
