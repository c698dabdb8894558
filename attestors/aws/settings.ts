/** The settings of one AWS account in the configuration, and what their schema cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { checkJwks, JwksSettings } from '../../src/net/keyreader.ts'
import type { Algorithm } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'
import { checkNitro, NitroSettings } from '../nitro/settings.ts'
import { PARTITIONS } from './arn.ts'
import { REGIONS } from './regions.ts'

/** JSON Schema of what an entry says of signed GetCallerIdentity requests. */
export const CallerIdentitySettings = Type.Object(
  {
    regions: Type.Array(Type.Enum([...REGIONS.keys()], { title: 'a region of AWS' }), {
      minItems: 1,
      uniqueItems: true,
      description: 'The regions whose STS is asked. Nobody can choose another.',
    }),
    ca: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: "PEM file, trusted for these endpoints in place of the system's roots.",
      }),
    ),
    allowPrivate: Type.Optional(
      Type.Boolean({
        description:
          'Let the endpoints be at private addresses: interface endpoints of a VPC. Default: false.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Take signed GetCallerIdentity requests of this account, too. Default: refused.',
  },
)
export type CallerIdentitySettings = Static<typeof CallerIdentitySettings>

/** JSON Schema of what an entry says of looking instances up. */
export const PostureSettings = Type.Object(
  {
    regions: Type.Array(Type.Enum([...REGIONS.keys()], { title: 'a region of AWS' }), {
      minItems: 1,
      uniqueItems: true,
      description: 'The regions whose EC2 is asked. Instances elsewhere have no posture.',
    }),
    role: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 640,
        description:
          'The ARN of a role of this account, which the broker assumes to ask. Default: its own credentials.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Ask EC2 about the instance that a token names (ec2:DescribeInstances). Default: not asked.',
  },
)
export type PostureSettings = Static<typeof PostureSettings>

/** JSON Schema of a trust entry of kind `aws`. */
export const AwsSettings = Type.Object(
  {
    account: Type.String({
      pattern: '^[0-9]{12}$',
      title: 'an account id of 12 digits',
      description: 'The account whose roles may ask: 12 digits, in quotes.',
    }),
    issuer: Type.String({
      minLength: 1,
      maxLength: 2048,
      description:
        "The account's own issuer URL, which iam:EnableOutboundWebIdentityFederation returned.",
    }),
    partition: Type.Optional(
      Type.Enum([...PARTITIONS], { description: 'The partition of the account. Default: aws.' }),
    ),
    organization: Type.Optional(
      Type.String({
        pattern: '^o-[a-z0-9]{10,32}$',
        title: 'the id of an organization, o-…',
        description: 'The AWS organization that the account must be in when the token is issued.',
      }),
    ),
    organizationPaths: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^o-[a-z0-9]{10,32}/r-[a-z0-9]{4,32}(/ou-[a-z0-9]{4,32}-[a-z0-9]{8,32})*/?$',
          title: 'a path of organizational units, o-…/r-…/ou-…/',
        }),
        {
          minItems: 1,
          uniqueItems: true,
          description:
            'Organizational units, as o-…/r-…/ou-…/: the account must be in one of them, or below it.',
        },
      ),
    ),
    reservedRoles: Type.Optional(
      Type.Enum(['refused', 'allowed'], {
        description:
          'Roles below aws-reserved/, which IAM Identity Center gives to people. Default: refused.',
      }),
    ),
    callerIdentity: Type.Optional(CallerIdentitySettings),
    nitro: Type.Optional(NitroSettings),
    posture: Type.Optional(PostureSettings),
    jwks: Type.Optional(JwksSettings),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'The longest lifetime (exp minus iat) of a token that is taken. Default: 15m.',
      }),
    ),
    maxAge: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'How long after its issue a token may be shown. Default: 5m.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'An AWS account whose roles may ask, by GetWebIdentityToken or a signed GetCallerIdentity.',
  },
)
export type AwsSettings = Static<typeof AwsSettings>

/** What `SigningAlgorithm` of GetWebIdentityToken can be. */
export const ALGORITHMS: readonly Algorithm[] = ['ES384', 'RS256']

export const DEFAULT_MAX_LIFETIME = '15m'
export const DEFAULT_MAX_AGE = '5m'

/** An issuer of the partition `aws`. Other partitions have other hosts, which AWS does not document. */
const ISSUER =
  /^https:\/\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tokens\.sts\.global\.api\.aws$/

/** Where the account's keys are. */
export function jwksOf({ jwks, issuer }: AwsSettings): JwksSettings {
  return jwks ?? { url: `${issuer}/.well-known/jwks.json` }
}

/** Reports every problem of the settings that needs more than one field to see. */
export function checkAws(settings: AwsSettings, report: Report): void {
  const { issuer, partition = 'aws', organization, organizationPaths = [] } = settings
  if (partition === 'aws' && !ISSUER.test(issuer)) {
    report(
      ['issuer'],
      'must be the URL of one account, https://<uuid>.tokens.sts.global.api.aws, without a trailing slash',
    )
  } else if (URL.parse(issuer)?.protocol !== 'https:' || issuer.endsWith('/')) {
    report(['issuer'], 'must be an https URL without a trailing slash')
  }
  organizationPaths.forEach((path, index) => {
    if (organization !== undefined && !path.startsWith(`${organization}/`)) {
      report(['organizationPaths', index], `is not in ${organization}, the entry's organization`)
    }
  })
  checkCallerIdentity(settings, report)
  checkPosture(settings, report)
  if (settings.nitro !== undefined) {
    checkNitro(settings.nitro, (path, message) => report(['nitro', ...path], message))
  }
  if (settings.jwks !== undefined) {
    checkJwks(settings.jwks, issuer, (path, message) => report(['jwks', ...path], message))
  }
}

function checkCallerIdentity(settings: AwsSettings, report: Report): void {
  const { callerIdentity, partition = 'aws', organization, organizationPaths } = settings
  checkRegions(callerIdentity?.regions, partition, (at, message) =>
    report(['callerIdentity', 'regions', ...at], message),
  )
  if (callerIdentity !== undefined && (organization ?? organizationPaths) !== undefined) {
    report(
      ['callerIdentity'],
      'cannot stand beside organization or organizationPaths: GetCallerIdentity does not say where the account is',
    )
  }
}

function checkPosture({ posture, account, partition = 'aws' }: AwsSettings, report: Report): void {
  checkRegions(posture?.regions, partition, (at, message) =>
    report(['posture', 'regions', ...at], message),
  )
  if (posture?.role === undefined) return
  const isOurs = posture.role.startsWith(`arn:${partition}:iam::${account}:role/`)
  if (!isOurs) report(['posture', 'role'], `must be the ARN of a role of account ${account}`)
}

function checkRegions(
  regions: readonly string[] | undefined,
  partition: string,
  report: Report,
): void {
  regions?.forEach((region, index) => {
    const found = REGIONS.get(region)?.partition
    if (found !== partition) report([index], `is in ${found}, not in the partition ${partition}`)
  })
}
