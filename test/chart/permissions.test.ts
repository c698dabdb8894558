/** Each way to show that a workload still exists works with the permissions that the chart gives for it, and no others. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Release, withoutCluster } from './release.ts'

const skip = withoutCluster()

/** What `kubectl auth can-i` says of each; the service account may always ask about itself. */
const WANTED = [
  ['jwks', { pods: 'no', tokenreviews: 'no' }],
  ['tokenreview', { pods: 'no', tokenreviews: 'yes' }],
] as const

test('liveness jwks and tokenreview pass helm test with their own rules alone', {
  skip,
}, async (t) => {
  const release = await Release.prepare(t)
  for (const [index, [liveness, wanted]] of WANTED.entries()) {
    await release.apply(index === 0 ? 'install' : 'upgrade', { cluster: { liveness } })
    const { code, out, err } = await release.test()
    assert.equal(code, 0, `${liveness}\n${out}\n${err}`)
    const account = `--as=system:serviceaccount:${release.namespace.name}:countersign`
    const may = async (verb: string, kind: string) => {
      const args = ['auth', 'can-i', verb, kind, '--all-namespaces', account]
      return (await release.namespace.cluster.kubectl(args).catch(() => 'no')).trim()
    }
    assert.deepEqual(
      {
        pods: await may('list', 'pods'),
        tokenreviews: await may('create', 'tokenreviews.authentication.k8s.io'),
      },
      wanted,
      liveness,
    )
  }
})
