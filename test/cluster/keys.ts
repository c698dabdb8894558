/** Where a broker finds a real cluster's keys, written as the settings of a trust entry. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { scratch } from '../world/scratch.ts'
import type { Settings } from './broker.ts'
import type { Cluster } from './kube.ts'

/** The downloaded set, in a file. */
export async function keyFile(t: Pick<TestContext, 'after'>, cluster: Cluster): Promise<Settings> {
  const file = join(scratch(t), 'jwks.json')
  writeFileSync(file, await cluster.keys())
  return { file }
}
