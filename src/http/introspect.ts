/**
 * `POST /introspect` (RFC 7662): form → Inquiry, and its answer as JSON, as a signed statement (RFC 9701), or as the
 * token in readable form. It is for workloads, not for pages of a browser: no other origin is let in.
 */

import type { FastifyInstance } from 'fastify'
import type { Finding, Form, Inquiry } from '../introspection.ts'
import { preferred } from './accept.ts'
import { type CallerRoom, readCaller } from './caller.ts'
import { demandForm, need } from './form.ts'
import { gate } from './gate.ts'
import { postOnly } from './methods.ts'
import type { Meter } from './metrics.ts'
import { offerNonce } from './proofs.ts'

/** What may be asked for in `Accept`, the default first, and what it means. */
const TYPES = [
  'application/json',
  'application/token-introspection+jwt',
  'application/jwt',
] as const

const FORMS: Readonly<Record<(typeof TYPES)[number], Form>> = {
  'application/json': 'json',
  'application/token-introspection+jwt': 'statement',
  'application/jwt': 'token',
}

/** What the route needs of the broker. */
export type IntrospectRoom = CallerRoom & {
  readonly introspect: (inquiry: Inquiry) => Promise<Finding>
  readonly meter: Pick<Meter, 'introspected'>
}

/** Registers the introspection endpoint at a path. */
export function introspectRoute(app: FastifyInstance, path: string, room: IntrospectRoom): void {
  const enter = gate()

  app.post(path, { bodyLimit: room.bodyLimitBytes }, async (request, reply) => {
    // Another `Accept` is another answer, and none is to be kept.
    reply.header('cache-control', 'no-store').header('vary', 'accept')
    offerNonce(request, reply, room.newNonce)
    const form = demandForm(request)
    // `token_type_hint` (RFC 7662 §2.1) is not needed: a token says itself what it is.
    const token = need(form, 'token')
    const caller = readCaller(request, form, room)
    const type = preferred(request.headers.accept, TYPES)
    const found = await enter(() => room.introspect({ caller, token, form: FORMS[type] }))
    room.meter.introspected(found.active)
    return found.form === 'json' ? found.body : reply.type(type).send(found.jws)
  })

  postOnly(app, path, 'introspection')
}
