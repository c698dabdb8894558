/** Encryption at rest: AES-256-GCM under a key derived from `keys.secret`. */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const VERSION = 1
const IV_BYTES = 12
const TAG_BYTES = 16

/** Seals and opens bytes for one purpose. What was sealed under one name does not open under another. */
export type Seal = {
  /** Layout: version (1 byte), IV (12), tag (16), ciphertext. */
  seal(plain: Uint8Array, name: string): Uint8Array
  /** @throws Error when the bytes were changed, sealed under another name, or with another secret */
  open(sealed: Uint8Array, name: string): Buffer
}

/**
 * @param secret at least 32 characters from `keys.secret`; it is not a password: no slow derivation
 * @param purpose separates the keys of different uses of one secret (RFC 5869 `info`)
 */
export function sealer(secret: string, purpose: string): Seal {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `countersign ${purpose}`, 32))
  return {
    seal(plain, name) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(VERSION), iv, cipher.getAuthTag(), body])
    },
    open(sealed, name) {
      const bytes = Buffer.from(sealed)
      if (bytes[0] !== VERSION) throw new Error('sealed by an unknown version')
      const body = 1 + IV_BYTES + TAG_BYTES
      // Without a demanded length, a tag cut to 4 bytes would do: 2^32 guesses to forge.
      const options = { authTagLength: TAG_BYTES }
      const decipher = createDecipheriv(
        'aes-256-gcm',
        key,
        bytes.subarray(1, 1 + IV_BYTES),
        options,
      )
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(1 + IV_BYTES, body))
      return Buffer.concat([decipher.update(bytes.subarray(body)), decipher.final()])
    },
  }
}
