/**
 * DescribeInstances of one region and account, by the AWS SDK. The SDK is loaded when an instance is first looked up, and
 * goes to the hosts of our table, whatever its environment says.
 */

import type {
  Instance as Described,
  EC2Client,
  EC2ClientConfig,
  Reservation,
} from '@aws-sdk/client-ec2'
import type { STSClientConfig } from '@aws-sdk/client-sts'
import type { Timers } from '../../src/net/timers.ts'
import { within } from '../deadline.ts'
import { tagTexts, type Values } from '../facts.ts'
import { REGIONS } from './regions.ts'

/** What EC2 says of an instance. */
export type Instance = {
  /** What only EC2 or an administrator of the instance can set. */
  readonly settings: Values
  /** Whoever may tag the instance chooses these. */
  readonly tags: readonly string[] | undefined
}

/** Whose instances are asked about, and as whom. */
export type Ec2Options = {
  readonly region: string
  readonly account: string
  /** The role to assume; undefined where the broker's own credentials are of that account. */
  readonly role: string | undefined
  readonly timers: Timers
  /** Further settings of the SDK's clients, for tests: credentials, and where the hosts lead. */
  readonly clients?: SdkSettings
}

export type SdkSettings = { readonly ec2?: EC2ClientConfig; readonly sts?: STSClientConfig }

/** @returns what is known of these instances, by id; rejects with an Error for the operator */
export type Ec2 = (ids: readonly string[]) => Promise<ReadonlyMap<string, Instance>>

const TIMEOUT_MS = 3_000
/** Pages of an answer: EC2 may send fewer instances than it could, and even none. */
const MOST_PAGES = 4
const SESSION_NAME = 'countersign-posture'
const SESSION_SECONDS = 900

/** Asks as the settings say. Nothing is asked and nothing is loaded before the first call. */
export function ec2Of(options: Ec2Options): Ec2 {
  let client: Promise<EC2Client> | undefined
  return (ids) =>
    within(TIMEOUT_MS, options.timers, async (signal) => {
      client ??= clientOf(options)
      const found = new Map<string, Instance>()
      for await (const { OwnerId, Instances = [] } of reservations(await client, ids, signal)) {
        // Instances of others can be seen through what they share with us. Theirs are not ours.
        if (OwnerId !== options.account) continue
        for (const instance of Instances) found.set(instance.InstanceId ?? '', read(instance))
      }
      return found
    })
}

async function* reservations(
  client: EC2Client,
  ids: readonly string[],
  abortSignal: AbortSignal,
): AsyncGenerator<Reservation> {
  const { DescribeInstancesCommand } = await import('@aws-sdk/client-ec2')
  // By a filter: among InstanceIds one that is gone would fail the whole call.
  const Filters = [{ Name: 'instance-id', Values: [...ids] }]
  let next: string | undefined
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const command = new DescribeInstancesCommand({ Filters, ...(next && { NextToken: next }) })
    const { Reservations = [], NextToken } = await client.send(command, { abortSignal })
    yield* Reservations
    if (!NextToken) return
    next = NextToken
  }
}

async function clientOf({ region, role, clients }: Ec2Options): Promise<EC2Client> {
  const { EC2Client } = await import('@aws-sdk/client-ec2')
  const credentials = role === undefined ? undefined : await assumed(role, region, clients?.sts)
  return new EC2Client({
    ...pointed(hostsOf(region).ec2, region),
    ...clients?.ec2,
    ...(credentials && { credentials }),
  })
}

/** A provider of the role's credentials. The SDK asks it again before they end. */
async function assumed(role: string, region: string, settings: STSClientConfig | undefined) {
  const { AssumeRoleCommand, STSClient } = await import('@aws-sdk/client-sts')
  const sts = new STSClient({ ...pointed(hostsOf(region).host, region), ...settings })
  return async () => {
    const { Credentials: given } = await sts.send(
      new AssumeRoleCommand({
        RoleArn: role,
        RoleSessionName: SESSION_NAME,
        DurationSeconds: SESSION_SECONDS,
      }),
    )
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = given ?? {}
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
      throw new Error('STS gave no credentials of the role')
    }
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration,
    }
  }
}

/** To this host, once again at most, and never for long. */
function pointed(host: string, region: string) {
  return {
    region,
    endpoint: `https://${host}`,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: TIMEOUT_MS },
  }
}

function hostsOf(region: string): { readonly ec2: string; readonly host: string } {
  const found = REGIONS.get(region)
  if (found === undefined) throw new Error(`${region} is no region of AWS`)
  return found
}

function read(described: Described): Instance {
  const { MetadataOptions: metadata, LaunchTime, IamInstanceProfile, CpuOptions } = described
  const launchedAt = LaunchTime === undefined ? Number.NaN : Math.floor(LaunchTime.getTime() / 1000)
  const tokens = metadata?.HttpTokens
  const hops = metadata?.HttpPutResponseHopLimit
  const groups = described.SecurityGroups?.map(({ GroupId }) => GroupId ?? '')
  const tags = described.Tags?.map(({ Key, Value }) => [Key ?? '', Value ?? ''] as const)
  const snp = CpuOptions?.AmdSevSnp
  return {
    settings: {
      'ec2.state': textOf(described.State?.Name, /^[a-z-]{1,32}$/),
      'ec2.image': textOf(described.ImageId, /^ami-[0-9a-f]{8,17}$/),
      'ec2.launchedAt': Number.isSafeInteger(launchedAt) ? launchedAt : undefined,
      // Where nothing answers, nothing answers version 1 either. A change under way is not known.
      'ec2.imdsv2Required':
        metadata?.State === 'applied'
          ? tokens === 'required' || metadata.HttpEndpoint === 'disabled'
          : undefined,
      'ec2.imdsHopLimit': Number.isSafeInteger(hops) ? hops : undefined,
      'ec2.subnet': textOf(described.SubnetId, /^subnet-[0-9a-f]{8,17}$/),
      'ec2.securityGroups': groups?.every((id) => /^sg-[0-9a-f]{8,17}$/.test(id))
        ? groups
        : undefined,
      'ec2.instanceProfile': textOf(IamInstanceProfile?.Arn, /^arn:[!-~]{1,512}$/),
      'ec2.enclaves': described.EnclaveOptions?.Enabled,
      'ec2.bootMode': textOf(described.CurrentInstanceBootMode, /^[a-z-]{1,32}$/),
      'ec2.tpm': textOf(described.TpmSupport, /^v[0-9.]{1,8}$/),
      'ec2.sevSnp': snp === undefined ? undefined : snp === 'enabled',
    },
    tags: tags && tagTexts(tags),
  }
}

function textOf(value: string | undefined, form: RegExp): string | undefined {
  return value !== undefined && form.test(value) ? value : undefined
}
