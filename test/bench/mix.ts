/**
 * The mix of policies that decisions are measured with: nine in ten for one workload, most others for a
 * namespace or a group, one in fifty a forbid, each of three to six conditions; and requests with every fact known.
 */

import type { Fact, Facts } from '../../src/identity.ts'
import { openCedar } from '../../src/policy/cedar.ts'
import { parsePolicy } from '../../src/policy/eval/parse.ts'
import { compile, type Generation, policyOf } from '../../src/policy/generation.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import type { Party, Question } from '../../src/policy/question.ts'
import type { PolicySettings } from '../../src/policy/settings.ts'
import { split } from '../../src/policy/split.ts'
import { type Random, random } from '../differential/random.ts'

const AUDIENCES = Array.from({ length: 4 }, (_, index) => `https://mcp${index}.example.com`)
const SCOPES = [
  'trades:read',
  'trades:write',
  'orders:read',
  'orders:write',
  'files:read',
  'files:write',
]
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Tokyo']
const CALENDARS = ['change-freeze', 'holidays-de', 'holidays-us']
const AT = Date.parse('2026-11-19T09:00:00Z') / 1000

/** About how many policies are for one workload. */
const EACH = 28

type Workload = { readonly namespace: string; readonly name: string; readonly group: string }

function workloads(policies: number): Workload[] {
  return Array.from({ length: Math.max(1, Math.round(policies / EACH)) }, (_, index) => ({
    namespace: `team-${index % Math.max(1, Math.round(policies / 50))}`,
    name: `service-${index}`,
    group: `jobs-${index % Math.max(1, Math.round(policies / 90))}`,
  }))
}

function groupOf({ group }: Workload): string {
  return group
}

/** Teams write alike, but not the same: each condition comes with one of a few values. */
const CONDITIONS: readonly ((value: number) => string)[] = [
  (value) => `principal.node.ready && principal.node.kubelet.minor >= ${26 + value}`,
  () => 'principal has image && principal.image has digestPinned && principal.image.digestPinned',
  (value) =>
    `principal has podLabels && principal.podLabels.contains("${value < 4 ? 'app=batch' : 'tier=backend'}")`,
  (value) => `principal.pod.name like "service-*${value < 4 ? '' : '0'}"`,
  (value) => `context.now["Europe/Berlin"].weekday <= ${value < 4 ? 5 : 6}`,
  (value) => `context.now["America/New_York"].timeOfDay < duration("${16 + value}h")`,
  (value) => `context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/${8 - value}"))`,
  (value) =>
    `context.requestedTtl <= ${3600 - 300 * value} && context.attestationAge < ${600 - value}`,
  (value) => `context.sender == "${value < 4 ? 'bearer' : 'mtls'}" || context.sender != "dpop"`,
  (value) => `context.time > datetime("202${value < 4 ? value : 0}-01-01")`,
  () => '["amd64", "arm64"].contains(principal.node.architecture)',
]

/** A policy of the mix; `index` counts them. */
function policy(index: number, population: readonly Workload[], by: Random): string {
  const picked = by.pick(population)
  const { namespace, name } = picked
  const kind = by.below(100)
  const forbids = kind < 2
  const principal =
    kind < 6
      ? `principal in Namespace::"prod-eu/${namespace}"`
      : kind < 10
        ? `principal in Group::"${groupOf(picked)}"`
        : `principal == ServiceAccount::"prod-eu/${namespace}/${name}"`
  const scopes = SCOPES.filter(() => by.chance(0.5)).map((scope) => `Action::"${scope}"`)
  const action = scopes.length > 0 && !forbids ? `action in [${scopes.join(', ')}]` : 'action'
  const audience = `resource == Audience::"${by.pick(AUDIENCES)}"`
  const when = forbids
    ? 'when { context.calendar["change-freeze"] && principal.cluster == "prod-eu" && context.sender != "mtls" }'
    : `when { ${Array.from({ length: 3 + by.below(4) }, () => by.pick(CONDITIONS)(by.below(5))).join(' && ')} }`
  return `@id("p${index}") ${forbids ? 'forbid' : 'permit'} (${principal}, ${action}, ${audience}) ${when};`
}

function facts({ namespace, name }: Workload): Facts {
  const values: Readonly<Record<string, Fact['value']>> = {
    cluster: 'prod-eu',
    namespace,
    name,
    'pod.name': `${name}-0`,
  }
  const typed: Readonly<Record<string, Fact['value']>> = {
    String: 'amd64',
    Long: 31,
    Bool: true,
    'Set<String>': ['app=batch', 'tier=backend'],
  }
  return Object.fromEntries(
    Object.entries(PRINCIPALS['ServiceAccount']?.attributes ?? {}).map(
      ([path, { type, grade }]) => [
        path,
        { value: values[path] ?? typed[type] ?? '', grade, source: 'bench', observedAt: AT },
      ],
    ),
  )
}

function party(workload: Workload): Party {
  const { namespace, name } = workload
  return {
    kind: 'kubernetes',
    trust: 'kubernetes:prod-eu',
    uri: `k8s://prod-eu/ns/${namespace}/sa/${name}`,
    principal: { type: 'ServiceAccount', id: `prod-eu/${namespace}/${name}` },
    ancestry: [
      { type: 'Namespace', id: `prod-eu/${namespace}` },
      { type: 'Cluster', id: 'prod-eu' },
    ],
    facts: facts(workload),
  }
}

function question(workload: Workload, index: number, by: Random): Question {
  const actor = party(workload)
  return {
    version: 1,
    // Many requests share a second.
    at: AT + Math.floor(index / 250),
    sourceIp: `10.${by.below(256)}.${by.below(256)}.7`,
    place: { country: 'DE', continent: 'EU', asn: 3320, builtAt: AT - 86_400 },
    operation: 'issue',
    audience: by.pick(AUDIENCES),
    scopes: ['trades:read', 'orders:read', 'files:write'],
    requestedTtl: 900,
    sender: 'bearer',
    actor,
    subject: actor.uri,
    chain: [],
    delegationDepth: 0,
    user: null,
    attestationAge: 30,
  }
}

/** Policies of a number, and requests about them. */
export type World = {
  readonly size: number
  readonly generation: Generation
  readonly questions: readonly Question[]
}

/** For everything here that is parsed. */
export const CEDAR = openCedar()

/** The mix at a size; the same each time. */
export function world(size: number): World {
  const by = random(size)
  const population = workloads(size)
  const settings: PolicySettings = {
    audiences: AUDIENCES.map((audience) => ({ audience, scopes: SCOPES, groups: [] })),
    anchors: [
      {
        trust: 'kubernetes:prod-eu',
        entity: { type: 'Cluster', id: 'prod-eu' },
        environment: 'production',
      },
    ],
    zones: ZONES,
    calendars: CALENDARS.map((name) => ({
      name,
      zone: 'Europe/Berlin',
      ranges: [{ from: '2026-12-24', to: '2027-01-02' }],
    })),
    groups: [...Map.groupBy(population, groupOf)].map(([name, members]) => ({
      name,
      members: members.map((each) => party(each).principal),
    })),
  }
  const text = Array.from({ length: size }, (_, index) => policy(index, population, by)).join('\n')
  const policies = split({ path: 'bench.cedar', text }).map((piece) => {
    const parsed = parsePolicy(CEDAR, piece.text)
    if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
    return policyOf({ piece, json: parsed.json })
  })
  // Few enough to stay in the processor's cache: facts have just been verified when a decision begins.
  const questions = Array.from({ length: 500 }, (_, index) =>
    question(by.pick(population), index, by),
  )
  return { size, generation: compile(policies, settings), questions }
}
