/**
 * What an operator does about a refusal. Exhaustive: a new Reason does not compile without its advice. The caller
 * never sees any of this.
 */

import type { Reason } from './refusal.ts'

/** One or two sentences for each reason: what it means, and what mends it. */
export const ADVICE: Readonly<Record<Reason, string>> = {
  form_malformed: 'The client does not send a valid form. Send application/x-www-form-urlencoded.',
  form_too_large:
    'The form is longer than `listen.bodyLimit`. Look at what the client sends besides the assertion.',
  parameter_repeated: 'The client sends a parameter twice. Only resource may be repeated.',
  parameter_missing: 'Add the parameter that is named in the detail.',
  parameter_malformed: 'Correct the parameter that is named in the detail.',
  credentials_ambiguous:
    'The client sends a second credential. Remove client_secret, the Authorization header, or one assertion.',
  grant_type_unsupported:
    'Use client_credentials with a client_assertion, or the jwt-bearer grant with an assertion.',
  certificate_malformed:
    'The certificates of the connection, or the Client-Cert headers of a trusted proxy, are not as they have to be. The detail says which; a proxy forwards DER in base64 between colons (RFC 9440).',
  certificate_refused:
    'The client certificate is over, not valid yet, or does not lead to `listen.tls.clientCa`. Renew it, or add the authority that signed it.',
  resource_missing: 'Name the API or MCP server that the token is for in `resource`.',
  resource_repeated: 'Ask for one resource at a time.',
  resource_unknown: 'Add the resource to `resources` in the configuration, or correct the client.',
  evidence_too_large:
    'The token is longer than any platform makes. Look at what the client really sends.',
  token_malformed:
    'This is not a well-formed JWT. Look at the file or variable that the client reads.',
  header_refused:
    'The token header carries a member that could choose a key, or that tokens of this kind do not have. No platform token needs it.',
  algorithm_refused: 'The token is signed with an algorithm that this trust entry does not allow.',
  type_refused:
    'This is a token of another type (an access or ID token, say), not a platform token; or not one of the kind that `client_assertion_type` names.',
  issuer_untrusted:
    'No trust entry has this `iss`, or the trust domain of this JWT-SVID. Compare it byte for byte with `issuer` or `trustDomain` of the entry you mean; a trailing slash counts.',
  audience_wrong:
    'The token was minted for another audience. Ask the platform (a projected volume, say) for one with the audience expected here.',
  token_expired:
    'The token is over. A kubelet renews the file: read it anew for each request, and compare the clocks.',
  token_premature: 'The token is not valid yet. Compare the clocks of this host and of the issuer.',
  lifetime_excessive:
    'The token lives longer than the entry allows. Set expirationSeconds to 3600 or less.',
  key_unknown:
    'The issuer does not publish this key. Was the cluster made anew under the same issuer?',
  signature_invalid:
    'The token was changed, or was not signed by this issuer. Treat it as an attack.',
  claim_invalid: 'The token does not have the shape that this platform gives its tokens.',
  entry_ambiguous:
    'Two trust entries could answer for this token. `countersign check` names them and says what they need.',
  subject_mismatched:
    '`sub` and the private claims name different workloads. Treat it as an attack.',
  token_legacy:
    'This credential never ends: a token from a Secret, or a long-term access key. Mount a projected serviceAccountToken volume, or use the credentials of a role.',
  token_extended:
    'This is the default token of the pod, extended for a year. Mount a projected volume with our audience.',
  token_unbound:
    'The token is bound to no pod: it was made by TokenRequest. Use a projected volume, or set `pod: optional`.',
  token_foreign:
    'The token is meant for a cloud provider or the API server. Ask the platform for one with the audience that is expected here.',
  token_personal:
    'The token stands for a person. Workloads show their own; people sign in through `users`.',
  token_stale:
    'The token was issued too long ago. This platform mints one for each use: ask it anew for every request.',
  subject_untrusted:
    'The issuer serves others too, and the trust entry does not admit this one. Compare the detail with the lists of the entry.',
  evidence_revoked:
    'The cluster no longer has the workload of this token: its pod, service account or node is gone, replaced or being deleted. The detail says which.',
  revoked:
    'This workload, its trust entry or this credential was revoked. The detail says by whom and why; `countersign revoke --lift` ends it.',
  evidence_replayed:
    'This one-time credential was used before. If the client did not, somebody else did.',
  evidence_key_mismatch:
    'One platform token is used with two keys: it was copied, or a container lost its key in a restart (keep it with `--key-file`). The detail has both sides, of which the first may be the thief; revoke the evidence.',
  evidence_key_missing:
    'The trust entry has `pin: required`, and the client proved no key. Use DPoP (`countersign token --dpop`) or a client certificate.',
  challenge_unknown:
    'The evidence answers no challenge of ours. Ask /challenge for one; replicas need the same `keys.secret`.',
  challenge_expired: 'The challenge was answered too late. Ask for one just before it is used.',
  document_malformed:
    'This is not a document as the platform makes it. Send what the metadata service or the device returned, unchanged, in base64.',
  certificate_untrusted:
    'The document was signed by a certificate that does not lead to a pinned root. Where the detail says that an issuer is missing, add its certificate to the file of intermediates; where no authority of a SPIFFE bundle issued it, compare the bundle with that of the trust domain; else treat it as an attack.',
  measurement_refused:
    'The machine runs something other than what is allowed, or runs in debug mode. Compare the register in the detail with the measurements of your image.',
  machine_unknown:
    'Azure Resource Graph knows no such virtual machine in the subscriptions of the entry, or more than one. It runs some minutes behind, and shows only what the broker may read.',
  sts_refused:
    'STS does not vouch for the signed GetCallerIdentity. Sign for the region that is named, for our issuer and a fresh challenge, with credentials that are not over.',
  attestation_refused:
    'This workload cannot show such an attestation: the type is not known here, or its trust entry takes none of it.',
  attestation_mismatched:
    'The attestation is of another machine or workload than the credential beside it. If the client did not mix them up, treat it as an attack.',
  subject_unusable:
    'The caller may not use this subject token: it is neither its holder, nor behind its audience (`servedBy`), nor named by `may_act`; or the key that the token is bound to was not proved.',
  chain_too_deep:
    'More actors than `delegation.maxDepth` allows would stand in the token. Let an earlier agent ask instead.',
  chain_oversized:
    'The receipts of this chain would take more than 2 KiB of the token. Use fewer hops, or shorter scopes.',
  user_oversized:
    'The groups of this person do not fit into a token. Have the provider list only those that matter here in `groupsClaim`.',
  sender_weakened:
    'The subject token is bound to a key. The caller has to bind its own, by DPoP or mTLS, at least as strongly.',
  target_unreachable:
    'No map leads from the audience of the subject token to this resource. Add one under `from` of the resource, if it should.',
  scope_exceeded:
    'The subject token has none of these scopes, nor any that become them here (`from`). An exchange only narrows.',
  sender_unproved:
    'The token is bound to a key that the caller did not prove, or was sent with the wrong scheme: `DPoP` for a DPoP-bound one, else `Bearer`.',
  caller_missing:
    'Introspection and revocation take a `client_assertion`, or a token for the endpoint itself in the Authorization header.',
  client_mismatched: 'client_id is not the workload of the assertion. Leave client_id out.',
  proof_missing:
    'The request names a key in dpop_jkt and shows no DPoP proof of it. Send the proof, or leave dpop_jkt out.',
  proof_malformed:
    'The DPoP header is not one JWT as RFC 9449 §4.2 has it. The detail says what is wrong; a proxy may have joined two headers.',
  proof_key_refused:
    'The key of the proof, or its algorithm, is not taken here. Use one of `dpop_signing_alg_values_supported`, and show the public key alone.',
  proof_mismatched:
    'The proof was made for another request, token or key. Where `htu` differs, compare `issuer` with the URL that clients use; else treat it as an attack.',
  proof_expired:
    'The proof was made too long ago. Make one for each request, and compare the clocks.',
  proof_premature:
    'The proof was made in the future. Compare the clocks of this host and of the client.',
  proof_signature_invalid:
    'The proof was changed, or was not signed with the key it shows. Treat it as an attack.',
  proof_replayed:
    'This proof was used before. If the client did not send it twice, somebody else did.',
  nonce_missing:
    'The client has no nonce yet, and was told one. A client that comes here again and again does not retry as RFC 9449 §8 says.',
  nonce_stale:
    'The nonce is over or none of ours, and the client was told another. Replicas need the same `keys.secret`.',
  sender_unbound:
    'The resource demands dpop or mtls, which this client did not offer. A certificate counts where `listen.tls.clientCertificates` is `request`; a Client-Cert header, from `listen.trustedProxies` alone.',
  token_oversized:
    'An opaque token has at most 4096 characters. Map fewer or shorter facts in `resources[].claims`, or use `format: jwt`.',
  policy_denied:
    'No policy permits this. The explanation names the nearest policies and what was missing.',
  policy_failed: 'A policy could not be evaluated, which denies. Correct the policy that is named.',
  scope_malformed: 'The scope parameter is not a list of scope tokens (RFC 6749 §3.3).',
  issuer_keys_unavailable: 'The keys of this issuer cannot be read. `countersign doctor` says why.',
  review_unavailable:
    'The API server did not answer the TokenReview. `countersign doctor` says why.',
  cluster_unreachable:
    'The API server of this cluster did not say whether the workload exists. `countersign doctor` says why.',
  sts_unavailable:
    'STS did not answer, or not as STS does. The detail has the region; look at the way from here to its endpoint.',
  inventory_unavailable:
    'The platform’s API did not say which machine this is. `countersign doctor` says why: its credential, a missing role, or the way to it.',
  store_unavailable:
    'The store does not answer, so nobody can tell what was spent. Look at the disk of `store.sqlite`, or at the database of `store.postgres`.',
  audit_unavailable:
    'The audit log cannot be written, so no token was issued. Look at its disk or pipe.',
  policies_stale:
    'The policies on disk were refused for longer than `policies.maxStale`. `countersign check` lists what is wrong with them.',
  revocations_stale:
    'What was revoked could not be read for 30 s, so nothing is issued. Look at the store.',
  signing_key_unavailable: 'There is no signing key yet. Look at the log of the start.',
  overloaded: 'Too many requests wait for a dependency. Look at the stage times in /metrics.',
}
