import { type Configuration, errors, interactionPolicy } from 'oidc-provider';
import { pairwise, SESSION_MINUTES, usagerOfAccount } from '../delegation/session.ts';
import { seconds } from '../kernel/clock.ts';
import { hmacSha256 } from '../kernel/crypto.ts';
import type { Service } from '../services/service.ts';
import type { createAccounts } from './accounts.ts';
import { createAdapter, rememberedGrant } from './adapter.ts';
import type { Found } from './artefacts.ts';
import { mandateDetail } from './claims.ts';
import { clientMetadata, OWN_METADATA } from './clients.ts';
import { allowFormTo } from './form-action.ts';
import { FRONT_SECONDS, isFront, REP_SCOPE } from './front.ts';
import { faultOfDetail } from './interaction.ts';
import { cookieKeys } from './key-set.ts';
import {
  ACTIONS_SCOPE,
  CLIENT_ALGS,
  CLIENT_METHODS,
  DELEGATED_ACRS,
  DELEGATED_SCOPES,
  DPOP_ALGS,
  IDENTITY_SCOPES,
  MANDATE_RESOURCE,
  MANDATE_TYPE,
  MANDATES_SCOPE,
  OWN_CLAIMS,
  PLAIN_ACRS,
  STREAM_SCOPES,
} from './names.ts';
import type { ProviderParts } from './parts.ts';

const { Check, base } = interactionPolicy;

/** A person is chosen for each request: no silent sign-in, whatever session the browser holds (delegated-session.md §2). */
const policy = () => {
  const prompts = base();
  prompts
    .get('login')
    ?.checks.push(
      new Check('ask_each_time', 'a person must be chosen for this request', 'login_required', (ctx) =>
        (ctx.oidc as { result?: { login?: unknown } }).result?.login ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT,
      ),
    );
  return prompts;
};

const details = (found: Found | undefined): { type: string; [member: string]: unknown }[] | undefined =>
  found?.delegated ? [mandateDetail(found.delegated)] : undefined;

/** The library's storage, where a service is a client only while it is in force. */
export const adapterOf = (parts: ProviderParts, client: (id: string) => Promise<Service | undefined>): ReturnType<typeof createAdapter> =>
  createAdapter({
    store: parts.store,
    clock: parts.clock,
    client: async (id) => {
      if (!/^[\w.-]{1,100}$/.test(id)) return undefined; // nobody's id: the database is not asked
      const found = await client(id);
      return found?.status === 'approved' ? clientMetadata(found, parts.clock.now()) : undefined;
    },
  });

/** How long a token lives that is checked without asking us: it cannot be revoked (protocol.md, "Client profiles"). */
const JWT_SECONDS = 60;
/** How far ahead the end of a client's assertion may lie, seconds: its `jti` is kept until then (RFC 7523 §3, rule 4; claim P9). */
const ASSERTION_SECONDS = 3600;
/** How far ahead of ours a client's clock may be, seconds (FAPI 2.0 Security Profile §5.3.2.1). */
const AHEAD_SECONDS = 60;

/** Levels of the parameter `claims` (OIDC Core §5.5 needs four): deeper ones overflow whoever copies them. */
const CLAIMS_LEVELS = 16;

const isShallow = (value: unknown, levels: number): boolean =>
  typeof value !== 'object' || value === null || (levels > 0 && Object.values(value).every((each) => isShallow(each, levels - 1)));

