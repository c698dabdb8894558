/** Our token endpoint: a Kubernetes token in, an access token out, everything in between as in production. */

import { join } from 'node:path'
import { freshKey } from '../../../src/agent/key.ts'
import { makeProof } from '../../../src/agent/proof.ts'
import { SAMPLE_RESOURCE } from '../../../src/cli/playground.ts'
import type { StandIn } from '../../../src/cli/standin.ts'
import type { Child } from '../child.ts'
import type { Contender, Started, World } from '../contender.ts'
import { type Answer, startStation, verifyToken } from '../http.ts'
import type { BrokerSettings } from '../servers/countersign.ts'

/** One variant of the broker under load. */
export type Variant = {
  readonly store: 'memory' | 'file'
  /** `cold`: no assertion is seen twice. `repeated`: one assertion, as an agent that asks again and again. */
  readonly assertions: 'cold' | 'repeated'
  /** Binds each token to the key of a new proof. Left out: bearer tokens. */
  readonly dpop?: true
  /** A folder of policies, relative to the package. */
  readonly policies?: string
  /** What tokens look like; left out: JWTs. */
  readonly format?: 'opaque'
}

const ISSUER = 'https://countersign.example.com'
const SUBJECT = 'k8s://prod-eu/ns/payments/sa/settlement'
const SCOPE = 'trades:read'
/** A kubelet asks for this much. */
const LIFETIME_SECONDS = 3600

/** A variant of our token endpoint. */
export function countersign(variant: Variant): Contender {
  const { store, assertions, dpop = false, format = 'jwt' } = variant
  const tokens = `${dpop ? ', DPoP' : ''}${format === 'jwt' ? '' : ', opaque'}`
  return {
    name: `countersign, ${store}, ${assertions}${tokens}`,
    job: `store in ${store === 'file' ? 'a file' : 'memory'}, assertions ${assertions}${dpop ? ', tokens bound by DPoP' : ''}${format === 'jwt' ? '' : ', tokens sealed'}`,
    start: (world) => start(variant, world),
  }
}

function start(variant: Variant, { folder, cluster, forms }: World): Promise<Started> {
  const { store, assertions, dpop, format = 'jwt' } = variant
  const { policies = 'policies/examples/first-steps' } = variant
  const file = join(folder, `countersign-${store}-${assertions}-${format}${dpop ? '-dpop' : ''}`)
  const settings: BrokerSettings = {
    issuer: ISSUER,
    resource: SAMPLE_RESOURCE,
    cluster: cluster.issuer,
    sqlite: store === 'memory' ? ':memory:' : `${file}.db`,
    audit: `${file}.jsonl`,
    policies,
    format,
  }
  let shown = 0
  const unseen = (count: number) => {
    shown += count
    return forms.take(shown - count, count)
  }
  return startStation({
    server: 'countersign',
    settings,
    forms: assertions === 'cold' ? unseen : () => forms.take(0, 1),
    ...(dpop && { prove: prover() }),
    async check(answer, child) {
      const expected = { issuer: ISSUER, audience: SAMPLE_RESOURCE }
      const { sub, scope } = await (format === 'jwt'
        ? verifyToken(answer, child, expected)
        : introspect(answer, child, forms.take(0, 1)[0] ?? ''))
      if (sub !== SUBJECT || scope !== SCOPE) throw new Error(`it is for ${sub}, ${scope}`)
    },
  })
}

/** What the broker says of a token to its holder. */
async function introspect({ access_token: token }: Answer, { url }: Child, form: string) {
  const body = new URLSearchParams(form)
  body.set('token', String(token))
  const response = await fetch(`${url}/introspect`, { method: 'POST', body })
  return (await response.json()) as { readonly sub?: unknown; readonly scope?: unknown }
}

/** One agent, which makes a proof for each request. */
function prover() {
  const key = freshKey()
  return (nonce: string | null) => {
    const at = Math.floor(Date.now() / 1000)
    return makeProof(key, { method: 'POST', url: `${ISSUER}/token`, at, token: null, nonce })
  }
}

/** A form as the settlement job sends it, with a new assertion. */
export function settlementForm(cluster: StandIn): string {
  const assertion = cluster.token(
    { namespace: 'payments', serviceAccount: 'settlement' },
    {
      audience: ISSUER,
      issuedAt: Math.floor(Date.now() / 1000),
      lifetime: LIFETIME_SECONDS,
    },
  )
  return new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    resource: SAMPLE_RESOURCE,
    scope: SCOPE,
  }).toString()
}
