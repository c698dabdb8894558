/** What a broker that runs knows and `countersign doctor` cannot see by itself: who has vouched lately. Read from its metrics. */

import { type Door, DoorError } from '../../net/fetch.ts'
import { IMAGES, LAST_SUCCESS, RELAY_ANSWERED, RELAY_FAILED } from '../../trustmetrics.ts'
import { doubtful, type Finding, well } from './finding.ts'

/** Samples of one metric. */
type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }

/** What the admin listener of a running broker said. */
export type Running = {
  readonly origin: string
  /** Null while it answers; else why not, as a sentence. */
  readonly problem: string | null
  readonly samples: (name: string) => readonly Sample[]
}

const MAX_BYTES = 4 * 1024 * 1024
const ACCEPT = 'text/plain'

/** @param origin of the admin listener */
export async function askRunning(origin: string, door: Door): Promise<Running> {
  try {
    const { body } = await door({
      url: `${origin}/metrics`,
      allow: [origin],
      allowPrivate: true,
      accept: ACCEPT,
      maxBytes: MAX_BYTES,
    })
    const lines = body.split('\n')
    return { origin, problem: null, samples: (name) => samplesOf(lines, name) }
  } catch (error) {
    if (!(error instanceof DoorError)) throw error
    return { origin, problem: error.message, samples: () => [] }
  }
}

function samplesOf(lines: readonly string[], name: string): readonly Sample[] {
  return lines.flatMap((line) => {
    const [, labels = '', value] = /^[a-z_]+\{(.*)\} (\S+)$/.exec(line) ?? []
    if (value === undefined || !line.startsWith(`${name}{`)) return []
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
    const read = pairs.map(([, label = '', text = '']) => [label, text.replace(/\\(.)/g, '$1')])
    return [{ labels: Object.fromEntries(read), value: Number(value) }]
  })
}

/** Whether there is one to ask, and how its relays fare. @param now epoch seconds */
export function examineRunning(running: Running, now: number): readonly Finding[] {
  const about = `running broker ${running.origin}`
  if (running.problem !== null) {
    const advice =
      'Without it nobody knows when a trust entry last vouched. Start it, or name its admin listener with --admin.'
    return [doubtful(about, `cannot be asked: ${running.problem}`, advice)]
  }
  return [well(about, 'answers'), ...examineRelays(running, now)]
}

function examineRelays({ samples }: Running, now: number): readonly Finding[] {
  const answered = new Map(
    samples(RELAY_ANSWERED).map(({ labels, value }) => [labels['format'] ?? '', value]),
  )
  const failures = samples(RELAY_FAILED)
  const formats = new Set([
    ...answered.keys(),
    ...failures.map(({ labels }) => labels['format'] ?? ''),
  ])
  return [...formats].flatMap((format) => {
    const at = answered.get(format)
    const last = at === undefined ? 'never answered' : `last answered ${agoOf(at, now)}`
    const failed = failures.filter(({ labels }) => labels['format'] === format)
    const about = `relay ${format}`
    if (failed.length === 0) return [well(about, last)]
    return failed.map(({ labels, value }) => {
      const text = `${labels['region']} last failed ${agoOf(value, now)}; ${last}`
      const advice =
        'After five failures in a row a region is left alone for 10 s. Look at the way to it.'
      return at !== undefined && at > value
        ? well(about, text)
        : doubtful(`${about}, ${labels['region']}`, text, advice)
    })
  })
}

/** When an entry last vouched, to follow a semicolon; empty where nobody can be asked. */
export function successOf({ samples, problem }: Running, trust: string, now: number): string {
  if (problem !== null) return ''
  const found = samples(LAST_SUCCESS).find(({ labels }) => labels['trust'] === trust)
  return found === undefined
    ? '; has not vouched since the broker started'
    : `; last vouched ${agoOf(found.value, now)}`
}

/** What is known of the signatures of an entry's images. */
export function examineImages({ samples }: Running, trust: string): readonly Finding[] {
  const found = samples(IMAGES).filter(({ labels }) => labels['trust'] === trust)
  if (found.length === 0) return []
  const of = (state: string) => found.find(({ labels }) => labels['state'] === state)?.value ?? 0
  const text = `${of('verified')} verified, ${of('failed')} failed, ${of('unknown')} unknown, ${of('waiting')} waiting`
  const about = `images ${trust}`
  if (of('failed') + of('unknown') === 0) return [well(about, text)]
  const advice = 'Its log names each image and why. What is unknown or failed satisfies no policy.'
  return [doubtful(about, text, advice)]
}

/** @param then epoch seconds */
export function agoOf(then: number, now: number): string {
  const age = Math.max(0, now - then)
  if (age < 120) return `${age} s ago`
  if (age < 7200) return `${Math.floor(age / 60)} min ago`
  return `${Math.floor(age / 3600)} h ago`
}
