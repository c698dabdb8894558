/** `POST /revoke` (RFC 7009): form → Return. It is for workloads, not for pages of a browser: no other origin is let in. */

import type { FastifyInstance } from 'fastify'
import type { Return } from '../revoking.ts'
import { type CallerRoom, readCaller } from './caller.ts'
import { demandForm, need } from './form.ts'
import { gate } from './gate.ts'
import { postOnly } from './methods.ts'
import { offerNonce } from './proofs.ts'

/** What the route needs of the broker. */
export type RevokeRoom = CallerRoom & {
  readonly takeBack: (wish: Return) => Promise<void>
}

/** Registers the revocation endpoint at a path. */
export function revokeRoute(app: FastifyInstance, path: string, room: RevokeRoom): void {
  const enter = gate()

  app.post(path, { bodyLimit: room.bodyLimitBytes }, async (request, reply) => {
    reply.header('cache-control', 'no-store')
    offerNonce(request, reply, room.newNonce)
    const form = demandForm(request)
    // `token_type_hint` (RFC 7009 §2.1) is not needed: a token says itself what it is.
    const token = need(form, 'token')
    const caller = readCaller(request, form, room)
    await enter(() => room.takeBack({ caller, token }))
    return reply.code(200).send()
  })

  postOnly(app, path, 'revocation')
}
