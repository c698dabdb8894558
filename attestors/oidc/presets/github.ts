/**
 * GitHub Actions. `sub` is never read: its format is the repository's to choose and changed in July 2026. Names can
 * be given up and taken by somebody else; the ids stay.
 */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const ID = /^\d{1,20}$/

export const github: Preset = {
  principal: 'GitHubWorkflow',
  issuers:
    /^https:\/\/(token\.actions\.(githubusercontent\.com(\/[A-Za-z0-9-]+)?|[a-z0-9-]+\.ghe\.com)|[^/]+\/_services\/token)$/,
  issuersSaid:
    'https://token.actions.githubusercontent.com, the same with /<enterprise>, https://token.actions.<enterprise>.ghe.com, or https://<host>/_services/token',
  shared: /^https:\/\/token\.actions\.githubusercontent\.com(\/|$)/,
  discriminators: ['repository_id', 'repository_owner_id', 'enterprise_id'],
  pins: [],
  claims: names(
    'actor actor_id base_ref check_run_id enterprise enterprise_id environment event_name',
    'head_ref job_workflow_ref job_workflow_sha ref ref_protected ref_type repository',
    'repository_id repository_owner repository_owner_id repository_visibility run_attempt',
    'run_id run_number runner_environment sha sub workflow workflow_ref workflow_sha',
  ),
  facts: {
    repository: must('repository'),
    repositoryId: must('repository_id', ID),
    ownerId: must('repository_owner_id', ID),
    visibility: may('repository_visibility'),
    ref: may('ref'),
    refType: may('ref_type'),
    refProtected: may('ref_protected', 'boolean'),
    commit: may('sha'),
    workflowRef: may('workflow_ref'),
    jobWorkflowRef: may('job_workflow_ref'),
    event: may('event_name'),
    environment: may('environment'),
    runner: may('runner_environment'),
    runId: may('run_id'),
    actorId: may('actor_id'),
    enterpriseId: may('enterprise_id'),
  },
  subject: '{repository_owner_id}/{repository_id}',
  lineage: { repository: 'repository_id', run: 'run_id' },
  maxLifetime: '15m',
  replay: 'once',
  defaultAudience: /^https:\/\/(github\.com|[a-z0-9-]+\.ghe\.com)\/[^/]+$/,
  fixedAudience: null,
  request: 'add &audience=<ours> to ACTIONS_ID_TOKEN_REQUEST_URL, or core.getIDToken(<ours>)',
}
