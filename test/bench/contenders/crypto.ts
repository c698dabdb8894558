/** Raw cryptography: what no server that verifies RS256 and signs ES256 can avoid. In this process, without HTTP. */

import { generateKeyPairSync, sign, verify } from 'node:crypto'
import type { Contender, Effort, Figures } from '../contender.ts'

/** About what an assertion and an access token hold before their signatures. */
const ASSERTION_BYTES = 850
const TOKEN_BYTES = 650

/** How many operations go between two looks at the clock. */
const BATCH = 20

/** Verify and sign in a loop, with keys imported once. */
export function crypto(): Contender {
  return {
    name: 'raw verify + sign',
    job: 'RS256 verify, ES256 sign; node:crypto, one thread, no HTTP',
    async start() {
      const operation = verifyAndSign()
      if (!operation()) throw new Error('the signature does not verify')
      return { round: async (effort) => measure(operation, effort), stop: async () => undefined }
    },
  }
}

function verifyAndSign(): () => boolean {
  const cluster = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const assertion = Buffer.alloc(ASSERTION_BYTES, 'a')
  const token = Buffer.alloc(TOKEN_BYTES, 't')
  const signature = sign('sha256', assertion, cluster.privateKey)
  return () => {
    const holds = verify('sha256', assertion, cluster.publicKey, signature)
    const signed = sign('sha256', token, { key: ours.privateKey, dsaEncoding: 'ieee-p1363' })
    return holds && signed.length === 64
  }
}

function measure(operation: () => boolean, { seconds }: Effort): Figures {
  const cpu = process.cpuUsage()
  const start = performance.now()
  let operations = 0
  let elapsed = 0
  while (elapsed < seconds * 1000) {
    for (let index = 0; index < BATCH; index += 1) operation()
    operations += BATCH
    elapsed = performance.now() - start
  }
  const { user, system } = process.cpuUsage(cpu)
  const mean = elapsed / operations
  return {
    operations,
    perSecond: 1000 / mean,
    latency: { mean, p50: mean, p99: mean },
    cpuMicros: (user + system) / operations,
    stages: null,
  }
}
