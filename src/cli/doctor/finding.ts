/** What `countersign doctor` says about one thing. */

/** One thing looked at. `advice` is empty when it is well. */
export type Finding = {
  readonly about: string
  readonly state: 'ok' | 'warning' | 'wrong'
  readonly text: string
  readonly advice: string
}

export function well(about: string, text: string): Finding {
  return { about, state: 'ok', text, advice: '' }
}

/** Something works, and will not for long or not as meant. */
export function doubtful(about: string, text: string, advice: string): Finding {
  return { about, state: 'warning', text, advice }
}

export function wrong(about: string, text: string, advice: string): Finding {
  return { about, state: 'wrong', text, advice }
}
