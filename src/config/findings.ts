/** What is wrong with a configuration, gathered: nobody stops at the first problem. */

import type { Report } from '../identity.ts'
import type { Problem } from '../policy/settings.ts'

/** The path of a setting: `['trust', 0, 'kubernetes', 'issuer']`. */
export type SettingPath = readonly (string | number)[]

/** The token to point at: the setting's value (its key, where there is none), or its key. */
export type Token = 'value' | 'key'

/** Where a setting stands in the file. Lines and columns count from 1. */
export type Locate = (
  path: SettingPath,
  token: Token,
) => { readonly line: number; readonly column: number }

/** More than anyone reads; each costs a search for its place. */
const MAX_PROBLEMS = 500

/** The growing list of problems of one file: the first 500, whatever they are. */
export class Findings {
  readonly #file: string
  readonly #locate: Locate
  readonly #problems: Problem[] = []
  /** Refused settings, and all that lead to one: sets, since a hostile file has many. */
  readonly #refused = new Set<string>()
  readonly #leading = new Set<string>()

  /** @param file the configuration's path, as the operator knows it */
  constructor(file: string, locate: Locate) {
    this.#file = file
    this.#locate = locate
  }

  /** Adds an error at a setting. `message` completes "trust[0].kubernetes.issuer …". */
  error(path: SettingPath, message: string, token: Token = 'value'): void {
    this.#add('error', path, message, token)
  }

  /** Adds a warning at a setting. It does not keep the server from starting. */
  warn(path: SettingPath, message: string): void {
    this.#add('warning', path, message, 'value')
  }

  /** Adds an error that leaves the setting without a value of its type: nothing may read it. */
  malformed(path: SettingPath, message: string, token: Token = 'value'): void {
    this.#refused.add(JSON.stringify(path))
    for (let depth = 0; depth <= path.length; depth++) {
      this.#leading.add(JSON.stringify(path.slice(0, depth)))
    }
    this.error(path, message, token)
  }

  /** Whether every setting at, above or below `path` has the type that the schema promises. */
  sound(path: SettingPath): boolean {
    if (this.#leading.has(JSON.stringify(path))) return false
    return !path.some((_, depth) => this.#refused.has(JSON.stringify(path.slice(0, depth))))
  }

  /**
   * One setting of the section at `at`; undefined when it is absent or the schema has refused it, so that
   * one bad setting does not hide the faults of the others.
   */
  part<Section extends object, Name extends keyof Section & string>(
    section: Section | undefined,
    at: SettingPath,
    name: Name,
  ): Section[Name] | undefined {
    return this.sound([...at, name]) ? section?.[name] : undefined
  }

  /** A reporter for what is below `path`. */
  below(path: SettingPath): Report {
    return (rest, message) => this.error([...path, ...rest], message)
  }

  /** All problems in the order of the file. */
  problems(): readonly Problem[] {
    return this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  }

  #add(severity: Problem['severity'], path: SettingPath, message: string, token: Token): void {
    if (this.#problems.length >= MAX_PROBLEMS) return
    const setting = renderPath(path)
    this.#problems.push({
      path: this.#file,
      ...this.#locate(path, token),
      severity,
      message: setting === '' ? message : `${setting} ${message}`,
    })
  }
}

/** Writes a setting's path as people do: `trust[0].kubernetes.issuer`. Unusual names are quoted. */
export function renderPath(path: SettingPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    if (!/^[A-Za-z_][\w-]*$/.test(step)) return `${text}[${quote(step)}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

/** Quotes a piece of the file for a message: on one line, cut at 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)
}
