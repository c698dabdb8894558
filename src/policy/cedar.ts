/** Opens Cedar: one WebAssembly instance with its own memory, which nobody else shares. */

import { createRequire } from 'node:module'

/** The functions of one Cedar instance. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs')

const PACKAGE = '@cedar-policy/cedar-wasm/nodejs'

/**
 * A fresh instance, in about 10 ms.
 *
 * The package makes one instance per module load, keeps parsed policies in it for ever, and is unusable
 * after a trap. So the module is loaded anew each time and taken out of the module cache at once: an
 * instance that nobody holds any more can be collected. What the host process had loaded stays loaded.
 */
export function openCedar(): Cedar {
  const load = createRequire(import.meta.url)
  const file = load.resolve(PACKAGE)
  const others = load.cache[file]
  delete load.cache[file]
  try {
    return load(file)
  } finally {
    delete load.cache[file]
    if (others) load.cache[file] = others
  }
}
