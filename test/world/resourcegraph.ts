/**
 * Azure Resource Manager as far as Resource Graph goes. It takes one token alone, reads the query that it gets, and
 * refuses every other one.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createDoor, type Door } from '../../src/net/fetch.ts'
import { OBJECT_ID, TENANT } from './azure.ts'
import type { TestClock } from './clock.ts'
import { SUBSCRIPTION, VM_ID } from './cms.ts'

/** A row of the table, as Resource Graph answers it. */
export type Row = Record<string, unknown>

export type GraphFault = 'error' | 'throttled' | 'forbidden' | 'page' | 'slow' | 'redirect'

const ORIGIN = 'https://management.azure.com'
const PATH = '/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01'
const QUERY =
  /^resources \| where type =~ 'microsoft\.compute\/virtualmachines' \| where properties\.vmId =~ '([0-9a-f-]{36})' \| project ([\w., =]+)$/
/** What each column of ours is in the table. */
const COLUMNS =
  'id, tenantId, subscriptionId, location, zones, tags, identity, vmId = properties.vmId, security = properties.securityProfile, image = properties.storageProfile.imageReference, power = properties.extended.instanceView.powerState.code'

/** A trusted-launch machine with an identity of its own and one that is assigned. UUIDs in capitals, as they come. */
export function machineRow(change: Row = {}): Row {
  const group = `/subscriptions/${SUBSCRIPTION}/resourceGroups/SETTLEMENT-EU`
  return {
    id: `${group}/providers/Microsoft.Compute/virtualMachines/settle-1`,
    tenantId: TENANT,
    subscriptionId: SUBSCRIPTION,
    location: 'westeurope',
    zones: ['1'],
    tags: { team: 'payments', 'a=b': 'c' },
    identity: {
      type: 'SystemAssigned, UserAssigned',
      tenantId: TENANT,
      principalId: '0e6b4d2c-8a17-4f35-9c08-b1d7e3a5f960',
      userAssignedIdentities: {
        [`${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/settlement`]: {
          clientId: '1e9b7a35-4d2c-4c80-b6f1-5a3d0e8c7f24',
          principalId: OBJECT_ID.toUpperCase(),
        },
      },
    },
    vmId: VM_ID.toUpperCase(),
    security: {
      securityType: 'TrustedLaunch',
      encryptionAtHost: true,
      uefiSettings: { secureBootEnabled: true, vTpmEnabled: true },
    },
    image: {
      publisher: 'canonical',
      offer: 'ubuntu-24_04-lts',
      sku: 'server',
      version: 'latest',
      exactVersion: '24.04.202601010',
    },
    power: 'PowerState/running',
    ...change,
  }
}

export class FakeResourceGraph {
  /** Rows by no order in particular. */
  rows: Row[] = [machineRow()]
  fault: GraphFault | null = null
  /** Has its way with the body of a good answer. */
  change: (body: string) => string = (body) => body
  /** Queries that were answered, and those that were refused. */
  readonly asked: string[] = []
  readonly refused: string[] = []
  /** What the broker has to show. */
  readonly token = 'eyJ0eXAiOiJKV1QifQ.e30.for-resource-manager'
  private readonly server: Server
  private readonly clock: TestClock

  constructor(clock: TestClock) {
    this.clock = clock
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => this.serve(request, Buffer.concat(chunks).toString(), response))
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

  private get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** A door whose way to Azure Resource Manager leads here. */
  door(): Door {
    const real = createDoor({ timers: this.clock.timers })
    const send: Door = ((request) => {
      if (new URL(request.url).origin !== ORIGIN) return real(request)
      const allow = request.allow.map((allowed) => (allowed === ORIGIN ? this.origin : allowed))
      const url = request.url.replace(ORIGIN, this.origin)
      return real({ ...request, url, allow, allowPrivate: true })
    }) as Door
    return Object.assign(send, { stream: real.stream })
  }

  private serve(request: IncomingMessage, body: string, response: ServerResponse): void {
    if (this.fault !== null) fail(this.fault, response)
    else if (request.method !== 'POST' || request.url !== PATH) answer(response, 404, NOT_FOUND)
    else if (request.headers.authorization !== `Bearer ${this.token}`) {
      answer(response, 401, error('AuthenticationFailed'))
    } else this.query(body, response)
  }

  private query(body: string, response: ServerResponse): void {
    const { subscriptions, query, options, ...rest } = JSON.parse(body)
    const [, vm, columns] = QUERY.exec(query) ?? []
    const known = columns === COLUMNS && options?.resultFormat === 'objectArray'
    if (!known || vm === undefined || Object.keys(rest).length > 0 || !isUuids(subscriptions)) {
      this.refused.push(body)
      answer(response, 400, error('BadRequest'))
      return
    }
    this.asked.push(query)
    const found = this.rows.filter(
      (row) =>
        String(row['vmId']).toLowerCase() === vm &&
        subscriptions.includes(String(row['subscriptionId']).toLowerCase()),
    )
    const data = found.slice(0, options.$top)
    const whole = { totalRecords: found.length, count: data.length, data, facets: [] }
    answer(response, 200, this.change(JSON.stringify({ ...whole, resultTruncated: 'false' })))
  }
}

function isUuids(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => /^[0-9a-f-]{36}$/.test(id))
}

const error = (code: string) => JSON.stringify({ error: { code, message: 'no', details: [] } })
const NOT_FOUND = error('NotFound')

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(body)
}

function fail(fault: GraphFault, response: ServerResponse): void {
  const acts: Readonly<Record<GraphFault, () => void>> = {
    error: () => answer(response, 500, error('InternalServerError')),
    throttled: () => answer(response, 429, error('RateLimiting')),
    forbidden: () => answer(response, 403, error('AccessDenied')),
    page: () => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    slow: () => {},
    redirect: () => void response.writeHead(307, { location: 'https://evil.example/' }).end(),
  }
  acts[fault]()
}
