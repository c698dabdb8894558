/** Clients that ask for tokens without a pause for breath, over kept connections, and what became of every request. */

import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

/** Where requests go and what they ask. */
export type LoadOptions = {
  /** Connected to in place of the issuer's host. */
  readonly address: string
  readonly issuer: string
  /** Authority of the broker's certificate, PEM. */
  readonly ca: string
  readonly form: Readonly<Record<string, string>>
}

/** What was counted so far. */
export type Tally = {
  /** Requests that ended, with an answer or without one. */
  requests: number
  /** Answers by status. */
  readonly statuses: Map<number, number>
  /** Requests whose connection was closed under them, and that were sent once more. */
  retried: number
  /** Requests without an answer after that. */
  readonly lost: string[]
  /** Tokens that were answered. */
  readonly tokens: string[]
}

const CLIENTS = 8
/** Between two requests of one client: the machine has other work. */
const BREATH_MS = 20

/** Starts the clients. `stop` resolves when the last answer has come. */
export function startLoad(options: LoadOptions): {
  readonly tally: Tally
  readonly stop: () => Promise<void>
} {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const tally: Tally = { requests: 0, statuses: new Map(), retried: 0, lost: [], tokens: [] }
  let stopped = false
  const client = async () => {
    while (!stopped) {
      await askTwice(options, agent, tally)
      await pause(BREATH_MS)
    }
  }
  const clients = Array.from({ length: CLIENTS }, client)
  return {
    tally,
    async stop() {
      stopped = true
      await Promise.all(clients)
      agent.destroy()
    },
  }
}

async function askTwice(options: LoadOptions, agent: Agent, tally: Tally): Promise<void> {
  tally.requests += 1
  for (const attempt of ['first', 'second']) {
    try {
      const { status, body } = await ask(options, agent)
      tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
      if (status === 200) tally.tokens.push(JSON.parse(body).access_token)
      return
    } catch (error) {
      if (attempt === 'first') tally.retried += 1
      else tally.lost.push(String(error))
    }
  }
}

function ask(
  { address, issuer, ca, form }: LoadOptions,
  agent: Agent,
): Promise<{ readonly status: number; readonly body: string }> {
  const { host } = new URL(issuer)
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
  const to = { method: 'POST', host: address, servername: host, path: '/token', ca, agent, headers }
  request({ ...to, timeout: 20_000 }, (answer) => {
    text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject)
  })
    .once('timeout', () => reject(new Error('no answer within 20 s')))
    .once('error', reject)
    .end(new URLSearchParams(form).toString())
  return promise
}
