/** How well a cluster is known, for `doctor`, `/readyz` and metrics. No I/O. No clock. */

import type { CollectionHealth } from '../../src/identity.ts'
import { type ClusterView, COLLECTIONS } from './view.ts'

/** One entry for each collection that is watched. */
export function clusterHealth(view: ClusterView): readonly CollectionHealth[] {
  return COLLECTIONS.map((collection) => ({
    collection,
    fresh: view.fresh(collection),
    ...view.freshness(collection),
    needs: `get, list and watch on ${collection} (core API group, whole cluster)`,
  }))
}
