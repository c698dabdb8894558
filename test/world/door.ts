/** Doors for tests that must not dial. */

import { type Door, type DoorAnswer, DoorError, type DoorRequest } from '../../src/net/fetch.ts'

/** A door that answers as `send` does, and streams nothing. */
export function doorOf(send: (request: DoorRequest) => Promise<DoorAnswer>): Door {
  const stream = async () => {
    throw new DoorError('network', 'this door streams nothing')
  }
  return Object.assign((request: DoorRequest) => send(request), { stream })
}

/** A door behind which nobody is. It remembers what was asked of it. */
export function emptyDoor(): { readonly door: Door; readonly asked: readonly DoorRequest[] } {
  const asked: DoorRequest[] = []
  const door = doorOf(async (request) => {
    asked.push(request)
    throw new DoorError('network', 'nobody is there')
  })
  return { asked, door }
}
