/**
 * Cuts the API server's long answers into objects while they arrive. A page of 500 pods is megabytes: parsed at
 * once it would hold the event loop for a tenth of a second, and all of it in memory.
 */

import { isUtf8 } from 'node:buffer'
import { isObject, type JsonObject } from '../../src/net/json.ts'
import { ClusterApiError } from './api.ts'

/** etcd takes no object beyond 1.5 MiB unless told otherwise; nothing larger is an object of Kubernetes. */
export const MAX_OBJECT_BYTES = 4 * 1024 * 1024
/** A list around its items: kind, version and metadata. */
const MAX_ENVELOPE_BYTES = 64 * 1024
/** No object of Kubernetes is nested as deeply; `managedFields` of a pod reach about 20. */
export const MAX_DEPTH = 64

const QUOTE = 0x22
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** What precedes the array of items; only a name can stand there. */
const ITEMS = /"items"\s*:\s*\[$/
/** Half of a pod: who set which field. Nobody here reads it, so it is not even parsed. */
const MANAGED_FIELDS = /"managedFields"\s*:\s*\[$/
/** How deep the arrays of an item's metadata are; nothing beside it has one of that name. */
const METADATA_DEPTH = 4

/**
 * Parses an object of a list or a watch. `JSON.parse`, not the strict parser: these bytes come from the API
 * server over its own TLS and come by the hundred megabytes. It is twice as fast, and the strings it returns
 * are copies, where slices would keep the whole text alive for one label.
 * @returns null when the text is no JSON object
 */
export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    // The parser's own message would quote the text.
    return null
  }
}

/** Cuts a stream at its line feeds. Empty lines are skipped, and a last line that does not end. */
export class LineSlicer {
  private readonly line = new Slice(MAX_OBJECT_BYTES)
  private readonly onLine: (line: string) => void

  constructor(onLine: (line: string) => void) {
    this.onLine = onLine
  }

  /** @throws ClusterApiError for a line that is too long or not UTF-8; whatever `onLine` throws */
  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      this.line.add(chunk.subarray(start, end))
      const line = this.line.take()
      if (line !== '') this.onLine(line)
      start = end + 1
    }
    this.line.add(chunk.subarray(start))
  }
}

/** Cuts the objects out of `items` of a list, and keeps the list around them. */
export class ListSlicer {
  private readonly envelope = new Slice(MAX_ENVELOPE_BYTES)
  private readonly item = new Slice(MAX_OBJECT_BYTES)
  private readonly onItem: (text: string) => void
  private depth = 0
  private inItems = false
  private inManagedFields = false
  private inString = false
  private isEscaped = false
  /** Where in the chunk begins what has not been kept yet. */
  private start = 0

  constructor(onItem: (text: string) => void) {
    this.onItem = onItem
  }

  /** @throws ClusterApiError for what is no list of objects of a sane size; whatever `onItem` throws */
  push(chunk: Buffer): void {
    this.start = 0
    for (let at = this.inString ? this.stringEnd(chunk, 0) + 1 : 0; at < chunk.length; at += 1) {
      const code = chunk[at]
      if (code === OPEN_OBJECT || code === OPEN_ARRAY) this.open(chunk, at, code)
      else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) this.close(chunk, at)
      else if (this.inItems && this.depth === 2 && !isBetween(code)) throw garbage()
      else if (code === QUOTE) at = this.stringEnd(chunk, at + 1)
    }
    this.keep(chunk, chunk.length)
  }

  /**
   * The list without its items.
   * @throws ClusterApiError when it has not come to its end, or is no JSON object
   */
  end(): JsonObject {
    const list = parseObject(this.envelope.take())
    if (this.depth !== 0 || list === null) throw garbage()
    return list
  }

  private open(chunk: Buffer, at: number, code: number): void {
    if (this.inItems && this.depth === 2) {
      if (code !== OPEN_OBJECT) throw garbage()
      this.start = at
    } else if (code === OPEN_ARRAY && this.depth === 1) {
      this.keep(chunk, at + 1)
      this.inItems = ITEMS.test(this.envelope.tail())
    } else if (code === OPEN_ARRAY && this.inItems && this.depth === METADATA_DEPTH) {
      this.keep(chunk, at + 1)
      this.inManagedFields = MANAGED_FIELDS.test(this.item.tail())
    }
    this.depth += 1
    if (this.depth > MAX_DEPTH) throw garbage()
  }

  private close(chunk: Buffer, at: number): void {
    this.depth -= 1
    if (this.depth < 0) throw garbage()
    if (this.inManagedFields && this.depth === METADATA_DEPTH) {
      this.inManagedFields = false
      this.start = at
    }
    if (!this.inItems || this.depth > 2) return
    if (this.depth === 2) {
      this.item.add(chunk.subarray(this.start, at + 1))
      this.onItem(this.item.take())
    } else {
      this.inItems = false
    }
    this.start = this.depth === 2 ? at + 1 : at
  }

  /** Keeps what is before `end`, unless nobody reads it. */
  private keep(chunk: Buffer, end: number): void {
    if (this.inManagedFields) return
    if (!this.inItems) this.envelope.add(chunk.subarray(this.start, end))
    else if (this.depth > 2) this.item.add(chunk.subarray(this.start, end))
    this.start = end
  }

  /** The closing quote of the string that `from` is in, or the end of the chunk. */
  private stringEnd(chunk: Buffer, from: number): number {
    let isEscaped = this.isEscaped
    for (let at = from; at < chunk.length; at += 1) {
      const code = chunk[at]
      if (isEscaped) isEscaped = false
      else if (code === BACKSLASH) isEscaped = true
      else if (code === QUOTE) {
        this.inString = false
        this.isEscaped = false
        return at
      }
    }
    this.inString = true
    this.isEscaped = isEscaped
    return chunk.length
  }
}

const TAIL = 32

/** Bytes that are gathered until they are whole. */
class Slice {
  private parts: Buffer[] = []
  private size = 0
  private readonly maxBytes: number

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  add(bytes: Buffer): void {
    this.size += bytes.length
    if (this.size > this.maxBytes) {
      throw new ClusterApiError(
        `the API server sent an object of more than ${this.maxBytes} bytes`,
        null,
      )
    }
    if (bytes.length > 0) this.parts.push(bytes)
  }

  /** The last characters; enough of them to recognise a short name, however it was cut. */
  tail(): string {
    let tail = ''
    for (let at = this.parts.length - 1; at >= 0 && tail.length < TAIL; at -= 1) {
      tail = `${this.parts[at]?.subarray(-TAIL).toString('latin1')}${tail}`
    }
    return tail
  }

  take(): string {
    const [first] = this.parts
    const bytes = this.parts.length === 1 && first ? first : Buffer.concat(this.parts)
    this.parts = []
    this.size = 0
    if (!isUtf8(bytes)) throw garbage()
    return bytes.toString('utf8')
  }
}

/** Comma and white space (RFC 8259 §2). */
function isBetween(code: number | undefined): boolean {
  return code === 0x2c || code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

function garbage(): ClusterApiError {
  return new ClusterApiError('the API server answered with something other than a list', null)
}
