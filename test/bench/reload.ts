/**
 * What a reload costs the requests beside it: 10 changed files out of 10,000 policies. Prints its time and
 * the longest pause of the main thread; `node test/bench/reload.ts [policies]`.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { keepPolicies } from '../../src/policies.ts'
import type { PolicySettings } from '../../src/policy/settings.ts'

const POLICIES = Number(process.argv[2] ?? 10_000)
const PER_FILE = 10
const CHANGED = 10
const AUDIENCES = 12

const settings: PolicySettings = {
  audiences: Array.from({ length: AUDIENCES }, (_, index) => ({
    audience: audience(index),
    scopes: Array.from({ length: 10 }, (_, scope) => `service${index}:scope${scope}`),
    groups: [],
  })),
  anchors: [
    {
      trust: 'kubernetes:prod',
      entity: { type: 'Cluster', id: 'prod' },
      environment: 'production',
    },
  ],
  zones: ['Europe/Berlin'],
  calendars: [{ name: 'freeze', zone: 'Europe/Berlin', ranges: [] }],
  groups: [],
}

function audience(index: number): string {
  return `https://api${index % AUDIENCES}.example.com`
}

/** Nine in ten speak for one workload; the others for a namespace, or forbid. */
function policy(index: number, version: number): string {
  const namespace = `team${index % 400}`
  const head = `@id("p${index}")\n@owner("team-${index % 400}")\n`
  const action = `action in [Action::"service${index % AUDIENCES}:scope${index % 10}"]`
  const target = `${action},\n  resource == Audience::"${audience(index)}"`
  const conditions = [
    `when { principal.namespace == "${namespace}" && principal.name like "w*" }`,
    `when { context.now["Europe/Berlin"].weekday <= 5 && context.requestedTtl <= ${3600 + index} }`,
    `unless { context.calendar["freeze"] || context.attestationAge > ${600 + version} }`,
  ].join('\n')
  if (index % 50 === 49) {
    const outside = '!(context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")))'
    return `${head}forbid (principal in Namespace::"prod/${namespace}", ${target})\nwhen { ${outside} || context.requestedTtl > ${90_000 + index} };\n`
  }
  const who =
    index % 10 === 8
      ? `in Namespace::"prod/${namespace}"`
      : `== ServiceAccount::"prod/${namespace}/w${index}"`
  return `${head}@ttl("5m")\npermit (\n  principal ${who},\n  ${target}\n)\n${conditions};\n`
}

function file(index: number, version: number): string {
  return Array.from({ length: PER_FILE }, (_, at) => policy(index * PER_FILE + at, version)).join(
    '\n',
  )
}

async function measured(title: string, work: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.disable()
  const pause = (delay.max / 1e6).toFixed(1)
  process.stdout.write(`${title}: ${seconds.toFixed(2)} s, longest pause ${pause} ms\n`)
}

const folder = await mkdtemp(join(tmpdir(), 'countersign-reload-'))
try {
  await mkdir(join(folder, 'policies'))
  const path = (index: number) =>
    join(folder, 'policies', `${String(index).padStart(5, '0')}.cedar`)
  const files = Math.ceil(POLICIES / PER_FILE)
  for (let index = 0; index < files; index++) await writeFile(path(index), file(index, 0))
  const options = {
    path: join(folder, 'policies'),
    settings,
    warn: (detail: object, sentence: string) => {
      process.stdout.write(`${sentence} ${JSON.stringify(detail).slice(0, 300)}\n`)
    },
    now: () => Date.now(),
  }
  await measured(
    'doing nothing, for comparison',
    () => new Promise((done) => setTimeout(done, 2000)),
  )
  const kept: Awaited<ReturnType<typeof keepPolicies>>[] = []
  await measured(`first load of ${POLICIES} policies`, async () => {
    kept.push(await keepPolicies(options))
  })
  for (let version = 1; version <= 3; version++) {
    for (let at = 0; at < CHANGED; at++) {
      const index = Math.floor((at * files) / CHANGED)
      await writeFile(path(index), file(index, version))
    }
    await measured(`reload ${version} of ${CHANGED} changed files`, async () => {
      const problems = await kept[0]?.reload()
      const generation = kept[0]?.current()
      if (generation?.policies.size !== POLICIES) throw new Error(JSON.stringify(problems))
    })
  }
} finally {
  await rm(folder, { recursive: true })
}
