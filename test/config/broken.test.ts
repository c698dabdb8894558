// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the notation of the file
/**
 * A good configuration with one thing broken: `[what, part of the sample, put in its place, what is said]`.
 * `▸` marks the token that the problem must point at.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaints, GOOD, marked, swap } from './sample.ts'

type Row = readonly [what: string, part: string, by: string, said: string]

const ISSUER = 'issuer: https://countersign.example.com\n'
const TRUSTED_AUDIENCE = 'audience: https://countersign.example.com/k8s/prod-us'
const RESOURCE = '- audience: https://mcp.example.com\n'
const RESOURCES = GOOD.slice(GOOD.indexOf('resources:'), GOOD.indexOf('policies:\n'))
const SECOND = '  - audience: https://mcp.example.com\n    scopes'
const SCOPES = '[trades:read, trades:write]'
const CLAIMS = '{ team: { fact: namespaceLabels.team, grade: B } }'
const DATES = '[2026-12-24..2027-01-02, 2026-05-01]'
const MEMBER = `'ServiceAccount::"prod-eu/payments/settlement"'`
const SECRET = '"${file:keys.secret}"'
const PUBLIC =
  'not a loopback address: admin.auth is needed, because metrics and decisions would be public'
const OVERHEARD =
  'not a loopback address: admin.tls is needed, because whoever listens in would learn what callers show'
const ADMIN = 'admin: { host: 127.0.0.1, port: 9443 }'
const SERVER = '"k8s://prod-eu/ns/mcp/sa/server"'
const AUTH = 'auth: { allow: { metrics: [a] }, tokenreview: { inCluster: true } }'
const TLS = 'tls: { cert: c, key: k }'
const NOT_A_SCOPE = 'not a scope: printable ASCII without space, " and \\'
const NOT_A_DAY = 'not a day (2026-05-01) or a range of days (2026-12-24..2027-01-02)'
const RESERVED = 'is a claim with a meaning of its own; choose another name'
const NOT_A_PRINCIPAL = 'not a principal such as ServiceAccount::"cluster/namespace/name"'

// biome-ignore format: a table, one row a line
const rows: readonly Row[] = [
  ['no issuer', ISSUER, '▸', 'issuer is required'],
  ['an empty issuer', ISSUER, '▸issuer:\n', 'issuer has no value; it must be text'],
  ['an issuer that is no URL', ISSUER, 'issuer: ▸countersign\n', 'issuer is "countersign", not an https URL'],
  ['an issuer with a slash', ISSUER, 'issuer: ▸https://cs.example.com/\n', 'issuer must not end with a slash: it is compared byte by byte'],
  ['an issuer with a query', ISSUER, 'issuer: ▸https://cs.example.com?a=b\n', 'issuer must not have a query (?)'],
  ['an issuer with a fragment', ISSUER, 'issuer: ▸https://cs.example.com#a\n', 'issuer must not have a fragment (#)'],
  ['an issuer with a password', ISSUER, 'issuer: ▸https://a:b@cs.example.com\n', 'issuer must not hold a user name or password'],
  ['an issuer in capitals', ISSUER, 'issuer: ▸https://CS.example.com\n', 'issuer must be written "https://cs.example.com"'],
  ['an issuer with the default port', ISSUER, 'issuer: ▸https://cs.example.com:443\n', 'issuer must be written "https://cs.example.com"'],
  ['a public http issuer', ISSUER, 'issuer: ▸http://cs.example.com\n', 'issuer must begin with https://; http is only for a loopback host'],
  ['an unknown section', 'audit:', '▸audits:', 'audits is not a setting; did you mean "audit"?'],
  ['a section of a later version', 'audit:', '▸sessions:', 'sessions is not a setting; allowed here: issuer, listen, admin, store, keys, audit, telemetry, resources, policies, users, delegation, chaining, transactions, trust'],
  ['an unknown setting', 'port: 8443', '▸prot: 8443', 'listen.prot is not a setting; did you mean "port"?'],
  ['a section that is a value', 'admin: { host: 127.0.0.1, port: 9443 }', 'admin: ▸9443', 'admin is 9443, but must be a mapping (key: value)'],
  ['a port in quotes', 'port: 8443', 'port: ▸"8443"', 'listen.port is "8443", but must be a whole number'],
  ['a port that is too high', 'port: 8443', 'port: ▸84430', 'listen.port is 84430, but must be at most 65535'],
  ['a negative port', 'port: 8443', 'port: ▸-1', 'listen.port is -1, but must be at least 0'],
  ['a host with a port', 'host: 0.0.0.0', 'host: ▸"0.0.0.0:8443"', 'listen.host is "0.0.0.0:8443", not an address or host name (an IPv6 address stands without brackets)'],
  ['tls without a key', 'tls: { cert: tls/tls.crt, key: /run/tls/tls.key, clientCertificates: request, clientCa: tls/clients.pem }', '▸tls: { cert: a }', 'listen.tls.key is required'],
  ['an authority of certificates that nobody is asked for', 'clientCertificates: request', 'clientCertificates: ▸off', 'listen.tls.clientCertificates is off, which contradicts clientCa'],
  ['client certificates that are demanded', 'clientCertificates: request', 'clientCertificates: ▸require', 'listen.tls.clientCertificates is "require", but must be one of off, request'],
  ['a header that no proxy may send', 'trustedProxies: [10.0.0.0/8, "fd00::/8"]', 'clientCertHeader: ▸identify', 'listen.clientCertHeader has a meaning only with trustedProxies'],
  ['our own issuer as a platform', 'issuer: https://k8s.eu.example.com', 'issuer: ▸https://countersign.example.com', 'trust[0].kubernetes.issuer is our own issuer: this server cannot vouch for its own callers'],
  ['a pin that there is not', 'pin: when-offered', 'pin: ▸always', 'trust[0].kubernetes.pin is "always", but must be one of off, when-offered, required'],
  ['a pin that is a flag', 'pin: when-offered', 'pin: ▸true', 'trust[0].kubernetes.pin is true, but must be one of off, when-offered, required'],
  ['a pin of one-time tokens', 'pin: when-offered', 'replay: once\n      pin: ▸required', 'trust[0].kubernetes.pin is "required", but tokens of this entry are good for one use only'],
  ['a size without a unit', 'bodyLimit: 128KiB', 'bodyLimit: ▸65536', 'listen.bodyLimit is 65536, but must be text; put it in quotes'],
  ['a size that is too great', '128KiB', '▸2MiB', 'listen.bodyLimit is 2MiB, but must be from 16KiB to 1MiB'],
  ['a size that is too small', '128KiB', '▸1KiB', 'listen.bodyLimit is 1KiB, but must be from 16KiB to 1MiB'],
  ['a proxy that is no network', '10.0.0.0/8', '▸10.0.0.1', 'listen.trustedProxies[0] is "10.0.0.1", not a network such as 10.0.0.0/8, 192.0.2.7/32 or fd00::/8'],
  ['a network that is too long', '10.0.0.0/8', '▸10.0.0.0/33', 'listen.trustedProxies[0] is "10.0.0.0/33", not a network such as 10.0.0.0/8, 192.0.2.7/32 or fd00::/8'],
  ['the whole internet as proxy', '10.0.0.0/8', '▸0.0.0.0/0', 'listen.trustedProxies[0] is "0.0.0.0/0": every caller would be a trusted proxy'],
  ['a public admin listener', 'host: 127.0.0.1', 'host: ▸0.0.0.0', `admin.host is "0.0.0.0", ${PUBLIC}`],
  ['an admin listener on an IPv6 address', 'host: 127.0.0.1', 'host: ▸"::"', `admin.host is "::", ${PUBLIC}`],
  ['a public admin listener with TLS alone', ADMIN, `admin: { host: ▸10.0.0.1, ${TLS} }`, `admin.host is "10.0.0.1", ${PUBLIC}`],
  ['an admin listener that asks in plain text', ADMIN, `admin: { host: ▸0.0.0.0, ${AUTH} }`, `admin.host is "0.0.0.0", ${OVERHEARD}`],
  ['an admin listener with a name that is none', ADMIN, 'admin: { hosts: [admin.svc, ▸"admin.svc:9443"] }', 'admin.hosts[1] is "admin.svc:9443", not an address or host name (an IPv6 address stands without brackets)'],
  ['nobody who may ask', ADMIN, 'admin: { auth: { allow: ▸{}, tokenreview: { inCluster: true } } }', 'admin.auth.allow names nobody in metrics or decisions'],
  ['no list of who may ask', ADMIN, 'admin: { ▸auth: { tokenreview: { inCluster: true } } }', 'admin.auth.allow is required'],
  ['no way to know who asks', ADMIN, 'admin: { auth: ▸{ allow: { metrics: [a] } } }', 'admin.auth must have exactly one of tokenreview, clientCa'],
  ['two ways to know who asks', ADMIN, 'admin: { auth: ▸{ allow: { metrics: [a] }, tokenreview: { inCluster: true }, clientCa: ca } }', 'admin.auth must have exactly one of tokenreview, clientCa'],
  ['a permission that there is not', ADMIN, 'admin: { auth: { allow: { decisions: [a], ▸metric: [a] }, tokenreview: { inCluster: true } } }', 'admin.auth.allow.metric is not a setting; did you mean "metrics"?'],
  ['certificates of callers without TLS', ADMIN, 'admin: { auth: { allow: { metrics: [DNS:a] }, clientCa: ▸ca } }', 'admin.auth.clientCa needs admin.tls: certificates are shown in it'],
  ['a caller that no certificate names so', ADMIN, `admin: { ${TLS}, auth: { allow: { decisions: [▸prometheus] }, clientCa: ca } }`, 'admin.auth.allow.decisions[0] is "prometheus", not a name in a certificate, such as DNS:prometheus.example.com or URI:spiffe://example.org/prometheus'],
  ['no API server to ask', ADMIN, 'admin: { auth: { allow: { metrics: [a] }, tokenreview: ▸{} } }', 'admin.auth.tokenreview must have exactly one of inCluster, kubeconfig'],
  ['a context of no kubeconfig', ADMIN, 'admin: { auth: { allow: { metrics: [a] }, tokenreview: { inCluster: true, context: ▸c } } }', 'admin.auth.tokenreview.context has a meaning only with kubeconfig'],
  ['a collector that is no URL', 'http://collector:4318/v1/traces', '▸collector:4318', 'telemetry.traces.endpoint is "collector:4318", not an http or https URL'],
  ['a collector with a password', 'http://collector:4318/v1/traces', '▸http://a:b@collector:4318', 'telemetry.traces.endpoint must not hold a user name or password'],
  ['more than all traces', 'ratio: 0.5', 'ratio: ▸2', 'telemetry.traces.ratio is 2, but must be at most 1'],
  ['a long farewell', 'bodyLimit: 128KiB', 'linger: ▸10m', 'listen.linger is 10m, but must be from 1s to 5m'],
  ['both listeners on one port', 'port: 9443', 'port: ▸8443', 'admin.port is 8443, which listen.port uses already'],
  ['an unknown store', 'store: { sqlite', 'store: { sqlite: a, ▸mysql', 'store.mysql is not a setting; allowed here: sqlite, postgres, ca, connections'],
  ['an empty store', '{ sqlite: /var/lib/countersign/state.db }', '▸{}', 'store must have exactly one of sqlite, postgres'],
  ['another algorithm', 'ES256', '▸RS256', 'keys.algorithm is "RS256", but must be ES256'],
  ['a duration without unit', '30d', '▸30', 'keys.rotateEvery is 30, but must be text; put it in quotes'],
  ['a duration with a space', '30d', '▸30 days', 'keys.rotateEvery is "30 days", not a duration such as 30s, 15m, 1h or 30d'],
  ['rotation every minute', '30d', '▸1m', 'keys.rotateEvery is 1m, but must be from 1h to 366d'],
  ['rotation never', '30d', '▸367d', 'keys.rotateEvery is 367d, but must be from 1h to 366d'],
  ['a short secret', SECRET, '▸"${env:SHORT}"', 'keys.secret has 7 characters; at least 32 are needed'],
  ['a missing variable', SECRET, '▸"${env:NONE}"', 'keys.secret names the environment variable "NONE", which is not set'],
  ['an inherited name as variable', SECRET, '▸"${env:toString}"', 'keys.secret names the environment variable "toString", which is not set'],
  ['a missing file', SECRET, '▸"${file:none}"', 'keys.secret names the file "/etc/countersign/none", which cannot be read (ENOENT)'],
  ['a secret within a text', SECRET, '▸"a${env:LONG}"', 'keys.secret must be ${file:PATH} or ${env:NAME} and nothing else'],
  ['a secret from elsewhere', SECRET, '▸"${vault:LONG}"', 'keys.secret must be ${file:PATH} or ${env:NAME} and nothing else'],
  ['a numeric secret, which is not repeated', SECRET, '▸12345678', 'keys.secret is a value, but must be text; put it in quotes'],
  ['a reference where no secret is', '/var/log/countersign/audit.jsonl', '▸"${env:LOG}"', 'audit.file holds ${…}, which is read only in keys.secret and store.postgres'],
  ['retention of a year and more', '7d', '▸400d', 'audit.retention is 400d, but must be from 1h to 366d'],
  ['an unknown kind', '- kubernetes:\n      cluster: prod-us', '- ▸kubernets:\n      cluster: prod-us', 'trust[1].kubernets is not a setting; did you mean "kubernetes"?'],
  ['an entry of two kinds', '  - kubernetes:\n      cluster: prod-us', '  - ▸shop: { name: a, issuer: b }\n    kubernetes:\n      cluster: prod-us', 'trust[1] has more than 1 key; give each a list entry of its own'],
  ['an unknown setting of a kind', 'liveness: jwks', '▸livenes: jwks', 'trust[0].kubernetes.livenes is not a setting; did you mean "liveness"?'],
  ['a missing setting of a kind', 'kubernetes:\n      cluster: prod-eu\n      issuer: https://k8s.eu.example.com\n', '▸kubernetes:\n      cluster: prod-eu\n', 'trust[0].kubernetes.issuer is required, unless api names the API server that knows it'],
  ['a misspelt choice', 'liveness: jwks', 'liveness: ▸tokenrevew', 'trust[0].kubernetes.liveness is "tokenrevew", but must be one of jwks, tokenreview, watch; did you mean "tokenreview"?'],
  ['what the kind itself refuses', 'jwks: { discovery: true }', 'jwks: ▸{}', 'trust[0].kubernetes.jwks must have exactly one of discovery, url, file, inline'],
  ['a blank environment', 'environment: production', 'environment: ▸""', 'trust[0].kubernetes.environment is "", not a name of at most 63 letters, digits, dots, dashes and underscores'],
  ['two entries of one name', 'kubernetes:\n      cluster: prod-us', '▸kubernetes:\n      cluster: prod-eu', 'trust[1].kubernetes is named "kubernetes:prod-eu", as an earlier entry is; names must be unique'],
  ['a foreign audience', TRUSTED_AUDIENCE, 'audience: ▸https://other.example.com', 'trust[1].kubernetes.audience is "https://other.example.com", but must be the issuer or begin with "https://countersign.example.com/"'],
  ['an audience that only begins like ours', TRUSTED_AUDIENCE, 'audience: ▸https://countersign.example.com.evil.org', 'trust[1].kubernetes.audience is "https://countersign.example.com.evil.org", but must be the issuer or begin with "https://countersign.example.com/"'],
  ['the token endpoint as audience', TRUSTED_AUDIENCE, 'audience: ▸https://countersign.example.com/token', 'trust[1].kubernetes.audience is "https://countersign.example.com/token", which is an endpoint of this server; choose a path of its own, such as "https://countersign.example.com/k8s/prod"'],
  ['an audience that walks back', TRUSTED_AUDIENCE, 'audience: ▸https://countersign.example.com/k8s/../token', 'trust[1].kubernetes.audience is "https://countersign.example.com/k8s/../token", but must be a plain URL without query, fragment or trailing slash'],
  ['an audience with a trailing slash', TRUSTED_AUDIENCE, 'audience: ▸https://countersign.example.com/k8s/', 'trust[1].kubernetes.audience is "https://countersign.example.com/k8s/", but must be a plain URL without query, fragment or trailing slash'],
  ['no resources', RESOURCES, 'resources: ▸[]\n', 'resources must not be empty'],
  ['a resource without audience', `${RESOURCE}    scopes`, '- ▸scopes', 'resources[0].audience is required'],
  ['a relative audience', RESOURCE, '- audience: ▸mcp\n', 'resources[0].audience is "mcp", not an absolute URI such as https://mcp.example.com, without fragment and user name'],
  ['an audience without scheme', RESOURCE, '- audience: ▸mcp.example.com:443\n', 'resources[0].audience is "mcp.example.com:443", not an absolute URI such as https://mcp.example.com, without fragment and user name'],
  ['an audience with a fragment', RESOURCE, '- audience: ▸https://mcp.example.com#a\n', 'resources[0].audience is "https://mcp.example.com#a", not an absolute URI such as https://mcp.example.com, without fragment and user name'],
  ['an audience in capitals', RESOURCE, '- audience: ▸HTTPS://Mcp.example.com:443/\n', 'resources[0].audience must be written "https://mcp.example.com": audiences are compared byte by byte'],
  ['the issuer as resource', RESOURCE, '- audience: ▸https://countersign.example.com\n', 'resources[0].audience is the issuer; a token for it would be evidence for this server'],
  ['a trust audience as resource', RESOURCE, '- audience: ▸https://countersign.example.com/k8s/prod-us\n', 'resources[0].audience is the audience of "kubernetes:prod-us"; a token for this resource would be evidence for this server'],
  ['two resources of one audience', SECOND, '  - audience: https://mcp.example.com\n  - audience: ▸https://mcp.example.com\n    scopes', 'resources[1].audience is "https://mcp.example.com", as an earlier resource\'s is'],
  ['a scope that is an operation', SCOPES, '[▸exchange]', 'resources[0].scopes[0] is "exchange", which names an operation in policies'],
  ['a scope with a star', SCOPES, '[a, ▸"trades:*"]', 'resources[0].scopes[1] is "trades:*"; scopes are compared exactly, and "*" is not accepted'],
  ['a scope with a space', SCOPES, '[▸a b]', `resources[0].scopes[0] is "a b", ${NOT_A_SCOPE}`],
  ['an empty scope', SCOPES, '[▸""]', `resources[0].scopes[0] is "", ${NOT_A_SCOPE}`],
  ['a scope twice', SCOPES, '[a, b, ▸a]', 'resources[0].scopes[2] is "a", which is listed already'],
  ['scopes as one text', SCOPES, '▸trades:read trades:write', 'resources[0].scopes is "trades:read trades:write", but must be a list'],
  ['a scope that YAML reads as a truth', SCOPES, '[▸true]', 'resources[0].scopes[0] is true, but must be text; put it in quotes'],
  ['a lifetime of two days', '15m', '▸48h', 'resources[0].maxTtl is 48h, but must be from 30s to 24h'],
  ['a lifetime of a second', '15m', '▸1s', 'resources[0].maxTtl is 1s, but must be from 30s to 24h'],
  ['an unknown format', 'format: jwt', 'format: ▸sealed', 'resources[0].format is "sealed", but must be one of jwt, opaque'],
  ['a server that is no workload', SERVER, '▸mcp/server', 'resources[0].servedBy[0] is "mcp/server", not a workload such as k8s://cluster/ns/namespace/sa/name'],
  ['a server of an unknown scheme', SERVER, '▸k9s://prod-eu/ns/mcp/sa/server', 'resources[0].servedBy[0] is "k9s://prod-eu/ns/mcp/sa/server", not a workload such as k8s://cluster/ns/namespace/sa/name (did you mean "k8s"?)'],
  ['a server of a scheme from Object.prototype', SERVER, '▸constructor://a', 'resources[0].servedBy[0] is "constructor://a", not a workload such as k8s://cluster/ns/namespace/sa/name'],
  ['a server without a name', SERVER, '▸k8s://prod-eu/ns/mcp/sa/', 'resources[0].servedBy[0] is "k8s://prod-eu/ns/mcp/sa/", but must be written k8s://<cluster>/ns/<namespace>/sa/<name>'],
  ['a whole namespace as server', SERVER, '▸k8s://prod-eu/ns/mcp', 'resources[0].servedBy[0] is "k8s://prod-eu/ns/mcp", but must be written k8s://<cluster>/ns/<namespace>/sa/<name>'],
  ['a server of an unknown cluster', SERVER, '▸k8s://prod-ue/ns/mcp/sa/server', 'resources[0].servedBy[0] is "k8s://prod-ue/ns/mcp/sa/server", for which no trust entry vouches: none is for "prod-ue" (did you mean "prod-eu"?)'],
  ['a server of a platform without an entry', SERVER, '▸spiffe://example.org/mcp', 'resources[0].servedBy[0] is "spiffe://example.org/mcp", for which no trust entry of the kind spiffe vouches'],
  ['a server twice', SERVER, '"k8s://prod-eu/ns/a/sa/b", ▸"k8s://prod-eu/ns/a/sa/b"', 'resources[0].servedBy[1] is "k8s://prod-eu/ns/a/sa/b", which is listed already'],
  ['an unknown binding', 'sender: bearer', 'sender: ▸dpopp', 'resources[0].sender is "dpopp", but must be one of bearer, dpop, mtls; did you mean "dpop"?'],
  ['a claim of ours', CLAIMS, '{ ▸sub: { fact: a, grade: A } }', `resources[0].claims.sub ${RESERVED}`],
  ['a claim that would hide the chain', CLAIMS, '{ ▸act: { fact: a, grade: A } }', `resources[0].claims.act ${RESERVED}`],
  ['a claim with a hostile name', CLAIMS, '{ ▸__proto__: { fact: a, grade: A } }', 'resources[0].claims.__proto__ is not a valid name; it must match ^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$'],
  ['an unknown grade', 'grade: B', 'grade: ▸E', 'resources[0].claims.team.grade is "E", but must be one of A, B, C, D'],
  ['a fact that is no name', 'namespaceLabels.team', '▸"team!"', 'resources[0].claims.team.fact is "team!", not the name of a fact, such as namespaceLabels.team'],
  ['policies without a path', 'policies:\n  path: ./policies\n', '▸policies:\n', 'policies.path is required'],
  ['an unknown zone', 'zones: [Europe/Berlin]', 'zones: [▸Europe/Berln]', 'policies.zones[0] is "Europe/Berln", not an IANA time zone (did you mean "Europe/Berlin"?)'],
  ['a zone in another case', 'zones: [Europe/Berlin]', 'zones: [▸europe/berlin]', 'policies.zones[0] is "europe/berlin", not an IANA time zone (did you mean "Europe/Berlin"?)'],
  ['an offset as zone', 'zones: [Europe/Berlin]', 'zones: [▸"+01:00"]', 'policies.zones[0] is "+01:00", not an IANA time zone'],
  ['a zone twice', 'zones: [Europe/Berlin]', 'zones: [UTC, ▸UTC]', 'policies.zones[1] is "UTC", which is listed already'],
  ['a calendar in an unknown zone', 'zone: Europe/Berlin }', 'zone: ▸Mars/Base }', 'policies.calendars.change-freeze.zone is "Mars/Base", not an IANA time zone'],
  ['a day that does not exist', DATES, '[▸2026-02-30]', `policies.calendars.change-freeze.dates[0] is "2026-02-30", ${NOT_A_DAY}`],
  ['a day in another notation', DATES, '[▸24.12.2026]', `policies.calendars.change-freeze.dates[0] is "24.12.2026", ${NOT_A_DAY}`],
  ['a range backwards', DATES, '[▸2027-01-02..2026-12-24]', 'policies.calendars.change-freeze.dates[0] is "2027-01-02..2026-12-24", which ends before it begins'],
  ['a calendar of dates and a file', '{ file: ./holidays-de.ics }', '▸{ file: ./holidays-de.ics, dates: [2026-05-01] }', 'policies.calendars.holidays-de must have exactly one of dates, file'],
  ['a calendar of nothing', '{ file: ./holidays-de.ics }', '▸{ zone: Europe/Berlin }', 'policies.calendars.holidays-de must have exactly one of dates, file'],
  ['a calendar file that is not there', './holidays-de.ics', '▸./holidays-at.ics', 'policies.calendars.holidays-de.file names the file "/etc/countersign/holidays-at.ics", which cannot be read (ENOENT)'],
  ['a calendar file that is none', './holidays-de.ics', '▸./keys.secret', 'policies.calendars.holidays-de.file names the file "/etc/countersign/keys.secret", whose line 1 is not a line of the form NAME:value'],
  ['an audience group of a bad name', 'groups: [trading]', 'groups: [▸tra/ding]', 'resources[0].groups[0] is "tra/ding", not a name of at most 63 letters, digits, dots, dashes and underscores'],
  ['an audience group twice', 'groups: [trading]', 'groups: [trading, ▸trading]', 'resources[0].groups[1] is "trading", which is listed already'],
  ['policies that go stale at once', 'maxStale: 1d', 'maxStale: ▸30s', 'policies.maxStale is 30s, but must be from 1m to 366d'],
  ['a geo section without its file', 'geo: { file: geo/country.mmdb, asn: /var/lib/geo/asn.mmdb }', '▸geo: { asn: a }', 'policies.geo.file is required'],
  ['a group member of a kind without trust', MEMBER, `▸'AwsRole::"123456789012/a"'`, 'policies.groups.payments-jobs[0] is "AwsRole::\\"123456789012/a\\"", for which no trust entry of the kind aws vouches'],
  ['a group member that is no entity', MEMBER, '▸payments', `policies.groups.payments-jobs[0] is "payments", ${NOT_A_PRINCIPAL}`],
  ['a group member of an unknown type', MEMBER, `▸'ServiceAcount::"prod-eu/a/b"'`, `policies.groups.payments-jobs[0] is "ServiceAcount::\\"prod-eu/a/b\\"", ${NOT_A_PRINCIPAL} (did you mean "ServiceAccount"?)`],
  ['a group member without namespace', MEMBER, `▸'ServiceAccount::"prod-eu/b"'`, 'policies.groups.payments-jobs[0] is "ServiceAccount::\\"prod-eu/b\\"", but a ServiceAccount is "<cluster>/<namespace>/<service account>"'],
  ['a group member of an unknown cluster', MEMBER, `▸'ServiceAccount::"prod-ev/a/b"'`, 'policies.groups.payments-jobs[0] names the Cluster "prod-ev", for which no trust entry vouches (did you mean "prod-eu"?)'],
  ['a group member twice', MEMBER, `${MEMBER}, ▸${MEMBER}`, 'policies.groups.payments-jobs[1] is listed already'],
]

for (const [what, part, by, said] of rows) {
  test(`${what} is a problem at its token`, () => {
    const { text, at } = marked(swap(part, by))
    assert.deepEqual(complaints(text), [`countersign.yaml:${at}: error: ${said}`])
  })
}
