/** `countersign policy render`: policies as custom resources, for those who deploy with Kubernetes. */

import { basename } from 'node:path'
import type { SourceFile } from '../../policy/settings.ts'
import { strangers } from '../../policy/tenancy.ts'
import { renderProblem } from '../../problem.ts'
import { snapshot } from '../../snapshot.ts'
import { type Command, parseOptions, UsageError } from '../command.ts'
import { CONFIG_USAGE, openSite, POLICY_OPTIONS } from './sources.ts'

const API_VERSION = 'countersign.dev/v1alpha1'

export const command: Command = {
  usage: `usage: countersign policy render [PATH] [--namespace CLUSTER/NAMESPACE] [--config FILE] [--json]

  PATH                a folder or a .cedar file (default: policies.path)
  --namespace C/NS    one AccessPolicy a file, in this Namespace; every policy must be about its workloads
                      (default: one ClusterAccessPolicy a file)
${CONFIG_USAGE}
  --json              print a Kubernetes List as JSON

Prints YAML for kubectl apply -f -. The text of the policies is not changed.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: { ...POLICY_OPTIONS, namespace: { type: 'string' } },
      allowPositionals: true,
    })
    const { namespace } = values
    if (namespace !== undefined && !/^[^/]+\/[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace)) {
      throw new UsageError('--namespace takes <cluster>/<namespace>, as policies name it')
    }
    const files = await snapshot(positionals[0] ?? openSite(values, undefined, terminal).path)
    const problems = namespace === undefined ? [] : strangers(files, namespace)
    for (const problem of problems) terminal.note(renderProblem(problem))
    if (problems.length > 0) return 1
    const names = named(files)
    const items = files.map((file, index) => resource(names[index] ?? '', file, namespace))
    if (values.json) terminal.out(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    else for (const item of items) terminal.out(yaml(item))
    return 0
  },
}

type Resource = {
  readonly apiVersion: string
  readonly kind: 'AccessPolicy' | 'ClusterAccessPolicy'
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec: { readonly cedar: string }
}

function resource(name: string, { text }: SourceFile, namespace: string | undefined): Resource {
  const spec = { cedar: text.endsWith('\n') ? text : `${text}\n` }
  if (namespace === undefined) {
    return { apiVersion: API_VERSION, kind: 'ClusterAccessPolicy', metadata: { name }, spec }
  }
  const [, inner = ''] = namespace.split('/')
  return {
    apiVersion: API_VERSION,
    kind: 'AccessPolicy',
    metadata: { name, namespace: inner },
    spec,
  }
}

/** Names by file: what Kubernetes allows (RFC 1123). @throws Error where two files would get the same */
function named(files: readonly SourceFile[]): string[] {
  const seen = new Map<string, string>()
  return files.map(({ path }) => {
    const stem = basename(path)
      .replace(/\.cedar$/, '')
      .toLowerCase()
    const name =
      stem.replace(/[^a-z0-9.-]+/g, '-').replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'policies'
    const other = seen.get(name)
    if (other !== undefined)
      throw new Error(`${other} and ${path} would both be named ${name}: rename one`)
    seen.set(name, path)
    return name
  })
}

function yaml({ apiVersion, kind, metadata, spec }: Resource): string {
  const scope = metadata.namespace === undefined ? [] : [`  namespace: ${metadata.namespace}`]
  const body = spec.cedar
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`))
  return [
    '---',
    `apiVersion: ${apiVersion}`,
    `kind: ${kind}`,
    'metadata:',
    `  name: ${JSON.stringify(metadata.name)}`,
    ...scope,
    'spec:',
    // The indentation is said: a text may begin with a space.
    '  cedar: |2',
    ...body,
  ].join('\n')
}
