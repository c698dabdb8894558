/**
 * What is known of the signatures of images. Reading never waits: an image that is seen for the first time is unknown,
 * and is looked up in the background, a few at a time. What was found out is kept by image, verified for hours, the
 * rest for minutes.
 */

import type { ImagesHealth } from '../../src/identity.ts'
import type { Detail } from '../../src/refusal.ts'
import { epochSeconds, seconds } from '../../src/units.ts'
import type { Finding, ImageRef, Verdict } from './lookup.ts'

/** A verdict and when it was found, epoch seconds. */
export type Known = { readonly verdict: Verdict; readonly foundAt: number }

export type SignaturesWorld = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly warn: (detail: Detail, sentence: string) => void
}

/** How long a verdict is believed. */
const BELIEVED: Readonly<Record<Verdict, number>> = {
  verified: seconds('6h'),
  failed: seconds('10m'),
  unknown: seconds('1m'),
}
/** From this age on a verdict is looked up again while it is still believed, so that nobody meets its end. */
const RENEWED_AFTER: Readonly<Record<Verdict, number>> = {
  verified: seconds('5h'),
  failed: seconds('5m'),
  unknown: seconds('30s'),
}

/** As many as a large cluster runs. */
const MAX_KNOWN = 10_000
const MAX_WAITING = 1_000
const MAX_UNDER_WAY = 4

type Entry = Finding & {
  readonly foundAt: number
  /** From when on it is looked up again, by whoever sees it. */
  readonly dueAt: number
}

export class ImageSignatures {
  private readonly world: SignaturesWorld
  private readonly find: (image: ImageRef) => Promise<Finding>
  /** Oldest first. */
  private readonly known = new Map<string, Entry>()
  private readonly waiting = new Map<string, ImageRef>()
  private readonly underWay = new Set<string>()
  private problem: string | null = null
  private isOpen = true

  /** @param find looks one image up, and never rejects */
  constructor(find: (image: ImageRef) => Promise<Finding>, world: SignaturesWorld) {
    this.world = world
    this.find = find
  }

  /** What is known of an image now. Never waits. */
  look(image: ImageRef): Known {
    const key = keyOf(image)
    const nowSeconds = epochSeconds(this.world.now())
    const entry = this.known.get(key)
    if (entry === undefined || nowSeconds >= entry.dueAt) this.enqueue(key, image)
    if (entry === undefined || !isBelieved(entry, nowSeconds)) {
      return { verdict: 'unknown', foundAt: nowSeconds }
    }
    return { verdict: entry.verdict, foundAt: entry.foundAt }
  }

  health(): ImagesHealth {
    const nowSeconds = epochSeconds(this.world.now())
    const count = { verified: 0, unknown: 0, failed: 0 }
    for (const entry of this.known.values()) {
      count[isBelieved(entry, nowSeconds) ? entry.verdict : 'unknown'] += 1
    }
    const waiting = this.waiting.size + this.underWay.size
    return { ...count, waiting, problem: this.problem }
  }

  close(): void {
    this.isOpen = false
    this.waiting.clear()
  }

  /** What does not fit is asked for again by whoever sees the image next. */
  private enqueue(key: string, image: ImageRef): void {
    if (this.waiting.has(key) || this.underWay.has(key)) return
    if (!this.isOpen || this.waiting.size >= MAX_WAITING) return
    this.waiting.set(key, image)
    this.advance()
  }

  private advance(): void {
    for (const [key, image] of this.waiting) {
      if (this.underWay.size >= MAX_UNDER_WAY) return
      this.waiting.delete(key)
      this.underWay.add(key)
      void this.find(image).then((finding) => {
        this.underWay.delete(key)
        this.keep(key, finding)
        this.advance()
      })
    }
  }

  private keep(key: string, finding: Finding): void {
    const nowSeconds = epochSeconds(this.world.now())
    const before = this.known.get(key)
    if (finding.problem !== null) this.say(key, finding, before)
    const dueAt = nowSeconds + RENEWED_AFTER[finding.verdict]
    // A registry that cannot be asked unsays nothing: what was verified is believed to its own end.
    const stays =
      finding.verdict === 'unknown' &&
      before?.verdict === 'verified' &&
      isBelieved(before, nowSeconds)
    this.known.delete(key)
    this.known.set(key, stays ? { ...before, dueAt } : { ...finding, foundAt: nowSeconds, dueAt })
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MAX_KNOWN) return
      this.known.delete(oldest)
    }
  }

  /** Once for each change of an image, not each time that somebody looks. */
  private say(key: string, { verdict, problem }: Finding, before: Entry | undefined): void {
    this.problem = `${key}: ${problem}`
    if (before?.problem === problem) return
    this.world.warn({ image: key, verdict, problem }, 'an image has no signature that counts')
  }
}

function isBelieved({ verdict, foundAt }: Entry, nowSeconds: number): boolean {
  return nowSeconds - foundAt < BELIEVED[verdict]
}

/** By place and digest: elsewhere the same image may be signed, or not. */
function keyOf({ name: { registry, repository }, digest }: ImageRef): string {
  return `${registry}/${repository}@${digest}`
}
