/**
 * What each platform writes into its tokens, as documented; every value is made up. `iss`, `aud`, times and `jti` are
 * the issuer's to add. `entry` is the least that an operator configures for it.
 */

import type { PresetName } from '../../attestors/oidc/presets/index.ts'
import type { OidcSettings } from '../../attestors/oidc/settings.ts'

export type Golden = {
  readonly entry: Pick<OidcSettings, 'issuer' | 'require' | 'dedicated'>
  readonly claims: Readonly<Record<string, unknown>>
  readonly lifetimeSeconds: number
  /** The subject that it makes. */
  readonly subject: string
}

export const DIGEST = `sha256:${'5a'.repeat(32)}`
const ORG = '0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0'
const PIPELINE = '1c2d3e4f-5061-4273-8495-a6b7c8d9e0f1'
const PROJECT = '2d3e4f50-6172-4384-95a6-b7c8d9e0f102'
export const VM = '3E4F5061-7283-4495-A6B7-C8D9E0F10213'

export const GOLDEN: Readonly<Record<PresetName, Golden>> = {
  github: {
    entry: {
      issuer: 'https://token.actions.githubusercontent.com',
      require: { repository_owner_id: '4711' },
    },
    claims: {
      // The format since July 2026; nobody here reads it.
      sub: 'repo:example@4711/shop@815:ref:refs/heads/main',
      repository: 'example/shop',
      repository_id: '815',
      repository_owner: 'example',
      repository_owner_id: '4711',
      repository_visibility: 'private',
      ref: 'refs/heads/main',
      ref_type: 'branch',
      ref_protected: 'true',
      sha: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
      workflow: 'deploy',
      workflow_ref: 'example/shop/.github/workflows/ship.yml@refs/heads/main',
      workflow_sha: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
      job_workflow_ref: 'example/workflows/.github/workflows/deploy.yml@refs/tags/v3',
      job_workflow_sha: 'beef0000beef0000beef0000beef0000beef0000',
      run_id: '90210',
      run_number: '7',
      run_attempt: '1',
      event_name: 'push',
      environment: 'production',
      actor: 'kim',
      actor_id: '1234',
      base_ref: '',
      head_ref: '',
      runner_environment: 'github-hosted',
      enterprise: 'example-corp',
      enterprise_id: '77',
    },
    lifetimeSeconds: 300,
    subject: '4711/815',
  },
  gitlab: {
    entry: { issuer: 'https://gitlab.com', require: { namespace_id: '72' } },
    claims: {
      sub: 'project_path:example/shop:ref_type:branch:ref:main',
      namespace_id: '72',
      namespace_path: 'example',
      project_id: '2020',
      project_path: 'example/shop',
      project_visibility: 'private',
      job_namespace_id: '72',
      job_namespace_path: 'example',
      job_project_id: '2020',
      job_project_path: 'example/shop',
      user_id: '31',
      user_login: 'kim',
      user_email: 'kim@example.com',
      user_access_level: 'maintainer',
      user_identities: null,
      pipeline_id: '5001',
      pipeline_source: 'push',
      job_id: '6001',
      ref: 'main',
      ref_type: 'branch',
      ref_path: 'refs/heads/main',
      ref_protected: 'true',
      environment: 'production',
      environment_protected: 'false',
      deployment_tier: 'production',
      environment_action: 'start',
      runner_id: 9,
      runner_environment: 'gitlab-hosted',
      sha: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
      ci_config_ref_uri: 'gitlab.com/example/shop//.gitlab-ci.yml@refs/heads/main',
      ci_config_sha: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
    },
    lifetimeSeconds: 3600,
    subject: '72/2020',
  },
  flyio: {
    entry: { issuer: 'https://oidc.fly.io/example', require: { org_id: '606' } },
    claims: {
      sub: 'example:shop:long-river-1',
      app_id: '3003',
      app_name: 'shop',
      image: 'registry.fly.io/shop:deployment-7',
      image_digest: DIGEST,
      machine_id: '148ed193b95948',
      machine_name: 'long-river-1',
      machine_version: '01HZZZ',
      org_id: '606',
      org_name: 'example',
      region: 'fra',
    },
    lifetimeSeconds: 600,
    subject: '606/3003',
  },
  vercel: {
    entry: { issuer: 'https://oidc.vercel.com', require: { owner_id: 'team_Z1' } },
    claims: {
      sub: 'owner:example:project:shop:environment:production',
      scope: 'owner:example:project:shop:environment:production',
      owner: 'example',
      owner_id: 'team_Z1',
      project: 'shop',
      project_id: 'prj_Q9',
      environment: 'production',
    },
    lifetimeSeconds: 3600,
    subject: 'team_Z1/prj_Q9/production',
  },
  terraform: {
    entry: {
      issuer: 'https://app.terraform.io',
      require: { terraform_organization_id: 'org-a1B2' },
    },
    claims: {
      sub: 'organization:example:project:shop:workspace:live:run_phase:apply',
      terraform_run_phase: 'apply',
      terraform_workspace_id: 'ws-c3D4',
      terraform_workspace_name: 'live',
      terraform_organization_id: 'org-a1B2',
      terraform_organization_name: 'example',
      terraform_project_id: 'prj-e5F6',
      terraform_project_name: 'shop',
      terraform_run_id: 'run-g7H8',
      terraform_full_workspace: 'organization:example:project:shop:workspace:live',
    },
    lifetimeSeconds: 24 * 3600,
    subject: 'org-a1B2/ws-c3D4',
  },
  buildkite: {
    entry: { issuer: 'https://agent.buildkite.com', require: { organization_id: ORG } },
    claims: {
      sub: 'organization:example:pipeline:shop:ref:refs/heads/main:commit:c0ffee:step:ship',
      organization_id: ORG,
      organization_slug: 'example',
      pipeline_id: PIPELINE,
      pipeline_slug: 'shop',
      build_number: 12,
      build_branch: 'main',
      build_tag: null,
      build_commit: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
      build_source: 'webhook',
      step_key: 'ship',
      job_id: PROJECT,
      agent_id: '4f506172-8394-4a5b-8c7d-9e0f10213243',
      runner_environment: 'buildkite-hosted',
    },
    lifetimeSeconds: 300,
    subject: `${ORG}/${PIPELINE}`,
  },
  circleci: {
    entry: { issuer: `https://oidc.circleci.com/org/${ORG}`, dedicated: true },
    claims: {
      sub: `org/${ORG}/project/${PROJECT}/user/5061728394a5`,
      'oidc.circleci.com/project-id': PROJECT,
      'oidc.circleci.com/context-ids': [PIPELINE],
      'oidc.circleci.com/vcs-origin': 'github.com/example/shop',
      'oidc.circleci.com/vcs-ref': 'refs/heads/main',
      'oidc.circleci.com/ssh-rerun': false,
    },
    lifetimeSeconds: 3600,
    subject: PROJECT,
  },
  'confidential-space': {
    entry: {
      issuer: 'https://confidentialcomputing.googleapis.com',
      require: { '/submods/container/image_digest': DIGEST },
    },
    claims: {
      sub: 'https://www.googleapis.com/compute/v1/projects/shop-1/zones/europe-west3-a/instances/8080',
      eat_nonce: ['a-challenge-of-ours', 'another-nonce'],
      secboot: true,
      oemid: 11129,
      hwmodel: 'GCP_AMD_SEV',
      swname: 'CONFIDENTIAL_SPACE',
      swversion: ['250800'],
      dbgstat: 'disabled-since-boot',
      google_service_accounts: ['settle@shop-1.iam.gserviceaccount.com'],
      submods: {
        confidential_space: { support_attributes: ['LATEST', 'STABLE', 'USABLE'] },
        container: {
          image_reference: 'europe-docker.pkg.dev/shop-1/settle/settle:7',
          image_digest: DIGEST,
          image_id: `sha256:${'6b'.repeat(32)}`,
          restart_policy: 'Never',
          env: { PATH: '/bin' },
          env_override: null,
          cmd_override: null,
          args: ['/settle'],
        },
        gce: {
          zone: 'europe-west3-a',
          project_id: 'shop-1',
          project_number: '998877',
          instance_name: 'settle-1',
          instance_id: '8080',
        },
      },
    },
    lifetimeSeconds: 3600,
    subject: `998877/${DIGEST}`,
  },
  'azure-attestation': {
    entry: {
      issuer: 'https://example.weu.attest.azure.net',
      require: { 'x-ms-policy-hash': 'cG9saWN5LW9mLW91cnM' },
    },
    claims: {
      secureboot: true,
      'x-ms-ver': '1.0',
      'x-ms-attestation-type': 'azurevm',
      'x-ms-azurevm-vmid': VM,
      'x-ms-policy-hash': 'cG9saWN5LW9mLW91cnM',
      'x-ms-isolation-tee': {
        'x-ms-attestation-type': 'sevsnpvm',
        'x-ms-compliance-status': 'azure-compliant-cvm',
        'x-ms-sevsnpvm-is-debuggable': false,
        'x-ms-sevsnpvm-bootloader-svn': 10,
        'x-ms-sevsnpvm-microcode-svn': 115,
        'x-ms-sevsnpvm-launchmeasurement': 'ab'.repeat(48),
      },
      'x-ms-runtime': {
        'client-payload': { nonce: Buffer.from('a-challenge-of-ours').toString('base64') },
        keys: [],
      },
    },
    lifetimeSeconds: 8 * 3600,
    subject: VM,
  },
}
