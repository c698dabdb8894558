/** From text to a Generation, or to every problem at once. Nothing that was not validated is ever loaded. */

import { check, type Entry, oversized } from './entry.ts'
import { findings } from './findings.ts'
import { compile, type Generation } from './generation.ts'
import { linter } from './lint.ts'
import { prove } from './prove.ts'
import type { PolicySettings, Problem, SourceFile } from './settings.ts'
import { type Piece, split } from './split.ts'
import { giveWay, inTurns } from './turns.ts'
import type { Verdict } from './worker.ts'

/** The outcome of a load. Warnings do not prevent one; `problems` holds errors and warnings. */
export type Loaded =
  | { readonly generation: Generation; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

/** How to load. */
export type LoadOptions = {
  /** How long one policy may take to be checked, milliseconds. */
  readonly patience?: number
  /** The instant against which `@expires` is held, epoch seconds; without it nothing is called expired. */
  readonly at?: number
}

/** Loads the policies of one installation again and again; what did not change is not checked again. */
export interface Loader {
  /**
   * Loads a set of policies, giving way to other work in between. An empty set is legal: it permits
   * nothing. Calls must not overlap.
   *
   * @throws Error where the settings make no schema, or the worker thread cannot be started
   */
  load(files: readonly SourceFile[], options?: LoadOptions): Promise<Loaded>
}

const PATIENCE = 15_000

/** Loads a set of policies once; see `Loader`. */
export function load(
  files: readonly SourceFile[],
  settings: PolicySettings,
  options: LoadOptions = {},
): Promise<Loaded> {
  return loader(settings).load(files, options)
}

/** A file as it was when it was last read. */
type Known = { readonly text: string; readonly entries: readonly Entry[] }

/** A file that is being read: what is known of it, or its pieces. */
type Draft = { readonly file: SourceFile } & (
  | { readonly known: Known }
  | { readonly pieces: Piece[] }
)

/** A loader for these settings: all that it remembers was judged under them. */
export function loader(settings: PolicySettings): Loader {
  const lint = linter(settings)
  let remembered: ReadonlyMap<string, Known> = new Map()

  const draft = async (files: readonly SourceFile[]): Promise<Draft[]> => {
    const drafts: Draft[] = []
    await inTurns(files, costOf, (file) => {
      const known = remembered.get(file.path)
      drafts.push(known?.text === file.text ? { file, known } : { file, pieces: split(file) })
    })
    return drafts
  }

  /** A verdict for every text of the drafts: remembered, or asked for now. */
  const judge = async (drafts: readonly Draft[], patience: number) => {
    const verdicts = new Map<string, Verdict>()
    const changed = drafts.flatMap((each) => ('pieces' in each ? each.pieces : []))
    if (changed.length === 0) return verdicts
    for (const { entries } of remembered.values()) {
      for (const { piece, verdict } of entries) if (verdict) verdicts.set(piece.text, verdict)
    }
    await giveWay()
    const texts = changed.filter((piece) => !oversized(piece)).map(({ text }) => text)
    const unknown = [...new Set(texts)].filter((text) => !verdicts.has(text))
    const proved = unknown.length > 0 ? await prove(unknown, settings, patience) : []
    proved.forEach((verdict, index) => void verdicts.set(unknown[index] ?? '', verdict))
    return verdicts
  }

  const settle = async (drafts: readonly Draft[], verdicts: ReadonlyMap<string, Verdict>) => {
    const next = new Map<string, Known>()
    const pieces = drafts.flatMap((each) => ('pieces' in each ? each.pieces : []))
    const fresh = new Map<Piece, Entry>()
    await inTurns(pieces, costOf, (piece) => {
      fresh.set(piece, check(piece, verdicts.get(piece.text) ?? null, lint))
    })
    for (const each of drafts) {
      const entries =
        'known' in each
          ? each.known.entries
          : each.pieces.flatMap((piece) => fresh.get(piece) ?? [])
      next.set(each.file.path, { text: each.file.text, entries })
    }
    return next
  }

  return {
    async load(files, { patience = PATIENCE, at } = {}) {
      const drafts = await draft(files)
      const read = await settle(drafts, await judge(drafts, patience))
      // A text that could not be checked in time gets another chance.
      remembered = new Map(
        [...read].filter(([, { entries }]) => entries.every(({ policy }) => policy)),
      )
      const entries = [...read.values()].flatMap((file) => file.entries)
      await giveWay()
      const problems = await findings(entries, settings, at ?? null)
      if (problems.some(({ severity }) => severity === 'error')) return { problems }
      const policies = entries.flatMap(({ policy }) => policy ?? [])
      await giveWay()
      const generation = compile(policies, settings)
      await giveWay()
      return { generation, warnings: problems }
    },
  }
}

function costOf({ text }: { readonly text: string }): number {
  return text.length
}
