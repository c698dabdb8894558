/**
 * `countersign demo`: the whole job as a story, offline. It talks to the broker over HTTP like anybody else, and
 * exits 1 if any step differs from what it says.
 */

import { Writable } from 'node:stream'
import { ADVICE } from '../advice.ts'
import { verifier } from '../resource/index.ts'
import { epochSeconds } from '../units.ts'
import type { Command, Terminal } from './command.ts'
import { type Page, page } from './page.ts'
import { type Playground, packagePath, playground, SAMPLE_RESOURCE } from './playground.ts'
import { freePorts } from './ports.ts'
import type { StandInPod } from './standin.ts'

const SETTLEMENT: StandInPod = { namespace: 'payments', serviceAccount: 'settlement' }
/** Thursday, 10:15 in Berlin. */
const IN_HOURS = Date.parse('2026-11-19T09:15:00Z')
/** The same day, 22:40 in Berlin. */
const AFTER_HOURS = Date.parse('2026-11-19T21:40:00Z')
const LIFETIME = 600

type Answer = {
  readonly status: number
  readonly requestId: string
  readonly body: Readonly<Record<string, string | number | undefined>>
}

type Refused = {
  readonly title: string
  readonly pod: StandInPod
  readonly clock: number
  readonly audience?: string
  /** How long ago the token was minted, seconds. */
  readonly age?: number
  readonly expect: { readonly error: string; readonly reason: string }
}

const REFUSED: readonly Refused[] = [
  {
    title: 'The wrong namespace: a pod of staging asks',
    pod: { namespace: 'staging', serviceAccount: 'settlement' },
    clock: IN_HOURS,
    expect: { error: 'invalid_scope', reason: 'policy_denied' },
  },
  {
    title: 'Outside working hours: the same pod, 22:40',
    pod: SETTLEMENT,
    clock: AFTER_HOURS,
    expect: { error: 'invalid_scope', reason: 'policy_denied' },
  },
  {
    title: 'The wrong audience: a token made for another service',
    pod: SETTLEMENT,
    clock: IN_HOURS,
    audience: 'https://vault.example.com',
    expect: { error: 'invalid_grant', reason: 'audience_wrong' },
  },
  {
    title: 'An expired token: the file was read once and kept',
    pod: SETTLEMENT,
    clock: IN_HOURS,
    age: LIFETIME + 60,
    expect: { error: 'invalid_grant', reason: 'token_expired' },
  },
]

export const command: Command = {
  usage: 'usage: countersign demo\n\nShows the whole job, offline, and exits.',
  async run(_args, terminal) {
    let now = IN_HOURS
    const started = performance.now()
    const [port = 0, adminPort = 0] = await freePorts(2)
    const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
    const ground = await playground({
      policies: 'examples/working-hours',
      port,
      adminPort,
      now: () => now,
      auditStream: silent(),
      logStream: silent(),
    })
    const story = page(terminal)
    try {
      introduce(story, ground)
      await tellSuccess(story, ground, () => now)
      story.chapter(
        '4',
        'What must be refused is refused. The caller hears one sentence; you read why.',
      )
      for (const refused of REFUSED) {
        now = refused.clock
        await tellRefusal(story, ground, refused)
      }
    } finally {
      await ground.close()
    }
    return ending(story, terminal, performance.now() - started)
  },
}

function introduce(story: Page, { cluster, running, policiesPath }: Playground): void {
  const { policies } = running.broker.policies.status()
  story.title('Countersign: a pod, its own token, and no secret anywhere')
  story.chapter(
    '1',
    'A cluster signs identities. The broker trusts that cluster and reads policies.',
  )
  story.fact(
    'cluster',
    `prod-eu, keys at ${cluster.issuer} (a stand-in; all else is the real thing)`,
  )
  story.fact('broker', running.publicUrl)
  story.fact('policies', `${policies}, in ${fromPackage(policiesPath)}`)
}

