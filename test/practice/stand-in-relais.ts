import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider, { type ClientMetadata, errors, type JWKS } from 'oidc-provider';
import type { ClientMetadata as Registered } from '../../src/practice/mirror-service.ts';
import { originFor } from '../../src/practice/server.ts';

/**
 * The least of Relais that a mirror service meets, on the same library and on the wire of protocol.md, so that the mirrors' own tests need
 * no database: sign-in with or without an actor, both ways of asking, introspection, the report endpoint, logout tokens. The flows of
 * test/flows drive the mirrors against Relais itself.
 */
export const startStandIn = async () => {
  const origin = await originFor(0);
  const issuer = `${origin}/oidc`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const kid = 'stand-in';
  const state = {
    alive: true,
    themes: ['logement'] as string[],
    privileges: ['read', 'declare', 'change'] as string[],
    forgetActor: false,
    refuse: undefined as string | undefined,
    reports: [] as { body: Record<string, unknown>; authorization: string }[],
    answer: { status: 202, body: { index: 4711, leaf: 'x', origin: 'stand-in' } as unknown },
    hints: [] as unknown[],
    /** An Authorization header that the report endpoint no longer accepts. */
    dead: '',
  };
  let sessions = 0;
  const clients: ClientMetadata[] = [];
  const detail = (session: string) => ({
    type: 'urn:relais:mandate:1',
    identifier: 'urn:uuid:00000000-0000-4000-8000-000000000001',
    session,
    actions: state.themes,
    privileges: state.privileges,
    organisation: { siret: '21170444000018', name: 'Mairie de Thénac' },
  });
  const act = () => (state.forgetActor ? {} : { act: { iss: issuer, sub: 'pseudonym' } });
  const found = new Map<string, string>();

  const build = () =>
    new Provider(issuer, {
      clients,
      jwks: { keys: [{ ...jwk, alg: 'ES256', use: 'sig', kid }] } as JWKS,
      cookies: { keys: ['k'], names: { session: 'si_s', interaction: 'si_i', resume: 'si_r' } },
      scopes: ['openid', 'given_name', 'family_name', 'birthdate', 'dlg:famille', 'dlg:logement', 'dlg:social', 'dlg:argent', 'actions:write'],
      claims: {
        openid: ['sub', 'acr', 'act', 'authorization_details'],
        given_name: ['given_name'],
        family_name: ['family_name'],
        birthdate: ['birthdate'],
        sid: null,
      },
      pkce: { required: () => true },
      ttl: { AccessToken: 1800, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 1800, Grant: 1800, ClientCredentials: 300 },
      findAccount: (ctx, id) => ({
        accountId: id,
        claims: async () => ({
          sub: id,
          given_name: 'Colette',
          family_name: 'Martin',
          birthdate: '1946-04-12',
          ...(id.includes('~') ? { ...act(), authorization_details: [detail(found.get(ctx.oidc.entities.Grant?.jti ?? '') ?? '')] } : {}),
        }),
      }),
      extraTokenClaims: (_ctx, token) => ('accountId' in token && String(token.accountId).includes('~') ? act() : undefined),
      loadExistingGrant: async (ctx) => {
        const grantId = ctx.oidc.result?.consent?.grantId;
        if (!grantId) return undefined;
        const sid = found.get(grantId);
        if (sid) ctx.oidc.session?.sidFor(ctx.oidc.client?.clientId ?? '', sid);
        return ctx.oidc.provider.Grant.find(grantId);
      },
      interactions: { url: async (_ctx, interaction) => `/pick/${interaction.uid}` },
      fetch: (url, init) => fetch(url, init),
      features: {
        devInteractions: { enabled: false },
        introspection: { enabled: true, allowedPolicy: async () => state.alive },
        clientCredentials: { enabled: true },
        backchannelLogout: { enabled: true },
        dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
        fapi: { enabled: true, profile: (_ctx, client) => (client?.clientId === 'impots' ? '2.0' : undefined) },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: async () => false,
          defaultResource: async (ctx, _client, oneOf) => oneOf?.[0] ?? (ctx.oidc.params?.['authorization_details'] ? 'urn:relais:mandate' : []),
          getResourceServerInfo: async (_ctx, resource) => {
            if (resource === 'urn:relais:mandate') return { scope: '', accessTokenFormat: 'opaque', audience: resource };
            throw new errors.InvalidTarget();
          },
        },
        richAuthorizationRequests: {
          enabled: true,
          types: { 'urn:relais:mandate:1': { validate: () => undefined } },
          authorizationDetailsForGrantSource: (ctx) => ctx.oidc.grant?.rar,
          authorizationDetailsForAccessToken: (_ctx, _token, source) => source?.rar,
          authorizationDetailsForIntrospection: (_ctx, token) => token.rar,
        },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: async (ctx, form) => {
            ctx.body = form;
          },
        },
      },
    });
  const jwk = await exportJWK(privateKey);
  let provider = build();

  const pick = async (req: IncomingMessage, res: Parameters<Provider['interactionDetails']>[1]): Promise<string> => {
    const { params } = await provider.interactionDetails(req, res);
    state.hints.push(params['login_hint']);
    if (state.refuse) return provider.interactionResult(req, res, { error: state.refuse, error_description: 'refused' });
    const delegated = String(params['scope']).includes('dlg:') || params['authorization_details'] !== undefined;
    const session = `dls_${String(++sessions).padStart(26, '0')}`;
    const accountId = delegated ? 'colette~karim~thenac' : 'colette';
    const grant = new provider.Grant({ accountId, clientId: String(params['client_id']) });
    grant.addOIDCScope(String(params['scope']));
    if (delegated) grant.addRar(detail(session));
    const grantId = await grant.save();
    if (delegated) found.set(grantId, session).set('last', session);
    const acr = delegated ? 'urn:relais:acr:delegated:eidas1' : 'eidas1';
    return provider.interactionResult(req, res, { login: { accountId, acr, remember: false }, consent: { grantId } });
  };
  const read = async (req: IncomingMessage): Promise<string> => {
    let text = '';
    for await (const chunk of req) text += chunk;
    return text;
  };
  const server = createServer((req, res) => {
    void (async () => {
      const url = req.url ?? '/';
      if (url.startsWith('/pick/')) return res.writeHead(303, { location: await pick(req, res) }).end();
      if (url === '/api/v1/actions') {
        const authorization = String(req.headers.authorization);
        res.setHeader('content-type', 'application/json');
        if (authorization === state.dead) return res.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
        state.reports.push({ body: JSON.parse(await read(req)) as Record<string, unknown>, authorization });
        return res.writeHead(state.answer.status).end(JSON.stringify(state.answer.body));
      }
      const raw = req as IncomingMessage & { originalUrl?: string };
      raw.originalUrl = url;
      raw.url = url.slice('/oidc'.length);
      return provider.callback()(raw, res);
    })().catch((error: unknown) => {
      console.error(error);
      res.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(Number(new URL(origin).port), 'localhost', resolve));

  return {
    origin,
    issuer,
    state,
    lastSession: () => found.get('last') ?? '',
    /** Registers a service, as an approved one. */
    register(metadata: Registered, secret?: string): void {
      const { id, name, profile, scopes, themes, demarches: _demarches, delegation_supported: _supported, jwks, ...rest } = metadata;
      clients.push({
        ...rest,
        redirect_uris: [...rest.redirect_uris],
        post_logout_redirect_uris: [...rest.post_logout_redirect_uris],
        initiate_login_uri: undefined,
        client_id: id,
        client_name: name,
        response_types: ['code'],
        grant_types: ['authorization_code', 'client_credentials'],
        scope: ['openid', ...scopes, ...themes.map((theme) => `dlg:${theme}`), 'actions:write'].join(' '),
        authorization_details_types: ['urn:relais:mandate:1'],
        ...(secret ? { client_secret: secret } : {}),
        ...(jwks ? { jwks: { keys: [...jwks.keys] } as unknown as JWKS } : {}),
        ...(profile === 'fapi2' ? { require_pushed_authorization_requests: true, dpop_bound_access_tokens: true } : {}),
      } as ClientMetadata);
      provider = build();
    },
    /** Signs a logout token, right in all but what is changed. */
    logoutToken: async (audience: string, sid: string, change: JWTPayload = {}, typ = 'logout+jwt', key = privateKey): Promise<string> => {
      const now = Math.floor(Date.now() / 1000);
      const payload = {
        iss: issuer,
        aud: audience,
        iat: now,
        exp: now + 120,
        jti: crypto.randomUUID(),
        sid,
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        ...change,
      };
      return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid, typ }).sign(key);
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
