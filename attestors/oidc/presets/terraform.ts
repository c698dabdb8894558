/** HCP Terraform and Terraform Enterprise: one plan or apply of a workspace. Its token lives as long as that may take. */

import type { Preset } from '../preset.ts'
import { may, must, names } from '../typed.ts'

export const terraform: Preset = {
  principal: 'TerraformRun',
  issuers: /^https:\/\/[^/]+$/,
  issuersSaid: 'https://app.terraform.io, or the URL of a Terraform Enterprise',
  shared: /^https:\/\/app\.(eu\.)?terraform\.io$/,
  discriminators: ['terraform_organization_id', 'terraform_project_id', 'terraform_workspace_id'],
  pins: [],
  claims: names(
    'sub terraform_full_workspace terraform_organization_id terraform_organization_name',
    'terraform_project_id terraform_project_name terraform_run_id terraform_run_phase',
    'terraform_workspace_id terraform_workspace_name',
  ),
  facts: {
    organizationId: must('terraform_organization_id', /^org-[A-Za-z0-9]+$/),
    organization: may('terraform_organization_name'),
    projectId: may('terraform_project_id'),
    project: may('terraform_project_name'),
    workspaceId: must('terraform_workspace_id', /^ws-[A-Za-z0-9]+$/),
    workspace: may('terraform_workspace_name'),
    phase: must('terraform_run_phase', /^[a-z_]+$/),
    runId: must('terraform_run_id', /^run-[A-Za-z0-9]+$/),
  },
  subject: '{terraform_organization_id}/{terraform_workspace_id}',
  lineage: { workspace: 'terraform_workspace_id', run: 'terraform_run_id' },
  maxLifetime: '25h',
  replay: 'reusable',
  defaultAudience: /\.workload\.identity$/,
  fixedAudience: null,
  request: 'set TFC_WORKLOAD_IDENTITY_AUDIENCE_<TAG> to <ours> in the workspace',
}
