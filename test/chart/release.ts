/** The chart on a real cluster: a namespace that admits only restricted pods, and one release in it. */

import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { Cluster } from '../cluster/kube.ts'
import { Namespace, uniqueName } from '../cluster/namespace.ts'
import { CHART, type Ended, helm, type Values, withoutHelm } from './helm.ts'
import { findLoader, loadImage } from './image.ts'

/** The image that the chart names where no value says otherwise. */
export const IMAGE = 'localhost/countersign:0.1.0'
const NAME = 'countersign'
const SECRETS = 'secret,configmap,pvc,service,deployment,pod,serviceaccount,networkpolicy,hpa,pdb'

/** Why nothing can be installed; undefined where it can. */
export function withoutCluster(): string | undefined {
  if (!process.env['KUBECONFIG']) return 'KUBECONFIG is not set'
  const given = process.env['COUNTERSIGN_CHART_IMAGE_LOADED'] === 'yes'
  if (!given && findLoader() === null)
    return 'no image loader, and no COUNTERSIGN_CHART_IMAGE_LOADED'
  return withoutHelm()
}

let reached: Promise<Cluster> | undefined

/** The cluster of KUBECONFIG with the image on its node: once for all tests. */
export function clusterWithImage(): Promise<Cluster> {
  reached ??= (async () => {
    const cluster = await Cluster.reach(process.env['KUBECONFIG'] ?? '')
    const loader = findLoader()
    const isGiven = process.env['COUNTERSIGN_CHART_IMAGE_LOADED'] === 'yes'
    if (loader !== null && !isGiven) loadImage(loader, IMAGE)
    return cluster
  })()
  return reached
}

/** One installed release. */
export class Release {
  readonly namespace: Namespace
  readonly issuer: string
  /** What helm printed last. */
  notes = ''

  private constructor(namespace: Namespace) {
    this.namespace = namespace
    this.issuer = `https://${NAME}.${namespace.name}.svc`
  }

  /** Opens a namespace and installs nothing yet. */
  static async prepare(t: Pick<TestContext, 'after'>): Promise<Release> {
    const cluster = await clusterWithImage()
    const name = uniqueName()
    // Before its namespace goes: what is outside of it is helm's to take away.
    t.after(() => helm(['uninstall', NAME, '--namespace', name, '--ignore-not-found', '--wait']))
    const namespace = await Namespace.open(t, cluster, ['planner'], name)
    await restrict(namespace)
    return new Release(namespace)
  }

  /** Installs or upgrades with nothing but the issuer and these values, and waits. @throws Error with what helm says */
  async apply(verb: 'install' | 'upgrade', values: Values = {}): Promise<void> {
    const { out, err, code } = await helm(
      [verb, NAME, CHART, ...this.where(), '--set', `issuer=${this.issuer}`, '--wait'],
      values,
    )
    if (code !== 0) throw new Error(`${err}\n${await this.log().catch(() => '')}`)
    this.notes = out
  }

  /** Runs `helm test` and returns what it printed. */
  async test(): Promise<Ended> {
    return helm(['test', NAME, ...this.where(), '--logs'])
  }

  uninstall(): Promise<Ended> {
    return helm(['uninstall', NAME, ...this.where(), '--wait'])
  }

  log(): Promise<string> {
    return this.namespace.kubectl('logs', `deploy/${NAME}`, '--all-pods=true')
  }

  /** Runs a program in a pod of the broker. */
  exec(...command: readonly string[]): Promise<string> {
    return this.namespace.kubectl('exec', `deploy/${NAME}`, '--', ...command)
  }

  /** The broker's pods, by name: uid and how often its container was started again. */
  async pods(): Promise<ReadonlyMap<string, string>> {
    const columns = '{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].restartCount}'
    const list = await this.namespace.kubectl(
      'get',
      'pods',
      '-l=app.kubernetes.io/component=broker',
      `-o=jsonpath={range .items[*]}${columns}{"\\n"}{end}`,
    )
    return new Map(
      list
        .split('\n')
        .filter(Boolean)
        .map((line) => [line.slice(0, line.indexOf(' ')), line]),
    )
  }

  /** Waits until no pod of the release is left: helm waits for what it deleted, not for what that took along. */
  async gone(): Promise<void> {
    const label = '-l=app.kubernetes.io/instance=countersign'
    await this.namespace.kubectl('wait', '--for=delete', '--timeout=60s', 'pod', label)
  }

  /** Everything in the namespace that bears the release's label, and its cluster-wide objects. */
  async objects(): Promise<readonly string[]> {
    const label = `-l=app.kubernetes.io/instance=${NAME}`
    const inside = await this.namespace.kubectl('get', SECRETS, label, '-o=name')
    const outside = await this.namespace.kubectl('get', 'clusterrole,clusterrolebinding', '-o=name')
    const ours = outside.split('\n').filter((name) => name.includes(`:${this.namespace.name}:`))
    return [...inside.split('\n').filter(Boolean), ...ours]
  }

  /** The authority of the self-made certificate, PEM. */
  authority(): Promise<string> {
    return this.namespace.kubectl('get', 'configmap', `${NAME}-ca`, '-o=jsonpath={.data.ca\\.crt}')
  }

  /** The address of the broker's Service, which this host reaches too. */
  address(): Promise<string> {
    return this.namespace.kubectl('get', 'service', NAME, '-o=jsonpath={.spec.clusterIP}')
  }

  /**
   * Makes the kubelet look at the pods' volumes now: it does so at least once a minute by itself, and at once when a
   * pod is changed.
   */
  async nudge(): Promise<void> {
    const stamp = `test/nudged=${process.hrtime.bigint()}`
    const pods = '-l=app.kubernetes.io/component=broker'
    await this.namespace.kubectl('annotate', 'pods', pods, stamp, '--overwrite')
  }

  private where(): readonly string[] {
    return ['--namespace', this.namespace.name, '--timeout', '120s']
  }
}

/** Lets in only pods of the `restricted` Pod Security level. */
async function restrict(namespace: Namespace): Promise<void> {
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  await namespace.cluster.kubectl(['label', 'namespace', namespace.name, label])
}

/** Runs a command line as a person would paste it, and returns what it printed. */
export function paste(line: string): string {
  return execFileSync('bash', ['-euo', 'pipefail', '-c', line], { encoding: 'utf8' })
}
