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

/** One API server. Credentials are read again when they change; every method rejects with ClusterApiError. */
export interface ClusterApi {
  /** @param path below the server, with its query: `/api/v1/pods?limit=500` */
  get(path: string, accept?: string): Promise<JsonObject>
  post(path: string, body: JsonObject): Promise<JsonObject>
  /**
   * Opens a watch. `onLine` gets each line as it arrives; resolves when the server ends it, rejects when it
   * breaks or has been silent for longer than `silenceMs`.
   */
  watch(
    path: string,
    onLine: (line: string) => void,
    options: { readonly silenceMs: number; readonly signal: AbortSignal },
  ): Promise<void>
}
