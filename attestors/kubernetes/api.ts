/** How the API server of one cluster is asked: with the credentials of its settings, through the one door. */

import type { JsonObject } from '../../src/net/json.ts'

/** A request that failed. `status` is the API server's answer; null when there was none. */
export class ClusterApiError extends Error {
  readonly status: number | null

  constructor(message: string, status: number | null, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClusterApiError'
    this.status = status
  }
}

/** How a watch is read. */
export type Watching = {
  /** Gets each line, without its end. What it throws ends the watch and rejects it. */
  readonly onLine: (line: string) => void
  /** Hears that the server has accepted the watch. */
  readonly onOpen: () => void
  readonly accept: string
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/** How a page of a list is read. */
export type Listing = {
  /** Gets each object as the text it came in, as it comes. What it throws ends the listing and rejects it. */
  readonly onItem: (text: string) => void
  readonly accept: string
  readonly signal: AbortSignal
}

/**
 * One API server. Credentials are read again when they change; every method rejects with ClusterApiError, whose
 * message names the setting or the permission that is missing.
 */
export interface ClusterApi {
  /** @param path below the server, with its query: `/api/v1/nodes/node-1` */
  get(path: string, accept?: string): Promise<JsonObject>
  post(path: string, body: JsonObject): Promise<JsonObject>
  /** Reads one page of a list, object by object. Resolves with the list around them: `metadata`, and `items` empty. */
  list(path: string, listing: Listing): Promise<JsonObject>
  /**
   * Opens a watch. Resolves when the server ends it, or when it has been silent for longer than `silenceMs`: a
   * quiet collection and a half-open connection look the same. Rejects when it breaks.
   */
  watch(path: string, watching: Watching): Promise<'ended' | 'silent'>
}
