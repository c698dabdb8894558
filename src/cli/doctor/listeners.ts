/** `countersign doctor` on what callers meet: the certificates of the listeners, and whoever answers at the issuer. */

import { type Certificate, certificateFiles, covers, readCertificate } from '../../certificate.ts'
import type { Config } from '../../config.ts'
import { type Door, DoorError } from '../../net/fetch.ts'
import { epochSeconds } from '../../units.ts'
import { pathOf } from '../../uri.ts'
import { doubtful, type Finding, well, wrong } from './finding.ts'

/** cert-manager renews when a third is left; less than this part of its life, and nobody has. */
const RENEWED_BY = 0.2
const DAY_SECONDS = 86_400

/** Every certificate of the configuration. @param now epoch seconds */
export function examineCertificates(config: Config, now: number): readonly Finding[] {
  const { outside, inside } = certificateFiles(config)
  const { hostname } = new URL(config.issuer)
  return [
    ...(outside === null ? [] : examineCertificate(outside, hostname, now)),
    ...(inside === null ? [] : examineCertificate(inside, null, now)),
  ]
}

function examineCertificate(
  files: Parameters<typeof readCertificate>[0],
  host: string | null,
  now: number,
): readonly Finding[] {
  const about = `certificate ${files.setting}`
  let certificate: Certificate
  try {
    certificate = readCertificate(files)
  } catch (error) {
    const advice = 'Look at the Secret and its mount; a running broker keeps the pair from before.'
    return [wrong(about, (error as Error).message, advice)]
  }
  const found = [examineLife(about, certificate, now)]
  if (host !== null && !covers(certificate, host)) {
    const names = certificate.leaf.subjectAltName ?? 'no names'
    const advice =
      'Callers refuse it, unless a proxy in front has another. Issue one for this host.'
    found.push(wrong(about, `is for ${names}, not for the issuer's host ${host}`, advice))
  }
  return found
}

function examineLife(about: string, { leaf }: Certificate, now: number): Finding {
  const from = epochSeconds(leaf.validFromDate.getTime())
  const until = epochSeconds(leaf.validToDate.getTime())
  const end = leaf.validToDate.toISOString()
  if (now < from) {
    const advice = 'Compare the clocks of this host and of whoever issued it.'
    return wrong(about, `is valid only from ${leaf.validFromDate.toISOString()}`, advice)
  }
  if (now >= until)
    return wrong(about, `has ended at ${end}`, 'Renew it; it is taken up by itself.')
  const text = `ends at ${end}, in ${Math.floor((until - now) / DAY_SECONDS)} days`
  if (until - now < (until - from) * RENEWED_BY) {
    return doubtful(
      about,
      text,
      'Whoever renews it is late: look at the Certificate and its issuer.',
    )
  }
  return well(about, text)
}

/** Whether what answers at the issuer is a broker of this issuer. */
export async function examineIssuer({ issuer }: Config, door: Door): Promise<Finding> {
  const about = `issuer ${issuer}`
  const { origin } = new URL(issuer)
  const url = `${origin}/.well-known/oauth-authorization-server${pathOf(issuer)}`
  try {
    const { body } = await door({ url, allow: [origin], allowPrivate: true, json: true })
    const document = JSON.parse(body) as Record<string, unknown>
    if (document['issuer'] === issuer) return well(about, 'its metadata is ours')
    return wrong(
      about,
      `its metadata names ${document['issuer']}`,
      'Another server answers at this URL.',
    )
  } catch (error) {
    const text = error instanceof DoorError ? error.message : `${url} is not JSON`
    const advice = 'Start the broker, or look at its TLS proxy, DNS and certificate.'
    return doubtful(about, text, advice)
  }
}
