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
];
