/**
 * What a platform measured: judged by lists of allowed values, and joined to an identity by the two registers in which
 * the Nitro hypervisor keeps who runs an enclave. No I/O. No clock.
 */

import { createHash } from 'node:crypto'
import { Refusal } from '../../src/refusal.ts'
import type { Measured, NitroPayload, Registers } from './payload.ts'

/**
 * The values that each named register may have, as 96 hexadecimal digits in lower case. Every named register has to
 * have one of its values.
 */
export type RegisterRules = Readonly<Record<number, readonly string[]>>

/** What may run, in enclaves and on instances with a NitroTPM. A kind without rules is refused. */
export type MeasurementRules = Readonly<Partial<Record<Measured, RegisterRules>>>

/** The image, its kernel and its application: all zero in debug mode, where anybody can look inside. */
const ENCLAVE_IMAGE: readonly number[] = [0, 1, 2]
const ROLE_REGISTER = 3
const INSTANCE_REGISTER = 4
const REGISTER_BYTES = 48

/** What a register holds that nothing was measured into. */
export const NOTHING = '00'.repeat(REGISTER_BYTES)

/**
 * Judges the registers of a document.
 * @throws Refusal `measurement_refused` for debug mode, no rules, or a register that is missing or has another value
 */
export function checkRegisters(
  { measured, registers }: Pick<NitroPayload, 'measured' | 'registers'>,
  rules: MeasurementRules,
): void {
  const image = measured === 'enclave' ? ENCLAVE_IMAGE : []
  for (const index of image) {
    const found = registers.get(index)
    if (found === undefined || found === NOTHING) {
      const problem = found === undefined ? 'not measured' : 'all zero: debug mode'
      throw new Refusal('measurement_refused', { register: index, problem })
    }
  }
  const named = Object.entries(rules[measured] ?? {})
  if (named.length === 0) {
    throw new Refusal('measurement_refused', { problem: `no rules for a document of: ${measured}` })
  }
  for (const [index, allowed] of named) {
    const found = registers.get(Number(index))
    // A register that nothing was measured into has the same value everywhere.
    if (found !== undefined && found !== NOTHING && allowed.includes(found)) continue
    const detail = { register: Number(index), found: found ?? 'nothing' }
    throw new Refusal('measurement_refused', { ...detail, problem: 'not an allowed value' })
  }
}

/**
 * Whether an enclave runs on an instance that has this role.
 * @param roleArn the ARN of the role with its path, `arn:aws:iam::123456789012:role/Webserver`
 */
export function joinsRole(registers: Registers, roleArn: string): boolean {
  return registers.get(ROLE_REGISTER) === extended(roleArn)
}

/** Whether an enclave runs on this instance, `i-1234567890abcdef0`. */
export function joinsInstance(registers: Registers, instanceId: string): boolean {
  return registers.get(INSTANCE_REGISTER) === extended(instanceId)
}

/** A register of zeros, extended by a text: SHA-384 of 48 zero bytes and the text itself (AWS, "PCR3" and "PCR4"). */
function extended(text: string): string {
  return createHash('sha384').update(Buffer.alloc(REGISTER_BYTES)).update(text).digest('hex')
}
