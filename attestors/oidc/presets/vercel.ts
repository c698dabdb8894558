/**
 * Vercel deployments. The platform fixes the audience to the team's URL, which every service that trusts Vercel
 * shares; a deployment can exchange its token for one with our audience, and then `act` tells of the first one.
 */

import { isObject, type JsonObject } from '../../../src/net/json.ts'
import { invalidClaim } from '../../claims.ts'
import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

export const vercel: Preset = {
  principal: 'VercelDeployment',
  issuers: /^https:\/\/oidc\.vercel\.com(\/[A-Za-z0-9-]+)?$/,
  issuersSaid: 'https://oidc.vercel.com/<team>, or https://oidc.vercel.com in global mode',
  shared: /^https:\/\/oidc\.vercel\.com$/,
  discriminators: ['owner_id', 'project_id'],
  pins: [],
  claims: names(
    'act environment external_sub owner owner_id plan project project_id scope sub user_id',
  ),
  facts: {
    ownerId: must('owner_id', /^[A-Za-z0-9_-]{1,64}$/),
    owner: may('owner'),
    projectId: must('project_id', /^[A-Za-z0-9_-]{1,64}$/),
    project: may('project'),
    environment: must('environment'),
  },
  subject: '{owner_id}/{project_id}/{environment}',
  lineage: { project: 'project_id' },
  maxLifetime: '61m',
  replay: 'reusable',
  defaultAudience: /^https:\/\/vercel\.com\/[^/]+$/,
  fixedAudience: /^https:\/\/vercel\.com\/[A-Za-z0-9-]+$/,
  request: 'exchange the token at Vercel for one with the audience <ours>',
  hasOwnAct: true,
  check: checkAct,
}

/** An `act` that names somebody (RFC 8693 §4.1) would be a chain of actors, which must not be dropped. */
function checkAct(claims: JsonObject): void {
  const { act } = claims
  if (act === undefined || (isObject(act) && !('sub' in act) && !('act' in act))) return
  throw invalidClaim('act', 'no sub and no act within', act)
}
