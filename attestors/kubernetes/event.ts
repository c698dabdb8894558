/** One line of a watch (meta/v1 WatchEvent), read without trusting its shape. */

import { isObject, type JsonObject } from '../../src/net/json.ts'
import { ClusterApiError } from './api.ts'
import { keyOfObject } from './collection.ts'
import { parseObject } from './slices.ts'

/** What happened. `version` is the resourceVersion from which a watch goes on after it. */
export type WatchEvent =
  | {
      readonly type: 'put' | 'removed'
      readonly key: string
      readonly object: JsonObject
      readonly version: string
    }
  | { readonly type: 'bookmark'; readonly version: string }

/** The resourceVersion or the continue token has expired: everything must be listed anew. */
export const EXPIRED = 410

/**
 * Reads a line.
 * @throws ClusterApiError for an ERROR event, with its code (410 when the version has expired), and for a line that is
 *   no event: what it would have told is lost, so that the copy can no longer be complete
 */
export function readEvent(line: string): WatchEvent {
  const event = parseObject(line)
  const object = event?.['object']
  if (event === null || !isObject(object)) throw garbage()
  const { type } = event
  if (type === 'ERROR') {
    const { code } = object
    const status = typeof code === 'number' ? code : null
    throw new ClusterApiError(`the API server ended the watch with ${status ?? 'an error'}`, status)
  }
  const version = versionOf(object)
  if (version === null) throw garbage()
  if (type === 'BOOKMARK') return { type: 'bookmark', version }
  const key = keyOfObject(object)
  if (key === null) throw garbage()
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'put', key, object, version }
  if (type === 'DELETED') return { type: 'removed', key, object, version }
  throw garbage()
}

/** Where a page of a list leads. */
export type Page = {
  /** The version of the whole list. */
  readonly version: string
  /** The token of the next page; null when this one was the last. */
  readonly next: string | null
}

/** @throws ClusterApiError for a list without a version, or with a token that is no text */
export function pageOf(list: JsonObject): Page {
  const version = versionOf(list)
  const next = (isObject(list['metadata']) ? list['metadata']['continue'] : undefined) ?? ''
  if (version === null || typeof next !== 'string') {
    throw new ClusterApiError('the API server sent a list without a resourceVersion', null)
  }
  return { version, next: next === '' ? null : next }
}

/** The resourceVersion of an object or a list; null when it has none. It is opaque, and goes back as it came. */
function versionOf({ metadata }: JsonObject): string | null {
  const version = isObject(metadata) ? metadata['resourceVersion'] : undefined
  return typeof version === 'string' && /^[\w.-]{1,64}$/.test(version) ? version : null
}

function garbage(): ClusterApiError {
  return new ClusterApiError('the API server sent a line that is no watch event', null)
}
