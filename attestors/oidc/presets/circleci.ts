/** CircleCI jobs. Each organization has an issuer of its own, with the organization's id in it. */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const circleci: Preset = {
  principal: 'CircleCiJob',
  issuers: /^https:\/\/[^/]+\/org\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  issuersSaid: 'https://oidc.circleci.com/org/<organization id>',
  shared: /^$/,
  discriminators: ['oidc.circleci.com/project-id'],
  pins: [],
  claims: names(
    'oidc.circleci.com/context-ids oidc.circleci.com/job-id oidc.circleci.com/org-id',
    'oidc.circleci.com/pipeline-definition-id oidc.circleci.com/pipeline-id',
    'oidc.circleci.com/project-id oidc.circleci.com/ssh-rerun oidc.circleci.com/vcs-origin',
    'oidc.circleci.com/vcs-ref oidc.circleci.com/workflow-id sub',
  ),
  facts: {
    projectId: must('oidc.circleci.com/project-id', UUID),
    contextIds: may('oidc.circleci.com/context-ids', 'strings'),
    ref: may('oidc.circleci.com/vcs-ref'),
    origin: may('oidc.circleci.com/vcs-origin'),
    sshRerun: may('oidc.circleci.com/ssh-rerun', 'boolean'),
    pipelineId: may('oidc.circleci.com/pipeline-id'),
    workflowId: may('oidc.circleci.com/workflow-id'),
    jobId: may('oidc.circleci.com/job-id'),
  },
  subject: '{oidc.circleci.com/project-id}',
  lineage: { project: 'oidc.circleci.com/project-id', job: 'oidc.circleci.com/job-id' },
  maxLifetime: '61m',
  replay: 'reusable',
  defaultAudience: UUID,
  fixedAudience: null,
  request: `circleci run oidc get --claims '{"aud": <ours>}'`,
}
