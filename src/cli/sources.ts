/**
 * Where `countersign token` takes the platform's credential from: what `--source` says, or the first of the table
 * that shows itself. Only the environment and a file are looked at: a request to a metadata server that is not
 * there would take seconds, so `gcp` and `azure` on a virtual machine have to be named.
 */

import { existsSync } from 'node:fs'
import {
  type AgentOptions,
  type CertificateSource,
  certificateIdentity,
  DEFAULT_TOKEN_FILE,
  kubernetes,
} from '../agent/index.ts'
import { callerIdentity, webIdentity } from '../agent/sources/aws.ts'
import { azure, azureMachine } from '../agent/sources/azure.ts'
import { gcp } from '../agent/sources/gcp.ts'
import { github } from '../agent/sources/github.ts'
import { DEFAULT_SPIFFE_SOCKET, spiffe } from '../agent/sources/spiffe.ts'
import { UsageError } from './command.ts'

/** What a source is made of. */
export type Wanted = {
  readonly issuer: string
  /** For whom the credential is asked. */
  readonly audience: string
  readonly tokenFile: string | undefined
  /** What the connection shows. Left out, or null: nothing. */
  readonly certificate?: CertificateSource | null
  readonly env: Readonly<Record<string, string | undefined>>
}

type Source = {
  readonly doc: string
  /** Whether this process runs where the platform gives such a credential. */
  readonly found: (wanted: Wanted) => boolean
  readonly make: (wanted: Wanted) => NonNullable<AgentOptions['source']>
}

/** In the order in which they are looked for. */
const SOURCES: Readonly<Record<string, Source>> = {
  github: {
    doc: 'the ID token of a GitHub Actions job',
    found: ({ env }) => env['ACTIONS_ID_TOKEN_REQUEST_URL'] !== undefined,
    make: ({ env, audience }) =>
      github({
        url: needed(env, 'ACTIONS_ID_TOKEN_REQUEST_URL'),
        requestToken: needed(env, 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'),
        audience,
      }),
  },
  env: {
    doc: 'a token in COUNTERSIGN_ID_TOKEN, as GitLab’s id_tokens put it there',
    found: ({ env }) => env['COUNTERSIGN_ID_TOKEN'] !== undefined,
    make: ({ env }) => {
      const token = needed(env, 'COUNTERSIGN_ID_TOKEN')
      return async () => token
    },
  },
  kubernetes: {
    doc: `the projected token in --token-file (default ${DEFAULT_TOKEN_FILE})`,
    found: ({ tokenFile }) => tokenFile !== undefined || existsSync(DEFAULT_TOKEN_FILE),
    make: ({ tokenFile }) => kubernetes(tokenFile),
  },
  spiffe: {
    doc: 'a JWT-SVID from the SPIFFE Workload API; SPIFFE_ENDPOINT_SOCKET names its socket',
    found: ({ env }) =>
      env['SPIFFE_ENDPOINT_SOCKET'] !== undefined ||
      existsSync(new URL(DEFAULT_SPIFFE_SOCKET).pathname),
    make: ({ env, audience }) => {
      const { SPIFFE_ENDPOINT_SOCKET: socket } = env
      return spiffe({ audience, ...(socket !== undefined && { socket }) })
    },
  },
  aws: {
    doc: 'a web identity token of the AWS role; AWS_REGION names the endpoint',
    found: ({ env }) =>
      env['AWS_REGION'] !== undefined && AWS_SIGNS.some((name) => env[name] !== undefined),
    make: ({ env, audience }) => webIdentity({ audience, region: needed(env, 'AWS_REGION') }),
  },
  'aws-caller-identity': {
    doc: 'a signed GetCallerIdentity of the AWS role; AWS_REGION names the endpoint',
    found: () => false,
    make: ({ env, issuer }) => callerIdentity({ issuer, region: needed(env, 'AWS_REGION') }),
  },
  'x509-svid': {
    doc: 'the certificate of --cert and --key itself, an X.509-SVID',
    found: () => false,
    make: ({ certificate = null }) => {
      if (certificate !== null) return certificateIdentity(certificate)
      throw new UsageError('--source x509-svid needs --cert and --key')
    },
  },
  azure: {
    doc: 'the managed identity; --audience is the application ID URI, AZURE_CLIENT_ID names an identity',
    found: ({ env }) => env['IDENTITY_ENDPOINT'] !== undefined,
    make: ({ env, audience }) => {
      const { AZURE_CLIENT_ID: clientId } = env
      return azure({ audience, ...(clientId !== undefined && { clientId }) })
    },
  },
  'azure-machine': {
    doc: 'the same, with the attested document of the virtual machine beside it',
    found: () => false,
    make: ({ env, audience, issuer }) => {
      const { AZURE_CLIENT_ID: clientId } = env
      return azureMachine({ audience, issuer, ...(clientId !== undefined && { clientId }) })
    },
  },
  gcp: {
    doc: 'the identity token of the service account, from the metadata server',
    found: ({ env }) => env['GCE_METADATA_HOST'] !== undefined || env['K_SERVICE'] !== undefined,
    make: ({ env, audience }) => {
      const { GCE_METADATA_HOST: host } = env
      return gcp({ audience, ...(host !== undefined && { host }) })
    },
  },
}

/** Where the credentials of an AWS role are announced to a process. */
const AWS_SIGNS = [
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_SESSION_TOKEN',
]

/** The lines of the usage. */
export const SOURCES_USAGE = Object.entries(SOURCES)
  .map(([name, { doc }]) => `    ${name.padEnd(20)}${doc}`)
  .join('\n')

/** The name of the first source that shows itself; `kubernetes`, whose refusal names the usual file, where none does. */
export function detected(wanted: Wanted): string {
  return Object.keys(SOURCES).find((name) => SOURCES[name]?.found(wanted)) ?? 'kubernetes'
}

/**
 * @param name what `--source` says, or what was detected
 * @throws UsageError for a name that there is not, or one whose environment is missing
 */
export function sourceOf(name: string, wanted: Wanted): NonNullable<AgentOptions['source']> {
  const source = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined
  if (source !== undefined) return source.make(wanted)
  throw new UsageError(
    `--source ${name} is not known; there is: ${Object.keys(SOURCES).join(', ')}`,
  )
}

function needed(env: Wanted['env'], name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new UsageError(`${name} is not set`)
  return value
}
