/** One spelling of a URI, for configuration and requests alike: audiences are compared byte by byte. */

/**
 * The one spelling of an absolute URI: scheme and host in lower case, no default port, no bare trailing
 * slash (RFC 3986 §6.2.2 and §6.2.3).
 * @returns undefined for what is not an absolute URI, or has userinfo or a fragment
 */
export function canonicalUri(text: string): string | undefined {
  const url = URL.parse(text)
  // `localhost:8080` and `mcp.example.com:443` would pass as URIs with odd schemes.
  if (url === null || !/^([a-z][a-z0-9+.-]*:\/\/[^/]|urn:)[^\s\\]*$/i.test(text)) return undefined
  if (url.username !== '' || url.password !== '' || text.includes('#')) return undefined
  const [, scheme = '', authority = '', rest = ''] =
    /^([^:]+:)(\/\/[^/?]*)?(.*)$/u.exec(url.href) ?? []
  return `${scheme.toLowerCase()}${authority.toLowerCase()}${rest === '/' ? '' : rest}`
}

/** How the canonical URI of a person begins; any other one is that of a workload. */
export const PERSON = 'user://'

/** The path of an issuer, without a trailing slash: empty for one at the root (RFC 8414 §3.1). */
export function pathOf(issuer: string): string {
  return new URL(issuer).pathname.replace(/\/$/, '')
}
