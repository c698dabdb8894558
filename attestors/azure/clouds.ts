/** The clouds of Azure: who signs there, where its keys are, and where its machines are known. */

/** Hosts of one cloud. */
export type Cloud = {
  /** Host of v2 issuers and of keys. */
  readonly login: string
  /** Host of v1 issuers. */
  readonly sts: string
  /** Host of Azure Resource Manager. */
  readonly manager: string
}

export const CLOUDS = {
  public: {
    login: 'login.microsoftonline.com',
    sts: 'sts.windows.net',
    manager: 'management.azure.com',
  },
  usgov: {
    login: 'login.microsoftonline.us',
    sts: 'sts.windows.net',
    manager: 'management.usgovcloudapi.net',
  },
  china: {
    login: 'login.partner.microsoftonline.cn',
    sts: 'sts.chinacloudapi.cn',
    manager: 'management.chinacloudapi.cn',
  },
} as const satisfies Record<string, Cloud>
export type CloudName = keyof typeof CLOUDS

/** The two issuers of a tenant, byte by byte: v1 ends with a slash, v2 does not. */
export type Issuers = { readonly v1: string; readonly v2: string }

export function issuersOf(tenant: string, cloud: CloudName): Issuers {
  const { login, sts } = CLOUDS[cloud]
  return { v1: `https://${sts}/${tenant}/`, v2: `https://${login}/${tenant}/v2.0` }
}

/**
 * The tenant's key set. The same keys sign for every tenant of the cloud, so they prove nothing about which one:
 * issuer and `tid` do (CVE-2025-55241).
 */
export function keysOf(tenant: string, cloud: CloudName): string {
  return `https://${CLOUDS[cloud].login}/${tenant}/discovery/v2.0/keys`
}
