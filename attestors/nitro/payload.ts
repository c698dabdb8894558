/**
 * What is inside an attestation document of the Nitro hypervisor, by the limits that AWS sets (attestation_process.md
 * §3.2.2). An enclave's document has `pcrs`, that of an instance with a NitroTPM `nitrotpm_pcrs`: registers of one
 * number mean different things in the two. AWS says that no member is null, and writes null for those left out; here
 * null is absence. No I/O. No clock.
 */

import { Refusal } from '../../src/refusal.ts'
import { invalidClaim } from '../claims.ts'
import { readCbor } from './cose.ts'

/** Whether code in an enclave was measured, or the boot of an instance. */
export type Measured = 'enclave' | 'tpm'

/** Registers by number: the SHA-384 values as lower-case hexadecimal. */
export type Registers = ReadonlyMap<number, string>

/** A document as it was written. */
export type NitroPayload = {
  /** `i-<instance>-enc<enclave>` or `i-<instance>-tpm<number>`. */
  readonly module: string
  /** The instance that the hypervisor runs it on, by the module's name. */
  readonly instance: string
  /** Epoch seconds. */
  readonly issuedAt: number
  readonly measured: Measured
  readonly registers: Registers
  readonly certificate: Buffer
  /** The root first, the issuer of the certificate last. */
  readonly bundle: readonly Buffer[]
  readonly publicKey: Buffer | null
  readonly userData: Buffer | null
  readonly nonce: Buffer | null
}

const MEMBERS: readonly unknown[] = [
  'module_id',
  'digest',
  'timestamp',
  'pcrs',
  'nitrotpm_pcrs',
  'certificate',
  'cabundle',
  'public_key',
  'user_data',
  'nonce',
]
const MODULE = /^(?<instance>i-(?:[0-9a-f]{8}|[0-9a-f]{17}))-(?<kind>enc|tpm)[0-9a-f]{1,64}$/
const KINDS: Readonly<Record<string, Measured>> = { enc: 'enclave', tpm: 'tpm' }

const MAX_REGISTERS = 32
const REGISTER_BYTES = 48
const MAX_CERTIFICATE_BYTES = 1024
const MAX_BUNDLE = 5
const MAX_PUBLIC_KEY_BYTES = 1024
const MAX_DATA_BYTES = 512

/**
 * Reads a payload. Nothing of it is verified.
 * @throws Refusal `document_malformed`, `claim_invalid`
 */
export function readPayload(bytes: Buffer): NitroPayload {
  const map = readCbor(bytes, true)
  if (!(map instanceof Map)) {
    throw new Refusal('document_malformed', { encoding: 'CBOR', problem: 'the payload is no map' })
  }
  for (const name of map.keys()) {
    if (!MEMBERS.includes(name)) throw invalidClaim('payload', 'the members AWS documents', name)
  }
  const member = (name: string): unknown => map.get(name) ?? undefined
  if (member('digest') !== 'SHA384') throw invalidClaim('digest', 'SHA384', member('digest'))
  const { module, instance, measured } = readModule(member('module_id'))
  const own = measured === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs'
  const other = measured === 'enclave' ? 'nitrotpm_pcrs' : 'pcrs'
  if (member(other) !== undefined) throw invalidClaim(other, `${own} alone`, 'both')
  const certificate = requiredBytes(member('certificate'), 'certificate', MAX_CERTIFICATE_BYTES)
  return {
    module,
    instance,
    measured,
    issuedAt: readMoment(member('timestamp')),
    registers: readRegisters(member(own), own),
    certificate,
    bundle: readBundle(member('cabundle')),
    publicKey: optionalBytes(member('public_key'), 'public_key', MAX_PUBLIC_KEY_BYTES),
    userData: optionalBytes(member('user_data'), 'user_data', MAX_DATA_BYTES),
    nonce: optionalBytes(member('nonce'), 'nonce', MAX_DATA_BYTES),
  }
}

function readModule(value: unknown): Pick<NitroPayload, 'module' | 'instance' | 'measured'> {
  const { instance, kind = '' } = (typeof value === 'string' && MODULE.exec(value)?.groups) || {}
  const measured = KINDS[kind]
  if (typeof value === 'string' && instance !== undefined && measured !== undefined) {
    return { module: value, instance, measured }
  }
  throw invalidClaim('module_id', 'i-<instance>-enc… or i-<instance>-tpm…', value)
}

function readMoment(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) {
    return Math.floor(value / 1000)
  }
  throw invalidClaim('timestamp', 'milliseconds since the epoch', String(value))
}

function readRegisters(value: unknown, name: string): Registers {
  if (!(value instanceof Map) || value.size === 0 || value.size > MAX_REGISTERS) {
    throw invalidClaim(name, `a map of 1 to ${MAX_REGISTERS} registers`, typeof value)
  }
  const registers = new Map<number, string>()
  for (const [index, content] of value) {
    const isIndex = Number.isInteger(index) && index >= 0 && index < MAX_REGISTERS
    if (!isIndex) throw invalidClaim(name, `registers 0 to ${MAX_REGISTERS - 1}`, String(index))
    const digest = requiredBytes(content, `${name}/${index}`, REGISTER_BYTES)
    if (digest.length !== REGISTER_BYTES) {
      throw invalidClaim(`${name}/${index}`, `${REGISTER_BYTES} bytes`, digest.length)
    }
    registers.set(index, digest.toString('hex'))
  }
  return registers
}

function readBundle(value: unknown): readonly Buffer[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BUNDLE) {
    throw invalidClaim('cabundle', `1 to ${MAX_BUNDLE} certificates`, typeof value)
  }
  return value.map((der) => requiredBytes(der, 'cabundle', MAX_CERTIFICATE_BYTES))
}

function requiredBytes(value: unknown, name: string, maxBytes: number): Buffer {
  const bytes = optionalBytes(value, name, maxBytes)
  if (bytes !== null && bytes.length > 0) return bytes
  throw invalidClaim(name, `1 to ${maxBytes} bytes`, 'none')
}

function optionalBytes(value: unknown, name: string, maxBytes: number): Buffer | null {
  if (value === undefined) return null
  if (value instanceof Uint8Array && value.length <= maxBytes) return Buffer.from(value)
  throw invalidClaim(name, `a byte string of at most ${maxBytes} bytes`, typeof value)
}
