/** The fake API server of `reflector.ts`, in a process of its own: what it does must not count as ours. */

import { FakeApiServer } from '../../world/apiserver.ts'
import { selfSigned } from '../../world/certificate.ts'
import { largeNode, largePod, namespaceName, uid } from '../pods.ts'

/** What the bench asks for: how many objects there are, then changes at a steady rate. */
export type Size = { readonly pods: number; readonly nodes: number }
export type Churn = { readonly perSecond: number; readonly seconds: number }

const TICK_MS = 10

process.on('disconnect', () => process.exit(0))
const size = JSON.parse(process.argv[2] ?? '{}') as Size
const server = await new FakeApiServer(selfSigned('localhost')).listen()
for (let index = 0; index < size.pods; index += 1) server.put('pods', largePod(index, 'first'))
for (let index = 0; index < size.nodes; index += 1) server.put('nodes', largeNode(index))
for (let index = 0; index < 50; index += 1) {
  server.put('namespaces', { metadata: { name: namespaceName(index), uid: uid('e', index) } })
}
for (let index = 0; index < 1_000; index += 1) {
  const namespace = namespaceName(index)
  server.put('serviceaccounts', {
    metadata: { namespace, name: `service-${index}`, uid: uid('f', index) },
  })
}
const podBytes = JSON.stringify(largePod(0, 'first')).length
process.send?.({ kubeconfig: server.kubeconfig(), podBytes })

process.on('message', ({ perSecond, seconds }: Churn) => {
  const begun = performance.now()
  let done = 0
  const timer = setInterval(() => {
    const due = Math.min(perSecond * seconds, ((performance.now() - begun) / 1000) * perSecond)
    // The time at which it was changed travels with it.
    for (; done < due; done += 1) {
      server.put('pods', largePod((done * 7919) % size.pods, String(Date.now())))
    }
    if (done < perSecond * seconds) return
    clearInterval(timer)
    server.put('nodes', { ...largeNode(0), spec: { unschedulable: true } })
    process.send?.({ changes: done, seconds: (performance.now() - begun) / 1000 })
  }, TICK_MS)
})
