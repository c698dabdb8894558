/** Buildkite jobs. One issuer signs for every organization; the ids are in a token only if the job asks for them. */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const buildkite: Preset = {
  principal: 'BuildkiteJob',
  issuers: /^https:\/\/agent\.buildkite\.com$/,
  issuersSaid: 'https://agent.buildkite.com',
  shared: /^https:\/\/agent\.buildkite\.com$/,
  discriminators: ['organization_id', 'pipeline_id'],
  pins: [],
  claims: names(
    'agent_id build_branch build_commit build_id build_number build_source build_tag',
    'cluster_id cluster_name job_id organization_id organization_slug pipeline_id',
    'pipeline_slug queue_id queue_key runner_environment step_key sub',
  ),
  facts: {
    organizationId: must('organization_id', UUID),
    organization: may('organization_slug'),
    pipelineId: must('pipeline_id', UUID),
    pipeline: may('pipeline_slug'),
    build: may('build_number', 'integer'),
    branch: may('build_branch'),
    tag: may('build_tag'),
    commit: may('build_commit'),
    source: may('build_source'),
    step: may('step_key'),
    runner: may('runner_environment'),
    jobId: must('job_id', UUID),
    agentId: may('agent_id'),
  },
  subject: '{organization_id}/{pipeline_id}',
  lineage: { pipeline: 'pipeline_id', job: 'job_id', agent: 'agent_id' },
  maxLifetime: '15m',
  replay: 'once',
  defaultAudience: /^https:\/\/buildkite\.com\/[^/]+$/,
  fixedAudience: null,
  request:
    'buildkite-agent oidc request-token --audience <ours> --claim organization_id,pipeline_id',
}
