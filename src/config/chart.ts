/**
 * The JSON Schema of the Helm chart's values: the chart's own part, written here, and the configuration's schema for
 * `config`. Helm holds values against it before it renders or installs anything.
 */

import Type, { type TProperties, type TSchema } from 'typebox'
import { NAME, NAME_TITLE, strict } from './parts.ts'

const KUBERNETES_NAME = '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$'
const QUANTITY = '^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$'

const text = (description: string) => Type.String({ description })
const flag = (description: string) => Type.Boolean({ description })
const count = (minimum: number, description: string) => Type.Integer({ minimum, description })
const words = (description: string) => Type.Array(Type.String(), { description })
const objectName = (description: string) =>
  Type.String({ pattern: `^$|${KUBERNETES_NAME}`, maxLength: 253, description })
const closed = (properties: TProperties, description = '') =>
  // Every value has its default in values.yaml, so none is required here.
  Type.Object(optional(properties), { ...strict, ...(description !== '' && { description }) })
/** Handed to Kubernetes as it is, and judged there. */
const raw = (description: string) => Type.Object({}, { description })
const rawList = (description: string) => Type.Array(Type.Object({}), { description })
const strings = (description: string) => Type.Record(Type.String(), Type.String(), { description })

const resources = closed({
  requests: raw('cpu, memory'),
  limits: raw('cpu, memory'),
  claims: rawList('Dynamic resources'),
})

const POD = {
  podAnnotations: strings('Further annotations of the pods'),
  podLabels: strings('Further labels of the pods'),
  nodeSelector: strings('Nodes by label'),
  tolerations: rawList('Taints that are tolerated'),
  affinity: raw('Affinity of the pods'),
  priorityClassName: text('PriorityClass of the pods'),
  extraEnv: rawList('Further environment variables'),
  extraVolumes: rawList('Further volumes, such as a geo database'),
  extraVolumeMounts: rawList('Where they are mounted'),
  terminationGracePeriodSeconds: count(10, 'How long a pod may take to end'),
  lingerSeconds: count(1, 'How long a pod that ends keeps answering while endpoints forget it'),
  topologySpread: flag('Spreads replicas over zones and nodes, where that is possible'),
}

const TLS = closed(
  {
    mode: Type.Enum(['selfSigned', 'existingSecret', 'certManager', 'off'], {
      description: 'Where the certificate is from; off: plain HTTP behind a TLS proxy',
    }),
    existingSecret: objectName('existingSecret: a Secret with tls.crt and tls.key'),
    caConfigMap: objectName(
      'A ConfigMap with ca.crt, for the probers, where the authority is private',
    ),
    extraNames: words('selfSigned, certManager: further DNS names'),
    clientCertificates: Type.Enum(['off', 'request'], {
      description: 'request: callers may show a certificate, which their tokens are bound to',
    }),
    clientCaConfigMap: objectName(
      'A ConfigMap with ca.crt: only certificates of these authorities bind. Empty: everybody’s do',
    ),
    certManager: closed({
      issuerRef: closed({
        group: text('API group of the issuer'),
        kind: text('Issuer or ClusterIssuer'),
        name: text('certManager: its name'),
      }),
      duration: Type.String({ pattern: '^[0-9]+h$', description: 'How long a certificate lasts' }),
      renewBefore: Type.String({ pattern: '^[0-9]+h$', description: 'When it is renewed' }),
    }),
  },
  'The certificate of the public port, and of the admin port where it is exposed',
)

const POLICIES = closed({
  starter: flag('The file that denies everything, with the first steps in its comments'),
  inline: Type.Record(
    Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*\\.(cedar|test\\.yaml)$' }),
    Type.String(),
    { ...strict, description: 'File name (*.cedar, *.test.yaml) to text' },
  ),
  configMaps: Type.Array(Type.String({ pattern: KUBERNETES_NAME }), {
    uniqueItems: true,
    description: 'ConfigMaps of the release’s namespace, each a folder of policies',
  }),
  existingClaim: objectName('A PersistentVolumeClaim with policies, mounted read-only'),
})

const METRICS = closed({
  readers: Type.Array(Type.String({ pattern: '^[a-z0-9-]+/[a-z0-9.-]+$' }), {
    description:
      'Service accounts (namespace/name) that may read /metrics. With one, the admin port is exposed in the cluster, with TLS and TokenReview',
  }),
  decisionReaders: Type.Array(Type.String({ pattern: '^[a-z0-9-]+/[a-z0-9.-]+$' }), {
    description: 'Service accounts (namespace/name) that may read /decisions',
  }),
  serviceMonitor: closed({
    enabled: flag('A ServiceMonitor of the Prometheus operator; needs metrics.readers'),
    interval: text('How often'),
    labels: strings('What the Prometheus selects by'),
    bearerTokenFile: text(
      'Where that Prometheus has a projected token with the audience `<issuer>/admin`',
    ),
  }),
  prometheusRule: closed({
    enabled: flag('Alerts, as a PrometheusRule'),
    labels: strings('What the Prometheus selects by'),
  }),
  dashboard: closed({
    enabled: flag('A Grafana dashboard, in a ConfigMap'),
    labels: strings('What Grafana’s sidecar selects by'),
  }),
})

