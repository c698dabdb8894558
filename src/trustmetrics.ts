/** What Prometheus reads of trust entries beside their keys: when they last vouched, how relays fare, which images are signed. */

import { Gauge, Registry } from 'prom-client'
import type { Meter } from './http/metrics.ts'
import type { AttestorHealth } from './identity.ts'
import type { RelayHealth } from './successes.ts'

export const LAST_SUCCESS = 'countersign_trust_last_success_timestamp_seconds'
export const RELAY_ANSWERED = 'countersign_relay_last_answer_timestamp_seconds'
export const RELAY_FAILED = 'countersign_relay_last_failure_timestamp_seconds'
export const IMAGES = 'countersign_images'

const IMAGE_STATES = ['verified', 'unknown', 'failed', 'waiting'] as const

/** A meter that exposes these too. */
export function withTrust(
  meter: Meter,
  attestors: () => readonly AttestorHealth[],
  relays: () => readonly RelayHealth[],
): Meter {
  const registry = new Registry()
  const registers = [registry]
  new Gauge({
    name: LAST_SUCCESS,
    help: 'When evidence of a trust entry last held, in seconds since the epoch; absent while it never has since the start.',
    labelNames: ['trust'],
    registers,
    collect() {
      this.reset()
      for (const { trust, lastSuccessAt } of attestors()) {
        if (typeof lastSuccessAt === 'number') this.set({ trust }, lastSuccessAt)
      }
    },
  })
  registerRelays(relays, registers)
  new Gauge({
    name: IMAGES,
    help: 'Images of a cluster by what is known of their signatures; waiting are those that are looked up.',
    labelNames: ['trust', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { trust, images } of attestors()) {
        for (const state of images === undefined ? [] : IMAGE_STATES) {
          this.set({ trust, state }, images?.[state] ?? 0)
        }
      }
    },
  })
  return {
    ...meter,
    async expose() {
      const { type, text } = await meter.expose()
      return { type, text: `${text}${await registry.metrics()}` }
    },
  }
}

function registerRelays(relays: () => readonly RelayHealth[], registers: Registry[]): void {
  new Gauge({
    name: RELAY_ANSWERED,
    help: 'When the platform behind a relay last answered, in seconds since the epoch.',
    labelNames: ['format'],
    registers,
    collect() {
      this.reset()
      for (const { format, answeredAt } of relays()) {
        if (answeredAt !== null) this.set({ format }, answeredAt)
      }
    },
  })
  new Gauge({
    name: RELAY_FAILED,
    help: 'When the platform behind a relay last could not be asked, by region, in seconds since the epoch.',
    labelNames: ['format', 'region'],
    registers,
    collect() {
      this.reset()
      for (const { format, failures } of relays()) {
        for (const [region, at] of failures) this.set({ format, region }, at)
      }
    },
  })
}