async function tellSuccess(story: Page, ground: Playground, now: () => number): Promise<void> {
  story.chapter(
    '2',
    'Thursday, 10:15 in Berlin. payments/settlement shows the token its kubelet mounted.',
  )
  const answer = await ask(ground, SETTLEMENT, 'trades:read trades:write', { clock: now() })
  story.fact('asks for', 'trades:read trades:write')
  story.fact(
    'gets',
    `${answer.status}  scope=${answer.body['scope']}  expires_in=${answer.body['expires_in']}`,
  )
  story.expect(
    'trades:read is granted, for the five minutes of the policy',
    () =>
      [answer.status, answer.body['scope'], answer.body['expires_in']].join() ===
      '200,trades:read,300',
  )
  const decision = await explained(ground, answer.requestId)
  story.quote('and not trades:write, because', decision.lines.slice(1).filter(aboutWriting))
  story.expect('trades:write is not', () =>
    decision.lines.some((line) => /^trades:write: DENIED/.test(line)),
  )

  story.chapter('3', `The resource server ${SAMPLE_RESOURCE} verifies what it is shown.`)
  const verify = verifier({ issuer: ground.issuer, audience: SAMPLE_RESOURCE, now })
  const token = await verify(String(answer.body['access_token']))
  for (const claim of ['sub', 'aud', 'scope', 'pod', 'lineage']) {
    const value = token.claims[claim]
    story.fact(claim, Array.isArray(value) ? value.join(' ') : String(value))
  }
  story.expect(
    'signature, issuer, audience and lifetime hold; it names the pod',
    () =>
      token.subject === 'k8s://prod-eu/ns/payments/sa/settlement' &&
      token.claims['pod'] !== undefined,
  )
}

/** The lines that explain trades:write, up to the next ruling. */
function aboutWriting(_line: string, index: number, lines: readonly string[]): boolean {
  const from = lines.findIndex((line) => line.startsWith('trades:write'))
  return from >= 0 && index >= from
}

async function tellRefusal(story: Page, ground: Playground, refused: Refused): Promise<void> {
  const answer = await ask(ground, refused.pod, 'trades:read', refused)
  const decision = await explained(ground, answer.requestId)
  story.refusal(refused.title)
  story.fact(
    'heard',
    `${answer.status} ${answer.body['error']}: ${answer.body['error_description']}`,
  )
  story.quote('you read', [`${decision.reason}: ${decision.advice}`, ...decision.lines.slice(1)])
  story.expect(
    `refused as ${refused.expect.reason}`,
    () =>
      answer.body['error'] === refused.expect.error && decision.reason === refused.expect.reason,
  )
}

async function ask(
  { issuer, cluster }: Playground,
  pod: StandInPod,
  scope: string,
  { clock, audience = issuer, age = 0 }: Pick<Refused, 'clock' | 'audience' | 'age'>,
): Promise<Answer> {
  const issuedAt = epochSeconds(clock) - age
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: cluster.token(pod, { audience, issuedAt, lifetime: LIFETIME }),
      resource: SAMPLE_RESOURCE,
      scope,
    }),
  })
  const body = (await response.json()) as Answer['body']
  return { status: response.status, requestId: response.headers.get('x-request-id') ?? '', body }
}

type Told = { readonly reason: string; readonly advice: string; readonly lines: readonly string[] }

/** What an operator gets at `GET /decisions/{id}`. */
async function explained({ running }: Playground, id: string): Promise<Told> {
  const response = await fetch(`${running.adminUrl}/decisions/${id}`)
  const { event, explanation } = (await response.json()) as {
    event: { reason: keyof typeof ADVICE | null; detail: Record<string, unknown> }
    explanation: { lines: readonly string[] } | null
  }
  const detail = Object.entries(event.detail).map(([name, value]) => `${name}: ${value}`)
  const { reason } = event
  return {
    reason: reason ?? 'issued',
    advice: reason === null ? '' : ADVICE[reason],
    lines: (explanation?.lines ?? ['', ...detail]).filter(nearest).map(fromPackage),
  }
}

/** Of the policies that came near, the nearest is enough for a story. */
function nearest(_line: string, index: number, lines: readonly string[]): boolean {
  const kept = lines.slice(0, index + 1).findLast((line) => !line.startsWith('    '))
  return kept === undefined || !kept.startsWith('  then: ')
}

function fromPackage(line: string): string {
  return line.replace(`${packagePath('.')}/`, '')
}

function ending(story: Page, terminal: Terminal, milliseconds: number): 0 | 1 {
  const { held, failed } = story.tally()
  terminal.out('')
  const seconds = (milliseconds / 1000).toFixed(1)
  terminal.out(`${held} of ${held + failed} steps as promised, in ${seconds} s.`)
  terminal.out('Next: countersign dev, then policies/README.md')
  return failed === 0 ? 0 : 1
}
