/**
 * Names of images as pods write them (distribution/reference): the registry, the repository in it, and the digest
 * behind `@`. A name without a registry is of docker.io, as for every runtime. No I/O. No clock.
 */

/** Where an image is. */
export type ImageName = { readonly registry: string; readonly repository: string }

const DEFAULT_REGISTRY = 'docker.io'
const MAX_LENGTH = 512
const REGISTRY = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/
const REPOSITORY = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/
const TAG_OR_DIGEST = /(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/

/** Reads a name, without its tag and digest. @returns null where it is none, such as the bare id of an image */
export function imageName(reference: string): ImageName | null {
  if (reference.length > MAX_LENGTH) return null
  const name = reference.replace(TAG_OR_DIGEST, '')
  const [first = '', ...rest] = name.split('/')
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const registry = hasRegistry ? first : DEFAULT_REGISTRY
  const path = hasRegistry ? rest.join('/') : name
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path
  return REGISTRY.test(registry) && REPOSITORY.test(repository) ? { registry, repository } : null
}
