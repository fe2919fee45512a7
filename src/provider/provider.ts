import type { IncomingMessage, ServerResponse } from 'node:http';
import Provider, { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { accountOf, isDelegatedAccount, pairwise, SESSION_MINUTES, usagerOfAccount } from '../delegation/session.ts';
import type { NewSession } from '../delegation/sessions.ts';
import type { Entry } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import { type Clock, seconds } from '../kernel/clock.ts';
import { equal, hmacSha256, randomUuid, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { isId, type SessionId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Service, secretHash } from '../services/service.ts';
import { createAdapter, isRedemptionPending, rememberedGrant, writingIn } from './adapter.ts';
import type { ArtefactStore, Found } from './artefacts.ts';
import { delegatedClaims, identityClaims, mandateDetail, type Naming, tokenClaims } from './claims.ts';
import { cachedClients, clientMetadata, OWN_METADATA } from './clients.ts';
import { checkProof } from './dpop.ts';
import { faultOfDetail, type Parameters } from './interaction.ts';
import { cookieKeys, keySet } from './key-set.ts';
import {
  ACTIONS_SCOPE,
  DELEGATED_ACRS,
  DELEGATED_SCOPES,
  delegatedAcr,
  IDENTITY_SCOPES,
  LOGOUT_EVENT,
  MANDATE_RESOURCE,
  MANDATE_TYPE,
  OWN_CLAIMS,
  PLAIN_ACRS,
  scopeOf,
} from './names.ts';
import { recordRefusals } from './refusals.ts';
import { sayingUnavailable, unavailable } from './unavailable.ts';

/** The pages that the library shows by itself, made by `web`. Each returns a whole HTML document. */
export interface ProviderPages {
  error(out: { error: string; description: string | undefined; known: boolean }): Promise<string>;
  /** `form` is the library's own, with id `op.logoutForm`. */
  logout(form: string): Promise<string>;
  loggedOut(): Promise<string>;
}

export interface ProviderParts {
  readonly issuer: string;
  readonly publicUrl: string;
  readonly secure: boolean;
  readonly allowLoopback: boolean;
  readonly keys: { es256: Secret; rs256: Secret; pairwise: Secret<Buffer>; cookies: Secret<Buffer>; dpopNonce: Secret<Buffer> };
  readonly store: ArtefactStore;
  readonly services: (id: string) => Promise<Service | undefined>;
  readonly journal: Journal;
  /** Writes down what a service was refused. */
  readonly refused: (entry: Entry) => Promise<void>;
  readonly clock: Clock;
  readonly pages: ProviderPages;
  /** Says of an error that it passes by itself: the database or the journal does not answer now. */
  readonly passes: (error: unknown) => boolean;
  /** Ends one delegated session because its service signs it out. */
  readonly endSession: (id: SessionId) => Promise<void>;
  /** One line to the security log: a code, never a value of the request. */
  readonly notice: (event: { code: string; service?: string | undefined; detail?: string | undefined; fault?: unknown }) => void;
}

/** One authorization request that waits for a person. */
export interface Interaction {
  readonly uid: string;
  readonly params: Parameters;
  readonly service: Service;
  readonly requestedAt: Date;
  /** The usager whose delegated or own session this browser holds at the provider, if any. */
  readonly currentAccount: string | undefined;
}

export interface Bearer {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly found: Found | undefined;
}

export interface OpenIdProvider {
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** The interaction that this browser's cookie names, or undefined: finished, expired, or another browser's. */
  interaction(req: IncomingMessage, res: ServerResponse): Promise<Interaction | undefined>;
  /** Gives the delegated session to the library, in the transaction that opens it. Only after `interaction` of the same request. */
  grantDelegated(tx: Transaction, req: IncomingMessage, res: ServerResponse, session: NewSession): Promise<void>;
  /** After that transaction: returns where the browser goes. */
  finishDelegated(req: IncomingMessage, res: ServerResponse): Promise<string>;
  /** Gives a usager, signed in alone, to the library. */
  finishPlain(req: IncomingMessage, res: ServerResponse, usager: { id: string; acr: string; authTime: Date }): Promise<string>;
  /** Ends an interaction with an OAuth error, which the service receives with `state` and `iss`. */
  fail(req: IncomingMessage, res: ServerResponse, error: { error: string; description: string }): Promise<string>;
  /** Reads the access token of a request to an API of ours, sender constraint included. */
  bearer(request: {
    authorization: string | undefined;
    dpop: string | undefined;
    method: string;
    url: string;
  }): Promise<Bearer | { refused: string; scheme: 'Bearer' | 'DPoP' }>;
  /** A logout token for one delegated session (OIDC Back-Channel Logout 1.0 §2.4), with `sid` alone: `sub` would end the usager's own session too. */
  logoutToken(serviceId: string, sid: string): Promise<string | undefined>;
  readonly jwks: { keys: readonly object[] };
}

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

const named = (parts: ProviderParts, sector: string): Naming => ({ issuer: parts.issuer, sector, key: parts.keys.pairwise.reveal(), origin: '' });

/** Members of an account, delegated or plain. */
const createAccounts = (parts: ProviderParts, origin: () => string) => {
  const sectorOf = (ctx: KoaContextWithOIDC): Naming => ({ ...named(parts, String(ctx.oidc.client?.['relais_sector'] ?? '')), origin: origin() });

  const withReceipt = async (found: Found): Promise<Found> => {
    if (!found.delegated || found.delegated.receipt) return found;
    const receipt = await parts.journal.receipt(found.delegated.openedEvent, 5000);
    // Log before act: a session that the journal has not taken gives no code and no token (journal.md §4, 20).
    if (!receipt) throw unavailable('the journal has not taken this session yet');
    return { ...found, delegated: { ...found.delegated, receipt: { index: receipt.index, leaf: receipt.leaf } } };
  };

  const factsOf = async (grantId: string | undefined): Promise<Found | undefined> => {
    if (!grantId) return undefined;
    const found = rememberedGrant(grantId) ?? (await parts.store.findLive('Grant', grantId, parts.clock.now()));
    return found && withReceipt(found);
  };

  const find: NonNullable<Configuration['findAccount']> = async (ctx, accountId, token) => {
    if (isDelegatedAccount(accountId)) {
      // A backstop: an unaware service never receives a delegated account, even from a handler that forgot (delegated-session.md §7).
      const front = ['authorization', 'resume'].includes(ctx.oidc.route ?? '');
      const answering = !front || (ctx.oidc as { result?: { login?: unknown } }).result?.login;
      if (answering && ctx.oidc.client?.['delegation_supported'] !== true) {
        if (front) throw new errors.AccessDenied('this service does not accept delegation');
        return undefined;
      }
    }
    const claims = async (): Promise<{ sub: string; [claim: string]: unknown }> => {
      const found = await factsOf((token as { grantId?: string } | undefined)?.grantId ?? ctx.oidc.entities.Grant?.jti);
      if (found?.delegated) return { sub: accountId, ...delegatedClaims(found.delegated, sectorOf(ctx)) };
      return { sub: accountId, ...(found?.usager ? identityClaims(found.usager) : {}) };
    };
    return { accountId, claims };
  };

  const extra: NonNullable<Configuration['extraTokenClaims']> = async (ctx, token) => {
    if (token.kind !== 'AccessToken') return undefined;
    const found = await factsOf((token as { grantId?: string }).grantId);
    return found?.delegated ? (tokenClaims(found.delegated, sectorOf(ctx)) as never) : undefined;
  };

  return { find, extra, factsOf };
};

/** Every option of the library that is not its default, with its reason where the name does not say it. */
const configure = (
  parts: ProviderParts,
  jwks: { keys: object[] },
  client: (id: string) => Promise<Service | undefined>,
  accounts: ReturnType<typeof createAccounts>,
): Configuration => ({
  adapter: createAdapter({
    store: parts.store,
    clock: parts.clock,
    client: async (id) => {
      if (!/^[\w.-]{1,100}$/.test(id)) return undefined; // nobody's id: the database is not asked
      const found = await client(id);
      return found?.status === 'approved' ? clientMetadata(found) : undefined;
    },
  }),
  jwks: jwks as NonNullable<Configuration['jwks']>,
  acrValues: [...PLAIN_ACRS, ...DELEGATED_ACRS],
  allowOmittingSingleRegisteredRedirectUri: false, // claim P3: the address is said each time, and compared
  claims: {
    openid: ['sub', 'acr', 'auth_time', 'sid', ...OWN_CLAIMS],
    ...Object.fromEntries(Object.entries(IDENTITY_SCOPES).map(([scope, claims]) => [scope, [...claims]])),
  },
  clientDefaults: { id_token_signed_response_alg: 'ES256', response_types: ['code'], grant_types: ['authorization_code'] },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
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
    clientAuthSigningAlgValues: ['ES256', 'PS256', 'EdDSA'],
    dPoPSigningAlgValues: ['ES256', 'EdDSA'],
    userinfoSigningAlgValues: ['ES256', 'RS256'],
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
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: parts.keys.dpopNonce.reveal(), requireNonce: () => true },
    fapi: { enabled: true, profile: (_ctx, found) => (found?.['relais_profile'] === 'fapi2' ? '2.0' : undefined) },
    introspection: { enabled: true, allowedPolicy: async (_ctx, found, token) => found.clientId === token.clientId },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => false,
      defaultResource: async (ctx, _client, oneOf) =>
        oneOf?.[0] ?? (ctx.oidc.params?.['authorization_details'] ? MANDATE_RESOURCE : (undefined as never)),
      getResourceServerInfo: async (_ctx, resource) => {
        if (resource !== MANDATE_RESOURCE) throw new errors.InvalidTarget();
        return { scope: '', accessTokenFormat: 'opaque', audience: resource };
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
        // The form's answer sends the browser back to the service: its origin must be allowed (CSP form-action follows redirects).
        const origins = (ctx.oidc.client?.postLogoutRedirectUris ?? []).map((uri) => new URL(uri).origin);
        const policy = String(ctx.response.get('content-security-policy') || ctx.res.getHeader('content-security-policy') || '');
        ctx.set('content-security-policy', policy.replace("form-action 'self'", ["form-action 'self'", ...new Set(origins)].join(' ')));
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
  pkce: { required: () => true },
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
  scopes: ['openid', ACTIONS_SCOPE, ...DELEGATED_SCOPES],
  subjectTypes: ['pairwise'],
  ttl: {
    AuthorizationCode: 60,
    ClientCredentials: 300,
    IdToken: 300,
    Interaction: 1800,
    PushedAuthorizationRequest: 60,
    Session: SESSION_MINUTES * 60 * 2,
    Grant: SESSION_MINUTES * 60,
    AccessToken: (ctx) => Math.max(1, Math.min(SESSION_MINUTES * 60, (ctx.oidc.entities.Grant?.exp ?? 0) - seconds(parts.clock.now()))),
  },
});

const details = (found: Found | undefined): { type: string; [member: string]: unknown }[] | undefined =>
  found?.delegated ? [mandateDetail(found.delegated)] : undefined;

const NOTICES = [
  'authorization.error',
  'grant.error',
  'pushed_authorization_request.error',
  'introspection.error',
  'revocation.error',
  'userinfo.error',
  'end_session.error',
  'jwks.error',
  'discovery.error',
  'server_error',
] as const;

/** Makes the OpenID provider. `origin` names the journal in receipts, once it is known. */
export const createOpenIdProvider = async (given: ProviderParts, origin: () => string): Promise<OpenIdProvider> => {
  const store = sayingUnavailable(given.store, given.passes);
  const parts: ProviderParts = { ...given, store, services: sayingUnavailable({ find: given.services }, given.passes).find };
  const keys = await keySet({ es256: parts.keys.es256, rs256: parts.keys.rs256 });
  const client = cachedClients(parts.services, () => parts.clock.now().getTime());
  const accounts = createAccounts(parts, origin);
  const provider = new Provider(parts.issuer, configure(parts, keys, client, accounts));
  provider.proxy = true; // `http` sets host and protocol from the issuer before the library looks (the Host header never decides a URL)
  adjust(provider, parts);
  return {
    ...createInteractions(provider, parts, client),
    ...createResources(provider, parts),
    handler: provider.callback(),
    jwks: { keys: keys.keys.map(({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...pub }) => pub) },
  };
};

/**
 * The library's own pages that post by themselves need a script, which our policy forbids. Signing out with nobody signed in has nothing to ask: the
 * browser goes where it was to go. A resume that met another account's session ends there: the person starts again from the service.
 */
const withoutScripts = (provider: Provider, parts: ProviderParts): void => {
  provider.use(async (ctx, next) => {
    await next();
    const { oidc } = ctx as KoaContextWithOIDC;
    if (typeof ctx.body !== 'string' || !ctx.body.includes('<title>Submitting Callback</title>')) return;
    if (oidc.route === 'end_session') {
      // The hint is signed by us and held by the service: the session it names ends even when this browser has forgotten it.
      const hinted = (oidc.entities.IdTokenHint as { payload?: { sid?: unknown } } | undefined)?.payload?.sid;
      if (isId('dls', hinted)) await parts.endSession(hinted);
      const { postLogoutRedirectUri, state } = (oidc.session?.state ?? {}) as { postLogoutRedirectUri?: string; state?: string };
      const to = new URL(postLogoutRedirectUri ?? oidc.urlFor('end_session_success'));
      if (postLogoutRedirectUri && state !== undefined) to.searchParams.set('state', state);
      ctx.status = 303;
      ctx.redirect(to.href);
      return;
    }
    ctx.status = 400;
    ctx.body = await parts.pages.error({ error: 'invalid_request', description: undefined, known: false });
  });
};

/** The places where the library's own behaviour is replaced. */
const adjust = (provider: Provider, parts: ProviderParts): void => {
  withoutScripts(provider, parts);
  recordRefusals(provider, parts.services, parts.refused);
  provider.use(async (ctx, next) => {
    await next();
    // A code is used up by the write of its token: an answer without that write would leave it alive.
    if (isRedemptionPending() && ctx.status < 400) throw new Failure('code_not_redeemed', 'a token was given that was not written');
  });
  provider.ReplayDetection.unique = async (issuer, jti, exp) =>
    parts.store.unique(sha256(`op\0${issuer}\0${jti}`), new Date((exp ?? seconds(parts.clock.now()) + 300) * 1000), parts.clock.now());
  const { prototype } = provider.Client as unknown as {
    prototype: { clientSecret: string; compareClientSecret(actual: string): boolean; backchannelLogout(account: string, sid: string): Promise<void> };
  };
  prototype.compareClientSecret = function compare(actual) {
    return equal(this.clientSecret, secretHash(actual)); // the table keeps the secret's hash in the secret's place
  };
  const library = prototype.backchannelLogout;
  prototype.backchannelLogout = async function logout(account, sid) {
    if (!isDelegatedAccount(account)) await library.call(this, account, sid); // a delegated session's notice is ours: `sid` alone, kept until it is acknowledged
  };
  for (const event of NOTICES)
    provider.on(event as never, (ctx: KoaContextWithOIDC, error: Error & { error?: string; error_detail?: string }) => {
      const code = error.error ?? 'server_error';
      // Whoever ended the interaction has written why in the journal: one refusal, one trace.
      if ((ctx.oidc?.entities.Interaction?.result as { error?: unknown } | undefined)?.error === code && event === 'authorization.error') return;
      parts.notice({
        code: `oauth_${code}`,
        service: ctx.oidc?.entities.Client?.clientId,
        detail: error.error_detail ?? error.message,
        ...(event === 'server_error' || code === 'temporarily_unavailable' ? { fault: error.cause ?? error } : {}),
      });
    });
};

const createInteractions = (
  provider: Provider,
  parts: ProviderParts,
  client: (id: string) => Promise<Service | undefined>,
): Pick<OpenIdProvider, 'interaction' | 'grantDelegated' | 'finishDelegated' | 'finishPlain' | 'fail'> => {
  type Model = Awaited<ReturnType<typeof provider.interactionDetails>>;

  const loaded = new WeakMap<IncomingMessage, Model>();

  /** The interaction of a request, read once a request. */
  const load = async (req: IncomingMessage, res: ServerResponse): Promise<Model | undefined> => {
    try {
      const found = loaded.get(req) ?? (await provider.interactionDetails(req, res));
      loaded.set(req, found);
      return found;
    } catch (error) {
      if (error instanceof errors.SessionNotFound) return undefined;
      throw error;
    }
  };

  const live = new WeakMap<IncomingMessage, ReturnType<typeof provider.Session.get>>();

  /** The provider's session of this browser, read once a request. */
  const liveSession = (req: IncomingMessage, res: ServerResponse): ReturnType<typeof provider.Session.get> => {
    const found = live.get(req) ?? provider.Session.get(provider.createContext(req, res) as never);
    live.set(req, found);
    return found;
  };

  /** Of which service a request's interaction is. */
  const services = new WeakMap<IncomingMessage, Service>();

  /** Says whether this browser holds the provider's session of another account. Then resuming must meet a blank browser (delegated-session.md §1b). */
  const holdsOther = async (req: IncomingMessage, res: ServerResponse, accountId: string): Promise<boolean> => {
    const { accountId: held } = await liveSession(req, res);
    return Boolean(held) && held !== accountId;
  };

  const finish = async (interaction: Model, result: Model['result']): Promise<string> => {
    (interaction as { result: unknown }).result = result;
    await interaction.save(interaction.exp - seconds(parts.clock.now()));
    return interaction.returnTo;
  };

  /** A grant holds an answer to everything asked, granted or rejected: otherwise the library would ask again. */
  const grantFor = (interaction: Model, accountId: string, service: Service, expiresIn: number, granted: (scope: string) => boolean) => {
    const grant = new provider.Grant({ accountId, clientId: service.id, expiresIn } as never);
    const scopes = String(interaction.params['scope'] ?? '')
      .split(' ')
      .filter(Boolean);
    grant.addOIDCScope(scopes.filter(granted).join(' '));
    const refused = scopes.filter((scope) => !granted(scope));
    if (refused.length) grant.rejectOIDCScope(refused.join(' '));
    const allowed = new Set([
      ...OWN_CLAIMS,
      ...service.scopes.flatMap((scope) => [...((IDENTITY_SCOPES as Record<string, readonly string[]>)[scope] ?? [])]),
    ]);
    const asked = askedClaims(interaction.params);
    const given = asked.filter((claim) => allowed.has(claim));
    const denied = asked.filter((claim) => !allowed.has(claim));
    if (given.length) grant.addOIDCClaims(given);
    if (denied.length) grant.rejectOIDCClaims(denied);
    return grant;
  };

  return {
    async interaction(req, res) {
      const found = await load(req, res);
      const service = found && (await client(String(found.params['client_id'])));
      if (!found || !service) return undefined;
      services.set(req, service);
      const live = await liveSession(req, res);
      return {
        uid: found.uid,
        params: found.params as Parameters,
        service,
        requestedAt: new Date((found.iat ?? 0) * 1000),
        currentAccount: live.accountId,
      };
    },
    async grantDelegated(tx, req, res, session) {
      const interaction = loaded.get(req);
      const service = services.get(req);
      if (!interaction || service?.id !== session.serviceId) throw new errors.SessionNotFound('interaction not found');
      const accountId = accountOf(session.usagerId, session.aidantId, session.organisationId);
      const theme = scopeOf(session.theme);
      const granted = new Set(['openid', ...service.scopes, theme]);
      const scopes = String(interaction.params['scope'] ?? '')
        .split(' ')
        .filter(Boolean);
      if (!scopes.includes(theme)) interaction.params['scope'] = [...scopes, theme].join(' '); // both ways of asking end with the same scope
      const lifetime = Math.max(1, seconds(session.expiresAt) - seconds(parts.clock.now()));
      const grant = grantFor(interaction, accountId, service, lifetime, (scope) => granted.has(scope));
      grant.jti = session.grantId;
      grant.addRar({ type: MANDATE_TYPE, session: session.id });
      if (await holdsOther(req, res, accountId)) interaction.session = undefined as never;
      const result = {
        login: { accountId, acr: delegatedAcr(session.acr), amr: [...session.aidantAmr], ts: seconds(session.authTime), remember: false },
        consent: { grantId: session.grantId },
      };
      await writingIn(tx, () => Promise.all([finish(interaction, result), grant.save()]));
    },
    async finishDelegated(req, res) {
      const interaction = loaded.get(req);
      const account = (interaction?.result as { login?: { accountId?: string } } | undefined)?.login?.accountId;
      if (!interaction || !account) throw new errors.SessionNotFound('interaction not found');
      if (await holdsOther(req, res, account)) await (await liveSession(req, res)).destroy();
      return interaction.returnTo;
    },
    async finishPlain(req, res, usager) {
      const interaction = await load(req, res);
      const service = interaction && (await client(String(interaction.params['client_id'])));
      if (!interaction || !service) throw new errors.SessionNotFound('interaction not found');
      const granted = new Set(['openid', ...service.scopes]);
      const grant = grantFor(interaction, usager.id, service, SESSION_MINUTES * 60, (scope) => granted.has(scope));
      const grantId = await grant.save();
      if (await holdsOther(req, res, usager.id)) {
        await (await liveSession(req, res)).destroy();
        interaction.session = undefined as never;
      }
      return finish(interaction, {
        login: { accountId: usager.id, acr: usager.acr, ts: seconds(usager.authTime), remember: false },
        consent: { grantId },
      });
    },
    async fail(req, res, { error, description }) {
      const interaction = await load(req, res);
      if (!interaction) throw new errors.SessionNotFound('interaction not found');
      return finish(interaction, { error, error_description: description });
    },
  };
};

const askedClaims = (params: Readonly<Record<string, unknown>>): string[] => {
  const raw = params['claims'];
  let parsed: unknown = raw;
  if (typeof raw === 'string') {
    try {
      parsed = JSON.parse(raw);
    } catch {
      parsed = undefined;
    }
  }
  const members = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  const standing = new Set(['sub', 'acr', 'auth_time', 'sid', 'amr', 'iss', 'aud', 'exp', 'iat', 'nonce']);
  return [...new Set(['id_token', 'userinfo'].flatMap((part) => Object.keys((members[part] as object | undefined) ?? {})))].filter(
    (claim) => !standing.has(claim),
  );
};

const createResources = (provider: Provider, parts: ProviderParts): Pick<OpenIdProvider, 'bearer' | 'logoutToken'> => ({
  async bearer({ authorization, dpop, method, url }) {
    const [, scheme = 'Bearer', token] = /^(Bearer|DPoP) ([A-Za-z0-9._~+/=-]{1,2048})$/i.exec(authorization ?? '') ?? [];
    const spoken = scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer';
    if (!token) return { refused: 'an access token is required', scheme: spoken };
    const access = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    if (!access || access.isExpired || !access.clientId) return { refused: 'the access token is unknown, expired or revoked', scheme: spoken };
    const grantId = (access as { grantId?: string }).grantId;
    const found = rememberedGrant(grantId);
    if (grantId && !(await provider.Grant.find(grantId))) return { refused: 'the access token is unknown, expired or revoked', scheme: spoken };
    const thumbprint = access.jkt;
    if (thumbprint) {
      if (spoken !== 'DPoP' || !dpop) return { refused: 'this access token needs a DPoP proof', scheme: 'DPoP' };
      const now = parts.clock.now();
      const fault = await checkProof(dpop, { method, url, accessToken: token, thumbprint, now }, (id, expiresAt) =>
        parts.store.unique(id, expiresAt, now),
      );
      if (fault) return { refused: fault, scheme: 'DPoP' };
    } else if (spoken === 'DPoP') return { refused: 'this access token is not bound to a key', scheme: 'DPoP' };
    return { clientId: access.clientId, scopes: [...access.scopes], found };
  },
  async logoutToken(serviceId, sid) {
    const client = await provider.Client.find(serviceId);
    if (!client) return undefined;
    const token = new provider.IdToken({}, { client, ctx: undefined as never });
    (token as unknown as { mask: object }).mask = {};
    token.set('events', { [LOGOUT_EVENT]: {} });
    token.set('jti', randomUuid());
    token.set('sid', sid);
    return token.issue({ use: 'logout' });
  },
});
