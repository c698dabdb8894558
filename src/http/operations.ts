/** Metrics that an operator sets alerts on, beside those of requests and policies: readiness, keys, certificates. */

import { Gauge, type Registry } from 'prom-client'
import type { CertificateStatus } from '../certificate.ts'
import type { KeyLife } from '../keylife.ts'
import type { RevocationStatus } from '../revocations.ts'
import { ownVersion } from '../version.ts'

/** What is read when Prometheus asks. */
export type Operations = {
  readonly ready: () => boolean
  /** Every signing key of the store. */
  readonly keys: () => readonly KeyLife[]
  readonly certificates: () => readonly CertificateStatus[]
  readonly revocations: () => RevocationStatus & { readonly omitted: number }
  /** Epoch seconds. */
  readonly seconds: () => number
}

const PUBLISHED_STATES = ['next', 'signing', 'retiring'] as const

export function registerOperations(operations: Operations, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'countersign_build_info',
    help: 'Always 1; the version of Countersign.',
    labelNames: ['version'],
    registers,
  }).set({ version: ownVersion() }, 1)
  new Gauge({
    name: 'countersign_ready',
    help: '1 while /readyz says yes.',
    registers,
    collect() {
      this.set(operations.ready() ? 1 : 0)
    },
  })
  registerKeys(operations, registry)
  registerCertificates(operations, registry)
  registerRevocations(operations, registry)
}

function registerKeys(operations: Operations, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'countersign_signing_key_age_seconds',
    help: 'Seconds since the key that signs now took over.',
    registers,
    collect() {
      const signing = operations.keys().find(({ state }) => state === 'signing')
      if (signing !== undefined) this.set(Math.max(0, operations.seconds() - signing.signsFrom))
    },
  })
  new Gauge({
    name: 'countersign_signing_keys',
    help: 'Published signing keys by state: next (does not sign yet), signing, retiring (signs no longer).',
    labelNames: ['state'],
    registers,
    collect() {
      const lives = operations.keys()
      for (const state of PUBLISHED_STATES) {
        this.set({ state }, lives.filter((life) => life.state === state).length)
      }
    },
  })
}

function registerCertificates(operations: Operations, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'countersign_certificate_expiry_timestamp_seconds',
    help: 'When the certificate of a listener ends, in seconds since the epoch.',
    labelNames: ['setting'],
    registers,
    collect() {
      for (const { setting, notAfter } of operations.certificates()) this.set({ setting }, notAfter)
    },
  })
  new Gauge({
    name: 'countersign_certificate_failing',
    help: '1 while the files of a certificate have changed and cannot be used.',
    labelNames: ['setting'],
    registers,
    collect() {
      for (const { setting, failing } of operations.certificates()) {
        this.set({ setting }, failing === null ? 0 : 1)
      }
    },
  })
}

function registerRevocations(operations: Operations, registry: Registry): void {
  const rows = [
    ['countersign_revocations', 'Revocations in force.', 'inForce'],
    [
      'countersign_revocations_age_seconds',
      'Seconds since revocations were last read from the store. Above 30 nothing is issued.',
      'ageSeconds',
    ],
    [
      'countersign_revocations_omitted',
      'Revocations that did not fit into the signed feed.',
      'omitted',
    ],
  ] as const
  for (const [name, help, member] of rows) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(operations.revocations()[member])
      },
    })
  }
}