/** Every option of the library that is not its default, with its reason where the name does not say it. */
export const configure = (
  parts: ProviderParts,
  jwks: { keys: object[] },
  Adapter: ReturnType<typeof createAdapter>,
  accounts: ReturnType<typeof createAccounts>,
): Configuration => ({
  adapter: Adapter,
  jwks: jwks as NonNullable<Configuration['jwks']>,
  acrValues: [...PLAIN_ACRS, ...DELEGATED_ACRS],
  assertJwtClientAuthClaimsAndHeader: async (ctx, { aud, exp, iat }) => {
    const now = seconds(parts.clock.now());
    if (ctx.oidc.isFapi('2.0') && aud !== ctx.oidc.issuer) throw new errors.InvalidClientAuth('audience (aud) must be the issuer');
    if (!(Number(exp) <= now + AHEAD_SECONDS + ASSERTION_SECONDS)) throw new errors.InvalidClientAuth('exp lies more than an hour ahead');
    if (Number(iat ?? 0) > now + AHEAD_SECONDS) throw new errors.InvalidClientAuth('iat lies in the future');
  },
  allowOmittingSingleRegisteredRedirectUri: false, // claim P3: the address is said each time, and compared
  claims: {
    openid: ['sub', 'acr', 'auth_time', 'sid', ...OWN_CLAIMS, REP_SCOPE],
    ...Object.fromEntries(Object.entries(IDENTITY_SCOPES).map(([scope, claims]) => [scope, [...claims]])),
  },
  clientDefaults: { id_token_signed_response_alg: 'ES256', response_types: ['code'], grant_types: ['authorization_code'] },
  clientAuthMethods: [...CLIENT_METHODS],
  cookies: {
    keys: cookieKeys(hmacSha256(parts.keys.cookies.reveal(), 'relais/op-cookies/v1')),
    names: parts.secure
      ? { session: '__Host-relais_op', interaction: '__Secure-relais_interaction', resume: '__Secure-relais_resume' }
      : { session: 'relais_op', interaction: 'relais_interaction', resume: 'relais_resume' },
    long: { httpOnly: true, sameSite: 'lax', secure: parts.secure, signed: true },
    short: { httpOnly: true, sameSite: 'lax', secure: parts.secure, signed: true },
  },
  conformIdTokenClaims: true,
  enabledJWA: {
    idTokenSigningAlgValues: ['ES256', 'RS256'],
    clientAuthSigningAlgValues: [...CLIENT_ALGS],
    dPoPSigningAlgValues: [...DPOP_ALGS],
    userinfoSigningAlgValues: ['ES256', 'RS256'],
    introspectionSigningAlgValues: ['ES256', 'RS256'],
  },
  discovery: {
    // Else their default would be read as client_secret_basic alone (RFC 8414 §2).
    ...Object.fromEntries(
      ['introspection', 'revocation'].flatMap((name) => [
        [`${name}_endpoint_auth_methods_supported`, CLIENT_METHODS],
        [`${name}_endpoint_auth_signing_alg_values_supported`, CLIENT_ALGS],
      ]),
    ),
  },
  expiresWithSession: async () => true,
  extraClientMetadata: { properties: [...OWN_METADATA] },
  extraTokenClaims: accounts.extra,
  ...(parts.allowLoopback
    ? {
        fetch: (url, options) => {
          const { dispatcher: _guard, ...rest } = (options ?? {}) as RequestInit & { dispatcher?: unknown };
          return globalThis.fetch(url, rest);
        },
      }
    : {}),
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: {
      enabled: true,
      assertClaimsParameter: async (_ctx, asked) => {
        if (!isShallow(asked, CLAIMS_LEVELS)) throw new errors.InvalidRequest('claims are nested too deep');
      },
    },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: parts.keys.dpopNonce.reveal(), requireNonce: () => true },
    fapi: { enabled: true, profile: (_ctx, found) => (found?.['relais_profile'] === 'fapi2' ? '2.0' : undefined) },
    jwtIntrospection: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async (_ctx, found, token) => found.clientId === token.clientId },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => false,
      defaultResource: async (ctx, _client, oneOf) =>
        oneOf?.[0] ?? (ctx.oidc.params?.['authorization_details'] ? MANDATE_RESOURCE : (undefined as never)),
      getResourceServerInfo: async (ctx, resource, found) => {
        if (resource === MANDATE_RESOURCE) return { scope: '', accessTokenFormat: 'opaque', audience: resource };
        const registered = (found['relais_resources'] as readonly string[] | undefined)?.includes(resource);
        if (!registered || ctx.oidc.params?.['grant_type'] === 'client_credentials') throw new errors.InvalidTarget();
        const alg = found.idTokenSignedResponseAlg === 'RS256' ? 'RS256' : 'ES256';
        return { scope: '', accessTokenFormat: 'jwt', accessTokenTTL: JWT_SECONDS, audience: resource, jwt: { sign: { alg } } };
      },
    },
    revocation: { enabled: true },
    richAuthorizationRequests: {
      enabled: true,
      types: {
        [MANDATE_TYPE]: {
          validate: (_ctx, detail) => {
            const fault = faultOfDetail(detail as Readonly<Record<string, unknown>>);
            if (fault) throw new errors.InvalidAuthorizationDetails(fault);
          },
        },
      },
      // What is granted is read live from the session, whichever way it was asked: never the asked array.
      authorizationDetailsForGrantSource: async (ctx) => details(await accounts.factsOf(ctx.oidc.entities.Grant?.jti)),
      authorizationDetailsForAccessToken: async (_ctx, token) => details(await accounts.factsOf((token as { grantId?: string }).grantId)),
      authorizationDetailsForIntrospection: async (_ctx, token) => details(await accounts.factsOf((token as { grantId?: string }).grantId)) as never,
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: async (ctx, form) => {
        allowFormTo(ctx, ctx.oidc.client?.postLogoutRedirectUris ?? []);
        ctx.body = await parts.pages.logout(form);
      },
      postLogoutSuccessSource: async (ctx) => {
        ctx.body = await parts.pages.loggedOut();
      },
    },
  },
  findAccount: accounts.find,
  interactions: { policy: policy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const grantId = (ctx.oidc.result as { consent?: { grantId?: string } } | undefined)?.consent?.grantId;
    if (!grantId) return undefined; // never the grant of last time
    const grant = await ctx.oidc.provider.Grant.find(grantId);
    // Stopped between the confirmation and here (claim M5): the service is told, rather than the aidant asked again.
    if (!grant) throw new errors.AccessDenied('the delegated session has ended');
    const sid = rememberedGrant(grantId)?.delegated?.id;
    if (sid && ctx.oidc.client) ctx.oidc.session?.sidFor(ctx.oidc.client.clientId, sid);
    return grant;
  },
  pairwiseIdentifier: (_ctx, accountId, found) =>
    pairwise(parts.keys.pairwise.reveal(), 'sub', String(found['relais_sector']), usagerOfAccount(accountId)),
  pkce: { required: (_ctx, found) => !isFront(found['relais_profile']) }, // FranceConnect sends none (federations.md §2.3)
  renderError: async (ctx, out, error) => {
    ctx.type = 'html';
    ctx.body = await parts.pages.error({ error: out.error, description: out.error_description, known: !(error instanceof errors.SessionNotFound) });
  },
  responseTypes: ['code'],
  routes: {
    authorization: '/auth',
    token: '/token',
    userinfo: '/userinfo',
    introspection: '/introspection',
    revocation: '/revocation',
    jwks: '/jwks',
    pushed_authorization_request: '/par',
    end_session: '/session/end',
  },
  scopes: ['openid', ACTIONS_SCOPE, MANDATES_SCOPE, ...Object.values(STREAM_SCOPES), ...DELEGATED_SCOPES],
  subjectTypes: ['pairwise'],
  ttl: {
    AuthorizationCode: 60,
    ClientCredentials: 300,
    IdToken: 300,
    Interaction: 1800,
    PushedAuthorizationRequest: 60,
    Session: SESSION_MINUTES * 60 * 2,
    Grant: SESSION_MINUTES * 60,
    AccessToken: (ctx, token, found) =>
      Math.max(
        1,
        Math.min(
          token.resourceServer?.accessTokenTTL ?? (isFront(found?.['relais_profile']) ? FRONT_SECONDS : SESSION_MINUTES * 60),
          (ctx.oidc.entities.Grant?.exp ?? 0) - seconds(parts.clock.now()),
        ),
      ),
  },
});
