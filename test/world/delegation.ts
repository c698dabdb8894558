/**
 * People, agents and sub-agents: a broker with a provider of people, two agents in one cluster, and two resources of
 * which one can be reached from the other.
 */

import type { TestContext } from 'node:test'
import {
  type BrokerOptions,
  RESOURCE,
  type Settings,
  startBroker,
  type TestBroker,
} from './broker.ts'
import type { Draft } from './issuer.ts'
import { type Signer, signer } from './keys.ts'

export const CORP = 'https://login.corp.example'
export const CLIENT = 'chat-app'
export const CHAT = 'https://chat.example.com'
export const ALICE = 'user://corp/alice'
export const PLANNER = 'k8s://prod-eu/ns/agents/sa/planner'
export const HELPER = 'k8s://prod-eu/ns/agents/sa/helper'
export const CHAT_SERVER = 'k8s://prod-eu/ns/agents/sa/chat'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
export const JWT = 'urn:ietf:params:oauth:token-type:jwt'

const AGENTS = ['planner', 'helper', 'chat', 'third', 'fourth', 'fifth']

/** Every agent may do everything here for traders; alone, the planner may read trades. */
export const DELEGATION_POLICIES = {
  'delegation.cedar': `
@id("agents-use-scopes") @owner("team-agents")
permit (
  principal in Namespace::"prod-eu/agents",
  action in [Action::"trades:read", Action::"trades:write", Action::"chat:use", Action::"chat:admin"],
  resource
);
@id("agents-act-for-traders") @owner("team-agents")
permit (principal in Namespace::"prod-eu/agents", action == Action::"delegate", resource)
unless { context has user && !(context.user in Group::"corp/traders") };
@id("agents-exchange") @owner("team-agents")
permit (principal in Namespace::"prod-eu/agents", action == Action::"exchange", resource);
`,
}

export type DelegationWorld = TestBroker & {
  /** An ID token of the provider for Alice, a trader, after `change` had its way with it. */
  idToken(change?: (token: Draft) => void): string
  /** The projected token of an agent. */
  actor(name: string): string
  /** The form of an exchange: Alice’s ID token, by the planner, to read trades. */
  exchangeForm(change?: Readonly<Record<string, string | null>>): Record<string, string>
  /** Asks, and demands a token. */
  issued(form: Readonly<Record<string, string>>): Promise<string>
  readonly corp: Signer
}

export async function startDelegation(
  t: Pick<TestContext, 'after'>,
  {
    settings = {},
    provider = {},
    policies = DELEGATION_POLICIES,
    ...options
  }: BrokerOptions & { readonly provider?: Settings } = {},
): Promise<DelegationWorld> {
  const corp = signer('corp')
  const world = await startBroker(t, {
    policies,
    ...options,
    settings: {
      users: [
        {
          name: 'corp',
          issuer: CORP,
          jwks: { inline: { keys: [corp.jwk] } },
          accept: ['id_token', 'access_token'],
          audiences: [CLIENT],
          groupsClaim: 'groups',
          ...provider,
        },
      ],
      delegation: { agents: ['ServiceAccount::"prod-eu/agents/planner"'] },
      resources: [
        {
          audience: RESOURCE,
          scopes: ['trades:read', 'trades:write'],
          from: { [CHAT]: { 'chat:use': ['trades:read'] } },
        },
        {
          audience: CHAT,
          scopes: ['chat:use', 'chat:admin'],
          servedBy: [CHAT_SERVER],
        },
      ],
      ...settings,
    },
  })
  const { clock, cluster } = world
  const idToken = (change: (token: Draft) => void = () => {}) => {
    const now = clock.seconds()
    const draft: Draft = {
      header: { alg: corp.alg, kid: corp.kid, typ: 'JWT' },
      claims: {
        iss: CORP,
        sub: 'alice',
        aud: CLIENT,
        iat: now,
        exp: now + 3600,
        groups: ['traders', 'staff'],
        acr: 'mfa',
      },
    }
    change(draft)
    return cluster.sign(draft, corp)
  }
  const minted = new Map<string, { readonly at: number; readonly token: string }>()
  /** As the kubelet does: a token is shown until most of its life has passed. */
  const actor = (name: string) => {
    const known = minted.get(name)
    if (known !== undefined && clock.seconds() - known.at < 400) return known.token
    const token = mint(name)
    minted.set(name, { at: clock.seconds(), token })
    return token
  }
  const mint = (name: string) => {
    if (!AGENTS.includes(name)) throw new Error(`there is no agent ${name}`)
    return cluster.mint(({ own, claims }) => {
      Object.assign(own['serviceaccount'] as object, { name })
      Object.assign(claims, { sub: `system:serviceaccount:agents:${name}` })
    })
  }
  return {
    ...world,
    corp,
    idToken,
    actor,
    exchangeForm(change = {}) {
      const form: Record<string, string | null> = {
        grant_type: EXCHANGE,
        subject_token: idToken(),
        subject_token_type: ID_TOKEN,
        actor_token: actor('planner'),
        actor_token_type: JWT,
        resource: RESOURCE,
        scope: 'trades:read',
        ...change,
      }
      const kept = Object.entries(form).filter(([, value]) => value !== null)
      return Object.fromEntries(kept) as Record<string, string>
    },
    async issued(form) {
      const { status, body } = await world.ask(form)
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}\n${world.written()}`)
      return String(body['access_token'])
    },
  }
}
