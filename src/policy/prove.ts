/** Drives the worker: every text gets a verdict, also the one that killed the thread that read it. */

import { Worker } from 'node:worker_threads'
import type { PolicySettings } from './settings.ts'
import type { Report, Task, Verdict } from './worker.ts'

/** Under type stripping this file is `.ts`, in a build it is `.js`; so is its neighbour. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
)

/** Enough for ten thousand policies. Cedar's own memory is bounded by the size of each. */
const LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64, stackSizeMb: 1 }

/** How many texts are checked together: Cedar reads the schema anew at each call. */
const CHUNK = 100

const KILLED =
  'the policy could not be checked: it exhausts the policy engine. Make its expressions shorter or less nested'

/**
 * Parses and validates each text.
 *
 * @param patience how long one text may take, milliseconds
 * @returns one verdict a text, in order
 * @throws Error where the settings make no schema or the thread does not start; the cause says which
 */
export async function prove(
  texts: readonly string[],
  settings: PolicySettings,
  patience: number,
): Promise<Verdict[]> {
  // What names the same actions is checked together: that takes the fewest actions a chunk.
  const order = [...texts.keys()].map((index) => ({ index, action: action(texts[index] ?? '') }))
  order.sort((a, b) => (a.action < b.action ? -1 : a.action > b.action ? 1 : a.index - b.index))
  const sorted = order.map(({ index }) => texts[index] ?? '')
  const verdicts: Verdict[] = []
  const proved = await proveInOrder(sorted, settings, patience)
  for (const [at, { index }] of order.entries()) verdicts[index] = proved[at] ?? killed()
  return verdicts
}

function action(text: string): string {
  return /Action::"[^"]*"/.exec(text)?.[0] ?? ''
}

async function proveInOrder(
  texts: readonly string[],
  settings: PolicySettings,
  patience: number,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  let chunk = CHUNK
  while (verdicts.length < texts.length) {
    const rest = texts.slice(verdicts.length)
    const task = { texts: rest, settings, chunk }
    const answered = await attempt(task, patience, (verdict) => verdicts.push(verdict))
    // Texts are read in order, so what has no answer killed its reader: one of a chunk, or the one.
    if (answered < rest.length && chunk === 1) verdicts.push(killed())
    chunk = 1
  }
  return verdicts
}

function killed(): Verdict {
  return { json: null, errors: [{ message: KILLED, start: null }], warnings: [] }
}

/** One thread's life. Resolves with how many texts it answered before it ended. */
function attempt(task: Task, patience: number, keep: (verdict: Verdict) => void): Promise<number> {
  const worker = new Worker(WORKER, { workerData: task, resourceLimits: LIMITS })
  return new Promise((resolve, reject) => {
    let answered = -1
    let failure: unknown
    const expire = () => void worker.terminate()
    let timer = setTimeout(expire, patience)
    worker.on('message', (report: Report) => {
      answered++
      if (report !== 'ready') keep(report)
      clearTimeout(timer)
      timer = setTimeout(expire, patience)
    })
    worker.on('error', (error) => {
      failure = error
    })
    worker.on('exit', () => {
      clearTimeout(timer)
      if (answered >= 0) resolve(answered)
      // No policy is to blame: the settings make no schema, or the thread could not be started.
      else reject(new Error('The policies could not be checked.', { cause: failure }))
    })
  })
}
