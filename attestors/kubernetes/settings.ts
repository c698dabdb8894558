/** The settings of one Kubernetes cluster in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import { ALGORITHMS, type Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'

const Api = Type.Object(
  {
    inCluster: Type.Optional(
      Type.Literal(true, { description: 'The cluster that Countersign runs in, as its own pod.' }),
    ),
    kubeconfig: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: 'Path of a kubeconfig for the cluster.',
      }),
    ),
    context: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Context in the kubeconfig. Default: its current one.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'How to reach the API server of this cluster; `inCluster` or `kubeconfig`. Needs the ClusterRole system:auth-delegator.',
  },
)

/** JSON Schema of a trust entry of kind `kubernetes`. */
export const KubernetesSettings = Type.Object(
  {
    cluster: Type.String({
      pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
      description:
        'Our name for the cluster. Entity ids and subjects start with it: k8s://<cluster>/…',
    }),
    issuer: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'The exact `iss` of the cluster’s tokens, a trailing slash included.',
    }),
    jwks: Type.Optional(JwksSettings),
    liveness: Type.Optional(
      Type.Union([Type.Literal('jwks'), Type.Literal('tokenreview')], {
        description:
          'What shows that the workload still exists: nothing beyond the signature (jwks), or the API server (tokenreview). Default: tokenreview where `api` is set, else jwks.',
      }),
    ),
    api: Type.Optional(Api),
    algorithms: Type.Optional(
      Type.Array(Type.Union(ALGORITHMS.map((algorithm) => Type.Literal(algorithm))), {
        minItems: 1,
        uniqueItems: true,
        description: 'Signature algorithms taken from this cluster. Default: RS256 and ES256.',
      }),
    ),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 61m.',
      }),
    ),
    pod: Type.Optional(
      Type.Union([Type.Literal('required'), Type.Literal('optional')], {
        description:
          'Whether a token must be bound to a pod. Whoever may create serviceaccounts/token can mint one that is not. Default: required.',
      }),
    ),
    replay: Type.Optional(
      Type.Union([Type.Literal('reusable'), Type.Literal('once')], {
        description:
          'Whether one token may be shown more than once. The kubelet keeps a token for most of its lifetime, so `once` suits only callers that request their own. Default: reusable.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'A Kubernetes cluster whose service accounts may ask.',
  },
)
export type KubernetesSettings = Static<typeof KubernetesSettings>

export const DEFAULT_ALGORITHMS: readonly Algorithm[] = ['RS256', 'ES256']
/** An hour, the kubelet's default, and a minute of grace for the API server's own rounding. */
export const DEFAULT_MAX_LIFETIME = '61m'
export const DEFAULT_JWKS: JwksSettings = { discovery: true }

/** Whether the API server is asked about each token. */
export function asksApi(settings: KubernetesSettings): boolean {
  return (settings.liveness ?? (settings.api ? 'tokenreview' : 'jwks')) === 'tokenreview'
}

/** Reports every problem of the settings that needs more than one field to see. */
export function checkKubernetes(settings: KubernetesSettings, report: Report): void {
  checkJwks(settings.jwks ?? DEFAULT_JWKS, settings.issuer, (path, message) =>
    report(['jwks', ...path], message),
  )
  const { api } = settings
  if (api === undefined) {
    if (settings.liveness === 'tokenreview') report(['liveness'], 'tokenreview needs api')
    return
  }
  if ((api.inCluster === undefined) === (api.kubeconfig === undefined)) {
    report(['api'], 'must have exactly one of inCluster, kubeconfig')
  }
  if (api.context !== undefined && api.kubeconfig === undefined) {
    report(['api', 'context'], 'has a meaning only with kubeconfig')
  }
  if (settings.liveness === 'jwks') report(['api'], 'is not used with liveness jwks')
}
