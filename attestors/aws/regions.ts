/**
 * Where STS and EC2 are: every region with its partition and hosts, written down. No host is made from what a caller
 * sends, so that there is none to validate (salesforce/multicloudj #620).
 */

import type { Partition } from './arn.ts'

/** Where one region's services answer. */
export type Region = {
  readonly partition: Partition
  /** The host name of the regional endpoint of STS. */
  readonly host: string
  /** That of EC2. */
  readonly ec2: string
}

type Names = { readonly domain: string; readonly regions: readonly string[] }

const TABLE: Readonly<Record<Partition, Names>> = {
  aws: {
    domain: 'amazonaws.com',
    regions: [
      'af-south-1',
      'ap-east-1',
      'ap-east-2',
      'ap-northeast-1',
      'ap-northeast-2',
      'ap-northeast-3',
      'ap-south-1',
      'ap-south-2',
      'ap-southeast-1',
      'ap-southeast-2',
      'ap-southeast-3',
      'ap-southeast-4',
      'ap-southeast-5',
      'ap-southeast-6',
      'ap-southeast-7',
      'ca-central-1',
      'ca-west-1',
      'eu-central-1',
      'eu-central-2',
      'eu-north-1',
      'eu-south-1',
      'eu-south-2',
      'eu-west-1',
      'eu-west-2',
      'eu-west-3',
      'il-central-1',
      'me-central-1',
      'me-south-1',
      'me-west-1',
      'mx-central-1',
      'sa-east-1',
      'sa-west-1',
      'us-east-1',
      'us-east-2',
      'us-west-1',
      'us-west-2',
    ],
  },
  'aws-cn': { domain: 'amazonaws.com.cn', regions: ['cn-north-1', 'cn-northwest-1'] },
  'aws-us-gov': { domain: 'amazonaws.com', regions: ['us-gov-east-1', 'us-gov-west-1'] },
  'aws-eusc': { domain: 'amazonaws.eu', regions: ['eusc-de-east-1'] },
  'aws-iso': { domain: 'c2s.ic.gov', regions: ['us-iso-east-1', 'us-iso-west-1'] },
  'aws-iso-b': { domain: 'sc2s.sgov.gov', regions: ['us-isob-east-1', 'us-isob-west-1'] },
  'aws-iso-e': { domain: 'cloud.adc-e.uk', regions: ['eu-isoe-west-1'] },
  'aws-iso-f': { domain: 'csp.hci.ic.gov', regions: ['us-isof-east-1', 'us-isof-south-1'] },
}

/** Every region by its name. */
export const REGIONS: ReadonlyMap<string, Region> = new Map(
  (Object.entries(TABLE) as [Partition, Names][]).flatMap(([partition, { domain, regions }]) =>
    regions.map((name) => {
      const hosts = { host: `sts.${name}.${domain}`, ec2: `ec2.${name}.${domain}` }
      return [name, { partition, ...hosts }] as const
    }),
  ),
)
