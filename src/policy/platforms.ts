/** Principal types other than Kubernetes': clouds, SPIFFE, CI systems, plain OIDC issuers, and people. */

import { always, maybe } from './attributes.ts'
import type { PrincipalType } from './principals.ts'

/** An id below an entry that vouches: `<entry>/<rest>`. */
const below = (root: string, form: string) => ({
  form,
  pattern: /^(?<root>[^/]+)\/.+$/s,
  root,
})

const AwsRole: PrincipalType = {
  doc: 'An AWS role, proved by an STS web identity token or a signed GetCallerIdentity.',
  kind: 'aws',
  id: { form: '<account>/<role>', pattern: /^(?<root>\d{12})\/[^/]+$/, root: 'AwsAccount' },
  ancestry: [],
  attributes: {
    account: always('A', 'String', 'The account, 12 digits.'),
    partition: always('A', 'String', '"aws", "aws-cn" or "aws-us-gov".'),
    role: always('A', 'String', 'The name of the role.'),
    arn: always('A', 'String', 'The ARN of the role, with its path.'),
    organization: maybe('A', 'String', 'The organization, "o-…".'),
    organizationPath: maybe('A', 'Set<String>', 'Paths of organizational units above the account.'),
    sourceIdentity: maybe('A', 'String', 'The source identity of the session.'),
    principalTags: maybe('D', 'Set<String>', 'Role and session tags, as "team=payments".'),
    requestTags: maybe('D', 'Set<String>', 'Tags that the caller chose for this token.'),
    'ec2.instanceArn': always('A', 'String', 'The instance that the credentials were given to.'),
    'ec2.vpc': maybe('A', 'String', 'The VPC of that instance.'),
    'ec2.privateIp': maybe('A', 'String', 'Its private IPv4 address.'),
    'ec2.roleDelivery': maybe('A', 'String', '"1.0" for IMDSv1, "2.0" for IMDSv2.'),
    'ec2.image': maybe('B', 'String', 'The AMI of the instance.'),
    'ec2.imdsv2Required': maybe('B', 'Bool', 'Whether the instance refuses IMDSv1.'),
    'lambda.functionArn': always('A', 'String', 'The function that the credentials were given to.'),
    'nitro.measured': always(
      'A',
      'Bool',
      'Whether an enclave document with allowed PCRs was shown.',
    ),
  },
}

const AzureIdentity: PrincipalType = {
  doc: 'An Azure managed identity, proved by an Entra token for our own application.',
  kind: 'azure',
  id: { form: '<tenant>/<object id>', pattern: /^(?<root>[^/]+)\/[^/]+$/, root: 'AzureTenant' },
  ancestry: [],
  attributes: {
    tenant: always('A', 'String', 'The tenant id.'),
    objectId: always('A', 'String', 'The object id of the service principal.'),
    applicationId: maybe('A', 'String', 'The client id of the identity.'),
    roles: maybe('A', 'Set<String>', 'Application roles assigned to it.'),
    'vm.id': always('A', 'String', 'The virtual machine of an attested document.'),
    'vm.subscription': maybe('A', 'String', 'Its subscription.'),
    'vm.sku': maybe('A', 'String', 'Its image SKU.'),
    'vm.resourceGroup': maybe('B', 'String', 'Its resource group.'),
    'vm.location': maybe('B', 'String', 'Its region.'),
    'vm.secureBoot': maybe('B', 'Bool', 'Whether secure boot is on.'),
    'vm.vtpm': maybe('B', 'Bool', 'Whether it has a virtual TPM.'),
    'vm.securityType': maybe('B', 'String', '"TrustedLaunch" or "ConfidentialVM".'),
    'vm.tags': maybe('D', 'Set<String>', 'Its tags, as "team=payments".'),
  },
}

