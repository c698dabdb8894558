/**
 * Where an API server is and how we log in: from the files of our own pod, or from a kubeconfig by the client library.
 * Nothing but that is asked of the library: it follows redirects, reads without limit and obeys
 * `insecure-skip-tls-verify`. What we do not obey is refused by name, never left out in silence.
 */

import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { dirname, join } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Timers } from '../../src/net/timers.ts'
import { few, printable } from '../../src/refusal.ts'
import { ClusterApiError } from './api.ts'
import type { KubernetesSettings } from './settings.ts'

export type ApiSettings = NonNullable<KubernetesSettings['api']>

/** How one request logs in. */
export type Login = {
  /** Base URL without a slash at its end. */
  readonly server: string
  readonly authorization: string | undefined
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly serverName: string | undefined
}

/** What a pod is given to reach its own API server: a token and a certificate authority, and a name in DNS. */
export type Pod = { readonly folder: string; readonly server: string }

const OWN_POD: Pod = {
  folder: '/var/run/secrets/kubernetes.io/serviceaccount',
  // In every cluster's DNS and in every API server's certificate.
  server: 'https://kubernetes.default.svc',
}

/** How often a kubeconfig or the token of a pod is looked at for changes. */
const LOOK_EVERY_MS = 60_000
/** A login command of a kubeconfig has no limit of its own. */
const LOGIN_MS = 10_000

export type CredentialsWorld = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly timers: Timers
  /** Our own pod, where a test brings another. */
  readonly pod?: Pod
}

/** The login of one cluster, kept for as long as it is good. */
export class Credentials {
  private readonly settings: ApiSettings
  private readonly world: CredentialsWorld
  /** The configuration, and the text it was read from. */
  private known: { readonly config: KubeConfig; readonly text: string } | null = null
  private ownLogin: Login | null = null
  private lookedAt = Number.NEGATIVE_INFINITY

  constructor(settings: ApiSettings, world: CredentialsWorld) {
    this.settings = settings
    this.world = world
  }

  /** @throws ClusterApiError that names the setting */
  async login(): Promise<Login> {
    const { timers } = this.world
    const { promise: late, reject } = Promise.withResolvers<never>()
    const cancel = timers.after(LOGIN_MS, () => {
      reject(this.error(`no login within ${LOGIN_MS / 1000} s; look at its login command`))
    })
    try {
      const { kubeconfig } = this.settings
      const login = kubeconfig === undefined ? this.readPod() : this.read(kubeconfig)
      return await Promise.race([login, late])
    } catch (cause) {
      this.forget()
      if (cause instanceof ClusterApiError) throw cause
      throw this.error(cause instanceof Error ? cause.message : 'unknown failure', cause)
    } finally {
      cancel()
    }
  }

  /** Reads the file, the token and whatever a login command gave anew the next time. */
  forget(): void {
    this.known = null
    this.ownLogin = null
  }

  /** Looks the next time whether a file has changed. */
  doubt(): void {
    this.lookedAt = Number.NEGATIVE_INFINITY
  }

  private async readPod(): Promise<Login> {
    const now = this.world.now()
    if (this.ownLogin !== null && now - this.lookedAt < LOOK_EVERY_MS) return this.ownLogin
    const { folder, server } = this.world.pod ?? OWN_POD
    const [token, ca] = await Promise.all(
      ['token', 'ca.crt'].map((name) =>
        readFile(join(folder, name), 'utf8').catch((cause) => {
          throw this.error(
            `${join(folder, name)} cannot be read: is this a pod of a cluster?`,
            cause,
          )
        }),
      ),
    )
    this.lookedAt = now
    this.ownLogin = {
      server,
      authorization: `Bearer ${token?.trim()}`,
      ca,
      cert: undefined,
      key: undefined,
      serverName: undefined,
    }
    return this.ownLogin
  }

  private async read(kubeconfig: string): Promise<Login> {
    const config = await this.config(kubeconfig)
    const context = this.settings.context ?? config.getCurrentContext()
    const found = config.getContextObject(context)
    const cluster = found === null ? null : config.getCluster(found.cluster)
    if (found === null || cluster === null) throw this.missing(config, context)
    if (!config.getUser(found.user ?? '')) throw this.error(`context ${context} names no user`)
    config.setCurrentContext(context)
    this.checkObeyed(config, cluster.server)
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    const headers = new Headers(options.headers as Record<string, string>)
    return {
      server: cluster.server.replace(/\/$/, ''),
      authorization: headers.get('authorization')?.trim() ?? undefined,
      ca: pem(options.ca),
      cert: pem(options.cert),
      key: pem(options.key),
      serverName: options.servername,
    }
  }

  private async config(path: string): Promise<KubeConfig> {
    const now = this.world.now()
    if (this.known !== null && now - this.lookedAt < LOOK_EVERY_MS) return this.known.config
    const text = await readFile(path, 'utf8')
    this.lookedAt = now
    if (this.known?.text !== text) this.known = { config: await this.load(path, text), text }
    return this.known.config
  }

  private async load(path: string, text: string): Promise<KubeConfig> {
    const { KubeConfig } = await import('@kubernetes/client-node')
    const config = new KubeConfig()
    try {
      config.loadFromString(text)
    } catch (cause) {
      throw this.error(`is no kubeconfig: ${firstLine(cause)}`, cause)
    }
    config.makePathsAbsolute(dirname(path))
    return config
  }

  /** What a kubeconfig may say that we do not do. Doing less in silence would be doing something else. */
  private checkObeyed(config: KubeConfig, server: string): void {
    const cluster = config.getCurrentCluster()
    const user = config.getCurrentUser()
    // The library demands the flag for http, which the door lets through to a loopback address alone.
    if (cluster?.skipTLSVerify && !server.startsWith('http:')) {
      throw this.error(
        'insecure-skip-tls-verify is not obeyed; give certificate-authority or certificate-authority-data instead',
      )
    }
    if (cluster?.proxyUrl)
      throw this.error('proxy-url is not obeyed; requests go to the server itself')
    if (user?.impersonateUser) throw this.error('`as` is not obeyed; log in as the user you mean')
    if (user?.username) throw this.error('a user name with a password is not a login of Kubernetes')
    if (URL.parse(server) === null) throw this.error(`its server ${printable(server)} is no URL`)
  }

  private missing(config: KubeConfig, context: string): ClusterApiError {
    const names = few(config.getContexts().map(({ name }) => name)).join(', ') || 'none'
    const setting = this.settings.context === undefined ? 'current-context' : 'api.context'
    return this.error(
      `${setting} ${printable(context ?? 'is not set')}: no such context, or no such cluster in it; contexts: ${names}`,
    )
  }

  private error(problem: string, cause?: unknown): ClusterApiError {
    const { kubeconfig } = this.settings
    const setting = kubeconfig === undefined ? 'api.inCluster' : `api.kubeconfig ${kubeconfig}`
    return new ClusterApiError(`${setting}: ${problem}`, null, { cause })
  }
}

/** What a parser says first; its further lines quote the file, which holds credentials. */
function firstLine(cause: unknown): string {
  return cause instanceof Error ? printable(cause.message.split('\n', 1)[0]) : 'unknown failure'
}

function pem(value: unknown): string | undefined {
  return typeof value === 'string' || Buffer.isBuffer(value) ? value.toString() : undefined
}
