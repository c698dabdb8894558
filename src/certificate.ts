/**
 * The certificate of a listener: read, checked, and read again when its files change, as cert-manager and the
 * kubelet change them. A changed pair that cannot be used is reported, and the one before stays.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import { type Certificate as Authority, readPem } from '../attestors/certificate.ts'
import type { Config } from './config.ts'
import type { Detail } from './refusal.ts'
import { epochSeconds } from './units.ts'

/** Where a certificate is, and which setting says so. */
export type CertificateFiles = {
  /** The path of the setting, for messages: `listen.tls`. */
  readonly setting: string
  readonly cert: string
  readonly key: string
  /** Who signs the certificates of callers, and which setting says so; null where that does not matter. */
  readonly clientCa: { readonly setting: string; readonly file: string } | null
}

/** The files of both listeners; null for one without TLS. */
export function certificateFiles({ listen, admin }: Pick<Config, 'listen' | 'admin'>): {
  readonly outside: CertificateFiles | null
  readonly inside: CertificateFiles | null
} {
  const { ca } = listen.clientCertificates
  const by = admin.auth?.by
  return {
    outside: listen.tls && {
      setting: 'listen.tls',
      ...listen.tls,
      clientCa: ca === null ? null : { setting: 'listen.tls.clientCa', file: ca },
    },
    inside: admin.tls && {
      setting: 'admin.tls',
      ...admin.tls,
      clientCa: by?.kind === 'clientCa' ? { setting: 'admin.auth.clientCa', file: by.file } : null,
    },
  }
}

/** PEM text as a TLS server takes it, and what its first certificate says. */
export type Certificate = {
  readonly cert: string
  readonly key: string
  readonly ca: string | null
  /** What `ca` holds, read; null where there is none. */
  readonly authorities: readonly Authority[] | null
  readonly leaf: X509Certificate
}

/** What is known of the certificate in use. */
export type CertificateStatus = {
  readonly setting: string
  /** Epoch seconds. */
  readonly notAfter: number
  /** Why the files as they are now cannot be used; null when they are the ones in use. */
  readonly failing: string | null
}

/** The certificate of one listener, for as long as it runs. */
export interface KeptCertificate {
  current(): Certificate
  status(): CertificateStatus
  /** Looks at the files. A pair that is new and good is in use from then on. */
  refresh(): void
  /** Looks by itself from now on, and tells each new pair. */
  watch(renewed: (certificate: Certificate) => void): void
  close(): void
}

/** What keeping a certificate needs. */
export type KeepOptions = {
  readonly warn: (detail: Detail, sentence: string) => void
  /** How often the files are looked at, milliseconds. */
  readonly pollEvery?: number
}

/** Renewals come weeks before the end; this is soon enough, and two small files cost nothing. */
const POLL_EVERY = 30_000
/** The files are replaced one after the other, or all at once by a link: read again while they do not fit. */
const ATTEMPTS = 5

/**
 * Reads and checks the files of a certificate.
 *
 * @throws Error that names the setting: a file is missing, is no PEM, or the key belongs to another certificate
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const cert = readText(files.cert, `${files.setting}.cert`)
  const key = readText(files.key, `${files.setting}.key`)
  const { clientCa } = files
  const ca = clientCa === null ? null : readText(clientCa.file, clientCa.setting)
  const leaf = parse(() => new X509Certificate(cert), `${files.setting}.cert`, files.cert)
  const privateKey = parse(() => createPrivateKey(key), `${files.setting}.key`, files.key)
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new Error(
      `${files.setting}.key: ${files.key} is not the private key of the certificate in ${files.cert}`,
    )
  }
  const authorities =
    ca === null || clientCa === null
      ? null
      : parse(() => readPem(ca), clientCa.setting, clientCa.file)
  // The rest of the chain, and whatever else the TLS library may not like.
  parse(() => createSecureContext({ cert, key }), files.setting, files.cert)
  return { cert, key, ca, authorities, leaf }
}

/** Whether a certificate is for a host name or an address. */
export function covers({ leaf }: Certificate, host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1')
  return (isIP(address) === 0 ? leaf.checkHost(host) : leaf.checkIP(address)) !== undefined
}

/**
 * Reads a certificate and keeps it.
 *
 * @throws Error that names the setting, as `readCertificate`
 */
export function keepCertificate(files: CertificateFiles, options: KeepOptions): KeptCertificate {
  let current = readCertificate(files)
  let failing: string | null = null
  let told: (certificate: Certificate) => void = () => undefined
  let poll: NodeJS.Timeout | undefined

  const refresh = () => {
    try {
      const found = readSettled(files)
      failing = null
      if (sameText(found, current)) return
      current = found
      told(found)
    } catch (error) {
      const problem = (error as Error).message
      if (problem !== failing) {
        options.warn({ problem }, 'a changed certificate cannot be used; the one from before stays')
      }
      failing = problem
    }
  }
  return {
    current: () => current,
    status: () => ({
      setting: files.setting,
      notAfter: epochSeconds(current.leaf.validToDate.getTime()),
      failing,
    }),
    refresh,
    watch(renewed) {
      told = renewed
      poll ??= setInterval(refresh, options.pollEvery ?? POLL_EVERY).unref()
    },
    close: () => clearInterval(poll),
  }
}

function readSettled(files: CertificateFiles): Certificate {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return readCertificate(files)
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

function sameText(a: Certificate, b: Certificate): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca
}

function readText(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`${setting}: ${path} cannot be read (${code})`, { cause })
  }
}

/** OpenSSL's messages name functions of its own; the operator needs the setting and the file. */
function parse<Parsed>(read: () => Parsed, setting: string, path: string): Parsed {
  try {
    return read()
  } catch (cause) {
    throw new Error(`${setting}: ${path} holds no usable PEM`, { cause })
  }
}
