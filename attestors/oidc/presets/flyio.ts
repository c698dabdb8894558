/** Fly.io machines. The issuer is one organization's, but by its name, so its id is a fact and worth requiring. */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

export const flyio: Preset = {
  principal: 'FlyMachine',
  issuers: /^https:\/\/oidc\.fly\.io\/[a-z0-9-]+$/,
  issuersSaid: 'https://oidc.fly.io/<organization>',
  shared: /^$/,
  discriminators: ['org_id', 'app_id'],
  pins: [],
  claims: names(
    'app_id app_name image image_digest machine_id machine_name machine_version org_id',
    'org_name region sub',
  ),
  facts: {
    organizationId: must('org_id', /^[A-Za-z0-9_-]{1,64}$/),
    organization: may('org_name'),
    appId: must('app_id', /^[A-Za-z0-9_-]{1,64}$/),
    app: may('app_name'),
    machineId: must('machine_id', /^[A-Za-z0-9_-]{1,64}$/),
    machineVersion: may('machine_version'),
    image: may('image'),
    imageDigest: may('image_digest'),
    region: may('region'),
  },
  subject: '{org_id}/{app_id}',
  lineage: { machine: 'machine_id', app: 'app_id' },
  maxLifetime: '61m',
  replay: 'once',
  defaultAudience: /^https:\/\/fly\.io\/[^/]+$/,
  fixedAudience: null,
  request: 'post {"aud": <ours>} to /v1/tokens/oidc through the socket /.fly/api',
}
