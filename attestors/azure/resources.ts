/**
 * Azure Resource Graph, asked by the broker as itself. Answers are kept for half a minute; a service that fails is left
 * alone for a while. Its copy of the machines runs some minutes behind.
 */

import type { CollectionHealth } from '../../src/identity.ts'
import { type Door, DoorError } from '../../src/net/fetch.ts'
import { Refusal } from '../../src/refusal.ts'
import { epochSeconds } from '../../src/units.ts'
import { Circuit, CircuitError } from '../circuit.ts'
import { DeadlineError } from '../deadline.ts'
import { Lookups } from '../lookups.ts'
import type { Bearer } from './credential.ts'
import { GraphError, type Machine, questionOf, readMachines, type Wanted } from './graph.ts'

/** A machine, and when it was asked about, epoch seconds. */
export type Sighted = { readonly machine: Machine; readonly observedAt: number }

export type Resources = {
  /**
   * The one machine of this id.
   * @throws Refusal `inventory_unavailable`; `machine_unknown` when there is none, or more than one
   */
  find(wanted: Wanted): Promise<Sighted>
  /** Without a failure it is taken for well, also while nobody has asked. */
  health(): CollectionHealth
}

type Answer = { readonly machines: readonly Machine[]; readonly observedAt: number }

const API = 'providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01'
const KEPT = { keptMs: 30_000, most: 10_000 }
const LIMITS = { most: 32, failures: 5, restMs: 10_000 }

/** @param host that of Azure Resource Manager */
export function resourcesAt(
  host: string,
  bearer: Bearer,
  { door, now }: { readonly door: Door; readonly now: () => number },
): Resources {
  const origin = `https://${host}`
  const circuit = new Circuit(LIMITS, now)
  let problem: string | null = null
  let answeredAt: number | null = null

  async function ask(wanted: Wanted): Promise<Answer> {
    const observedAt = epochSeconds(now())
    const { body } = await door({
      url: `${origin}/${API}`,
      allow: [origin],
      json: true,
      accept: 'application/json',
      authorization: `Bearer ${await bearer()}`,
      body: questionOf(wanted),
    })
    return { machines: readMachines(body, wanted), observedAt }
  }

  /** Nobody but we chose what is asked, so that every failure is the service's or the operator's. */
  async function asked(wanted: Wanted): Promise<Answer> {
    try {
      const answer = await circuit.call(
        () => ask(wanted),
        () => true,
      )
      problem = null
      answeredAt = answer.observedAt
      return answer
    } catch (cause) {
      // Being left alone is no news: the failure that led to it stays the problem.
      const sentence = `Resource Graph at ${host}: ${sentenceOf(cause)}`
      if (!(cause instanceof CircuitError)) problem = sentence
      throw new Refusal('inventory_unavailable', { host, problem: sentence }, { cause })
    }
  }

  const lookups = new Lookups<Answer>(KEPT, now)
  return {
    health: () => ({
      collection: 'virtualMachines',
      synced: answeredAt !== null,
      fresh: problem === null,
      ageSeconds: answeredAt === null ? null : epochSeconds(now()) - answeredAt,
      objects: lookups.size,
      problem,
      needs: 'the role Reader on the subscriptions',
    }),
    async find(wanted) {
      // The whole question is the key: an answer for other subscriptions is another answer (CVE-2025-11621).
      const { machines, observedAt } = await lookups.get(JSON.stringify(wanted), () =>
        asked(wanted),
      )
      const [machine, another] = machines
      if (machine !== undefined && another === undefined) return { machine, observedAt }
      const detail = { vm: wanted.vm, found: machines.length === 0 ? 'none' : 'more than one' }
      throw new Refusal('machine_unknown', { expected: 'one virtual machine', ...detail })
    },
  }
}

/** What an operator may read; errors of the SDK can be long, and can quote answers. */
function sentenceOf(cause: unknown): string {
  if (cause instanceof GraphError) return `its answer ${cause.message}`
  const isOurs = [DoorError, CircuitError, DeadlineError].some((kind) => cause instanceof kind)
  const { name, message } = cause instanceof Error ? cause : new Error('failed')
  return isOurs ? message : `no credential for it (${name})`
}
