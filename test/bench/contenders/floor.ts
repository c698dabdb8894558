/** Bare Fastify: what HTTP alone costs. Every ratio is to this. */

import type { Contender } from '../contender.ts'
import { startStation } from '../http.ts'

/** A kilobyte, as a token answer has. */
const ANSWER_BYTES = 950

/** The floor. */
export function floor(): Contender {
  return {
    name: 'Fastify floor',
    job: 'the same form in, 1 kB of JSON out, nothing between',
    start: ({ forms }) =>
      startStation({
        server: 'floor',
        settings: { bytes: ANSWER_BYTES },
        forms: () => forms.take(0, 1),
        async check({ access_token: token }) {
          if (String(token).length !== ANSWER_BYTES) throw new Error('the answer has another size')
        },
      }),
  }
}
