/** Principal types other than Kubernetes': clouds, SPIFFE, CI systems, plain OIDC issuers, and people. */

import { always, maybe } from './attributes.ts'
import { AwsRole, AzureIdentity, GcpServiceAccount } from './clouds.ts'
import type { PrincipalType } from './principals.ts'

/** An id below an entry that vouches: `<entry>/<rest>`. */
const below = (root: string, form: string) => ({
  form,
  pattern: /^(?<root>[^/]+)\/.+$/s,
  root,
})

const SpiffeWorkload: PrincipalType = {
  doc: 'A SPIFFE workload, proved by a JWT-SVID or an X.509-SVID.',
  kind: 'spiffe',
  id: {
    form: 'spiffe://<trust domain>/<path>',
    pattern: /^spiffe:\/\/(?<root>[a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/,
    root: 'TrustDomain',
  },
  ancestry: [],
  attributes: {
    trustDomain: always('A', 'String', 'The trust domain.'),
    path: always('A', 'String', 'The path, with its leading slash.'),
    svid: always('A', 'String', '"jwt" or "x509".'),
  },
}

/** A workload below an entry of the kind `oidc`: what all of them have, whatever else their platform tells. */
const oidc = (doc: string, attributes: PrincipalType['attributes'] = {}): PrincipalType => ({
  doc,
  kind: 'oidc',
  id: below('OidcIssuer', '<entry>/<subject>'),
  ancestry: [],
  attributes: {
    entry: always('A', 'String', 'The name of the trust entry.'),
    subject: always('A', 'String', 'The rest of its id: claims, percent-encoded.'),
    ...attributes,
  },
})

const OidcSubject = oidc('A subject of an OpenID Connect issuer.', {
  claims: maybe('A', 'Set<String>', 'The claims that the entry lists, as "team=payments".'),
})

const GitHubWorkflow = oidc('A GitHub Actions job; its subject is "<owner id>/<repository id>".', {
  repository: always('A', 'String', 'As "owner/name"; it can be renamed and taken by another.'),
  repositoryId: always('A', 'String', 'The id of the repository, which stays.'),
  ownerId: always('A', 'String', 'The id of its owner, which stays.'),
  enterpriseId: maybe('A', 'String', 'The id of the enterprise, which stays.'),
  visibility: maybe('A', 'String', '"public", "private" or "internal".'),
  ref: maybe('A', 'String', 'Such as "refs/heads/main".'),
  refType: maybe('A', 'String', '"branch" or "tag".'),
  refProtected: maybe('A', 'Bool', 'Whether the branch or tag is protected.'),
  commit: maybe('A', 'String', 'The commit that the job runs on.'),
  workflowRef: maybe('A', 'String', 'The workflow with its ref.'),
  jobWorkflowRef: maybe('A', 'String', 'The reusable workflow with its ref.'),
  event: maybe('A', 'String', 'What started the run, such as "push".'),
  environment: maybe('A', 'String', 'The deployment environment of the job.'),
  runner: maybe('A', 'String', '"github-hosted" or "self-hosted".'),
  runId: maybe('A', 'String', 'The id of the run.'),
  actorId: maybe('A', 'String', 'The id of who started the run.'),
})

const GitLabJob = oidc('A GitLab CI job; its subject is "<namespace id>/<project id>".', {
  projectPath: always('A', 'String', 'The path of the project; it can be renamed.'),
  projectId: always(
    'A',
    'String',
    'The id of the project that the code comes from: a fork has another.',
  ),
  namespaceId: always('A', 'String', 'The id of its namespace.'),
  jobProjectId: maybe('A', 'String', 'The id of the project that runs the job (GitLab 18.4).'),
  visibility: maybe('A', 'String', '"public", "private" or "internal".'),
  ref: maybe('A', 'String', 'The branch or tag.'),
  refType: maybe('A', 'String', '"branch" or "tag".'),
  refProtected: maybe('A', 'Bool', 'Whether the branch or tag is protected.'),
  commit: maybe('A', 'String', 'The commit that the job runs on.'),
  source: maybe('A', 'String', 'What started the pipeline, such as "push".'),
  environment: maybe('A', 'String', 'The environment that the job deploys to.'),
  environmentProtected: maybe('A', 'Bool', 'Whether that environment is protected.'),
  configRef: maybe('A', 'String', 'The file that defines the pipeline, with its ref.'),
  runner: maybe('A', 'String', '"gitlab-hosted" or "self-hosted".'),
  pipelineId: maybe('A', 'String', 'The id of the pipeline.'),
  jobId: maybe('A', 'String', 'The id of the job.'),
  userId: maybe('A', 'String', 'The id of who started the pipeline.'),
})

const FlyMachine = oidc('A Fly.io machine; its subject is "<organization id>/<app id>".', {
  organizationId: always('A', 'String', 'The id of the organization, which stays.'),
  organization: maybe('A', 'String', 'Its name.'),
  appId: always('A', 'String', 'The id of the app, which stays.'),
  app: maybe('A', 'String', 'Its name.'),
  machineId: always('A', 'String', 'The id of the machine.'),
  machineVersion: maybe('A', 'String', 'The version of its configuration.'),
  image: maybe('A', 'String', 'The image that it runs.'),
  imageDigest: maybe('A', 'String', 'The digest of that image, "sha256:…".'),
  region: maybe('A', 'String', 'Its region, such as "fra".'),
})

const VercelDeployment = oidc(
  'A Vercel deployment; its subject is "<owner id>/<project id>/<environment>".',
  {
    ownerId: always('A', 'String', 'The id of the team or account, which stays.'),
    owner: maybe('A', 'String', 'Its name.'),
    projectId: always('A', 'String', 'The id of the project, which stays.'),
    project: maybe('A', 'String', 'Its name.'),
    environment: always('A', 'String', '"production", "preview" or "development" (a laptop).'),
  },
)

const TerraformRun = oidc(
  'A plan or apply of an HCP Terraform workspace; its subject is "<organization id>/<workspace id>".',
  {
    organizationId: always('A', 'String', 'The id of the organization, "org-…".'),
    organization: maybe('A', 'String', 'Its name.'),
    projectId: maybe('A', 'String', 'The id of the project, "prj-…".'),
    project: maybe('A', 'String', 'Its name.'),
    workspaceId: always('A', 'String', 'The id of the workspace, "ws-…".'),
    workspace: maybe('A', 'String', 'Its name.'),
    phase: always('A', 'String', '"plan" or "apply".'),
    runId: always('A', 'String', 'The id of the run, "run-…".'),
  },
)

const BuildkiteJob = oidc('A Buildkite job; its subject is "<organization id>/<pipeline id>".', {
  organizationId: always('A', 'String', 'The id of the organization, which stays.'),
  organization: maybe('A', 'String', 'Its slug.'),
  pipelineId: always('A', 'String', 'The id of the pipeline, which stays.'),
  pipeline: maybe('A', 'String', 'Its slug.'),
  build: maybe('A', 'Long', 'The number of the build.'),
  branch: maybe('A', 'String', 'The branch of the build.'),
  tag: maybe('A', 'String', 'Its tag.'),
  commit: maybe('A', 'String', 'Its commit.'),
  source: maybe('A', 'String', 'What started it, such as "webhook" or "ui".'),
  step: maybe('A', 'String', 'The key of the step.'),
  runner: maybe('A', 'String', '"buildkite-hosted" or "self-hosted".'),
  jobId: always('A', 'String', 'The id of the job.'),
  agentId: maybe('A', 'String', 'The id of the agent that runs it.'),
})

const CircleCiJob = oidc('A CircleCI job; its subject is "<project id>".', {
  projectId: always('A', 'String', 'The id of the project, which stays.'),
  contextIds: maybe('A', 'Set<String>', 'The ids of the contexts that the job uses.'),
  ref: maybe('A', 'String', 'Such as "refs/heads/main".'),
  origin: maybe('A', 'String', 'The repository, such as "github.com/example/shop".'),
  sshRerun: maybe('A', 'Bool', 'Whether somebody runs it again to log in to it.'),
  pipelineId: maybe('A', 'String', 'The id of the pipeline.'),
  workflowId: maybe('A', 'String', 'The id of the workflow.'),
  jobId: maybe('A', 'String', 'The id of the job.'),
})

const ConfidentialWorkload = oidc(
  'What runs in Google Confidential Space; its subject is "<project number>/<image digest>".',
  {
    imageDigest: always('A', 'String', 'The measured digest of the image, "sha256:…".'),
    imageReference: maybe('A', 'String', 'The image as it was asked for.'),
    restartPolicy: maybe('A', 'String', 'Such as "Never".'),
    serviceAccounts: maybe('A', 'Set<String>', 'E-mail addresses of its service accounts.'),
    hardware: always('A', 'String', 'Such as "GCP_AMD_SEV" or "GCP_INTEL_TDX".'),
    secureBoot: maybe('A', 'Bool', 'Whether secure boot is on.'),
    softwareVersion: maybe('A', 'Set<String>', 'The version of the Confidential Space image.'),
    support: maybe('A', 'Set<String>', '"LATEST", "STABLE" and "USABLE", as far as they hold.'),
    'instance.project': always('A', 'String', 'The project of the instance.'),
    'instance.projectNumber': always('A', 'String', 'The number of that project.'),
    'instance.id': always('A', 'String', 'The id of the instance.'),
    'instance.zone': maybe('A', 'String', 'Its zone.'),
  },
)

const User: PrincipalType = {
  doc: 'A person, from an identity provider of `users`.',
  kind: 'users',
  id: below('Users', '<users name>/<sub>'),
  ancestry: [],
  attributes: {
    provider: always('A', 'String', 'The name of the `users` entry.'),
    subject: always('A', 'String', 'The `sub` of the person there.'),
    acr: maybe('A', 'String', 'How the person was authenticated.'),
    amr: maybe('A', 'Set<String>', 'By what means, such as "mfa".'),
    email: maybe('D', 'String', 'The e-mail address, which some providers let people choose.'),
  },
}

/** The rows, by Cedar name. */
export const OTHER_PLATFORMS: Readonly<Record<string, PrincipalType>> = {
  AwsRole,
  AzureIdentity,
  GcpServiceAccount,
  SpiffeWorkload,
  OidcSubject,
  GitHubWorkflow,
  GitLabJob,
  FlyMachine,
  VercelDeployment,
  TerraformRun,
  BuildkiteJob,
  CircleCiJob,
  ConfidentialWorkload,
  User,
}
