/**
 * The signatures of all images of a pod as facts. The pod is as good as the weakest of them: one that failed, and it
 * has failed; one that is unknown, and it is unknown. No I/O. No clock.
 */

import type { Fact } from '../../src/identity.ts'
import type { ImageRef, Verdict } from './lookup.ts'
import { imageName } from './reference.ts'
import type { ImageSignatures, Known } from './signatures.ts'

/** One image that a pod runs or mounts. */
export type PodImage = {
  /** As the pod names it. */
  readonly reference: string
  /** What runs: the digest that the pod itself names, else the one that the kubelet reports; null for neither. */
  readonly digest: string | null
  /** Whether the pod names the digest, so that nobody's word has to be taken for it. */
  readonly isPinned: boolean
}

const WEAKEST: readonly Verdict[] = ['failed', 'unknown', 'verified']

/** @param images all of them; null where they are not known, which is no pod that is signed */
export function signatureFacts(
  signatures: Pick<ImageSignatures, 'look'>,
  images: readonly PodImage[] | null,
  nowSeconds: number,
): Readonly<Record<string, Fact>> {
  const nothing: Known = { verdict: 'unknown', foundAt: nowSeconds }
  const found = images?.map((image) => {
    const ref = refOf(image)
    return ref === null ? nothing : signatures.look(ref)
  })
  const each = found === undefined || found.length === 0 ? [nothing] : found
  const value = WEAKEST.find((verdict) => each.some((known) => known.verdict === verdict))
  const verdict = value ?? 'unknown'
  const common = {
    grade: images?.every(({ isPinned }) => isPinned) === true ? 'B' : 'C',
    source: 'sigstore',
    // As old as the oldest: together they are known since then.
    observedAt: Math.min(...each.map(({ foundAt }) => foundAt)),
  } as const
  return {
    'image.signature': { ...common, value: verdict },
    ...(verdict !== 'unknown' && {
      'image.signatureVerified': { ...common, value: verdict === 'verified' },
    }),
  }
}

function refOf({ reference, digest }: PodImage): ImageRef | null {
  const name = imageName(reference)
  return name === null || digest === null ? null : { name, digest }
}
