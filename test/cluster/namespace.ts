/** A namespace of the test's own: its service accounts, its pods and the tokens that lie in them. */

import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Cluster, Manifest, Stored } from './kube.ts'

/** On every node. */
export const IMAGE = 'countersign.test/busybox:1'
const TOKENS = '/var/run/secrets/countersign'

/** A pod that runs. */
export type Pod = {
  /** The object as it was once it ran. */
  readonly stored: Stored
  /** Reads a projected token, by the name it has in `tokens`. */
  token(name: string): Promise<string>
  /** Reads any file in the pod. */
  read(path: string): Promise<string>
  /** Deletes the pod and watches until the API server has no such object. */
  remove(): Promise<void>
}

/** What a pod is made of. */
export type PodOptions = {
  readonly name: string
  readonly account: string
  /** Projected tokens: file name → audience. */
  readonly tokens: Readonly<Record<string, string>>
  /** Members of the pod's spec and of its container, beside the ordinary ones. */
  readonly spec?: object
  readonly container?: object
}

/** A name that no other run uses. */
export function uniqueName(): string {
  return `countersign-${randomBytes(4).toString('hex')}`
}

export class Namespace {
  readonly cluster: Cluster
  readonly name: string

  private constructor(cluster: Cluster, name: string) {
    this.cluster = cluster
    this.name = name
  }

  /** Creates it with its service accounts. It goes when the test ends, and everything in it. */
  static async open(
    t: Pick<TestContext, 'after'>,
    cluster: Cluster,
    accounts: readonly string[],
    name = uniqueName(),
  ): Promise<Namespace> {
    t.after(() =>
      cluster.kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=false']),
    )
    await cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    const namespace = new Namespace(cluster, name)
    await namespace.create(
      ...accounts.map((account) => ({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: account },
      })),
    )
    return namespace
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return this.cluster.kubectl(['-n', this.name, ...args])
  }

  get(object: string): Promise<Stored> {
    return this.cluster.get(this.name, object)
  }

  /** Creates objects; their manifests need no namespace. */
  async create(...items: readonly (Manifest & { readonly metadata: object })[]): Promise<void> {
    const placed = items.map((item) => ({
      ...item,
      metadata: { ...item.metadata, namespace: this.name },
    }))
    await this.cluster.create(...placed)
  }

  /** Asks the API server for a token (TokenRequest), with the options of `kubectl create token`. */
  async requestToken(account: string, ...options: readonly string[]): Promise<string> {
    return (await this.kubectl('create', 'token', account, ...options)).trim()
  }

  /** Starts pods that do nothing and waits until all of them run. */
  async run(...pods: readonly PodOptions[]): Promise<readonly Pod[]> {
    await this.create(...pods.map(idle))
    const objects = pods.map(({ name }) => `pod/${name}`)
    await this.kubectl('wait', '--for=condition=Ready', '--timeout=120s', ...objects)
    return Promise.all(pods.map(({ name }) => this.running(name)))
  }

  private async running(name: string): Promise<Pod> {
    const read = (path: string) => this.kubectl('exec', name, '--', 'cat', path)
    return {
      stored: await this.get(`pod/${name}`),
      read,
      token: (file) => read(`${TOKENS}/${file}`),
      remove: async () => {
        await this.kubectl('delete', 'pod', name, '--wait=false')
        await this.kubectl('wait', '--for=delete', '--timeout=120s', `pod/${name}`)
      },
    }
  }
}

function idle({ name, account, tokens, spec, container }: PodOptions) {
  const sources = Object.entries(tokens).map(([path, audience]) => ({
    serviceAccountToken: { path, audience, expirationSeconds: 600 },
  }))
  const volumeMounts = [{ name: 'tokens', mountPath: TOKENS, readOnly: true }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      serviceAccountName: account,
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'idle', image: IMAGE, command: ['sleep', 'infinity'], volumeMounts, ...container },
      ],
      volumes: [{ name: 'tokens', projected: { sources } }],
      ...spec,
    },
  }
}
