import './guard.ts';
import { exportJWK, generateKeyPair } from 'jose';
import { type Configuration, errors, interactionPolicy, type JWKS, type KoaContextWithOIDC } from 'oidc-provider';
import { randomToken } from '../kernel/crypto.ts';
import { type Federation, type Refusal, readDemand, type SimulatorOptions } from './federation.ts';
import { memoryAdapter } from './memory.ts';
import { render, type Trouble, TroublePage } from './page.tsx';

/** Paths of both federations, under the issuer. */
export const ROUTES = {
  authorization: '/authorize',
  token: '/token',
  userinfo: '/userinfo',
  jwks: '/jwks',
  end_session: '/session/end',
  revocation: '/token/revocation',
};

/** Words a refusal that stays on the simulator’s own page. */
export const troubleOf = (refusal: Refusal): Trouble => ({
  title: 'Cette demande de connexion n’est pas acceptée',
  what: refusal.description,
  changes: 'La connexion n’a pas eu lieu. Le simulateur ne renvoie pas vers le site qui l’a demandée.',
  todo: 'Revenez au site et recommencez. Si cela se répète, le site doit corriger sa demande.',
  code: refusal.refused,
});

/** Makes the signing keys of one simulator, new at each start. */
export const makeKeys = async () => {
  const make = async (alg: 'ES256' | 'RS256') => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { key: privateKey, jwk: { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${randomToken(6)}` } };
  };
  const [es, rs] = await Promise.all([make('ES256'), make('RS256')]);
  // The library wants its own JWKS type; jose's export has the same members.
  return { es256: es.key, rs256: rs.key, jwks: { keys: [es.jwk, rs.jwk] } as JWKS };
};

const loginPolicy = (federation: Federation) => {
  const policy = interactionPolicy.base();
  const login = policy.get('login');
  if (!login) throw new Error('the library has no login prompt');
  // The library's own two checks ask again without end when a level cannot be met; the federations answer with an error.
  login.checks.remove('essential_acrs');
  login.checks.remove('essential_acr');
  const { Check } = interactionPolicy;
  login.checks.unshift(
    new Check('demand', 'the request demands what cannot be given', (ctx) => {
      const refusal = federation.demand(readDemand(ctx.oidc.params ?? {}));
      if (refusal) throw new errors.CustomOIDCProviderError(refusal.refused, refusal.description);
      return Check.NO_NEED_TO_PROMPT;
    }),
    new Check('level', 'the session is not at the level demanded', 'login_required', (ctx) => {
      const fresh = Boolean((ctx.oidc.result as { login?: unknown } | undefined)?.login);
      return fresh || federation.reuse(ctx.oidc.session?.acr, readDemand(ctx.oidc.params ?? {})) ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
    }),
  );
  return policy;
};

/** Gives every request the whole of what it asks: the federation asks no consent of its own. */
const autoConsent = async (ctx: KoaContextWithOIDC) => {
  const { provider, client, session } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId });
  grant.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(' '));
  grant.addOIDCClaims([...ctx.oidc.requestParamClaims]);
  await grant.save();
  return grant;
};

/** Configures the library as the federation’s contract says. */
export const configurationOf = (federation: Federation, options: SimulatorOptions, jwks: JWKS): Configuration => {
  const { grantTypes, subjectType, ...own } = federation.configuration;
  return {
    ...own,
    subjectTypes: [subjectType],
    adapter: memoryAdapter(),
    jwks,
    routes: ROUTES,
    responseTypes: ['code'],
    cookies: {
      keys: [randomToken()],
      names: { session: `${federation.cookie}_session`, interaction: `${federation.cookie}_interaction`, resume: `${federation.cookie}_resume` },
    },
    clients: options.clients.map((client) => ({
      client_id: client.id,
      ...(client.name ? { client_name: client.name } : {}),
      client_secret: client.secret,
      redirect_uris: [...client.redirectUris],
      post_logout_redirect_uris: [...client.postLogoutRedirectUris],
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: grantTypes,
      response_types: ['code'],
      scope: (client.scopes ?? Object.keys(federation.scopes)).join(' '),
      subject_type: subjectType,
      id_token_signed_response_alg: client.signingAlg ?? 'ES256',
      userinfo_signed_response_alg: client.signingAlg ?? 'ES256',
    })),
    scopes: Object.keys(federation.scopes),
    claims: {
      ...Object.fromEntries(Object.entries(federation.scopes).map(([scope, claims]) => [scope, [...claims]])),
      amr: null,
      auth_time: null,
      iss: null,
      sid: null,
    },
    pairwiseIdentifier: (_ctx, accountId, client) => federation.accounts.get(accountId)?.sub(client.clientId) ?? accountId,
    findAccount: (_ctx, id) => {
      const account = federation.accounts.get(id);
      return account && { accountId: id, claims: async () => ({ sub: id, ...account.claims }) };
    },
    loadExistingGrant: autoConsent,
    interactions: { policy: loginPolicy(federation), url: async (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      jwtUserinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: { enabled: false },
      dPoP: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async () => undefined,
        postLogoutSuccessSource: async (ctx) => {
          ctx.type = 'html';
          ctx.body = render(TroublePage({ programme: federation.programme, trouble: SIGNED_OUT }));
        },
      },
    },
    renderError: async (ctx, out) => {
      ctx.type = 'html';
      ctx.body = render(
        TroublePage({
          programme: federation.programme,
          trouble: troubleOf({ refused: out.error, description: out.error_description ?? 'La demande est refusée.' }),
        }),
      );
    },
  };
};

const SIGNED_OUT: Trouble = {
  title: 'Vous êtes déconnecté du simulateur',
  what: 'La session du simulateur est terminée.',
  changes: 'La prochaine connexion demandera de nouveau une identité.',
  todo: 'Vous pouvez fermer cette page.',
  code: 'signed_out',
};
