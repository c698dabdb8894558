/**
 * The Nitro hypervisor, as far as it attests: documents in COSE_Sign1 (RFC 9052) of enclaves and of instances with a
 * NitroTPM, below a root of the tests' own. Everything in a document can be made wrong, one thing at a time.
 */

import { sign } from 'node:crypto'
import { encode } from 'cborg'
import { type Held, issue, type Unlike } from './authority.ts'

export const INSTANCE = 'i-1234567890abcdef0'
export const MODULE = `${INSTANCE}-enc0123456789abcdef`
export const TPM_MODULE = `${INSTANCE}-tpm0000000000000000`
export const ROLE_ARN = 'arn:aws:iam::123456789012:role/Webserver'
export const CHALLENGE = '0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5'
export const NOW = 1_800_000_000

/** What AWS's documentation prints for ROLE_ARN and INSTANCE. */
export const ROLE_REGISTER =
  '78fce75db17cd4e0a3fb8dad3ad128ca5e77edbb2b2c7f75329dccd99aa5f6ef4fc1f1a452e315b9e98f9e312e6921e6'
export const INSTANCE_REGISTER =
  '08f996b5d43e047a9eb51e7f548bfee7e164fd7dc8f65541f2ac09d6545ac812719327281c401a67a10fcba87ae79ce0'
export const ZERO = '00'.repeat(48)

/** A register's value that says which it is. */
export function measurement(index: number): string {
  return (index + 0xa0).toString(16).repeat(48)
}

/** The registers of an enclave: what AWS defines, and zeros up to 15. */
export function enclaveRegisters(): Map<number, Uint8Array> {
  const known: Readonly<Record<number, string>> = {
    0: measurement(0),
    1: measurement(1),
    2: measurement(2),
    3: ROLE_REGISTER,
    4: INSTANCE_REGISTER,
    8: measurement(8),
  }
  return new Map(
    Array.from({ length: 16 }, (_, index) => [index, Buffer.from(known[index] ?? ZERO, 'hex')]),
  )
}

/** The members of a payload, in the order of the hypervisor. */
export type Payload = Map<unknown, unknown>

export function enclavePayload({ der }: Held, bundle: readonly Held[]): Payload {
  return new Map<unknown, unknown>([
    ['module_id', MODULE],
    ['digest', 'SHA384'],
    ['timestamp', NOW * 1000 + 123],
    ['pcrs', enclaveRegisters()],
    ['certificate', der],
    ['cabundle', bundle.map((authority) => authority.der)],
    ['public_key', null],
    ['user_data', Buffer.from('a key of its own')],
    ['nonce', Buffer.from(CHALLENGE)],
  ])
}

/** The same as an instance with a NitroTPM has it. */
export function tpmPayload(leaf: Held, bundle: readonly Held[]): Payload {
  const payload = enclavePayload(leaf, bundle)
  const registers = new Map(
    [4, 7, 12].map((index) => [index, Buffer.from(measurement(index), 'hex')]),
  )
  payload.set('module_id', TPM_MODULE)
  payload.delete('pcrs')
  payload.set('nitrotpm_pcrs', registers)
  return payload
}

/**
 * Root, two authorities and what signs documents; the bundle has the root first.
 * @param root what others of them are below, too
 */
export function nitroAuthorities(
  unlike: { leaf?: Unlike; last?: Unlike } = {},
  root = issue('aws.nitro-enclaves of the tests'),
) {
  const regional = issue('eu-central-1 of the tests', root, { pathLength: 1 })
  const zonal = issue('zonal of the tests', regional, { pathLength: 0, ...unlike.last })
  const leaf = issue(MODULE, zonal, { authority: false, ...unlike.leaf })
  return { root, leaf, bundle: [root, regional, zonal] }
}

/** What is unlike a good message. */
export type Signing = {
  readonly header?: Uint8Array
  readonly unprotected?: ReadonlyMap<unknown, unknown>
  readonly signature?: Uint8Array
  readonly tagged?: boolean
}

export const ES384 = Buffer.from('a1013822', 'hex')

/** Signs a payload as the hypervisor does. */
export function signed(payload: Uint8Array, leaf: Held, unlike: Signing = {}): Buffer {
  const header = unlike.header ?? ES384
  const input = encode(['Signature1', header, Buffer.alloc(0), payload])
  const key = { key: leaf.privateKey, dsaEncoding: 'ieee-p1363' as const }
  const signature = unlike.signature ?? sign('sha384', input, key)
  const message = encode([header, unlike.unprotected ?? new Map(), payload, signature])
  return Buffer.concat([unlike.tagged === true ? Buffer.of(0xd2) : Buffer.alloc(0), message])
}

/** A map without a length, as newer hypervisors write the payload (RFC 8949 §3.2.2). */
export function endless(payload: Payload): Buffer {
  const members = [...payload].flatMap(([name, value]) => [encode(name), encode(value)])
  return Buffer.concat([Buffer.of(0xbf), ...members, Buffer.of(0xff)])
}
