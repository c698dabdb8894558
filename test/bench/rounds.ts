/** The course of a run: start, check, warm up, then rounds of A B C D, so that a noisy minute hits all alike. */

import type { Contender, Effort, Figures, Started, World } from './contender.ts'

/** How long and how often. */
export type Plan = {
  readonly rounds: number
  readonly warmUp: Effort
  readonly round: Effort
  /** One request at a time: there is no queue, so its stages add up to what the caller waits. */
  readonly alone: Effort
}

/** What a contender has shown. */
export type Result = {
  readonly name: string
  readonly job: string
  readonly rounds: readonly Figures[]
  /** Null where the server does not tell its stages. */
  readonly alone: Figures | null
}

type Entrant = { readonly contender: Contender; readonly started: Started }

/**
 * Runs everything. All servers are up all the time, and all but one are idle.
 *
 * @param tell hears what happens now
 * @throws Error from the first contender that does not do its job
 */
export async function compete(
  contenders: readonly Contender[],
  plan: Plan,
  world: World,
  tell: (sentence: string) => void,
): Promise<readonly Result[]> {
  const entrants: Entrant[] = []
  try {
    for (const contender of contenders) {
      tell(`starting and checking ${contender.name}`)
      entrants.push({ contender, started: await contender.start(world) })
    }
    return await measure(entrants, plan, tell)
  } finally {
    await Promise.all(entrants.map(({ started }) => started.stop()))
  }
}

async function measure(
  entrants: readonly Entrant[],
  plan: Plan,
  tell: (sentence: string) => void,
): Promise<readonly Result[]> {
  const inTurn = async (stage: string, effort: Effort, among = entrants) => {
    const figures = new Map<Entrant, Figures>()
    for (const entrant of among) {
      tell(`${stage}: ${entrant.contender.name}`)
      figures.set(entrant, await entrant.started.round(effort))
    }
    return figures
  }
  const warm = await inTurn('warm-up', plan.warmUp)
  const rounds: ReadonlyMap<Entrant, Figures>[] = []
  while (rounds.length < plan.rounds) {
    rounds.push(await inTurn(`round ${rounds.length + 1} of ${plan.rounds}`, plan.round))
  }
  const telling = entrants.filter((entrant) => warm.get(entrant)?.stages)
  const alone = await inTurn('one at a time', plan.alone, telling)
  return entrants.map((entrant) => ({
    name: entrant.contender.name,
    job: entrant.contender.job,
    rounds: rounds.flatMap((round) => round.get(entrant) ?? []),
    alone: alone.get(entrant) ?? null,
  }))
}
