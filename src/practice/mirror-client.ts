import './guard.ts';
import { calculateJwkThumbprint, createRemoteJWKSet, importPKCS8, type JWTVerifyGetKey } from 'jose';
import * as client from 'openid-client';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, toJwk } from '../kernel/crypto.ts';
import { IDENTITY_SCOPES, type MirrorService } from './mirror-service.ts';
import type { StepUp } from './mirror-session.ts';

/** How a mirror service proves who it is. A secret may come later, once Relais has drawn it. */
export type Credentials = { readonly secret?: string | undefined } | { readonly privateKeyPem: string };

/** What one sign-in must remember until the browser comes back. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Themes asked; none when somebody signs in for herself. */
  readonly themes: readonly string[];
  readonly startedAt: number;
  /** How old the aidant's sign-in may be, in seconds. */
  readonly maxAge?: number | undefined;
  /** Where to go once signed in; absent: the first page. */
  readonly back?: string | undefined;
}

/** What a sign-in asks. `details` chooses between the two ways of asking for a mandate, which give the same answer. */
export interface Ask {
  readonly themes: readonly string[];
  readonly details?: boolean;
  readonly loginHint?: string | undefined;
  readonly stepUp?: StepUp | undefined;
  readonly back?: string | undefined;
}

/** Everything that a service does with Relais, through an ordinary OpenID Connect library. */
export interface RelyingParty {
  readonly publicJwk: Readonly<Record<string, unknown>> | undefined;
  useSecret(secret: string): void;
  begin(ask: Ask): Promise<{ readonly url: URL; readonly pending: Pending }>;
  redeem(currentUrl: URL, pending: Pending): ReturnType<typeof client.authorizationCodeGrant>;
  userinfo(accessToken: string, sub: string): Promise<client.UserInfoResponse>;
  introspect(accessToken: string): Promise<client.IntrospectionResponse>;
  call(accessToken: string, url: URL, body: string, contentType: string): Promise<Response>;
  /** A token of the service itself, for what it must still say when the delegated one is dead. */
  ownToken(scope: string): Promise<string>;
  logoutUrl(idToken: string, state: string): Promise<URL>;
  /** The keys of Relais, for logout tokens. */
  keys(): Promise<JWTVerifyGetKey>;
}

const MANDATE = 'urn:relais:mandate:1';

const publicJwkOf = async (pem: string): Promise<Readonly<Record<string, unknown>>> => {
  const jwk = toJwk(publicKeyOf(readPrivateKey(pem)));
  return {
    ...jwk,
    alg: 'ES256',
    use: 'sig',
    kid: await calculateJwkThumbprint({ kty: jwk.kty ?? '', crv: jwk.crv ?? '', x: jwk.x ?? '', y: jwk.y ?? '' }),
  };
};

/** Makes the relying party of a mirror service. Relais is discovered at the first need, and again after a failure. */
export const createRelyingParty = async (options: {
  readonly service: MirrorService;
  readonly issuer: string;
  readonly origin: string;
  readonly credentials: Credentials;
}): Promise<RelyingParty> => {
  const { service, origin } = options;
  const fapi = service.profile === 'fapi2';
  const pem = 'privateKeyPem' in options.credentials ? options.credentials.privateKeyPem : fapi ? makePrivateKeyPem('es256') : undefined;
  const publicJwk = pem ? await publicJwkOf(pem) : undefined;
  let secret = 'secret' in options.credentials ? options.credentials.secret : undefined;
  const dpopKeys = fapi ? await client.randomDPoPKeyPair('ES256') : undefined;
  let found: Promise<{ config: client.Configuration; dpop: { DPoP?: client.DPoPHandle }; keys: JWTVerifyGetKey }> | undefined;

  const discover = async () => {
    const authentication = pem
      ? client.PrivateKeyJwt({ key: await importPKCS8(pem, 'ES256'), kid: String(publicJwk?.['kid']) })
      : client.ClientSecretBasic(secret ?? '');
    const config = await client.discovery(new URL(options.issuer), service.id, { id_token_signed_response_alg: 'ES256' }, authentication, {
      execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
      timeout: 5,
    });
    const dpop = dpopKeys ? { DPoP: client.getDPoPHandle(config, dpopKeys) } : {};
    return { config, dpop, keys: createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri ?? ''), { timeoutDuration: 5000 }) };
  };
  const relais = () => {
    found ??= discover().catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return found;
  };

  return {
    publicJwk,
    useSecret: (value) => {
      secret = value;
      found = undefined;
    },
    async begin(ask) {
      const { config, dpop } = await relais();
      const pending = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
        themes: ask.themes,
        startedAt: Date.now(),
        maxAge: ask.stepUp?.maxAge,
        back: ask.back,
      };
      const params = {
        redirect_uri: `${origin}/retour`,
        scope: ['openid', ...IDENTITY_SCOPES, ...(ask.details ? [] : ask.themes.map((theme) => `dlg:${theme}`))].join(' '),
        ...(ask.details && ask.themes.length ? { authorization_details: JSON.stringify([{ type: MANDATE, actions: ask.themes }]) } : {}),
        ...(ask.loginHint ? { login_hint: ask.loginHint } : {}),
        ...(ask.stepUp?.acrValues ? { acr_values: ask.stepUp.acrValues } : {}),
        ...(ask.stepUp?.maxAge ? { max_age: String(ask.stepUp.maxAge) } : {}),
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
      };
      const url = fapi ? await client.buildAuthorizationUrlWithPAR(config, params, dpop) : client.buildAuthorizationUrl(config, params);
      return { url, pending };
    },
    async redeem(currentUrl, pending) {
      const { config, dpop } = await relais();
      const checks = {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.verifier,
        idTokenExpected: true,
        ...(pending.maxAge === undefined ? {} : { maxAge: pending.maxAge }),
      };
      return client.authorizationCodeGrant(config, currentUrl, checks, undefined, dpop);
    },
    async userinfo(accessToken, sub) {
      const { config, dpop } = await relais();
      return client.fetchUserInfo(config, accessToken, sub, dpop);
    },
    introspect: async (accessToken) => client.tokenIntrospection((await relais()).config, accessToken, { token_type_hint: 'access_token' }),
    async call(accessToken, url, body, contentType) {
      const { config, dpop } = await relais();
      return client.fetchProtectedResource(
        config,
        accessToken,
        url,
        'POST',
        body,
        new Headers({ 'content-type': contentType, accept: 'application/json' }),
        dpop,
      );
    },
    async ownToken(scope) {
      const { config, dpop } = await relais();
      return (await client.clientCredentialsGrant(config, { scope }, dpop)).access_token;
    },
    async logoutUrl(idToken, state) {
      return client.buildEndSessionUrl((await relais()).config, { id_token_hint: idToken, post_logout_redirect_uri: `${origin}/au-revoir`, state });
    },
    keys: async () => (await relais()).keys,
  };
};
