/** The operator's log: pino, to standard error, one JSON object a line. */

import { type Logger, pino } from 'pino'
import { redact } from './redact.ts'

/** Members that would hold a credential if someone ever logged a request or a form. */
const SECRETS = [
  'assertion',
  'client_assertion',
  'subject_token',
  'actor_token',
  'access_token',
  'client_secret',
  'authorization',
  'dpop',
  'token',
]

/**
 * @param stream where the lines go
 * @returns a logger that shows no member named like a credential, and nothing that looks like a token
 */
export function createLogger(stream: NodeJS.WritableStream, level = 'info'): Logger {
  // Nobody may end the broker by closing the pipe that its log goes to.
  stream.on('error', () => undefined)
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
      serializers: { cause: pino.stdSerializers.err },
      hooks: { streamWrite: redact },
    },
    stream,
  )
}
