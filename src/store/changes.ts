/** Who wants to hear of changes in the store. */

import type { Topic } from './store.ts'

/** Every topic: told when any of them may have changed. */
export const TOPICS: readonly Topic[] = ['signing_keys', 'revocations']

/** The listeners of one store. */
export type Changes = {
  /** @returns what takes the listener away again */
  onChange(listener: (topic: Topic) => void): () => void
  tell(topic: Topic): void
}

/** No listener yet. */
export function changes(): Changes {
  const listeners = new Set<(topic: Topic) => void>()
  return {
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    tell(topic) {
      for (const listener of [...listeners]) listener(topic)
    },
  }
}
