/**
 * The one question that Azure Resource Graph is asked: which virtual machine of these subscriptions has this id. And the
 * answer, read strictly: what says whose machine it is has to be there and of its form, or nothing of it counts. What is
 * only told of the machine is absent where it has another form. No I/O. No clock.
 */

import { isObject, type Json, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import { tagTexts, type Values } from '../facts.ts'

/** A virtual machine as Azure Resource Manager has it. Ids in lower case. */
export type Machine = {
  readonly vm: string
  readonly subscription: string
  readonly tenant: string
  /** The object ids of the identities that are attached to it: its own, and those assigned to it. */
  readonly principals: readonly string[]
  /** What only Azure or an administrator of the machine can set. */
  readonly settings: Values
  /** Whoever may write tags chooses these. */
  readonly tags: readonly string[] | undefined
}

/** What is asked about. */
export type Wanted = { readonly vm: string; readonly subscriptions: readonly string[] }

/** An answer that is none. The message is for the operator and quotes nothing. */
export class GraphError extends Error {
  override readonly name = 'GraphError'
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const RESOURCE =
  /^\/subscriptions\/([0-9a-f-]{36})\/resourcegroups\/([-\p{L}\p{N}_().]{1,90})\/providers\/microsoft\.compute\/virtualmachines\/([\w.-]{1,80})$/iu
/** One is the answer, and a second one says that it is none. */
const MOST = 2
const DEPTH = 10
const MAX_IDENTITIES = 200

const COLUMNS = [
  'id',
  'tenantId',
  'subscriptionId',
  'location',
  'zones',
  'tags',
  'identity',
  'vmId = properties.vmId',
  'security = properties.securityProfile',
  'image = properties.storageProfile.imageReference',
  'power = properties.extended.instanceView.powerState.code',
]

/**
 * The body of the request. Nothing stands in the query but constants and one UUID.
 * @throws Error for anything else than UUIDs in lower case
 */
export function questionOf({ vm, subscriptions }: Wanted): string {
  // Whoever asks has checked them. A query language is no place to rely on that.
  for (const id of [vm, ...subscriptions]) if (!UUID.test(id)) throw new Error('not a UUID')
  const query = [
    'resources',
    "where type =~ 'microsoft.compute/virtualmachines'",
    `where properties.vmId =~ '${vm}'`,
    `project ${COLUMNS.join(', ')}`,
  ].join(' | ')
  return JSON.stringify({
    subscriptions,
    query,
    options: { resultFormat: 'objectArray', $top: MOST },
  })
}

/**
 * Reads the machines of an answer: none, one or two.
 * @throws GraphError when it is not the answer to that question
 */
export function readMachines(body: string, wanted: Wanted): readonly Machine[] {
  const { data, totalRecords } = parse(body)
  if (!Array.isArray(data) || typeof totalRecords !== 'number') throw new GraphError('has no rows')
  if (data.length !== Math.min(totalRecords, MOST)) throw new GraphError('lacks rows')
  return data.map((row) => readMachine(row, wanted))
}

function parse(body: string): JsonObject {
  try {
    const answer = parseJson(body, DEPTH)
    if (isObject(answer)) return answer
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw new GraphError(`is not strict JSON: ${cause.message}`, { cause })
  }
  throw new GraphError('is not an object')
}

function readMachine(row: Json | undefined, wanted: Wanted): Machine {
  if (!isObject(row)) throw new GraphError('has a row that is no object')
  const vm = uuidOf(row['vmId'], 'vmId')
  const subscription = uuidOf(row['subscriptionId'], 'subscriptionId')
  const { id } = row
  const [, within, group, name] = typeof id === 'string' ? (RESOURCE.exec(id) ?? []) : []
  if (name === undefined || group === undefined || within?.toLowerCase() !== subscription) {
    throw new GraphError('has no resource id of a virtual machine in its subscription')
  }
  if (vm !== wanted.vm || !wanted.subscriptions.includes(subscription)) {
    throw new GraphError('is about a machine that was not asked about')
  }
  return {
    vm,
    subscription,
    tenant: uuidOf(row['tenantId'], 'tenantId'),
    principals: principalsOf(row['identity']),
    settings: { 'vm.name': name, 'vm.resourceGroup': group, ...settingsOf(row) },
    tags: tagsOf(row['tags']),
  }
}

function uuidOf(value: Json | undefined, member: string): string {
  const id = typeof value === 'string' ? value.toLowerCase() : ''
  if (UUID.test(id)) return id
  throw new GraphError(`has no UUID as ${member}`)
}

/** The identity block: `principalId` of its own identity, and one for each that is assigned. */
function principalsOf(identity: Json | undefined): readonly string[] {
  if (identity === undefined || identity === null) return []
  if (!isObject(identity)) throw new GraphError('has an identity that is no object')
  const { userAssignedIdentities } = identity
  const assigned = userAssignedIdentities ?? {}
  if (!isObject(assigned)) throw new GraphError('has assigned identities that are no object')
  const blocks: readonly Json[] = [identity, ...Object.values(assigned)]
  if (blocks.length > MAX_IDENTITIES) throw new GraphError('has too many identities')
  return blocks.flatMap((block) => {
    if (!isObject(block)) throw new GraphError('has an assigned identity that is no object')
    const { principalId } = block
    // An identity that was deleted leaves its name behind.
    return principalId === undefined || principalId === null
      ? []
      : [uuidOf(principalId, 'principalId')]
  })
}

function settingsOf({ location, zones, security, image, power }: JsonObject): Values {
  const profile = isObject(security) ? security : {}
  const { uefiSettings } = profile
  const uefi = isObject(uefiSettings) ? uefiSettings : {}
  const [zone, another] = Array.isArray(zones) ? zones : []
  return {
    'vm.location': textOf(location, /^([a-z0-9]{1,64})$/),
    'vm.zone': another === undefined ? textOf(zone, /^([a-z0-9-]{1,16})$/) : undefined,
    'vm.secureBoot': flagOf(uefi['secureBootEnabled']),
    'vm.vtpm': flagOf(uefi['vTpmEnabled']),
    'vm.securityType': textOf(profile['securityType'], /^([A-Za-z]{1,64})$/),
    'vm.encryptionAtHost': flagOf(profile['encryptionAtHost']),
    'vm.powerState': textOf(power, /^PowerState\/([a-z]{1,32})$/),
    'vm.image': isObject(image) ? imageOf(image) : undefined,
  }
}

/** A gallery's image by its id, another one as its publisher names it. */
function imageOf({ id, publisher, offer, sku, version, exactVersion }: JsonObject) {
  if (id !== undefined && id !== null) return textOf(id, /^(\/[\x21-\x7e]{1,512})$/)
  const parts = [publisher, offer, sku, exactVersion ?? version].map((part) =>
    textOf(part, /^([\w.-]{1,128})$/),
  )
  return parts.includes(undefined) ? undefined : parts.join(':')
}

function tagsOf(tags: Json | undefined): readonly string[] | undefined {
  if (!isObject(tags)) return undefined
  const pairs = Object.entries(tags).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  )
  return pairs.length === Object.keys(tags).length ? tagTexts(pairs) : undefined
}

function textOf(value: Json | undefined, form: RegExp): string | undefined {
  return typeof value === 'string' ? form.exec(value)?.[1] : undefined
}

function flagOf(value: Json | undefined): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}
