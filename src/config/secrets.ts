/**
 * Secrets in the configuration: `${file:/run/secrets/key}` and `${env:KEY}`, the whole value, and only
 * where a secret belongs. Anywhere else the notation is an error, for it would be taken literally.
 */

import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { type Findings, quote, renderPath, type SettingPath } from './findings.ts'
import { isTree } from './shape.ts'

const MIN_CHARACTERS = 32
const REFERENCE = /^\$\{(file|env):([^{}]+)\}$/
const LOOKS_LIKE_REFERENCE = /\$\{/
// biome-ignore lint/suspicious/noTemplateCurlyInString: the notation of the file
const NOTATION = '${file:PATH} or ${env:NAME}'

/** What a configuration may read from outside its own text. */
export type Outside = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file by absolute path. Throws when it cannot. */
  readonly readFile: (path: string) => string
  /** The folder in which relative paths start; absolute. */
  readonly baseDir: string
}

/** A secret that does not show itself in logs, JSON or the debugger. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The secret itself. Hand it on at once; store it nowhere. */
  reveal(): string {
    return this.#value
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

/**
 * Reads a secret of at least 32 characters. No message repeats any of it.
 * @returns null when a problem was reported
 */
export function readSecret(
  written: string,
  path: SettingPath,
  find: Findings,
  outside: Outside,
): Secret | null {
  const found = readReference(written, path, find, outside)
  if (found === null) return null
  if (found.value.length < MIN_CHARACTERS) {
    find.error(path, `has ${found.value.length} characters; at least ${MIN_CHARACTERS} are needed`)
  }
  if (found.isLiteral) warnOfLiteral(path, find)
  return new Secret(found.value)
}

/** Says that a secret stands where whoever reads the configuration sees it. */
export function warnOfLiteral(path: SettingPath, find: Findings): void {
  find.warn(path, `is written in the file itself; use ${NOTATION}`)
}

/** What a setting refers to, and whether it is the setting itself. */
export type Referred = { readonly value: string; readonly isLiteral: boolean }

/**
 * Follows `${…}` where there is one. No message repeats what was found.
 * @returns null when a problem was reported
 */
export function readReference(
  written: string,
  path: SettingPath,
  find: Findings,
  outside: Outside,
): Referred | null {
  const found = lookUp(written, outside)
  if ('fault' in found) {
    find.error(path, found.fault)
    return null
  }
  return { value: found.value, isLiteral: found.value === written }
}

function lookUp(
  written: string,
  { env, readFile, baseDir }: Outside,
): { readonly value: string } | { readonly fault: string } {
  const [, source, name = ''] = REFERENCE.exec(written) ?? []
  if (source === undefined) {
    if (!LOOKS_LIKE_REFERENCE.test(written)) return { value: written }
    return { fault: `must be ${NOTATION} and nothing else` }
  }
  if (source === 'env') {
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value !== undefined) return { value }
    return { fault: `names the environment variable ${quote(name)}, which is not set` }
  }
  try {
    return { value: readFile(resolve(baseDir, name)).replace(/\r?\n$/, '') }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
    return { fault: `names the file ${quote(resolve(baseDir, name))}, which cannot be read${code}` }
  }
}

/** The settings in which a reference is followed. */
const SECRETS: readonly SettingPath[] = [
  ['keys', 'secret'],
  ['store', 'postgres'],
]

/** Reports `${…}` in every setting that holds no secret. */
export function refuseReferences(value: unknown, find: Findings): void {
  const names = SECRETS.map(renderPath)
  const walk = (part: unknown, path: SettingPath): void => {
    if (typeof part === 'string') {
      if (LOOKS_LIKE_REFERENCE.test(part) && !names.includes(renderPath(path))) {
        find.error(path, `holds \${…}, which is read only in ${names.join(' and ')}`)
      }
    } else if (Array.isArray(part)) {
      part.forEach((item, index) => {
        walk(item, [...path, index])
      })
    } else if (isTree(part)) {
      for (const [name, item] of Object.entries(part)) walk(item, [...path, name])
    }
  }
  walk(value, [])
}
