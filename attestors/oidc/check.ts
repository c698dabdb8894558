/**
 * What is wrong with the settings of an issuer. The rule behind most of it: an issuer that signs for everybody
 * proves nothing until `require` says which of its customers is meant, by an id that nobody else gets.
 */

import type { Report } from '../../src/identity.ts'
import { checkJwks } from '../../src/net/keyreader.ts'
import { didYouMean } from '../../src/suggest.ts'
import { canonicalPlace, stepsOf } from './places.ts'
import type { Preset } from './preset.ts'
import { PRESETS } from './presets/index.ts'
import { jwksOf, presetOf } from './rules.ts'
import type { OidcSettings } from './settings.ts'
import { placesOf, readTemplate } from './subject.ts'

/** Claims that every token has, or that have a meaning of their own. */
const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'azp', 'act', 'cnf']

/** Shared issuers without a preset, with the claims that are one customer's. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  'https://accounts.google.com': ['sub', 'azp', 'hd'],
  'https://appleid.apple.com': ['sub'],
  'https://auth.bitbucket.org': ['workspaceUuid', 'repositoryUuid'],
  'https://cloud.harness.io': ['account_id'],
  'https://oauth2.sigstore.dev/auth': ['sub'],
}

/** Reports every problem of the settings that needs more than one field to see. */
export function checkOidc(settings: OidcSettings, report: Report): void {
  const { issuer, require = {}, dedicated } = settings
  const required = Object.keys(require).map(canonicalPlace)
  const requires = (claim: string) => required.includes(canonicalPlace(claim))
  const preset = presetOf(settings)
  checkJwks(jwksOf(settings), issuer, (path, message) => report(['jwks', ...path], message))
  checkIssuer(settings, preset, report)
  checkSubject(settings, preset, report)
  if (preset !== null) checkNames(settings, preset, report)
  if (preset !== null && settings.claims !== undefined) {
    report(['claims'], 'has no meaning with a preset, which knows the claims of its platform')
  }
  for (const pin of preset?.pins ?? []) {
    if (!requires(pin)) report(['require'], `must pin ${pin} with this preset`)
  }
  const shared = discriminatorsOf(issuer, preset)
  if (shared === null) {
    if (required.length === 0 && dedicated === undefined) {
      report([], 'needs require, or dedicated: true where this issuer signs for us alone')
    }
    return
  }
  if (dedicated !== undefined) {
    report(['dedicated'], 'cannot be true: this issuer signs for every customer of its platform')
  }
  if (!shared.some(requires)) {
    report(
      settings.require === undefined ? [] : ['require'],
      `must require ${shared.join(' or ')}: this issuer signs for every customer of its platform`,
    )
  }
}

/** The claims of which `require` has to name one; null at an issuer that is not shared. */
function discriminatorsOf(issuer: string, preset: Preset | null): readonly string[] | null {
  if (preset !== null) return preset.shared.test(issuer) ? preset.discriminators : null
  return Object.hasOwn(SHARED, issuer) ? (SHARED[issuer] ?? null) : null
}

function checkIssuer({ issuer }: OidcSettings, preset: Preset | null, report: Report): void {
  if (preset !== null) {
    if (!preset.issuers.test(issuer)) report(['issuer'], `must be ${preset.issuersSaid}`)
    return
  }
  // Without its preset such an issuer would be read by `sub`, which its customers may choose.
  const known = Object.entries(PRESETS).find(
    ([, candidate]) => candidate.principal !== null && candidate.shared.test(issuer),
  )
  if (known !== undefined) report(['issuer'], `is ${known[0]}’s: set preset: ${known[0]}`)
}

function checkSubject(settings: OidcSettings, preset: Preset | null, report: Report): void {
  if (settings.subject === undefined) return
  const template = readTemplate(settings.subject)
  if (typeof template === 'string') {
    report(['subject'], template)
    return
  }
  const ids = preset === null ? null : readTemplate(preset.subject)
  if (ids === null || typeof ids === 'string') return
  const missing = placesOf(ids).filter((place) => !placesOf(template).includes(place))
  if (missing.length > 0) {
    report(['subject'], `lacks {${missing.join('}, {')}}: names can be taken over, ids stay`)
  }
}

/** A misspelt claim would be required of every token and found in none. */
function checkNames({ require = {}, subject }: OidcSettings, preset: Preset, report: Report): void {
  const known = [...preset.claims, ...REGISTERED]
  const unknown = (place: string) => !known.includes(stepsOf(place)[0] ?? '')
  for (const place of Object.keys(require).filter(unknown)) {
    report(['require', place], `is no claim of this platform${didYouMean(place, known)}`)
  }
  const template = subject === undefined ? [] : readTemplate(subject)
  const places = typeof template === 'string' ? [] : placesOf(template)
  for (const place of places.filter(unknown)) {
    report(
      ['subject'],
      `names {${place}}, which is no claim of this platform${didYouMean(place, known)}`,
    )
  }
}
