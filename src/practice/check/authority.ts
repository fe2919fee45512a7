import '../guard.ts';
import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider, { type ClientMetadata, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { randomToken, randomUuid } from '../../kernel/crypto.ts';
import { delegatedAcr, LOGOUT_EVENT, MANDATE_RESOURCE, MANDATE_TYPE } from '../../provider/names.ts';
import { EVENTS } from '../../signals/events.ts';
import { type Fault, forgeIdToken, forgesIdToken } from '../faults.ts';
import { member } from '../federation.ts';
import { memoryAdapter } from '../memory.ts';
import { makeKeys } from '../simulator-op.ts';
import type { Contract } from './contract.ts';

/** A delegated session that this authority opened, as it was told to the service. */
export interface Opened {
  readonly id: string;
  readonly identifier: string;
  readonly actor: string;
  /** What its mandate allows, beside the theme. */
  readonly limits: { readonly privileges: readonly string[]; readonly demarches?: readonly string[] };
}

/** An act that the service reported. */
export interface Reported {
  readonly session: unknown;
  readonly verb: unknown;
  readonly demarche: unknown;
  readonly outcome: unknown;
}

/** What this authority can do wrong: to the ID token or the callback; `no-actor` leaves `act` out. */
export type Lie = Fault | 'no-actor';

/** The authority of a check: on the wire of Relais, with one person, one aidant and one mandate, invented for this run. */
export interface Authority {
  readonly origin: string;
  readonly issuer: string;
  /** Whether its issuer leads to it, and to nobody else. */
  reached(): Promise<boolean>;
  readonly person: { readonly given_name: string; readonly family_name: string };
  readonly organisation: string;
  readonly opened: readonly Opened[];
  readonly reports: readonly Reported[];
  lie(fault: Lie | undefined): void;
  /** What the mandates of the next sessions are held to; all of the theme when nothing is given. */
  narrow(limits?: { readonly privileges?: readonly string[]; readonly demarches?: readonly string[] }): void;
  /** Introspection no longer answers (503). */
  hush(silent: boolean): void;
  /** The session is over: its token is worth nothing from now on. */
  stop(session: string): void;
  /** Signs a logout token, right in all but what is changed. */
  logoutToken(sid: string, change?: JWTPayload, header?: { hmac?: boolean; typ?: string; stranger?: boolean }): Promise<string>;
  /** Signs a `session-revoked` event, right in all but what is changed. */
  signal(session: string, change?: JWTPayload, header?: { hmac?: boolean; typ?: string; stranger?: boolean }): Promise<string>;
  close(): Promise<void>;
}

const ROUTES = {
  authorization: '/auth',
  pushed_authorization_request: '/par',
  token: '/token',
  userinfo: '/userinfo',
  introspection: '/introspection',
  revocation: '/revocation',
  jwks: '/jwks',
  end_session: '/session/end',
};

const clientOf = (contract: Contract, secret: string | undefined): ClientMetadata =>
  ({
    client_id: contract.client_id,
    redirect_uris: [contract.redirect_uri],
    post_logout_redirect_uris: contract.post_logout_redirect_uri ? [contract.post_logout_redirect_uri] : [],
    response_types: ['code'],
    grant_types: ['authorization_code', 'client_credentials'],
    scope: ['openid', ...contract.scopes, `dlg:${contract.theme}`, 'actions:write'].join(' '),
    authorization_details_types: [MANDATE_TYPE],
    id_token_signed_response_alg: contract.id_token_signed_response_alg ?? 'ES256',
    backchannel_logout_uri: contract.backchannel_logout_uri,
    backchannel_logout_session_required: true,
    ...(contract.profile === 'fapi2'
      ? {
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: contract.jwks,
          require_pushed_authorization_requests: true,
          dpop_bound_access_tokens: true,
        }
      : { token_endpoint_auth_method: 'client_secret_basic', client_secret: secret }),
  }) as ClientMetadata; // the library's type knows neither PAR nor DPoP members

const read = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const part of request) text += part;
  return text;
};

