/**
 * GitLab CI, gitlab.com or self-managed. In the pipeline of a merge request from a fork `project_*` name the fork,
 * where the code comes from, and `job_project_*` the project that runs it (GitLab 18.2.2 and 18.4, gitlab#563038).
 * A workload is its code, so `project_*` name it: foreign code never gets the name of the project that tries it.
 */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

const ID = /^\d{1,20}$/

export const gitlab: Preset = {
  principal: 'GitLabJob',
  issuers: /^https:\/\/\S+$/,
  issuersSaid: 'the URL of a GitLab instance',
  shared: /^https:\/\/gitlab\.com$/,
  discriminators: ['project_id', 'namespace_id'],
  pins: [],
  claims: names(
    'ci_config_ref_uri ci_config_sha deployment_tier environment environment_action',
    'environment_protected groups_direct job_config job_id job_namespace_id',
    'job_namespace_path job_project_id job_project_path job_source namespace_id',
    'namespace_path pipeline_id pipeline_source project_id project_path project_visibility',
    'ref ref_path ref_protected ref_type runner_environment runner_id sha sub',
    'user_access_level user_email user_id user_identities user_login',
  ),
  facts: {
    projectPath: must('project_path'),
    projectId: must('project_id', ID),
    namespaceId: must('namespace_id', ID),
    jobProjectId: may('job_project_id'),
    visibility: may('project_visibility'),
    ref: may('ref'),
    refType: may('ref_type'),
    refProtected: may('ref_protected', 'boolean'),
    commit: may('sha'),
    source: may('pipeline_source'),
    environment: may('environment'),
    environmentProtected: may('environment_protected', 'boolean'),
    configRef: may('ci_config_ref_uri'),
    runner: may('runner_environment'),
    pipelineId: may('pipeline_id'),
    jobId: may('job_id'),
    userId: may('user_id'),
  },
  subject: '{namespace_id}/{project_id}',
  lineage: { project: 'project_id', pipeline: 'pipeline_id', job: 'job_id' },
  maxLifetime: '61m',
  replay: 'once',
  defaultAudience: null,
  fixedAudience: null,
  request: 'set id_tokens: <name>: aud: <ours> in the job',
}
