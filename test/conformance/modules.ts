/** The modules of the OpenID Foundation's conformance suite that concern a provider like this one, plan by plan, in the plan's order. */

/**
 * `passes`: our test asserts what the module asserts. `by design`: our test asserts what Relais does instead, and `why` says it. `skipped`: the suite
 * skips it by what the metadata say, which our test asserts.
 */
export type Outcome = 'passes' | 'by design' | 'skipped';

export interface Plan {
  readonly name: string;
  readonly variant: string;
  /** The files whose titles begin with the names of these modules. */
  readonly files: readonly string[];
  readonly modules: Readonly<Record<string, Outcome | readonly [Outcome, string]>>;
  /** Several modules share a test: what stands beside each is how its title begins. */
  readonly provedBy?: 'title';
}

const SILENT = 'a person is chosen for each request: `prompt=none` is always `login_required`';
const NO_SCOPE = 'not in `scopes_supported`: Relais has a scope for each claim';

const BASIC: Plan['modules'] = {
  'oidcc-server': 'passes',
  'oidcc-response-type-missing': 'passes',
  'oidcc-idtoken-signature': 'passes',
  'oidcc-idtoken-unsigned': ['skipped', '“none” is not offered'],
  'oidcc-userinfo-get': 'passes',
  'oidcc-userinfo-post-header': 'passes',
  'oidcc-userinfo-post-body': 'passes',
  'oidcc-ensure-request-without-nonce-succeeds-for-code-flow': 'passes',
  'oidcc-scope-profile': ['skipped', NO_SCOPE],
  'oidcc-scope-email': 'passes',
  'oidcc-scope-address': ['skipped', NO_SCOPE],
  'oidcc-scope-phone': ['skipped', NO_SCOPE],
  'oidcc-scope-all': ['skipped', NO_SCOPE],
  'oidcc-ensure-other-scope-order-succeeds': 'passes',
  'oidcc-display-page': 'passes',
  'oidcc-display-popup': 'passes',
  'oidcc-prompt-login': 'passes',
  'oidcc-prompt-none-not-logged-in': 'passes',
  'oidcc-prompt-none-logged-in': ['by design', SILENT],
  'oidcc-max-age-1': 'passes',
  'oidcc-max-age-10000': ['by design', 'the second sign-in is a new one too, so that its `auth_time` is later rather than the same'],
  'oidcc-ensure-request-with-unknown-parameter-succeeds': 'passes',
  'oidcc-id-token-hint': ['by design', SILENT],
  'oidcc-login-hint': 'passes',
  'oidcc-ui-locales': 'passes',
  'oidcc-claims-locales': 'passes',
  'oidcc-ensure-request-with-acr-values-succeeds': 'passes',
  'oidcc-codereuse': 'passes',
  'oidcc-codereuse-30seconds': 'passes',
  'oidcc-ensure-registered-redirect-uri': 'passes',
  'oidcc-ensure-post-request-succeeds': 'passes',
  'oidcc-server-client-secret-post': 'passes',
  'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported': ['skipped', 'request objects are not supported'],
  'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported': ['skipped', 'request objects are not supported'],
  'oidcc-claims-essential': ['passes', 'with a warning: there is no claim `name`'],
  'oidcc-ensure-request-object-with-redirect-uri': 'passes',
  'oidcc-refresh-token': ['skipped', 'there are no refresh tokens'],
  'oidcc-ensure-request-with-valid-pkce-succeeds': 'passes',
};

