/**
 * A cluster of 10,000 pods and 500 nodes: how long the first list takes, what it costs the requests beside it, how much
 * memory the copy takes, and how far it lags behind 1,000 changes a second. Fails where a limit is not kept.
 * `node test/bench/reflector.ts [pods] [nodes]`.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { clusterApi } from '../../attestors/kubernetes/client.ts'
import { clusterView } from '../../attestors/kubernetes/clusterview.ts'
import { createDoor } from '../../src/net/fetch.ts'
import type { JsonObject } from '../../src/net/json.ts'
import { systemTimers } from '../../src/net/timers.ts'
import { PROJECTIONS } from '../world/view.ts'
import { largePod, namespaceName } from './pods.ts'
import type { Churn } from './servers/apiserver.ts'

const PODS = Number(process.argv[2] ?? 10_000)
const NODES = Number(process.argv[3] ?? 500)
const CHURN: Churn = { perSecond: 1_000, seconds: 10 }
const STALL_LIMIT_MS = 50
const MEMORY_LIMIT_MB = 60
const DOUBTS: string[] = []

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Memory that is held now: of the heap, outside of it, and of the whole process. */
async function memory() {
  // Some of it is freed only by finalizers, in a later turn.
  for (let round = 0; round < 3; round += 1) {
    collect()
    await pause(300)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { held: (heapUsed + external) / 1e6, rss: rss / 1e6 }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Prints the pauses of the event loop. Returns the 99th percentile in milliseconds. */
function report(title: string, delay: ReturnType<typeof monitorEventLoopDelay>): number {
  const [middle, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map(
    (nanos) => nanos / 1e6,
  ) as [number, number, number]
  say(
    `${title}: event loop p50 ${middle.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${most.toFixed(1)} ms`,
  )
  return p99
}

async function measured(title: string, work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await work()
  delay.disable()
  return report(title, delay)
}

/** Measures work whose pauses have to stay below the limit. */
async function judged(title: string, work: () => Promise<unknown>): Promise<void> {
  const p99 = await measured(title, work)
  if (p99 >= STALL_LIMIT_MS) {
    DOUBTS.push(`${title}: p99 is ${p99.toFixed(1)} ms, not below ${STALL_LIMIT_MS} ms`)
  }
}

const lags: number[] = []
const project = {
  ...PROJECTIONS,
  pods(object: JsonObject) {
    const { labels } = object['metadata'] as { labels?: { version?: string } }
    const changedAt = Number(labels?.version)
    if (!Number.isNaN(changedAt)) lags.push(Date.now() - changedAt)
    return PROJECTIONS.pods(object)
  },
}

async function run(child: ChildProcess): Promise<void> {
  const [{ kubeconfig, podBytes }] = await once(child, 'message')
  say(`${PODS} pods of ${(podBytes / 1000).toFixed(1)} kB, ${NODES} nodes, over TLS`)
  const world = { door: createDoor(), timers: systemTimers, now: Date.now }
  const api = clusterApi({ kubeconfig }, world)
  const beforeLibrary = await memory()
  // The client library is loaded, the first connection made: idle.
  await api.get('/api/v1/nodes/node-0')
  const idle = await memory()
  say(
    `idle: ${idle.held.toFixed(1)} MB held, of which ${(idle.held - beforeLibrary.held).toFixed(1)} MB are the client library`,
  )
  const warn = (detail: object, sentence: string) => say(`${sentence} ${JSON.stringify(detail)}`)
  const view = clusterView({ api, project, warn, now: world.now, timers: world.timers })
  try {
    await measured('doing nothing, for comparison', () => pause(2_000))
    const begun = performance.now()
    await judged('first list', () => view.start())
    say(`synced in ${((performance.now() - begun) / 1000).toFixed(2)} s`)
    const expected = largePod(PODS - 1, '').metadata.name
    if (view.pod(namespaceName(PODS - 1), expected) === undefined)
      throw new Error('a pod is missing')
    const full = await memory()
    const grown = full.held - idle.held
    say(
      `memory above idle: ${grown.toFixed(1)} MB held (${((grown * 1e6) / PODS).toFixed(0)} bytes a pod), ${(full.rss - idle.rss).toFixed(1)} MB of the process`,
    )
    if (grown >= MEMORY_LIMIT_MB) DOUBTS.push(`memory is not below ${MEMORY_LIMIT_MB} MB`)

    const { user, system } = process.cpuUsage()
    child.send(CHURN)
    const changed = once(child, 'message')
    await judged(`${CHURN.perSecond} changes a second`, async () => {
      await changed
      while (lags.length < CHURN.perSecond * CHURN.seconds) await pause(10)
    })
    const [{ seconds }] = await changed
    const cpu = process.cpuUsage({ user, system })
    lags.sort((a, b) => a - b)
    const at = (share: number) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))]
    say(
      `watch lag: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms; ${lags.length} changes in ${seconds.toFixed(1)} s, ${(((cpu.user + cpu.system) / 1e6 / seconds) * 100).toFixed(0)} % of a core`,
    )
    const later = await memory()
    say(`memory after that: ${(later.held - idle.held).toFixed(1)} MB held above idle`)
    if (later.held - idle.held >= MEMORY_LIMIT_MB) DOUBTS.push('memory has grown with the changes')
  } finally {
    view.close()
  }
}

const script = resolve(import.meta.dirname, 'servers/apiserver.ts')
const child = fork(script, [JSON.stringify({ pods: PODS, nodes: NODES })])
try {
  await run(child)
} finally {
  child.disconnect()
}
for (const doubt of DOUBTS) say(`not kept: ${doubt}`)
process.exitCode = DOUBTS.length === 0 ? 0 : 1
