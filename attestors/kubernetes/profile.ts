/**
 * The profile of a bound service account token (KEP-1205, KEP-4193; kube-apiserver
 * pkg/serviceaccount/claims.go). What the control plane signs:
 *
 *     {"aud":["…"],"exp":…,"iat":…,"nbf":…,"iss":"…","jti":"<uuid>",
 *      "kubernetes.io":{"namespace":"agents","node":{"name":"n1","uid":"…"},"pod":{"name":"planner-0","uid":"…"},
 *                       "serviceaccount":{"name":"planner","uid":"…"}},
 *      "sub":"system:serviceaccount:agents:planner"}
 *
 * `jti` and `node` are missing before Kubernetes 1.30. No I/O. No clock.
 */

import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'
import { soleAudience } from '../../src/net/jwt.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { checkIssuer, checkWindow, type Window } from '../claims.ts'

/** An object of the cluster that the token names. The uid ends with the object; the name does not. */
export type Named = { readonly name: string; readonly uid: string }

/** Whose token it is, as signed. */
export type Workload = {
  readonly namespace: string
  readonly serviceAccount: Named
  readonly pod: Named | null
  readonly node: Named | null
  readonly jti: string | null
}

const PRIVATE = 'kubernetes.io'
const MEMBERS = ['namespace', 'serviceaccount', 'pod', 'node', 'secret', 'warnafter']

/** `iss` of tokens in Secrets, which never end. Every cluster signs with it, so it selects no keys. */
export const LEGACY_ISSUER = 'kubernetes/serviceaccount'

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/
const SUBDOMAIN =
  /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Audiences of tokens that lie in the same pods and are meant for someone else. */
const FOREIGN: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'sts.amazonaws.com': 'AWS STS (IRSA)',
    'pods.eks.amazonaws.com': 'EKS Pod Identity',
    'api://AzureADTokenExchange': 'Entra (AKS workload identity)',
    'https://kubernetes.default.svc': 'the API server',
    'https://kubernetes.default.svc.cluster.local': 'the API server',
    'kubernetes.default.svc': 'the API server',
    k3s: 'the API server',
  }),
)

export type Screening = {
  readonly issuer: string
  readonly audience: string
  readonly maxLifetimeSeconds: number
}

/**
 * Checks that cost nothing: issuer, audience, age and kind of token. Run before any key is fetched, so
 * that junk drives no request, and again after the signature.
 * @throws Refusal `token_legacy`, `issuer_untrusted`, `token_foreign`, `audience_wrong`, `token_extended`,
 *   and those of `checkWindow`
 */
export function screen(claims: JsonObject, expected: Screening, nowSeconds: number): Window {
  const own = claims[PRIVATE]
  if (claims['iss'] === LEGACY_ISSUER || `${PRIVATE}/serviceaccount/namespace` in claims) {
    throw new Refusal('token_legacy', { hint: hint(expected.audience), found: 'flat claims' })
  }
  checkIssuer(claims, expected.issuer)
  checkAudience(claims, expected)
  if (isObject(own) && 'secret' in own) {
    throw new Refusal('token_legacy', { hint: hint(expected.audience), found: 'bound to a secret' })
  }
  if (isObject(own) && 'warnafter' in own) {
    throw new Refusal('token_extended', { hint: hint(expected.audience), found: 'warnafter' })
  }
  return checkWindow(claims, nowSeconds, expected.maxLifetimeSeconds)
}

function checkAudience(claims: JsonObject, { issuer, audience }: Screening): void {
  const found = soleAudience(claims)
  if (found === audience) return
  const detail = { expected: audience, found: printable(claims['aud']) }
  const owner = found === issuer ? 'the API server' : FOREIGN.get(found ?? '')
  if (!owner) throw new Refusal('audience_wrong', { ...detail, hint: hint(audience) })
  const meant = `this token is for ${owner}; showing it elsewhere gives that access away`
  throw new Refusal('token_foreign', { ...detail, hint: `${meant}. ${hint(audience)}` })
}

function hint(audience: string): string {
  return `mount a projected serviceAccountToken with audience ${audience}`
}

/**
 * Reads the private claims of a token whose signature holds.
 * @throws Refusal `claim_invalid`, `subject_mismatched`, `token_unbound`
 */
export function readWorkload(claims: JsonObject, isPodRequired: boolean): Workload {
  const own = claims[PRIVATE]
  if (!isObject(own)) throw invalid(PRIVATE, 'an object', own)
  for (const member of Object.keys(own)) {
    // A kind of binding that is not known here may mean something else than a workload (KEP-740 webhooks).
    if (!MEMBERS.includes(member)) throw invalid(PRIVATE, MEMBERS.join(', '), member)
  }
  if (claims['nbf'] === undefined) throw invalid('nbf', 'present', claims['nbf'])
  const namespace = text(own['namespace'], LABEL, `${PRIVATE}.namespace`, 'a DNS-1123 label')
  const serviceAccount = named(own, 'serviceaccount')
  const subject = `system:serviceaccount:${namespace}:${serviceAccount.name}`
  if (claims['sub'] !== subject) {
    throw new Refusal('subject_mismatched', { expected: subject, found: printable(claims['sub']) })
  }
  const pod = 'pod' in own ? named(own, 'pod') : null
  if (pod === null && isPodRequired) {
    throw new Refusal('token_unbound', { subject, hint: 'the token is not bound to a pod' })
  }
  const node = 'node' in own ? named(own, 'node') : null
  const jti = 'jti' in claims ? text(claims['jti'], UUID, 'jti', 'a UUID') : null
  return { namespace, serviceAccount, pod, node, jti }
}

function named(own: JsonObject, member: string): Named {
  const value = own[member]
  const claim = `${PRIVATE}.${member}`
  if (!isObject(value)) throw invalid(claim, 'an object with name and uid', value)
  return {
    name: text(value['name'], SUBDOMAIN, `${claim}.name`, 'a DNS-1123 subdomain'),
    uid: text(value['uid'], UUID, `${claim}.uid`, 'a UUID'),
  }
}

function text(value: Json | undefined, form: RegExp, claim: string, expected: string): string {
  if (typeof value === 'string' && form.test(value)) return value
  throw invalid(claim, expected, value)
}

function invalid(claim: string, expected: string, found: unknown): Refusal {
  return new Refusal('claim_invalid', { claim, expected, found: printable(found) })
}
