/**
 * Keeps one collection as the API server has it: lists it page by page, then watches from that version on. It
 * starts anew whenever the copy might have missed something, and what it had stays until the new list is complete.
 */

import type { Timers } from '../../src/net/timers.ts'
import { type ClusterApi, ClusterApiError } from './api.ts'
import {
  CollectionFull,
  type Identified,
  keyOfObject,
  type Project,
  Records,
} from './collection.ts'
import { EXPIRED, pageOf, readEvent } from './event.ts'
import { parseObject } from './slices.ts'
import type { Freshness } from './view.ts'

export type ReflectorOptions<Item extends Identified> = {
  readonly api: ClusterApi
  /** `/api/v1/pods` */
  readonly path: string
  /** Accept headers of a list and of a single object. */
  readonly accept: { readonly list: string; readonly one: string }
  readonly project: Project<Item>
  /** More objects than this are not kept: the collection is then not known at all. */
  readonly maxObjects: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly timers: Timers
  /** Hears of each problem once, when it begins or becomes another one. */
  readonly warn: (problem: string) => void
}

const PAGE = 500
/** The server ends a watch after this long, so that long-lived connections spread over its replicas. */
const WATCH_SECONDS = 300
const WATCH_JITTER_SECONDS = 60
/**
 * A bookmark comes each minute, give or take a quarter, if anything has changed. After this long the collection is
 * quiet or the connection half-open, and only a new connection tells which.
 */
const SILENCE_MS = 90_000
const FIRST_PAUSE_SECONDS = 1
const LONGEST_PAUSE_SECONDS = 30
/** A watch that ends sooner has failed, even if politely. */
const SHORTEST_WATCH_MS = 1_000

export class Reflector<Item extends Identified> {
  private readonly options: ReflectorOptions<Item>
  private readonly abort = new AbortController()
  private readonly first = Promise.withResolvers<void>()
  private readonly records: Records<Item>
  /** From where the next watch goes on; null when there must be a list first. */
  private version: string | null = null
  private synced = false
  /** When the API server last confirmed the copy, milliseconds since the epoch. */
  private heardAt: number | null = null
  private failures = 0
  private problem: string | null = null
  /** The problem that was told last, until something has come of the watch again. */
  private told: string | null = null

  constructor(options: ReflectorOptions<Item>) {
    this.options = options
    this.records = new Records(options.project, options.maxObjects)
  }

  get(key: string): Item | undefined {
    return this.records.get(key)
  }

  /** Begins. Resolves when the collection has synced or has failed once; never rejects. */
  start(): Promise<void> {
    void this.run()
    return this.first.promise
  }

  close(): void {
    this.abort.abort()
    this.first.resolve()
  }

  /** Whether it has synced, and was confirmed within the last `limitSeconds`. */
  fresh(limitSeconds: number): boolean {
    if (!this.synced || this.heardAt === null) return false
    return this.options.now() - this.heardAt <= limitSeconds * 1000
  }

  freshness(): Freshness {
    const { records } = this
    const unread = records.refused === 0 ? null : `${records.refused} objects cannot be read`
    return {
      synced: this.synced,
      ageSeconds:
        this.heardAt === null ? null : Math.floor((this.options.now() - this.heardAt) / 1000),
      objects: records.size,
      problem: this.problem ?? unread,
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.abort
    while (!signal.aborted) {
      try {
        this.version ??= await this.list()
        await this.watch(this.version)
      } catch (cause) {
        if (signal.aborted) return
        this.note(cause)
        await this.pause()
      }
    }
  }

  /**
   * Reads the collection as it was at one moment, and replaces the copy.
   * @returns the version of that moment
   */
  private async list(): Promise<string> {
    const { api, path, accept, maxObjects, now } = this.options
    // The pages show the moment of the first one, however long the others take.
    const begunAt = now()
    const next = this.records.successor()
    let taken = 0
    const onItem = (text: string) => {
      taken += 1
      if (taken > maxObjects) throw new CollectionFull(maxObjects)
      const object = parseObject(text)
      const key = object === null ? null : keyOfObject(object)
      if (object === null || key === null) next.refuseNameless()
      else next.put(key, object)
    }
    for (let query = `limit=${PAGE}`; ; ) {
      const before = taken
      const listing = { onItem, accept: accept.list, signal: this.abort.signal }
      const page = pageOf(await api.list(`${path}?${query}`, listing))
      if (page.next === null) {
        this.records.become(next)
        this.synced = true
        this.heardAt = begunAt
        this.first.resolve()
        return page.version
      }
      if (taken === before) throw new ClusterApiError('an empty page of a list goes on', null)
      query = `limit=${PAGE}&continue=${encodeURIComponent(page.next)}`
    }
  }

  /** Follows the changes until the watch ends, or falls silent. */
  private async watch(from: string): Promise<void> {
    const { api, path, accept, now, timers } = this.options
    const seconds = WATCH_SECONDS + Math.floor(timers.random() * WATCH_JITTER_SECONDS)
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(from)}&timeoutSeconds=${seconds}`
    const begunAt = now()
    let isMute = false
    try {
      const end = await api.watch(`${path}?${query}`, {
        accept: accept.one,
        silenceMs: SILENCE_MS,
        signal: this.abort.signal,
        onOpen: () => {
          isMute = true
          this.heard()
        },
        onLine: (line) => {
          isMute = false
          this.take(line)
        },
      })
      if (end === 'silent') return
    } finally {
      // Silent from its first moment to its last, it has confirmed nothing: only a list can. Otherwise a proxy that
      // accepts everything, or a server that was set back in time, could keep a dead copy alive.
      if (isMute) this.version = null
    }
    if (isMute || now() - begunAt < SHORTEST_WATCH_MS) {
      throw new ClusterApiError('the API server ended a watch as soon as it had begun', null)
    }
  }

  private take(line: string): void {
    try {
      const event = readEvent(line)
      if (event.type === 'put') this.records.put(event.key, event.object)
      if (event.type === 'removed') this.records.remove(event.key)
      this.version = event.version
    } catch (cause) {
      // What this line would have told is lost.
      this.version = null
      throw cause
    }
    this.failures = 0
    this.told = null
    this.heard()
  }

  private heard(): void {
    this.heardAt = this.options.now()
    this.problem = null
  }

  private note(cause: unknown): void {
    if (cause instanceof ClusterApiError && cause.status === EXPIRED) this.version = null
    if (cause instanceof CollectionFull) {
      this.records.clear()
      this.synced = false
      this.version = null
    }
    const problem = cause instanceof Error ? cause.message : 'unknown failure'
    if (problem !== this.told) this.options.warn(problem)
    this.told = problem
    this.problem = problem
    this.first.resolve()
  }

  private async pause(): Promise<void> {
    const { timers } = this.options
    const longest = Math.min(LONGEST_PAUSE_SECONDS, 2 ** this.failures)
    // Replicas that lost the same server must not all come back in the same moment.
    const seconds = Math.max(FIRST_PAUSE_SECONDS, longest * (0.5 + timers.random() / 2))
    this.failures += 1
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = () => resolve()
    const cancel = timers.after(seconds * 1000, wake)
    this.abort.signal.addEventListener('abort', wake, { once: true })
    await promise
    this.abort.signal.removeEventListener('abort', wake)
    cancel()
  }
}
