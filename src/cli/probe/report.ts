/** What a probe has looked at, and what it found. Never holds a token. */

import type { Caller, Reply } from './caller.ts'

/** One thing looked at. */
export type Check = {
  readonly name: string
  readonly ok: boolean
  /** What was found. */
  readonly found: string
}

/** What every probe is told. */
export type ProbeOptions = {
  readonly call: Caller
  /** The issuer identifier, exactly. */
  readonly issuer: string
  readonly resource: string
  /** A scope that the resource offers. */
  readonly scope: string
  /** The platform's token of this workload, for the broker. */
  readonly token: string
}

/** The error that an answer names, with its status, in a few words. */
export function said({ status, json }: Reply): string {
  const error = json?.['error']
  return typeof error === 'string' ? `${status} ${error}` : String(status)
}

/** Runs one check; what it throws is what it found. */
export async function look(name: string, check: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, found: await check() }
  } catch (error) {
    return { name, ok: false, found: error instanceof Error ? error.message : String(error) }
  }
}

/** @throws Error with the sentence, when it does not hold */
export function insist(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence)
}
