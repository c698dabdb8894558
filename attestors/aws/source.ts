/**
 * Where a web identity token was asked for, and on whose account: the claims of STS beside `sub`. STS sets
 * those about the source by itself; tags and the source identity are chosen by tenants or the caller.
 * No I/O. No clock.
 */

import { isIPv4 } from 'node:net'
import { isObject, type JsonObject } from '../../src/net/json.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import { invalidClaim, optionalText, type TextForm } from '../claims.ts'
import { tagTexts, type Values } from '../facts.ts'
import { parseFunction, parseInstance, type ResourceArn, type RoleArn } from './arn.ts'

/** What was read. */
export type Source = {
  /** Facts of grade A. */
  readonly signed: Values & { readonly organizationPath?: readonly string[] | undefined }
  /** Facts of grade D. */
  readonly chosen: Values
  readonly lineage: readonly string[]
}

const form = (pattern: RegExp, said: string): TextForm => ({ form: pattern, said })
const ORGANIZATION = form(/^o-[a-z0-9]{10,32}$/, 'the id of an organization')
const UNIT = /^o-[a-z0-9]{10,32}\/r-[a-z0-9]{4,32}(?:\/ou-[a-z0-9]{4,32}-[a-z0-9]{8,32})*\/?$/
const REGION = form(/^[a-z0-9-]{4,32}$/, 'the name of a region')
const VPC = form(/^vpc-[0-9a-f]{8,17}$/, 'the id of a VPC')
const DELIVERY = form(/^[0-9]\.[0-9]$/, '"1.0" or "2.0"')
const ADDRESS = form(/^[0-9.]{7,15}$/, 'an IPv4 address')
const LABEL = form(/^[!-~]{1,256}$/, 'at most 256 printable characters')

/**
 * Reads the private claims.
 * @param role whose token it is: what it runs on has to be in the same account
 * @throws Refusal `claim_invalid`, `subject_mismatched`
 */
export function readSource(own: JsonObject, role: RoleArn): Source {
  const instance = resource(own, 'ec2_source_instance_arn', parseInstance, role)
  const lambda = resource(own, 'lambda_source_function_arn', parseFunction, role)
  return {
    signed: {
      organization: optionalText(own['org_id'], ORGANIZATION, 'org_id'),
      organizationPath: unitsOf(own['ou_path']),
      region: optionalText(own['source_region'], REGION, 'source_region'),
      federatedProvider: optionalText(own['federated_provider'], LABEL, 'federated_provider'),
      'lambda.functionArn': lambda?.arn,
      ...instanceFacts(own, instance?.arn),
    },
    chosen: {
      sourceIdentity: optionalText(own['source_identity'], LABEL, 'source_identity'),
      principalTags: tagsOf(own, 'principal_tags'),
      requestTags: tagsOf(own, 'request_tags'),
    },
    lineage: [
      ...(instance ? [`aws-instance:${role.account}/${instance.id}`] : []),
      ...(lambda ? [`aws-function:${lambda.arn}`] : []),
    ],
  }
}

/** Credentials of an instance or a function are those of a role in its own account. */
function resource(
  own: JsonObject,
  claim: string,
  parse: (text: unknown, claim: string) => ResourceArn,
  role: RoleArn,
): { readonly arn: string; readonly id: string } | undefined {
  const arn = own[claim]
  if (arn === undefined) return undefined
  const { partition, account, id } = parse(arn, claim)
  if (account !== role.account || partition !== role.partition) {
    const detail = { expected: `${role.partition} ${role.account}`, found: printable(arn) }
    throw new Refusal('subject_mismatched', { member: claim, ...detail })
  }
  return { arn: String(arn), id }
}

function instanceFacts(own: JsonObject, instanceArn: string | undefined): Values {
  const address = optionalText(
    own['ec2_instance_source_private_ipv4'],
    ADDRESS,
    'ec2_instance_source_private_ipv4',
  )
  if (address !== undefined && !isIPv4(address)) {
    throw invalidClaim('ec2_instance_source_private_ipv4', ADDRESS.said, address)
  }
  const about = {
    'ec2.vpc': optionalText(own['ec2_instance_source_vpc'], VPC, 'ec2_instance_source_vpc'),
    'ec2.privateIp': address,
    'ec2.roleDelivery': optionalText(own['ec2_role_delivery'], DELIVERY, 'ec2_role_delivery'),
  }
  if (instanceArn === undefined && Object.values(about).some((value) => value !== undefined)) {
    // Half of an instance cannot be judged: a forbid on `roleDelivery` must not be slipped past.
    throw invalidClaim('ec2_source_instance_arn', 'present beside other ec2 claims', undefined)
  }
  return { 'ec2.instanceArn': instanceArn, ...about }
}

/**
 * The root and every unit above the account, each as IAM writes it, with a slash at the end. A policy can thus ask
 * for "in this unit or below it" by `contains`. AWS documents a string and signs a list.
 */
function unitsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  const units = (Array.isArray(value) ? value : [value]).flatMap((path) => {
    if (typeof path !== 'string' || path.length > 512 || !UNIT.test(path)) {
      throw invalidClaim('ou_path', 'paths such as o-…/r-…/ou-…/', value)
    }
    const steps = path.replace(/\/$/, '').split('/')
    return steps.slice(1).map((_, index) => `${steps.slice(0, index + 2).join('/')}/`)
  })
  return [...new Set(units)]
}

/** Tags as a set of texts. */
function tagsOf(own: JsonObject, claim: string): readonly string[] | undefined {
  const tags = own[claim]
  if (tags === undefined) return undefined
  if (!isObject(tags)) throw invalidClaim(claim, 'an object', tags)
  return tagTexts(
    Object.entries(tags).map(([key, value]) => {
      if (typeof value !== 'string') throw invalidClaim(`${claim}.${key}`, 'a string', value)
      return [key, value]
    }),
  )
}
