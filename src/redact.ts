/** The last line of defence: whatever is written, nothing that looks like a token leaves the process. */

import { OPAQUE_PREFIX } from './opaque.ts'

/** A compact JWS or JWE: base64url of `{"` and at least one more segment. Or a sealed token. */
const TOKEN = new RegExp(`eyJ[\\w-]{6,}(?:\\.[\\w-]*)+|${OPAQUE_PREFIX}[\\w-]+`, 'g')

/** Replaces everything that looks like a token. Cheap where there is none. */
export function redact(text: string): string {
  return text.includes('eyJ') || text.includes(OPAQUE_PREFIX)
    ? text.replace(TOKEN, '[token]')
    : text
}
