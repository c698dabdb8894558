/** `countersign doctor` on a trust entry: whether its keys can be read and how old they are, and when it last vouched. */

import type { Attestor, AttestorHealth } from '../../identity.ts'
import { doubtful, type Finding, well, wrong } from './finding.ts'
import { examineImages, type Running, successOf } from './running.ts'

/** More than this between two clocks, and short-lived tokens are refused, seconds. */
const MAX_SKEW_SECONDS = 30

/**
 * @param attestor started, so that what it needs has been asked for once
 * @param now epoch seconds
 */
export function examineTrust(
  attestor: Attestor,
  running: Running,
  now: number,
): readonly Finding[] {
  const health = attestor.health()
  const about = `trust ${attestor.trust}`
  return [
    examineKeys(about, attestor, health, successOf(running, attestor.trust, now)),
    ...examineClock(attestor, health),
    ...examineCluster(attestor.trust, health),
    ...examineImages(running, attestor.trust),
  ]
}

function examineKeys(
  about: string,
  { audience, audiences = [audience] }: Attestor,
  { ready, keys, keysAgeSeconds, problem, cluster = [] }: AttestorHealth,
  success: string,
): Finding {
  if (!ready) {
    const advice =
      'Compare `issuer` and `jwks` of the entry with the platform; see attestors/README.md.'
    const unwatched = cluster.some(({ fresh }) => !fresh) ? 'the cluster is not known yet' : null
    return wrong(about, `${problem ?? unwatched ?? 'no keys yet'}${success}`, advice)
  }
  const age = keysAgeSeconds === null ? '' : ` read ${keysAgeSeconds} s ago`
  if (problem !== null) {
    return doubtful(about, `${problem}${success}`, `The keys from before are in use,${age}.`)
  }
  return well(about, `${keys} keys${age}; tokens need aud ${audiences.join(' or ')}${success}`)
}

function examineClock(
  { trust }: Attestor,
  { clockSkewSeconds }: AttestorHealth,
): readonly Finding[] {
  if (clockSkewSeconds === null || Math.abs(clockSkewSeconds) <= MAX_SKEW_SECONDS) return []
  const text = `this host's clock differs by ${clockSkewSeconds} s from the issuer's`
  return [wrong(`clock, ${trust}`, text, 'Run NTP on both.')]
}

/** What is watched, collection by collection: each needs permissions of its own. */
function examineCluster(trust: string, { cluster = [] }: AttestorHealth): readonly Finding[] {
  return cluster.map(({ collection, fresh, objects, problem, needs }) => {
    const about = `cluster ${trust}, ${collection}`
    if (fresh && problem === null) return well(about, `${objects} known`)
    const advice = `Needs ${needs}; see attestors/README.md.`
    const state = fresh ? 'warning' : 'wrong'
    return { about, state, text: problem ?? 'not read yet', advice }
  })
}