const GcpServiceAccount: PrincipalType = {
  doc: 'A Google service account, proved by an identity token of the metadata server.',
  kind: 'gcp',
  id: { form: '<unique id>', pattern: /^\d+$/, root: null },
  ancestry: [],
  attributes: {
    uniqueId: always('A', 'String', 'The unique id: a re-created account has another.'),
    email: maybe('A', 'String', 'Its e-mail address.'),
    'instance.project': always('A', 'String', 'The project of the instance.'),
    'instance.id': always('A', 'String', 'The id of the instance.'),
    'instance.name': maybe('A', 'String', 'Its name.'),
    'instance.zone': maybe('A', 'String', 'Its zone.'),
    'instance.confidential': maybe('A', 'Bool', 'Whether it is a confidential VM.'),
  },
}

const SpiffeWorkload: PrincipalType = {
  doc: 'A SPIFFE workload, proved by a JWT-SVID or an X.509-SVID.',
  kind: 'spiffe',
  id: {
    form: 'spiffe://<trust domain>/<path>',
    pattern: /^spiffe:\/\/(?<root>[a-z0-9._-]+)(\/[A-Za-z0-9._-]+)*$/,
    root: 'TrustDomain',
  },
  ancestry: [],
  attributes: {
    trustDomain: always('A', 'String', 'The trust domain.'),
    path: always('A', 'String', 'The path, with its leading slash.'),
    svid: maybe('A', 'String', '"jwt" or "x509".'),
  },
}

const OidcSubject: PrincipalType = {
  doc: 'A subject of an OpenID Connect issuer.',
  kind: 'oidc',
  id: below('OidcIssuer', '<entry>/<subject>'),
  ancestry: [],
  attributes: {
    entry: always('A', 'String', 'The name of the trust entry.'),
    subject: always('A', 'String', 'The `sub` of the token.'),
  },
}

const GitHubWorkflow: PrincipalType = {
  doc: 'A GitHub Actions job.',
  kind: 'oidc',
  id: below('OidcIssuer', '<entry>/<subject>'),
  ancestry: [],
  attributes: {
    ...OidcSubject.attributes,
    repository: always('A', 'String', 'As "owner/name"; it can be renamed and taken by another.'),
    repositoryId: always('A', 'String', 'The id of the repository, which stays.'),
    ownerId: always('A', 'String', 'The id of its owner, which stays.'),
    visibility: maybe('A', 'String', '"public", "private" or "internal".'),
    ref: maybe('A', 'String', 'Such as "refs/heads/main".'),
    refProtected: maybe('A', 'Bool', 'Whether the branch or tag is protected.'),
    workflowRef: maybe('A', 'String', 'The workflow with its ref.'),
    jobWorkflowRef: maybe('A', 'String', 'The reusable workflow with its ref.'),
    event: maybe('A', 'String', 'What started the run, such as "push".'),
    environment: maybe('A', 'String', 'The deployment environment of the job.'),
    runner: maybe('A', 'String', '"github-hosted" or "self-hosted".'),
    actorId: maybe('A', 'String', 'The id of who started the run.'),
  },
}

const GitLabJob: PrincipalType = {
  doc: 'A GitLab CI job.',
  kind: 'oidc',
  id: below('OidcIssuer', '<entry>/<subject>'),
  ancestry: [],
  attributes: {
    ...OidcSubject.attributes,
    projectPath: always('A', 'String', 'The path of the project; it can be renamed.'),
    projectId: always('A', 'String', 'The id of the project, which stays.'),
    namespaceId: maybe('A', 'String', 'The id of its namespace.'),
    ref: maybe('A', 'String', 'The branch or tag.'),
    refProtected: maybe('A', 'Bool', 'Whether the branch or tag is protected.'),
    source: maybe('A', 'String', 'What started the pipeline, such as "push".'),
    environment: maybe('A', 'String', 'The environment that the job deploys to.'),
    environmentProtected: maybe('A', 'Bool', 'Whether that environment is protected.'),
    runner: maybe('A', 'String', '"gitlab-hosted" or "self-hosted".'),
    userId: maybe('A', 'String', 'The id of who started the pipeline.'),
  },
}

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
  User,
}
