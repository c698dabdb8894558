/**
 * Amazon Resource Names, read strictly: one form for each kind that evidence names, whole and anchored.
 *
 *     arn:aws:iam::123456789012:role/team/settlement
 *     arn:aws:sts::123456789012:assumed-role/settlement/i-0123456789abcdef0
 *     arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0
 *     arn:aws:lambda:eu-central-1:123456789012:function:settle
 *
 * No I/O. No clock.
 */

import { invalidClaim } from '../claims.ts'

/** Every partition of AWS: separate clouds with accounts, roles and signing keys of their own. */
export const PARTITIONS = [
  'aws',
  'aws-cn',
  'aws-us-gov',
  'aws-eusc',
  'aws-iso',
  'aws-iso-b',
  'aws-iso-e',
  'aws-iso-f',
] as const
export type Partition = (typeof PARTITIONS)[number]

/** An IAM role. `path` begins and ends with a slash; it is `/` for most roles. */
export type RoleArn = {
  readonly partition: string
  readonly account: string
  readonly path: string
  readonly name: string
}

/** A session of a role. STS leaves the role's path out; name and account are unique without it. */
export type SessionArn = {
  readonly partition: string
  readonly account: string
  readonly name: string
  readonly session: string
}

/** Something that runs, with the account that it runs in. */
export type ResourceArn = {
  readonly partition: string
  readonly region: string
  readonly account: string
  /** The instance's id, or the function's name with its qualifier, if any. */
  readonly id: string
}

/** A role's path has at most 512 characters, its name 64 (IAM API, Role). */
const MAX_CHARACTERS = 640
const MAX_PATH = 512

const PARTITION = `(${PARTITIONS.join('|')})`
const REGION = '([a-z]{2,4}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2})'
const ACCOUNT = '([0-9]{12})'
// What IAM takes in names needs no percent-encoding in a URI (RFC 3986 §3.3), and no slash is among it.
const NAME = '([A-Za-z0-9_+=,.@-]{1,64})'
const SESSION = '([A-Za-z0-9_+=,.@-]{2,64})'
const PATH = '(/(?:[!-.0-~]{1,510}/)*)'

const ROLE = new RegExp(`^arn:${PARTITION}:iam::${ACCOUNT}:role${PATH}${NAME}$`)
const ASSUMED = new RegExp(`^arn:${PARTITION}:sts::${ACCOUNT}:assumed-role/${NAME}/${SESSION}$`)
const INSTANCE = new RegExp(
  `^arn:${PARTITION}:ec2:${REGION}:${ACCOUNT}:instance/(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))$`,
)
const FUNCTION = new RegExp(
  `^arn:${PARTITION}:lambda:${REGION}:${ACCOUNT}:function:([A-Za-z0-9_-]{1,64}(?::[$A-Za-z0-9_-]{1,128})?)$`,
)

/**
 * Reads the ARN of a role. Users, the root of an account and federated users are not roles.
 * @param claim where it was found, for the operator
 * @throws Refusal `claim_invalid`
 */
export function parseRole(text: unknown, claim: string): RoleArn {
  const [partition = '', account = '', path = '', name = ''] = parts(
    ROLE,
    text,
    claim,
    'the ARN of an IAM role',
  )
  if (path.length > MAX_PATH) {
    throw invalidClaim(claim, `a path of at most ${MAX_PATH} characters`, path)
  }
  return { partition, account, path, name }
}

/** @throws Refusal `claim_invalid` */
export function parseSession(text: unknown, claim: string): SessionArn {
  const expected = 'the ARN of an assumed role'
  const [partition = '', account = '', name = '', session = ''] = parts(
    ASSUMED,
    text,
    claim,
    expected,
  )
  return { partition, account, name, session }
}

/** @throws Refusal `claim_invalid` */
export function parseInstance(text: unknown, claim: string): ResourceArn {
  return resource(INSTANCE, text, claim, 'the ARN of an EC2 instance')
}

/** @throws Refusal `claim_invalid` */
export function parseFunction(text: unknown, claim: string): ResourceArn {
  return resource(FUNCTION, text, claim, 'the ARN of a Lambda function')
}

/** The ARN of a role, as IAM writes it. */
export function formatRole({ partition, account, path, name }: RoleArn): string {
  return `arn:${partition}:iam::${account}:role${path}${name}`
}

function resource(form: RegExp, text: unknown, claim: string, expected: string): ResourceArn {
  const [partition = '', region = '', account = '', id = ''] = parts(form, text, claim, expected)
  return { partition, region, account, id }
}

/** The groups of a form that matches the whole text. */
function parts(form: RegExp, text: unknown, claim: string, expected: string): readonly string[] {
  const isShort = typeof text === 'string' && text.length <= MAX_CHARACTERS
  const match = isShort ? form.exec(text) : null
  if (match === null) throw invalidClaim(claim, expected, text)
  return match.slice(1)
}