export const PLANS: readonly Plan[] = [
  {
    name: 'oidcc-basic-certification-test-plan',
    variant: 'server_metadata=discovery, client_registration=static_client',
    files: ['basic-plan.ts'],
    modules: BASIC,
  },
  {
    name: 'oidcc-formpost-basic-certification-test-plan',
    variant: 'server_metadata=discovery, client_registration=static_client',
    files: ['basic-plan.ts'],
    modules: BASIC,
  },
  {
    name: 'oidcc-config-certification-test-plan',
    variant: 'none',
    files: ['config.test.ts'],
    modules: { 'oidcc-discovery-endpoint-verification': ['passes', 'over https, which is the public address of an installation'] },
  },
  {
    name: 'oidcc-rp-initiated-logout-certification-test-plan',
    variant: 'response_type=code, client_registration=static_client',
    files: ['rp-initiated-logout.test.ts'],
    modules: {
      'oidcc-rp-initiated-logout-discovery-endpoint-verification': 'passes',
      'oidcc-rp-initiated-logout': 'passes',
      'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri': 'passes',
      'oidcc-rp-initiated-logout-modified-id-token-hint': 'passes',
      'oidcc-rp-initiated-logout-no-id-token-hint': 'passes',
      'oidcc-rp-initiated-logout-no-params': 'passes',
      'oidcc-rp-initiated-logout-no-post-logout-redirect-uri': 'passes',
      'oidcc-rp-initiated-logout-no-state': 'passes',
      'oidcc-rp-initiated-logout-only-state': 'passes',
      'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri': 'passes',
      'oidcc-rp-initiated-logout-bad-id-token-hint': 'passes',
    },
  },
  {
    name: 'oidcc-backchannel-rp-initiated-logout-certification-test-plan',
    variant: 'response_type=code, client_registration=static_client',
    files: ['backchannel-logout.test.ts'],
    modules: {
      'oidcc-backchannel-logout-discovery-endpoint-verification': 'passes',
      'oidcc-backchannel-rp-initiated-logout': 'passes',
    },
  },
  {
    name: 'fapi2-security-profile-final-test-plan',
    variant:
      'client_auth_type=private_key_jwt, sender_constrain=dpop, openid=openid_connect, fapi_profile=plain_fapi, fapi_request_method=unsigned, fapi_response_mode=plain_response',
    files: ['config.test.ts', 'fapi2.test.ts', 'fapi2-tokens.test.ts'],
    modules: {
      'fapi2-security-profile-final-discovery-end-point-verification': 'passes',
      'fapi2-security-profile-final-happy-flow': 'passes',
      'fapi2-security-profile-final-user-rejects-authentication': 'passes',
      'fapi2-security-profile-final-ensure-authorization-request-without-state-success': 'passes',
      'fapi2-security-profile-final-ensure-authorization-request-without-nonce-success': 'passes',
      'fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success': 'passes',
      'fapi2-security-profile-final-ensure-other-scope-order-succeeds': 'passes',
      'fapi2-security-profile-final-test-claims-parameter-identity-claims': 'passes',
      'fapi2-security-profile-final-access-token-type-header-case-sensitivity': 'passes',
      'fapi2-security-profile-final-check-dpop-proof-nbf-exp': 'passes',
      'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-before-succeeds': 'passes',
      'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-after-succeeds': 'passes',
      'fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails': 'passes',
      'fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt': 'passes',
      'fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt': 'passes',
      'fapi2-security-profile-final-ensure-dpopproof-at-par-endpoint-binding-success': 'passes',
      'fapi2-security-profile-final-ensure-dpop-auth-code-binding-success': 'passes',
      'fapi2-security-profile-final-ensure-different-nonce-inside-and-outside-request-object': 'passes',
      'fapi2-security-profile-final-ensure-different-state-inside-and-outside-request-object': 'passes',
      'fapi2-security-profile-final-ensure-authorization-request-with-long-nonce': 'passes',
      'fapi2-security-profile-final-ensure-authorization-request-with-long-state': 'passes',
      'fapi2-security-profile-final-state-only-outside-request-object-not-used': 'passes',
      'fapi2-security-profile-final-ensure-request-object-without-redirect-uri-fails': 'passes',
      'fapi2-security-profile-final-plain-fapi-tolerate-unregistered-redirect-uri': 'passes',
      'fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails': 'passes',
      'fapi2-security-profile-final-ensure-redirect-uri-in-authorization-request': 'passes',
      'fapi2-security-profile-final-ensure-response-type-code-idtoken-fails': 'passes',
      'fapi2-security-profile-final-ensure-response-type-token-fails': 'passes',
      'fapi2-security-profile-final-ensure-client-id-in-token-endpoint': 'passes',
      'fapi2-security-profile-final-ensure-holder-of-key-required': 'passes',
      'fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client': 'passes',
      'fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second': 'passes',
      'fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code': 'passes',
      'fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails': 'passes',
      'fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint': 'passes',
      'fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails': 'passes',
      'fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails': 'passes',
      'fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails': 'passes',
      'fapi2-security-profile-final-dpop-negative-tests': 'passes',
      'fapi2-security-profile-final-refresh-token': ['skipped', 'there are no refresh tokens'],
      'fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds': 'passes',
      'fapi2-security-profile-final-par-attempt-reuse-request_uri': 'passes',
      'fapi2-security-profile-final-par-attempt-to-use-expired-request_uri': 'passes',
      'fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted': 'passes',
      'fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails': 'passes',
      'fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client': 'passes',
      'fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param': 'passes',
      'fapi2-security-profile-final-par-attempt-invalid-http-method': 'passes',
      'fapi2-security-profile-final-par-ensure-pkce-required': 'passes',
      'fapi2-security-profile-final-ensure-pkce-code-verifier-required': 'passes',
      'fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected': 'passes',
      'fapi2-security-profile-final-par-plain-pkce-rejected': 'passes',
      'fapi2-security-profile-final-par-without-duplicate-parameters': 'passes',
      'fapi2-security-profile-final-par-test-array-as-audience-fails': 'passes',
      'fapi2-security-profile-final-par-test-par-endpoint-url-as-audience-fails': 'passes',
      'fapi2-security-profile-final-par-test-token-endpoint-url-as-audience-fails': 'passes',
    },
  },
  {
    name: 'openid-ssf-transmitter-test-plan, openid-ssf-transmitter-caep-test-plan',
    variant: 'ssf_profile=default or caep_interop, delivery by push and by poll, tokens by client_credentials',
    files: ['ssf-transmitter.test.ts'],
    provedBy: 'title',
    modules: {
      'openid-ssf-transmitter-metadata': ['passes', '`openid-ssf-transmitter-metadata`'],
      'openid-ssf-stream-control-happy-path': ['passes', '`openid-ssf-stream-control-happy-path`'],
      'openid-ssf-stream-control-error-create-stream-with-broken-input': [
        'passes',
        '`openid-ssf-stream-control-error: broken bodies, a second stream`',
      ],
      'openid-ssf-stream-control-error-create-stream-with-invalid-token': [
        'passes',
        '`openid-ssf-stream-control-error: no token, a token in the query`',
      ],
      'openid-ssf-stream-control-error-create-stream-with-duplicate-config': [
        'passes',
        '`openid-ssf-stream-control-error: broken bodies, a second stream`',
      ],
      'openid-ssf-stream-control-error-read-stream-with-invalid-token': [
        'passes',
        '`openid-ssf-stream-control-error: no token, a token in the query`',
      ],
      'openid-ssf-stream-control-error-read-unknown-stream': ['passes', '`openid-ssf-stream-control-error: broken bodies, a second stream`'],
      'openid-ssf-stream-control-error-update-stream-with-invalid-token': [
        'passes',
        '`openid-ssf-stream-control-error: no token, a token in the query`',
      ],
      'openid-ssf-stream-control-error-update-stream-with-invalid-body': [
        'passes',
        '`openid-ssf-stream-control-error: broken bodies, a second stream`',
      ],
      'openid-ssf-stream-control-error-update-unknown-stream': ['passes', '`openid-ssf-stream-control-error: broken bodies, a second stream`'],
      'openid-ssf-stream-control-error-replace-stream-with-invalid-body': [
        'passes',
        '`openid-ssf-stream-control-error: broken bodies, a second stream`',
      ],
      'openid-ssf-stream-control-error-replace-stream-with-invalid-token': [
        'passes',
        '`openid-ssf-stream-control-error: no token, a token in the query`',
      ],
      'openid-ssf-stream-control-error-replace-unknown-stream': ['passes', '`openid-ssf-stream-control-error: broken bodies, a second stream`'],
      'openid-ssf-stream-control-error-delete-stream-with-invalid-token': [
        'passes',
        '`openid-ssf-stream-control-error: no token, a token in the query`',
      ],
      'openid-ssf-stream-control-error-delete-unknown-stream': ['passes', '`openid-ssf-stream-control-error: broken bodies, a second stream`'],
      'openid-ssf-stream-subject-control': ['passes', '`openid-ssf-stream-subject-control-happy-path`'],
      'openid-ssf-transmitter-stream-verification-push': ['passes', '`openid-ssf-transmitter-stream-verification-push and push-no-auth`'],
      'openid-ssf-transmitter-stream-verification-poll-only': [
        'passes',
        '`openid-ssf-transmitter-stream-verification poll-only, poll-and-ack, ack-only`',
      ],
      'openid-ssf-transmitter-stream-verification-poll-and-ack': [
        'passes',
        '`openid-ssf-transmitter-stream-verification poll-only, poll-and-ack, ack-only`',
      ],
      'openid-ssf-transmitter-stream-verification-ack-only': [
        'passes',
        '`openid-ssf-transmitter-stream-verification poll-only, poll-and-ack, ack-only`',
      ],
      'openid-ssf-transmitter-stream-verification-error-push-no-auth': [
        'passes',
        '`openid-ssf-transmitter-stream-verification-push and push-no-auth`',
      ],
      'openid-ssf-transmitter-stream-caep-interop': ['passes', '`openid-ssf-transmitter-caep-interop`'],
    },
  },
];
