/**
 * The EC2 of one region over TLS, under a certificate of its own: DescribeInstances alone. It recomputes every signature
 * and answers and refuses as the service does.
 */

import { hash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Agent, createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { ACCOUNT, INSTANCE } from './aws.ts'
import { selfSigned } from './certificate.ts'
import type { TestClock } from './clock.ts'
import { signatureOf } from './sigv4.ts'
import { type Credentials, SESSION } from './sts.ts'

export const INSTANCE_ID = INSTANCE.replace(/^.*\//, '')

/** An instance as the XML has it; an empty text leaves an element out. */
export type Ec2Instance = Readonly<Record<string, string>>

export type Ec2Fault = 'error' | 'forbidden' | 'throttled' | 'page' | 'reset' | 'slow'

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/'
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)\/(\d{8})\/([a-z0-9-]+)\/ec2\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/

/** One that runs, hardened. */
export function ec2Instance(change: Ec2Instance = {}): Ec2Instance {
  return {
    instanceId: INSTANCE_ID,
    imageId: 'ami-0123456789abcdef0',
    instanceState: '<code>16</code><name>running</name>',
    launchTime: '2027-01-15T07:00:00.000Z',
    subnetId: 'subnet-0123456789abcdef0',
    vpcId: 'vpc-fedcba98765432100',
    groupSet: '<item><groupId>sg-0123456789abcdef0</groupId><groupName>settle</groupName></item>',
    iamInstanceProfile: `<arn>arn:aws:iam::${ACCOUNT}:instance-profile/settle</arn><id>AIPAEXAMPLE</id>`,
    metadataOptions:
      '<state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>',
    enclaveOptions: '<enabled>true</enabled>',
    currentInstanceBootMode: 'uefi',
    tpmSupport: 'v2.0',
    cpuOptions:
      '<coreCount>2</coreCount><threadsPerCore>1</threadsPerCore><amdSevSnp>enabled</amdSevSnp>',
    tagSet:
      '<item><key>team</key><value>payments</value></item><item><key>a=b</key><value/></item>',
    ...change,
  }
}

export class FakeEc2 {
  instances: Ec2Instance[] = [ec2Instance()]
  fault: Ec2Fault | null = null
  /** Instances of one page. */
  perPage = 1000
  /** The ids of every call that was answered, and how many were refused. */
  readonly asked: string[][] = []
  refused = 0
  readonly credentials = new Map<string, Credentials>([[SESSION.accessKeyId, SESSION]])
  private owner = ACCOUNT
  private readonly clock: TestClock
  private readonly region: string
  private readonly host: string
  private readonly ca: string
  private readonly server: Server

  constructor(clock: TestClock, region = 'eu-central-1') {
    this.clock = clock
    this.region = region
    this.host = `ec2.${region}.amazonaws.com`
    const certificate = selfSigned(this.host)
    this.ca = certificate.cert
    this.server = createServer(certificate, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        )
        this.serve(headers, Buffer.concat(chunks).toString(), response)
      })
    })
  }

  async listen(t: TestContext): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      this.server.closeAllConnections()
      return new Promise((resolve) => this.server.close(resolve))
    })
    return this
  }

  /** All instances are gone. */
  forget(): undefined {
    this.instances = []
  }

  /** All instances are another account's, which shares them. */
  belongTo(account: string): undefined {
    this.owner = account
  }

  /** What makes the SDK find it at its own name, by the test's clock. */
  client() {
    const { port } = this.server.address() as AddressInfo
    return {
      maxAttempts: 1,
      systemClockOffset: this.clock.now() - Date.now(),
      requestHandler: { httpsAgent: new Agent({ ca: this.ca, host: '127.0.0.1', port }) },
    }
  }

  private serve(headers: Record<string, string>, body: string, response: ServerResponse): void {
    response.setHeader('date', new Date(this.clock.now()).toUTCString())
    if (this.fault !== null) {
      this.misbehave(this.fault, response)
      return
    }
    const form = new URLSearchParams(body)
    const isKnown =
      form.get('Action') === 'DescribeInstances' && form.get('Version') === '2016-11-15'
    if (!this.isSigned(headers, body)) this.refuse(response, 401, 'AuthFailure')
    else if (!isKnown || form.get('Filter.1.Name') !== 'instance-id') {
      this.refuse(response, 400, 'InvalidAction')
    } else this.describe(form, response)
  }

  private isSigned(headers: Record<string, string>, body: string): boolean {
    const [, keyId = '', day, region, names = '', signature] =
      AUTHORIZATION.exec(headers['authorization'] ?? '') ?? []
    const known = this.credentials.get(keyId)
    const amzDate = headers['x-amz-date'] ?? ''
    const signed = names.split(';')
    const isWhole = ['host', 'x-amz-date', 'x-amz-security-token'].every((name) =>
      signed.includes(name),
    )
    const isHere =
      region === this.region && day === amzDate.slice(0, 8) && headers['host'] === this.host
    if (known === undefined || !isWhole || !isHere) return false
    if (headers['x-amz-security-token'] !== known.sessionToken) return false
    if ((headers['x-amz-content-sha256'] ?? '') !== hash('sha256', body)) return false
    const request = { method: 'POST', path: '/', headers, body }
    const scope = { secret: known.secret, amzDate, region: this.region, service: 'ec2' }
    return signatureOf(request, signed, scope) === signature
  }

  private describe(form: URLSearchParams, response: ServerResponse): void {
    const ids = [...form].flatMap(([name, value]) =>
      /^Filter\.1\.Value\.\d+$/.test(name) ? [value] : [],
    )
    const from = Number(form.get('NextToken') ?? 0)
    if (from === 0) this.asked.push(ids)
    const found = this.instances.filter(({ instanceId = '' }) => ids.includes(instanceId))
    const items = found.slice(from, from + this.perPage).map((instance) => item(instance))
    const next = from + this.perPage
    const reservation = `<item><reservationId>r-1</reservationId><ownerId>${this.owner}</ownerId><groupSet/><instancesSet>${items.join('')}</instancesSet></item>`
    const set = `<reservationSet>${items.length > 0 ? reservation : ''}</reservationSet>`
    const more = next < found.length ? `<nextToken>${next}</nextToken>` : ''
    const answer = `<DescribeInstancesResponse xmlns="${NAMESPACE}"><requestId>r</requestId>${set}${more}</DescribeInstancesResponse>`
    response.writeHead(200, { 'content-type': 'text/xml;charset=UTF-8' }).end(answer)
  }

  private refuse(response: ServerResponse, status: number, code: string): void {
    this.refused += 1
    const body = `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>arn:aws:iam::${ACCOUNT}:role/x may not</Message></Error></Errors><RequestID>r</RequestID></Response>`
    response.writeHead(status, { 'content-type': 'text/xml;charset=UTF-8' }).end(body)
  }

  private misbehave(fault: Ec2Fault, response: ServerResponse): void {
    const acts: Readonly<Record<Ec2Fault, () => void>> = {
      error: () => this.refuse(response, 500, 'InternalError'),
      forbidden: () => this.refuse(response, 403, 'UnauthorizedOperation'),
      throttled: () => this.refuse(response, 503, 'RequestLimitExceeded'),
      page: () => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      reset: () => void response.destroy(),
      slow: () => {},
    }
    acts[fault]()
  }
}

function item(instance: Ec2Instance): string {
  const elements = Object.entries(instance).map(([name, value]) =>
    value === '' ? '' : `<${name}>${value}</${name}>`,
  )
  return `<item>${elements.join('')}</item>`
}
