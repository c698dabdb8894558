/** Asks one API server: logs in as its settings say, goes through the door, and says which permission is missing. */

import { type Door, DoorError, type DoorRequest } from '../../src/net/fetch.ts'
import { isObject, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import type { Timers } from '../../src/net/timers.ts'
import { type ClusterApi, ClusterApiError, type Listing, type Watching } from './api.ts'
import { type ApiSettings, Credentials, type Login, type Pod } from './credentials.ts'
import { LineSlicer, ListSlicer, MAX_DEPTH, MAX_OBJECT_BYTES } from './slices.ts'

/** What asking needs of the world. */
export type ClusterApiWorld = {
  readonly door: Door
  readonly timers: Timers
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Our own pod, where a test brings another. */
  readonly pod?: Pod
}

const TIMEOUT_MS = 5_000
/** A page of 500 pods is some 5 MB; this is 500 pods of 128 KiB. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024
/** How long the first byte of a page or a watch may take, and how long a page may pause. */
const HEAD_MS = 15_000
/** How long a page may take in all, however steadily it trickles. */
const PAGE_MS = 60_000

type Verb = 'get' | 'list' | 'watch' | 'create'

/** The API server of one cluster. Nothing is read or connected before it is asked. */
export function clusterApi(settings: ApiSettings, world: ClusterApiWorld): ClusterApi {
  return new HttpClusterApi(new Credentials(settings, world), world)
}

class HttpClusterApi implements ClusterApi {
  private readonly credentials: Credentials
  private readonly world: ClusterApiWorld

  constructor(credentials: Credentials, world: ClusterApiWorld) {
    this.credentials = credentials
    this.world = world
  }

  get(path: string, accept?: string): Promise<JsonObject> {
    return this.ask('get', path, async (login) => {
      const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_OBJECT_BYTES }
      const asked = { ...request(login, path, accept), ...limits }
      return readObject((await this.world.door(asked)).body)
    })
  }

  post(path: string, body: JsonObject): Promise<JsonObject> {
    return this.ask('create', path, async (login) => {
      const asked = { ...request(login, path), timeoutMs: TIMEOUT_MS, body: JSON.stringify(body) }
      return readObject((await this.world.door(asked)).body)
    })
  }

  list(path: string, { onItem, accept, signal }: Listing): Promise<JsonObject> {
    return this.ask('list', path, async (login) => {
      const deadline = new AbortController()
      const cancel = this.world.timers.after(PAGE_MS, () => deadline.abort())
      const slicer = new ListSlicer(onItem)
      try {
        const limits = { timeoutMs: HEAD_MS, maxBytes: MAX_PAGE_BYTES }
        await this.world.door.stream(
          { ...request(login, path, accept), ...limits },
          {
            onChunk: (chunk) => slicer.push(chunk),
            idleMs: HEAD_MS,
            signal: AbortSignal.any([signal, deadline.signal]),
          },
        )
        return slicer.end()
      } catch (cause) {
        if (!deadline.signal.aborted) throw cause
        throw new ClusterApiError(`a page took longer than ${PAGE_MS / 1000} s`, null, { cause })
      } finally {
        cancel()
      }
    })
  }

  watch(path: string, watching: Watching): Promise<'ended' | 'silent'> {
    const { onLine, onOpen, accept, silenceMs, signal } = watching
    return this.ask('watch', path, async (login) => {
      const slicer = new LineSlicer(onLine)
      let isOpen = false
      const reading = {
        onOpen() {
          isOpen = true
          onOpen()
        },
        onChunk: (chunk: Buffer) => slicer.push(chunk),
        idleMs: silenceMs,
        signal,
      }
      try {
        const asked = { ...request(login, path, accept), timeoutMs: HEAD_MS }
        await this.world.door.stream(asked, reading)
        return 'ended'
      } catch (cause) {
        if (isOpen && cause instanceof DoorError && cause.code === 'timeout') return 'silent'
        throw cause
      }
    })
  }

  /** Does a request. When the login is not accepted, it is read anew, once: a token in a pod lives for an hour. */
  private async ask<Result>(
    verb: Verb,
    path: string,
    work: (login: Login) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work(await this.credentials.login())
    } catch (cause) {
      if (!isUnauthorized(cause)) throw this.failed(verb, path, cause)
    }
    this.credentials.forget()
    try {
      return await work(await this.credentials.login())
    } catch (cause) {
      throw this.failed(verb, path, cause)
    }
  }

  private failed(verb: Verb, path: string, cause: unknown): ClusterApiError {
    // The cluster may have moved: a changed kubeconfig is seen at the next attempt.
    this.credentials.doubt()
    if (cause instanceof ClusterApiError) return cause
    if (!(cause instanceof DoorError)) throw cause
    const hint = HINTS[cause.status ?? 0]?.(verb, path) ?? ''
    return new ClusterApiError(`${cause.message}${hint}`, cause.status, { cause })
  }
}

const HINTS: Readonly<Record<number, (verb: Verb, path: string) => string>> = {
  401: () => ' (it does not accept our login; look at the user in `api`)',
  403: (verb, path) => `; Countersign needs ${verb} on ${resourceOf(path)} (RBAC)`,
  404: (_verb, path) => ` for ${resourceOf(path)}`,
}

/** The resource in a path of the API: `pods` of `/api/v1/namespaces/agents/pods/planner-0`. */
function resourceOf(path: string): string {
  const [bare = ''] = path.split('?', 1)
  const parts = bare.split('/').slice(bare.startsWith('/apis/') ? 4 : 3)
  return (parts[0] === 'namespaces' && parts.length > 2 ? parts[2] : parts[0]) ?? bare
}

function isUnauthorized(cause: unknown): boolean {
  return cause instanceof DoorError && cause.status === 401
}

function request(login: Login, path: string, accept = 'application/json'): DoorRequest {
  const { server, authorization, ca, cert, key, serverName } = login
  return {
    url: `${server}${path}`,
    allow: [new URL(server).origin],
    // The operator named this very server, and API servers live on private addresses.
    allowPrivate: true,
    json: true,
    accept,
    ca,
    cert,
    key,
    serverName,
    ...(authorization === undefined ? {} : { authorization }),
  }
}

function readObject(body: string): JsonObject {
  try {
    const answer = parseJson(body, MAX_DEPTH)
    if (isObject(answer)) return answer
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
  }
  throw new ClusterApiError('the API server did not answer with a JSON object', null)
}
