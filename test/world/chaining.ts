/**
 * Authority across domains: a provider whose ID-JAGs are taken, another authorization server that takes ours, and a trust
 * domain with transaction tokens.
 */

import type { TestContext } from 'node:test'
import type { Json } from '../../src/net/json.ts'
import { type BrokerOptions, ISSUER, RESOURCE } from './broker.ts'
import {
  ACCESS_TOKEN,
  ALICE,
  CHAT_SERVER,
  CORP,
  type DelegationWorld,
  PLANNER,
  startDelegation,
} from './delegation.ts'
import type { Draft } from './issuer.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const CLIENT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
export const TXN_TOKEN = 'urn:ietf:params:oauth:token-type:txn_token'

export const PARTNER = 'https://as.partner.example'
export const ORDERS = 'https://orders.partner.example'
export const DOMAIN = 'prod.example'

/** Agents may do everything everywhere for traders. */
const POLICIES = {
  'chaining.cedar': `
@id("agents-use-scopes") @owner("team-agents")
permit (
  principal in Namespace::"prod-eu/agents",
  action in [Action::"trades:read", Action::"trades:write", Action::"orders:read", Action::"orders:write", Action::"trade.stocks", Action::"trade.read"],
  resource
);
@id("agents-act-for-traders") @owner("team-agents")
permit (principal in Namespace::"prod-eu/agents", action == Action::"delegate", resource)
unless { context has user && !(context.user in Group::"corp/traders") };
@id("agents-exchange") @owner("team-agents")
permit (principal in Namespace::"prod-eu/agents", action == Action::"exchange", resource);
@id("nobody-orders-by-himself") @owner("team-agents")
forbid (principal, action == Action::"orders:write", resource == Audience::"${ORDERS}");
`,
}

type Change = Readonly<Record<string, string | null>>
type Form = Record<string, string>

export type ChainingWorld = DelegationWorld & {
  /** An ID-JAG of the provider: Alice lets the planner read and write trades; after `change` had its way with it. */
  idJag(change?: (token: Draft) => void): string
  /** The form of the grant of an ID-JAG, by the planner. */
  grantForm(change?: Change): Form
  /** The same as a token exchange. */
  grantExchange(change?: Change): Form
  /** The form that asks for an ID-JAG of ours: Alice’s ID token, by the planner, to read orders at the partner. */
  chainForm(change?: Change): Form
  /** The form that asks for a transaction token: Alice’s access token, by the planner, whose token it is. */
  txnForm(change?: Change): Promise<Form>
  /** The form by which the chat server replaces such a token, which was asked for with `first` changed. */
  replaceForm(change?: Change, first?: Change): Promise<Form>
}

export async function startChaining(
  t: Pick<TestContext, 'after'>,
  {
    chaining = {},
    ...options
  }: Pick<BrokerOptions, 'auditFails'> & {
    readonly chaining?: Readonly<Record<string, Json>>
  } = {},
): Promise<ChainingWorld> {
  const world = await startDelegation(t, {
    ...options,
    policies: POLICIES,
    provider: { accept: ['id_token', 'id-jag'], clients: { 'planner-at-corp': PLANNER } },
    settings: {
      chaining: [
        {
          issuer: PARTNER,
          clients: { [PLANNER]: 'planner-at-partner' },
          resources: [
            {
              audience: ORDERS,
              scopes: ['orders:read', 'orders:write'],
              from: { [RESOURCE]: { 'trades:read': ['orders:read'] } },
            },
          ],
          ...chaining,
        },
      ],
      transactions: {
        trustDomain: DOMAIN,
        scopes: ['trade.stocks', 'trade.read'],
        servedBy: [CHAT_SERVER],
        from: { [RESOURCE]: { 'trades:read': ['trade.read'], 'trades:write': ['trade.stocks'] } },
      },
    },
  })
  const { clock, corp, cluster } = world
  let jags = 0
  const idJag = (change: (token: Draft) => void = () => {}) => {
    jags += 1
    const now = clock.seconds()
    const draft: Draft = {
      header: { alg: corp.alg, kid: corp.kid, typ: 'oauth-id-jag+jwt' },
      claims: {
        iss: CORP,
        sub: 'alice',
        aud: ISSUER,
        client_id: 'planner-at-corp',
        resource: RESOURCE,
        scope: 'trades:read trades:write',
        jti: `jag-${jags}`,
        iat: now,
        exp: now + 300,
        groups: ['traders'],
      },
    }
    change(draft)
    return cluster.sign(draft, corp)
  }
  const own = () => ({
    client_assertion: world.actor('planner'),
    client_assertion_type: CLIENT_ASSERTION,
  })
  const txnForm = async (change: Change = {}) => {
    const scope = 'trades:read trades:write'
    return world.exchangeForm({
      subject_token: await world.issued(world.exchangeForm({ scope })),
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: TXN_TOKEN,
      resource: null,
      audience: DOMAIN,
      scope: 'trade.stocks trade.read',
      request_context: '{"req_ip":"69.151.72.123","authn":"face"}',
      request_details: '{"action":"BUY","ticker":"MSFT","quantity":"100"}',
      ...change,
    })
  }
  return {
    ...world,
    idJag,
    txnForm,
    replaceForm: async (change = {}, first = {}) =>
      txnForm({
        subject_token: await world.issued(await txnForm(first)),
        subject_token_type: TXN_TOKEN,
        actor_token: world.actor('chat'),
        request_context: null,
        request_details: null,
        ...change,
      }),
    grantForm: (change = {}) =>
      filled({ grant_type: JWT_BEARER, assertion: idJag(), ...own(), resource: RESOURCE }, change),
    grantExchange: (change = {}) =>
      world.exchangeForm({
        subject_token: idJag(),
        subject_token_type: ID_JAG,
        scope: null,
        ...change,
      }),
    chainForm: (change = {}) =>
      world.exchangeForm({
        requested_token_type: ID_JAG,
        audience: PARTNER,
        resource: ORDERS,
        scope: 'orders:read',
        ...change,
      }),
  }
}

function filled(form: Change, change: Change): Form {
  const kept = Object.entries({ ...form, ...change }).filter(([, value]) => value !== null)
  return Object.fromEntries(kept) as Form
}

export { ALICE, PLANNER }
