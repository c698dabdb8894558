/** The chart through `helm` and nothing else: what it renders, and what it refuses. */

import { execFile, execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** The chart. */
export const CHART = resolve(import.meta.dirname, '../../charts/countersign')

/** An object that was rendered. Deep, foreign and only looked at. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests assert
export type Rendered = Readonly<Record<string, any>> & { readonly kind: string }

/** Values, nested as in values.yaml. */
export type Values = Readonly<Record<string, unknown>>

/** Why there is no helm; undefined where there is one. */
export function withoutHelm(): string | undefined {
  try {
    execFileSync('helm', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'helm is not on PATH'
  }
}

/** How a command ended. */
export type Ended = { readonly code: number; readonly out: string; readonly err: string }

/** Runs helm; values are handed over by standard input. */
export function helm(args: readonly string[], values?: Values): Promise<Ended> {
  const given = values === undefined ? [] : ['--values', '-']
  return new Promise((fulfil) => {
    const child = execFile('helm', [...args, ...given], (error, out, err) => {
      const code = error === null ? 0 : Number(error.code ?? 1)
      fulfil({ code, out, err })
    })
    child.stdin?.end(values === undefined ? '' : JSON.stringify(values))
  })
}

/** The values with which the chart renders, changed by `change`. */
export function valuesOf(change: Values = {}): Values {
  return { issuer: 'https://countersign.example.com', ...change }
}

/** Renders the chart. @throws Error with what helm says */
export async function render(change: Values = {}): Promise<readonly Rendered[]> {
  const { code, out, err } = await helm(
    ['template', 'countersign', CHART, '--namespace', 'identity'],
    valuesOf(change),
  )
  if (code !== 0) throw new Error(err)
  return parseAllDocuments(out)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null)
}

/** What helm says about values that it refuses. @throws Error when it takes them */
export async function refusal(values: Values): Promise<string> {
  const { code, err } = await helm(
    ['template', 'countersign', CHART, '--namespace', 'identity'],
    values,
  )
  if (code === 0) throw new Error(`taken: ${JSON.stringify(values)}`)
  return err
}

/** The one object of a kind, by the end of its name. @throws Error when there is none */
export function find(objects: readonly Rendered[], kind: string, end = ''): Rendered {
  const found = objects.find(
    (object) => object.kind === kind && object['metadata'].name.endsWith(end),
  )
  if (found === undefined) throw new Error(`no ${kind} *${end}`)
  return found
}

/** The broker's Deployment. */
export const deployment = (objects: readonly Rendered[]) => find(objects, 'Deployment')

/** The pod that an object is or makes. */
export const podOf = (object: Rendered) => object['spec'].template?.spec ?? object['spec']

/** Every pod of the release, probers included. */
export const pods = (objects: readonly Rendered[]) =>
  objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Pod').map(podOf)

/** The text of countersign.yaml. */
export const settings = (objects: readonly Rendered[]) =>
  find(objects, 'ConfigMap', '-config')['data']['countersign.yaml'] as string

/** What the members of a list are called. */
export const names = (list: readonly { name: string }[] = []) => list.map(({ name }) => name)