const NETWORK = closed({
  enabled: flag('A NetworkPolicy: in to the public port, out to DNS, the API server and `egress`'),
  ingressFrom: rawList('Peers that may reach the public port; empty: everyone'),
  metricsFrom: rawList('Peers that may reach the admin port, where it is exposed; empty: nobody'),
  apiServer: closed({
    cidrs: words('Where the API server is, after the Service’s address is translated'),
    ports: Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
      description: 'Its ports there',
    }),
  }),
  egress: rawList('Further egress rules: PostgreSQL, issuers elsewhere, a collector of traces'),
})

/** Values that are the chart's own, beside `config`, `cluster` and `global`. */
const OWN = {
  issuer: text('The exact URL of this server: https, no trailing slash'),
  image: closed({
    repository: Type.String({ minLength: 1, description: 'Where the image is' }),
    tag: text('Default: the chart’s appVersion'),
    digest: Type.String({ pattern: '^$|^sha256:[0-9a-f]{64}$', description: 'Wins over the tag' }),
    pullPolicy: Type.Enum(['Always', 'IfNotPresent', 'Never'], {
      description: 'When it is pulled',
    }),
  }),
  imagePullSecrets: Type.Array(closed({ name: Type.String({ minLength: 1 }) }), {
    description: 'Secrets for the registry: a list of { name }',
  }),
  nameOverride: text('Replaces the chart’s name in names'),
  fullnameOverride: text('Replaces names altogether'),
  replicas: count(1, 'More than one needs database.existingSecret'),
  tls: TLS,
  keys: closed({
    existingSecret: objectName(
      'A Secret with what encrypts signing keys; else one is made and kept',
    ),
    existingSecretKey: Type.String({ minLength: 1, description: 'Its key there' }),
  }),
  database: closed({
    existingSecret: objectName('A Secret with the URL of a PostgreSQL database'),
    caConfigMap: objectName('A ConfigMap with ca.crt, where the server’s authority is private'),
    existingSecretKey: Type.String({ minLength: 1, description: 'Its key there' }),
  }),
  persistence: closed({
    enabled: flag('Keeps the embedded store on a volume'),
    existingClaim: objectName('A PersistentVolumeClaim of yours'),
    storageClass: text('Default: the cluster’s'),
    accessModes: words('Of the claim'),
    size: Type.String({
      pattern: QUANTITY,
      description: 'Of the claim, or the most of an emptyDir',
    }),
  }),
  policies: POLICIES,
  probe: closed({
    enabled: flag('What `helm test` needs: a resource, two service accounts, a policy'),
    scope: Type.String({ minLength: 1, description: 'The scope that it asks for' }),
    resources,
  }),
  service: closed({
    type: Type.Enum(['ClusterIP', 'NodePort', 'LoadBalancer'], { description: 'Of the Service' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Of the Service' }),
    annotations: strings('Of the Service'),
  }),
  resources,
  serviceAccount: closed({ annotations: strings('Of the broker’s service account') }),
  ...POD,
  autoscaling: closed({
    enabled: flag('A HorizontalPodAutoscaler; needs database.existingSecret'),
    minReplicas: count(1, 'At least'),
    maxReplicas: count(1, 'At most'),
    targetCPUUtilizationPercentage: count(1, 'Of the requested processor time'),
  }),
  podDisruptionBudget: closed({
    enabled: flag('Needs more than one replica'),
    maxUnavailable: count(1, 'How many may be evicted at a time'),
  }),
  networkPolicy: NETWORK,
  metrics: METRICS,
}

/** Settings of the cluster's own entry that have a value of their own beside `cluster.settings`. */
const CLUSTER_VALUES = ['cluster', 'issuer', 'audience', 'environment', 'liveness', 'api']

/**
 * The schema of `values.yaml`.
 * @param settings the schema of the configuration, for all kinds of trust entry
 */
export function valuesSchema(settings: TSchema): TSchema {
  const { required: _required, title: _title, ...config } = parts(settings)
  const { required: _path, ...policies } = parts(config.properties['policies'])
  const kubernetes = parts(
    parts(parts(settings).properties['trust']).items?.properties['kubernetes'],
  )
  const { liveness } = kubernetes.properties
  const further = Object.entries(kubernetes.properties).filter(
    ([name]) => !CLUSTER_VALUES.includes(name),
  )
  const cluster = closed(
    {
      enabled: flag('Whether service accounts of this cluster may ask'),
      name: Type.String({
        pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
        description: 'Our name for it: ids and subjects begin with it, so choose it once',
      }),
      issuer: text('The exact `iss` of its tokens; empty: what its API server says'),
      audience: text('The sole audience of its tokens; empty: the issuer of this server'),
      environment: Type.String({
        pattern: `^$|${NAME}`,
        title: NAME_TITLE,
        description: 'Environment::"…" in policies',
      }),
      ...(liveness !== undefined && { liveness }),
      settings: closed(Object.fromEntries(further), 'Further settings of the entry'),
    },
    'The cluster that this is installed in, as a trust entry',
  )
  return closed({
    ...OWN,
    cluster,
    config: {
      ...config,
      properties: { ...config.properties, policies },
      description:
        'Everything of countersign.yaml; `trust` and `resources` are added to the chart’s',
    } as TSchema,
    global: raw('Shared with other charts; not used'),
  })
}

type Parts = {
  readonly properties: Readonly<Record<string, TSchema>>
  readonly items?: { readonly properties: Readonly<Record<string, TSchema>> }
  readonly required?: readonly string[]
  readonly title?: string
}

function parts(schema: TSchema | undefined): Parts {
  return { properties: {}, ...schema }
}

function optional(properties: TProperties): TProperties {
  const entries = Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)])
  return Object.fromEntries(entries)
}
