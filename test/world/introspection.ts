/** A broker with tokens of both formats, the workload behind their audiences, and a stranger. */

import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import {
  type BrokerOptions,
  ISSUER,
  RESOURCE,
  startBroker,
  type TestBroker,
  WORKLOAD,
} from './broker.ts'

export const SEALED = 'https://sealed.example.com'
export const SERVER = 'k8s://prod-eu/ns/mcp/sa/server'
export const HOLDER = WORKLOAD

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const FORM = 'application/x-www-form-urlencoded'

const POLICIES = {
  'trades.cedar': `
@id("agents") @owner("x") @ttl("5m")
permit (principal in Cluster::"prod-eu", action == Action::"trades:read", resource);
@id("endpoints") @owner("x")
permit (principal in Cluster::"prod-eu", action == Action::"issue", resource);
`,
}

export type Asked = {
  /** Who asks: a workload of the cluster as `namespace/name`; null for nobody. */
  readonly as?: string | null
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

export type Said = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

export type Introspecting = {
  readonly world: TestBroker
  /** The platform's credential of a workload, by `namespace/name`. */
  mint(workload: string): string
  /** A token of the holder for an audience. */
  token(audience?: string, workload?: string): Promise<string>
  /** Posts a question about a token; the server asks unless it is said who does. */
  ask(token: string, asked?: Asked): Promise<Said>
}

/** @param at the issuer; a listening one where clients call it over HTTP */
export async function startIntrospecting(
  t: TestContext,
  options: BrokerOptions = {},
): Promise<Introspecting> {
  const issuer = options.issuer ?? ISSUER
  const scopes = ['trades:read', 'trades:write', 'trades:delete']
  const servedBy = [SERVER]
  const claims = { pod: { fact: 'pod.uid', grade: 'A' } }
  const world = await startBroker(t, {
    policies: POLICIES,
    ...options,
    settings: {
      resources: [
        { audience: RESOURCE, scopes, servedBy, claims },
        { audience: SEALED, scopes, servedBy, claims, format: 'opaque' },
        { audience: `${issuer}/introspect` },
      ],
      ...options.settings,
    },
  })
  const mint = (workload: string) => {
    const [namespace = '', name = ''] = workload.split('/')
    return world.cluster.mint(({ claims: minted, own }) => {
      Object.assign(own, { namespace, serviceaccount: { name, uid: randomUUID() } })
      Object.assign(minted, {
        sub: `system:serviceaccount:${namespace}:${name}`,
        jti: randomUUID(),
      })
    })
  }
  return {
    world,
    mint,
    async token(resource = RESOURCE, workload = 'agents/planner') {
      const scope = resource.startsWith(issuer) ? '' : 'trades:read'
      const answer = await world.ask(world.form({ assertion: mint(workload), resource, scope }))
      if (answer.status === 200) return String(answer.body['access_token'])
      throw new Error(JSON.stringify(answer.body))
    },
    async ask(token, { as = 'mcp/server', accept, headers = {}, form = {} } = {}) {
      const credential =
        as === null ? {} : { client_assertion_type: ASSERTION_TYPE, client_assertion: mint(as) }
      const response = await world.app.inject({
        method: 'POST',
        url: new URL(`${issuer}/introspect`).pathname,
        headers: { 'content-type': FORM, ...(accept !== undefined && { accept }), ...headers },
        payload: new URLSearchParams({ token, ...credential, ...form }).toString(),
      })
      const isJson = String(response.headers['content-type']).startsWith('application/json')
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        body: isJson ? response.json() : {},
      }
    },
  }
}