/** How the authority listens, and at which address it is published: at profile `standard`, `secret` is the one the service was given. */
export interface Place {
  readonly port: number;
  /** `localhost` if left out. */
  readonly host?: string | undefined;
  /** Its issuer, whose path is `/oidc`, where something else leads here; `http://localhost:PORT/oidc` if left out. */
  readonly issuer?: string | undefined;
}

export const startAuthority = async (
  options: Place & {
    readonly contract: Contract;
    readonly secret: string | undefined;
  },
): Promise<Authority> => {
  const { contract, secret } = options;
  const { host = 'localhost', issuer = `http://localhost:${options.port}/oidc` } = options;
  const { origin, host: publicHost, protocol } = new URL(issuer);
  const keys = await makeKeys();
  const signals = await generateKeyPair('RS256', { extractable: true });
  const signalsJwk = { ...(await exportJWK(signals.publicKey)), alg: 'RS256', use: 'sig', kid: `signals-${randomToken(6)}` };
  const { id_token_signed_response_alg: alg = 'ES256' } = contract;
  const key = alg === 'ES256' ? keys.es256 : keys.rs256;
  const jwk = keys.jwks.keys.find((each) => each.alg === alg);
  const run = randomToken(4).replace(/[^A-Za-z0-9]/g, 'x');
  const person = { given_name: 'Camille', family_name: `Essai-${run}` };
  const organisation = `Mairie d’essai ${run}`;
  const actor = `aidant-${run}`;
  const opened: Opened[] = [];
  const reports: Reported[] = [];
  const ofGrant = new Map<string, Opened>();
  const over = new Set<string>();
  const ALL: Opened['limits'] = { privileges: ['read', 'declare', 'change'] };
  const now: { fault: Lie | undefined; silent: boolean; limits: Opened['limits'] } = { fault: undefined, silent: false, limits: ALL };

  const detail = (session: Opened) => ({
    type: MANDATE_TYPE,
    identifier: session.identifier,
    session: session.id,
    actions: [contract.theme],
    privileges: [...session.limits.privileges],
    ...(session.limits.demarches ? { demarches: [...session.limits.demarches] } : {}),
    organisation: { siret: '21170444000018', name: organisation },
    consent: { method: 'franceconnect', acr: 'eidas1', at: new Date().toISOString().slice(0, 10) },
    valid_to: new Date(Date.now() + 86_400_000).toISOString(),
  });
  const act = () => ({ iss: issuer, sub: actor, acr: 'eidas1', act: { iss: 'urn:fr:insee:siret', sub: '21170444000018' } });
  const ofContext = (ctx: KoaContextWithOIDC): Opened | undefined => ofGrant.get(ctx.oidc.entities.Grant?.jti ?? '');
  const own = (ctx: KoaContextWithOIDC) => {
    const session = ofContext(ctx);
    return session ? { ...(now.fault === 'no-actor' ? {} : { act: act() }), authorization_details: [detail(session)] } : {};
  };

  const provider = new Provider(issuer, {
    adapter: memoryAdapter(),
    clients: [clientOf(contract, secret)],
    jwks: keys.jwks,
    routes: ROUTES,
    responseTypes: ['code'],
    cookies: { keys: [randomToken()], names: { session: 'check_session', interaction: 'check_interaction', resume: 'check_resume' } },
    scopes: ['openid', ...contract.scopes, `dlg:${contract.theme}`, 'actions:write'],
    claims: {
      openid: ['sub', 'acr', 'auth_time', 'sid', 'act', 'authorization_details'],
      given_name: ['given_name'],
      family_name: ['family_name'],
      birthdate: ['birthdate'],
    },
    pkce: { required: () => true },
    ttl: { AccessToken: 1800, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 1800, Grant: 1800, ClientCredentials: 300 },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...person, birthdate: '1946-04-12', ...own(ctx) }) }),
    extraTokenClaims: (ctx, token) => ('accountId' in token ? { act: act(), session: ofContext(ctx)?.id } : undefined),
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId;
      const session = grantId === undefined ? undefined : ofGrant.get(grantId);
      if (grantId === undefined || !session) return undefined;
      ctx.oidc.session?.sidFor(contract.client_id, session.id);
      return ctx.oidc.provider.Grant.find(grantId);
    },
    interactions: { url: async (_ctx, interaction) => `/pick/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: async (_ctx, _client, token) => !over.has(ofGrant.get(String(member(token, 'grantId')))?.id ?? ''),
      },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      backchannelLogout: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.from(randomToken(32).slice(0, 32)), requireNonce: () => contract.profile === 'fapi2' },
      fapi: { enabled: true, profile: () => (contract.profile === 'fapi2' ? '2.0' : undefined) },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => false,
        defaultResource: async (ctx, _client, oneOf) => oneOf?.[0] ?? (ctx.oidc.params?.['authorization_details'] ? MANDATE_RESOURCE : []),
        getResourceServerInfo: async (_ctx, resource) => {
          if (resource === MANDATE_RESOURCE) return { scope: '', accessTokenFormat: 'opaque', audience: resource };
          throw new errors.InvalidTarget();
        },
      },
      richAuthorizationRequests: {
        enabled: true,
        types: { [MANDATE_TYPE]: { validate: () => undefined } },
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
  provider.proxy = true; // what is published decides, whatever leads here says
  const secretOf = (): string => secret ?? JSON.stringify(jwk); // without a secret, the public key plays it, as attackers do
  provider.use(async (ctx: KoaContextWithOIDC, next) => {
    await next();
    const { fault } = now;
    if (!fault || fault === 'no-actor') return;
    const body: unknown = ctx.body;
    if (ctx.oidc?.route === 'token' && forgesIdToken(fault) && typeof member(body, 'id_token') === 'string')
      ctx.body = {
        ...(body as object),
        id_token: await forgeIdToken(fault, String(member(body, 'id_token')), { key, alg, lowAcr: 'eidas1', secretOf }),
      };
    const location = ctx.response.get('location');
    if (fault === 'wrong-callback-iss' && /[?&]iss=/.test(location))
      ctx.redirect(location.replace(/([?&]iss=)[^&]*/, '$1https%3A%2F%2Fanother-issuer.example'));
  });

  /** Opens the one delegated session that a request can get: nobody is asked anything. */
  const pick = async (request: IncomingMessage, response: Parameters<Provider['interactionDetails']>[1]): Promise<string> => {
    const { params } = await provider.interactionDetails(request, response);
    const delegated = String(params['scope']).includes('dlg:') || params['authorization_details'] !== undefined;
    if (!delegated)
      return provider.interactionResult(request, response, { error: 'access_denied', error_description: 'a check signs in by delegation alone' });
    const session = { id: `dls_${randomToken(16)}`, identifier: `urn:uuid:${randomUuid()}`, actor, limits: now.limits };
    const grant = new provider.Grant({ accountId: 'camille', clientId: contract.client_id });
    grant.addOIDCScope(String(params['scope']));
    grant.addRar(detail(session));
    const grantId = await grant.save();
    ofGrant.set(grantId, session);
    opened.push(session);
    return provider.interactionResult(request, response, {
      login: { accountId: 'camille', acr: delegatedAcr('eidas1'), remember: false },
      consent: { grantId },
    });
  };
  /** Whether a bearer of this header may report: a live token of the service, delegated or its own. */
  const mayReport = async (authorization: string): Promise<boolean> => {
    const [, value = ''] = /^(?:Bearer|DPoP) (\S+)$/i.exec(authorization) ?? [];
    const token = await provider.AccessToken.find(value);
    if (token) return !over.has(ofGrant.get(token.grantId ?? '')?.id ?? '');
    return (await provider.ClientCredentials.find(value)) !== undefined;
  };
  const receive = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
    if (!(await mayReport(String(request.headers.authorization)))) return { status: 401, body: { code: 'token_inactive' } };
    const given: unknown = JSON.parse(await read(request));
    const receipts = (Array.isArray(given) ? given : [given]).map((event: unknown) => {
      const data = member(event, 'data');
      reports.push({
        session: member(data, 'session'),
        verb: member(data, 'verb'),
        demarche: member(data, 'demarche'),
        outcome: member(data, 'outcome'),
      });
      return { index: reports.length, leaf: randomToken(), origin: 'relais.check/1' };
    });
    return { status: 202, body: Array.isArray(given) ? { events: receipts.map((receipt) => ({ status: 202, receipt })) } : receipts[0] };
  };

  const handle = provider.callback();
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    void (async () => {
      const url = request.url ?? '/';
      // A page of another site may have its own name stand for this machine: it asks under that name. What leads here may say where it leads.
      if (![publicHost, `${host}:${options.port}`].includes(String(request.headers.host)))
        return answer(421, { error: 'invalid_request', error_description: `ask ${origin}` });
      if (url.startsWith('/pick/')) return void response.writeHead(303, { location: await pick(request, response) }).end();
      if (url === '/api/v1/actions') {
        const { status, body } = await receive(request);
        return answer(status, body, status === 401 ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {});
      }
      if (url === '/ssf/jwks') return answer(200, { keys: [signalsJwk] });
      if (url === '/.well-known/ssf-configuration') return answer(200, { spec_version: '1_0', issuer: origin, jwks_uri: `${origin}/ssf/jwks` });
      if (now.silent && url === `/oidc${ROUTES.introspection}`) return answer(503, { error: 'temporarily_unavailable' });
      const raw = request as IncomingMessage & { originalUrl?: string };
      raw.originalUrl = url;
      Object.assign(request.headers, { 'x-forwarded-host': publicHost, 'x-forwarded-proto': protocol.slice(0, -1) });
      raw.url = url.slice('/oidc'.length);
      return void handle(raw, response);
    })().catch((error: unknown) => answer(400, { error: 'invalid_request', error_description: String(error) }));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, host, resolve));

  return {
    origin,
    issuer,
    reached: async () => {
      const answer = await fetch(`${issuer}${ROUTES.jwks}`, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
      const kids: unknown = member(await answer?.json().catch(() => undefined), 'keys');
      return Array.isArray(kids) && keys.jwks.keys.every(({ n, x }) => kids.some((each) => member(each, 'n') === n && member(each, 'x') === x));
    },
    person,
    organisation,
    opened,
    reports,
    lie: (fault) => {
      now.fault = fault;
    },
    narrow: (limits) => {
      now.limits = { ...ALL, ...limits };
    },
    hush: (silent) => {
      now.silent = silent;
    },
    stop: (session) => void over.add(session),
    logoutToken: async (sid, change = {}, { hmac, typ = 'logout+jwt', stranger } = {}) => {
      const at = Math.floor(Date.now() / 1000);
      const payload = {
        iss: issuer,
        aud: contract.client_id,
        iat: at,
        exp: at + 120,
        jti: randomUuid(),
        sid,
        events: { [LOGOUT_EVENT]: {} },
        ...change,
      };
      const signer = hmac ? new TextEncoder().encode(secretOf()) : stranger ? (await generateKeyPair(alg)).privateKey : key;
      return new SignJWT(payload)
        .setProtectedHeader({ alg: hmac ? 'HS256' : alg, typ, ...(typeof jwk?.kid === 'string' ? { kid: jwk.kid } : {}) })
        .sign(signer);
    },
    signal: async (session, change = {}, { hmac, typ = 'secevent+jwt', stranger } = {}) => {
      const at = Math.floor(Date.now() / 1000);
      const event = {
        event_timestamp: at,
        initiating_entity: 'user',
        session,
        reason_admin: { fr: 'Le mandat est arrêté.', en: 'The mandate was stopped.' },
      };
      const payload = {
        iss: origin,
        aud: contract.client_id,
        iat: at,
        jti: randomUuid(),
        txn: session,
        sub_id: { format: 'iss_sub', iss: issuer, sub: 'camille' },
        events: { [EVENTS['session-revoked']]: event },
        ...change,
      };
      const signer = hmac ? new TextEncoder().encode(secretOf()) : stranger ? (await generateKeyPair('RS256')).privateKey : signals.privateKey;
      return new SignJWT(payload).setProtectedHeader({ alg: hmac ? 'HS256' : 'RS256', typ, kid: signalsJwk.kid }).sign(signer);
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};
