/**
 * In what state the instance is that a token names: EC2, asked by the broker as itself. Answers are kept for 45 seconds.
 * What EC2 does not say is not known, whatever the cause: facts are absent then, and nobody passes because of it.
 */

import type { CollectionHealth, Facts } from '../../src/identity.ts'
import { systemTimers } from '../../src/net/timers.ts'
import { epochSeconds } from '../../src/units.ts'
import { Batches } from '../batch.ts'
import { Circuit, CircuitError } from '../circuit.ts'
import { DeadlineError } from '../deadline.ts'
import { signedFacts } from '../facts.ts'
import type { JwtWorld } from '../jwt.ts'
import { Lookups } from '../lookups.ts'
import { parseInstance } from './arn.ts'
import { ec2Of, type Instance, type SdkSettings } from './ec2.ts'
import type { PostureSettings } from './settings.ts'

/** The world, with settings of the SDK that a test may bring. */
export type AwsWorld = JwtWorld & { readonly clients?: SdkSettings }

export type Posture = {
  /**
   * What is known of an instance. Never rejects.
   * @param arn as AWS signed it
   */
  factsOf(arn: string): Promise<Facts>
  health(): CollectionHealth
}

const KEPT = { keptMs: 45_000, most: 20_000 }
const LIMITS = { most: 2, failures: 5, restMs: 10_000 }
/** The most values of a filter are 200. */
const MOST_IDS = 100
const SOURCE = 'api:ec2'
const NOTHING: Facts = {}

/** Looks up instances of one account, in the regions of its settings. */
export function postureOf(settings: PostureSettings, account: string, world: AwsWorld): Posture {
  const { now, timers = systemTimers, clients } = world
  const { role } = settings
  const regions = new Map(
    settings.regions.map((region) => {
      const circuit = new Circuit(LIMITS, now)
      const ask = ec2Of({ region, account, role, timers, ...(clients && { clients }) })
      const call = (ids: readonly string[]) =>
        circuit.call(
          () => ask(ids),
          () => true,
        )
      return [region, new Batches<Instance>(call, MOST_IDS)] as const
    }),
  )
  /** The last failure of each region that has not answered since. */
  const problems = new Map<string, string>()
  let answeredAt: number | null = null

  async function ask(arn: string): Promise<Facts> {
    const { region, id } = parseInstance(arn, 'instance')
    const observedAt = epochSeconds(now())
    const instance = await regions.get(region)?.get(id)
    problems.delete(region)
    answeredAt = observedAt
    if (instance === undefined) return NOTHING
    return {
      ...signedFacts(instance.settings, observedAt, 'B', SOURCE),
      ...signedFacts({ 'ec2.tags': instance.tags }, observedAt, 'D', SOURCE),
    }
  }

  const lookups = new Lookups<Facts>(KEPT, now)
  return {
    async factsOf(arn) {
      // The ARN has region and account in it, so that one instance is never taken for another (CVE-2025-11621).
      const { region } = parseInstance(arn, 'instance')
      if (!regions.has(region)) return NOTHING
      try {
        return await lookups.get(arn, () => ask(arn))
      } catch (cause) {
        // Being left alone is no news: the failure that led to it stays the problem.
        if (!(cause instanceof CircuitError)) problems.set(region, sentenceOf(region, cause))
        return NOTHING
      }
    },
    health: () => ({
      collection: 'instances',
      synced: answeredAt !== null,
      fresh: problems.size === 0,
      ageSeconds: answeredAt === null ? null : epochSeconds(now()) - answeredAt,
      objects: lookups.size,
      problem: problems.size === 0 ? null : [...problems.values()].join('; '),
      needs: role === undefined ? 'ec2:DescribeInstances' : `ec2:DescribeInstances as ${role}`,
    }),
  }
}

/** Errors of the service have its code as their name; their messages can name accounts and encoded grounds. */
function sentenceOf(region: string, cause: unknown): string {
  const { name, message } = cause instanceof Error ? cause : new Error('failed')
  return `DescribeInstances in ${region}: ${cause instanceof DeadlineError ? message : name}`
}
