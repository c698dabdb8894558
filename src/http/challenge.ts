/**
 * `POST /challenge`: what a caller has to have its platform sign (draft-ietf-oauth-attestation-based-client-auth,
 * `challenge_endpoint`). Anybody may ask, as often as they like: a challenge costs no row and gives no right.
 */

import type { FastifyInstance } from 'fastify'
import { CHALLENGE_SECONDS } from '../challenge.ts'
import { allowAnyOrigin } from './cors.ts'
import { postOnly } from './methods.ts'

/** A form is taken and not read. */
const BODY_LIMIT_BYTES = 1024

/** What the route needs of the broker. */
export type ChallengeRoom = {
  /** A challenge that ends `CHALLENGE_SECONDS` from now. */
  readonly newChallenge: () => string
}

/** Registers the challenge endpoint at a path. */
export function challengeRoute(app: FastifyInstance, path: string, room: ChallengeRoom): void {
  app.post(path, { bodyLimit: BODY_LIMIT_BYTES }, async (_request, reply) => {
    allowAnyOrigin(reply)
    reply.header('cache-control', 'no-store')
    return { attestation_challenge: room.newChallenge(), expires_in: CHALLENGE_SECONDS }
  })
  postOnly(app, path, 'challenge')
}
