/**
 * The key that an agent proves to hold (RFC 9449): made in memory, or kept in a file that only the agent reads, so
 * that a restarted container of the same pod still has it.
 */

import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { jwkThumbprint } from '../thumbprint.ts'
import { writeOnce } from '../writeonce.ts'
import { AgentError } from './failure.ts'

/** A key for DPoP proofs. The private part never leaves it. */
export type AgentKey = {
  /** Its thumbprint (RFC 7638): `cnf.jkt` of every token that is bound to it. */
  readonly jkt: string
  /** The public key, as a proof carries it. */
  readonly jwk: Readonly<Record<string, string>>
  /** Signs with ES256. */
  sign(input: string): Buffer
}

/** Longer is no key of ours. */
const MAX_FILE_BYTES = 4096

/** The bits of a file's mode that let somebody else in. */
const OTHERS = 0o077

/** A key that lives as long as this process. */
export function freshKey(): AgentKey {
  return agentKey(generate())
}

/**
 * The key in a file: PKCS#8, PEM, P-256. Made on first use, with mode 0600; whole or not at all, so that of two
 * processes that start at once both have the same.
 *
 * Put it on a volume of memory that belongs to the pod alone (`emptyDir: { medium: Memory }`): it survives the
 * container, and ends with the pod.
 * @throws AgentError `key_unusable` for a file that others can read, or that holds something else
 */
export function keyFile(path: string): AgentKey {
  try {
    return agentKey(readKey(path) ?? makeKey(path))
  } catch (cause) {
    if (cause instanceof AgentError) throw cause
    throw unusable(path, (cause as Error).message, cause)
  }
}

function makeKey(path: string): KeyObject {
  const made = generate()
  const pem = made.export({ type: 'pkcs8', format: 'pem' }).toString()
  if (writeOnce(path, pem)) return made
  const kept = readKey(path)
  if (kept === null) throw unusable(path, 'it was removed while it was read')
  return kept
}

/** Null where there is no file. */
function readKey(path: string): KeyObject | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    // Of the open file, not of its name: that could be another by the time it is read.
    const { mode, size } = fstatSync(fd)
    if ((mode & OTHERS) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0')
      throw unusable(path, `others can read it (mode ${found}): make a new one, with mode 0600`)
    }
    if (size > MAX_FILE_BYTES) throw unusable(path, 'it is too large')
    const key = createPrivateKey(readFileSync(fd))
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
    throw unusable(path, 'it is no key of P-256')
  } finally {
    closeSync(fd)
  }
}

function generate(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

function agentKey(key: KeyObject): AgentKey {
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  const jwk = { kty: 'EC', crv: 'P-256', x, y }
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  return {
    jkt: jwkThumbprint(jwk),
    jwk,
    sign: (input) => sign('sha256', Buffer.from(input), options),
  }
}

function unusable(path: string, problem: string, cause?: unknown): AgentError {
  return new AgentError('key_unusable', `the key file ${path} is not used: ${problem}`, null, {
    cause,
  })
}
