/** The settings of one Kubernetes cluster in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import { ALGORITHMS, type Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'
import { checkImages, ImageSettings } from '../images/settings.ts'

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
      'How to reach the API server of this cluster; `inCluster` or `kubeconfig`. attestors/README.md lists the permissions that each feature needs.',
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
    issuer: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2048,
        description:
          'The exact `iss` of the cluster’s tokens, a trailing slash included. Without it the API server of `api` is asked.',
      }),
    ),
    jwks: Type.Optional(JwksSettings),
    liveness: Type.Optional(
      Type.Union([Type.Literal('jwks'), Type.Literal('tokenreview'), Type.Literal('watch')], {
        description:
          'What shows that the workload still exists: nothing beyond the signature (jwks), the API server at each token (tokenreview), or a live copy of the cluster (watch). Default: watch where `api` is set, else jwks.',
      }),
    ),
    terminating: Type.Optional(
      Type.Union([Type.Literal('refuse'), Type.Literal('allow')], {
        description:
          'With watch: whether an object that is being deleted still counts, as it does for Kubernetes until 60 s after its deletion timestamp. Default: refuse.',
      }),
    ),
    posture: Type.Optional(
      Type.Boolean({
        description:
          'Whether facts about pod, node and namespace are read from the cluster. Default: true with watch, else false.',
      }),
    ),
    api: Type.Optional(Api),
    images: Type.Optional(ImageSettings),
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

/** Settings whose issuer is known: configured, or read from the API server. */
export type SettledSettings = KubernetesSettings & { readonly issuer: string }

/** What shows that a workload still exists. */
export function livenessOf({
  liveness,
  api,
}: KubernetesSettings): 'jwks' | 'tokenreview' | 'watch' {
  return liveness ?? (api ? 'watch' : 'jwks')
}

/** Whether a live copy of the cluster is kept. */
export function watchesCluster(settings: KubernetesSettings): boolean {
  return livenessOf(settings) === 'watch' || settings.posture === true
}

/** Reports every problem of the settings that needs more than one field to see. */
export function checkKubernetes(settings: KubernetesSettings, report: Report): void {
  const { api, jwks, issuer } = settings
  if (issuer === undefined && api === undefined) {
    report(['issuer'], 'is required, unless api names the API server that knows it')
  } else if (issuer === undefined && jwks?.discovery !== undefined) {
    report(['jwks', 'discovery'], 'needs issuer; without jwks the keys are read through api')
  } else if (jwks !== undefined || api === undefined) {
    checkJwks(jwks ?? DEFAULT_JWKS, issuer ?? '', (path, message) =>
      report(['jwks', ...path], message),
    )
  }
  const liveness = livenessOf(settings)
  if (settings.terminating !== undefined && liveness !== 'watch') {
    report(['terminating'], 'has a meaning only with liveness watch')
  }
  if (settings.posture === false && liveness === 'watch') {
    report(['posture'], 'cannot be false with liveness watch, which keeps the same objects')
  }
  if (settings.images !== undefined) {
    checkImages(settings.images, (path, message) => report(['images', ...path], message))
    if (!watchesCluster(settings)) report(['images'], 'needs posture, to know what a pod runs')
  }
  if (api === undefined) {
    if (liveness !== 'jwks') report(['liveness'], `${liveness} needs api`)
    if (settings.posture === true) report(['posture'], 'needs api')
    return
  }
  checkApi(settings, api, report)
}

function checkApi(
  settings: KubernetesSettings,
  api: NonNullable<KubernetesSettings['api']>,
  report: Report,
): void {
  if ((api.inCluster === undefined) === (api.kubeconfig === undefined)) {
    report(['api'], 'must have exactly one of inCluster, kubeconfig')
  }
  if (api.context !== undefined && api.kubeconfig === undefined) {
    report(['api', 'context'], 'has a meaning only with kubeconfig')
  }
  const asksForTrust = settings.issuer === undefined || settings.jwks === undefined
  if (livenessOf(settings) === 'jwks' && settings.posture !== true && !asksForTrust) {
    report(['api'], 'is not used: issuer and jwks are set, liveness is jwks and posture is off')
  }
}
