/** The world of the policy tests: one cluster, one audience, one zone, and questions to ask about them. */

import { readFileSync } from 'node:fs'
import type { AuditEvent } from '../../src/audit.ts'
import type { Fact, Facts } from '../../src/identity.ts'
import { openCedar } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import { parsePolicy } from '../../src/policy/eval/parse.ts'
import { compile, type Generation, policyOf } from '../../src/policy/generation.ts'
import type { Party, Question } from '../../src/policy/question.ts'
import type { PolicySettings, SourceFile } from '../../src/policy/settings.ts'
import { split } from '../../src/policy/split.ts'

export const AUDIENCE = 'https://mcp.example.com'

export const SETTINGS: PolicySettings = {
  audiences: [
    { audience: AUDIENCE, scopes: ['trades:read', 'trades:write'], groups: ['trading'] },
    { audience: 'https://files.example.com', scopes: ['files:read'], groups: [] },
  ],
  anchors: [
    {
      trust: 'kubernetes:prod-eu',
      entity: { type: 'Cluster', id: 'prod-eu' },
      environment: 'production',
    },
    { trust: 'kubernetes:dev', entity: { type: 'Cluster', id: 'dev' }, environment: null },
  ],
  zones: ['Europe/Berlin'],
  calendars: [
    {
      name: 'change-freeze',
      zone: 'Europe/Berlin',
      ranges: [{ from: '2026-12-24', to: '2027-01-02' }],
    },
  ],
  groups: [
    {
      name: 'payments-jobs',
      members: [{ type: 'ServiceAccount', id: 'prod-eu/payments/settlement' }],
    },
  ],
}

/** Thursday 2026-11-19, 10:00 in Berlin. */
export const THURSDAY = epoch('2026-11-19T09:00:00Z')

/** An ISO instant in epoch seconds. */
export function epoch(iso: string): number {
  return Date.parse(iso) / 1000
}

/** A fact of grade A. */
export function fact(value: Fact['value']): Fact {
  return { value, grade: 'A', source: 'test', observedAt: THURSDAY }
}

/** A service account with all its facts. */
export function workload(
  cluster: string,
  namespace: string,
  name: string,
  facts: Facts = {},
): Party {
  return {
    kind: 'kubernetes',
    trust: `kubernetes:${cluster}`,
    uri: `k8s://${cluster}/ns/${namespace}/sa/${name}`,
    principal: { type: 'ServiceAccount', id: `${cluster}/${namespace}/${name}` },
    ancestry: [
      { type: 'Namespace', id: `${cluster}/${namespace}` },
      { type: 'Cluster', id: cluster },
    ],
    facts: {
      cluster: fact(cluster),
      namespace: fact(namespace),
      name: fact(name),
      uid: fact('11111111-1111-1111-1111-111111111111'),
      'pod.name': fact('settlement-0'),
      'pod.uid': fact('22222222-2222-2222-2222-222222222222'),
      ...facts,
    },
  }
}

export const SETTLEMENT: Party = workload('prod-eu', 'payments', 'settlement')

/** Settlement asks to read trades on a Thursday morning, unless told otherwise. */
export function question(change: Partial<Question> = {}): Question {
  const actor = change.actor ?? SETTLEMENT
  return {
    version: 1,
    at: THURSDAY,
    sourceIp: '10.1.2.3',
    place: null,
    operation: 'issue',
    audience: AUDIENCE,
    scopes: ['trades:read'],
    requestedTtl: 900,
    sender: 'bearer',
    actor,
    subject: actor.uri,
    chain: [],
    delegationDepth: 0,
    user: null,
    attestationAge: 30,
    ...change,
  }
}

const PARSER = openCedar()

/** Compiles text that parses, without the worker: for what the validator would refuse, and for speed. */
export function compiled(text: string, settings = SETTINGS): Generation {
  const accepted = split({ path: 'test.cedar', text }).map((piece) => {
    const parsed = parsePolicy(PARSER, piece.text)
    if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
    return policyOf({ piece, json: parsed.json })
  })
  return compile(accepted, settings)
}

/** The files of a folder of `policies/`, by their names. */
export function shipped(...paths: string[]): SourceFile[] {
  return paths.map((path) => ({
    path,
    text: readFileSync(new URL(`../../policies/${path}`, import.meta.url), 'utf8'),
  }))
}

/** The event that the broker writes for a question, decided under a generation. `n` makes its id. */
export function recordedEvent(n: number, asked: Question, generation: Generation): AuditEvent {
  const decision = decide(asked, generation)
  return {
    version: 1,
    id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    at: new Date(asked.at * 1000).toISOString(),
    outcome: decision.permitted ? 'issued' : 'refused',
    reason: decision.permitted ? null : 'policy_denied',
    detail: {},
    grantType: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    evidence: [],
    question: asked,
    decision,
    token: null,
  }
}
