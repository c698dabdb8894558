/** One image, looked up: every bundle that a registry has beside it, until one is good. */

import { readFile } from 'node:fs/promises'
import type { Door } from '../../src/net/fetch.ts'
import {
  BUNDLE_TYPE,
  BundleError,
  bundleJudge,
  type JudgeBundle,
  PAYLOAD_TYPE,
  type Signed,
} from './bundle.ts'
import type { ImageName } from './reference.ts'
import {
  type Descriptor,
  LookupError,
  MAX_BLOB_BYTES,
  openRepository,
  type Repository,
} from './registry.ts'
import type { ImageSettings } from './settings.ts'

/** What was found out about an image. `unknown` is neither: it satisfies nothing, and is looked up again soon. */
export type Verdict = 'verified' | 'unknown' | 'failed'

/** A verdict, and why it is not `verified`. */
export type Finding = { readonly verdict: Verdict; readonly problem: string | null }

/** An image by where it is and what it is. */
export type ImageRef = {
  readonly name: ImageName
  /** `sha256:…` */
  readonly digest: string
}

/** More than anybody signs one image; whoever may push could add any number. */
const MAX_BUNDLES = 16

/** Makes what looks images up. It never rejects. */
export function lookup(settings: ImageSettings, door: Door): (image: ImageRef) => Promise<Finding> {
  return async ({ name, digest }) => {
    const registry = settings.registries.find((each) => each.name === name.registry)
    if (registry === undefined) {
      return { verdict: 'unknown', problem: `${name.registry} is not among images.registries` }
    }
    try {
      const judge = await judgeOf(settings)
      return await lookAt(digest, await openRepository(registry, name, door), judge)
    } catch (error) {
      // A defect shows as such, and not as an image that nobody signed.
      const { message } = error as Error
      return { verdict: 'unknown', problem: `${name.registry}/${name.repository}: ${message}` }
    }
  }
}

async function judgeOf({ trustedRoot, identities }: ImageSettings): Promise<JudgeBundle> {
  try {
    return await bundleJudge({ trustedRoot: await readFile(trustedRoot, 'utf8'), identities })
  } catch (cause) {
    throw new LookupError(`trustedRoot: ${(cause as Error).message}`, { cause })
  }
}

async function lookAt(
  digest: string,
  repository: Repository,
  judge: JudgeBundle,
): Promise<Finding> {
  const { found, isWhole } = await repository.referrers(digest, BUNDLE_TYPE)
  let problem = 'no bundle refers to the image'
  let isCertain = isWhole && found.length <= MAX_BUNDLES
  for (const manifest of found.slice(0, MAX_BUNDLES)) {
    try {
      judge({ ...(await read(repository, manifest)), digest })
      return { verdict: 'verified', problem: null }
    } catch (error) {
      // What cannot be read might be the good one; what was read and is not good is not.
      if (!(error instanceof BundleError)) isCertain = false
      problem = `${manifest.digest}: ${(error as Error).message}`
    }
  }
  if (!isWhole || found.length > MAX_BUNDLES) problem = 'more refers to the image than is looked at'
  return { verdict: isCertain ? 'failed' : 'unknown', problem }
}

/** @throws BundleError, LookupError */
async function read(repository: Repository, manifest: Descriptor): Promise<Omit<Signed, 'digest'>> {
  const layers = await repository.layers(manifest)
  const one = async (mediaType: string) => {
    const [layer, ...others] = layers.filter((each) => each.mediaType === mediaType)
    if (others.length > 0) throw new BundleError(`it has more than one ${mediaType}`)
    if (layer === undefined) return undefined
    if (layer.size > MAX_BLOB_BYTES) throw new BundleError(`it has ${layer.size} bytes`)
    return repository.blob(layer)
  }
  const bundle = await one(BUNDLE_TYPE)
  if (bundle === undefined) throw new BundleError('its manifest names no bundle')
  return { bundle, payload: await one(PAYLOAD_TYPE) }
}
