import { after, before, describe } from 'node:test';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import * as client from 'openid-client';
import { randomUuid, sha256 } from '../../src/kernel/crypto.ts';
import { ensureService } from '../../src/practice/seed.ts';
import { passFranceConnect } from '../../src/practice/story.ts';
import { type Page, Walker } from '../../src/practice/walker.ts';
import { databases } from './database.ts';
import { openWorld, type Request, type TestService, type World } from './world.ts';

/** Parts for tests of the protocol: services with keys, requests made by hand where openid-client would refuse to send them. */

/** Runs the same tests in a world of each database, one world at a time: time is moved for a whole process. */
export const inEachWorld = (
  tests: (it: { world: () => World; kind: 'pglite' | 'postgres' }) => void,
  options: { readonly witnessed?: boolean } = {},
): void => {
  for (const kind of databases())
    describe(`on ${kind.kind}`, () => {
      let world: World;
      before(async () => {
        world = await openWorld(kind, options);
      });
      after(async () => {
        await world.close();
      });
      tests({ world: () => world, kind: kind.kind });
    });
};

export interface Keys {
  readonly privateKey: CryptoKey;
  /** Public, with `alg`, `use` and `kid`. */
  readonly jwk: JWK;
  readonly thumbprint: string;
}

export const makeKeys = async (alg = 'ES256'): Promise<Keys> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const thumbprint = await calculateJwkThumbprint(jwk);
  return { privateKey, jwk: { ...jwk, alg, use: 'sig', kid: thumbprint }, thumbprint };
};

/** A service of profile `fapi2`: it signs its assertions and binds its tokens to a key. */
export interface FapiService extends TestService {
  readonly keys: Keys;
  readonly dpop: Keys;
  readonly handle: client.DPoPHandle;
}

export const fapiService = async (
  world: World,
  id: string,
  more: { themes?: readonly string[]; scopes?: readonly string[]; query?: string; keys?: Keys } = {},
): Promise<FapiService> => {
  const [keys, dpop] = [more.keys ?? (await makeKeys()), await makeKeys()];
  const redirectUri = `http://localhost:9/${id}/retour${more.query ?? ''}`;
  await ensureService(
    world.app,
    {
      id,
      name: `Service ${id}`,
      profile: 'fapi2',
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [`http://localhost:9/${id}/bye`],
      backchannel_logout_uri: `http://localhost:9/${id}/logout`,
      backchannel_logout_session_required: true,
      initiate_login_uri: `http://localhost:9/${id}/connexion`,
      token_endpoint_auth_method: 'private_key_jwt',
      id_token_signed_response_alg: 'ES256',
      jwks: { keys: [keys.jwk as Readonly<Record<string, unknown>>] },
      scopes: more.scopes ?? ['given_name', 'family_name'],
      themes: more.themes ?? ['logement', 'famille'],
      delegation_supported: true,
      demarches: [
        { code: `${id}.logement`, label_fr: 'votre demande de logement', label_en: 'your housing request', themes: ['logement'], effect: 'declare' },
      ],
    },
    'Impôts de démonstration',
    false,
  );
  const config = await client.discovery(
    new URL(world.app.site.issuer),
    id,
    { id_token_signed_response_alg: 'ES256' },
    client.PrivateKeyJwt({ key: keys.privateKey, kid: String(keys.jwk.kid) }),
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
  );
  const pair = {
    privateKey: dpop.privateKey,
    publicKey: (await crypto.subtle.importKey(
      'jwk',
      { ...dpop.jwk, use: undefined, alg: undefined } as never,
      { name: 'ECDSA', namedCurve: 'P-256' },
      true,
      ['verify'],
    )) as CryptoKey,
  };
  return { id, secret: '', redirectUri, config, keys, dpop, handle: client.getDPoPHandle(config, pair) };
};

/** A pushed authorization request of a service with keys, and the address that it gives. */
export const push = async (service: FapiService, scope: string, more: Readonly<Record<string, string>> = {}): Promise<Request> => {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = await client.buildAuthorizationUrlWithPAR(
    service.config,
    {
      redirect_uri: service.redirectUri,
      scope,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...more,
    },
    { DPoP: service.handle },
  );
  return { url, verifier, state, nonce };
};

/** Signs a person in alone at a service, through FranceConnect, up to the service's callback (not opened). */
export const signInAlone = async (request: Request, redirectUri: string, person: string): Promise<Page> => {
  const walker = new Walker();
  return passFranceConnect(walker, await walker.open(request.url, undefined, redirectUri), person, redirectUri);
};

export const basic = (service: TestService): string => `Basic ${btoa(`${encodeURIComponent(service.id)}:${encodeURIComponent(service.secret)}`)}`;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON of the answer; an empty object when it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

const readAnswer = async (response: Response): Promise<Answer> => {
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: typeof json === 'object' && json !== null ? (json as Answer['json']) : {},
  };
};

/** Posts a form as a program would, following nothing. */
export const post = async (
  url: string | URL,
  fields: Readonly<Record<string, string>> | URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  readAnswer(
    await fetch(url, { method: 'POST', redirect: 'manual', headers: { accept: 'application/json', ...headers }, body: new URLSearchParams(fields) }),
  );

export const get = async (url: string | URL, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  readAnswer(await fetch(url, { redirect: 'manual', headers: { accept: 'application/json', ...headers } }));

/** Posts one reported act, or a batch, with any headers. */
export const report = async (url: string | URL, events: unknown, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  readAnswer(
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': Array.isArray(events) ? 'application/cloudevents-batch+json' : 'application/cloudevents+json', ...headers },
      body: typeof events === 'string' ? events : JSON.stringify(events),
    }),
  );

export const actionEvent = (service: string, session: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  specversion: '1.0',
  id: `evt-${randomUuid()}`,
  source: `https://${service}.example`,
  type: 'fr.relais.action.v1',
  time: new Date().toISOString(),
  data: { session, verb: 'send', demarche: `${service}.logement`, outcome: 'success', ...more },
});

/** The fields that redeem a code. */
export const redemption = (service: TestService, request: Request, callback: URL): Record<string, string> => ({
  grant_type: 'authorization_code',
  code: callback.searchParams.get('code') ?? '',
  redirect_uri: service.redirectUri,
  code_verifier: request.verifier,
});

const now = (): number => Math.floor(Date.now() / 1000);

/** A client assertion, right unless told otherwise. */
export const assertion = async (
  world: World,
  service: FapiService,
  more: { payload?: JWTPayload; header?: Record<string, unknown>; key?: CryptoKey | Uint8Array } = {},
): Promise<Record<string, string>> => ({
  client_id: service.id,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: await new SignJWT({
    iss: service.id,
    sub: service.id,
    aud: world.app.site.issuer,
    jti: randomUuid(),
    iat: now(),
    exp: now() + 60,
    ...more.payload,
  })
    .setProtectedHeader({ alg: 'ES256', kid: service.keys.thumbprint, ...more.header })
    .sign(more.key ?? service.keys.privateKey),
});

/** A DPoP proof, right unless told otherwise. */
export const proof = async (
  keys: Keys,
  about: {
    method: string;
    url: string;
    token?: string;
    nonce?: string | undefined;
    payload?: JWTPayload;
    header?: Record<string, unknown>;
    key?: CryptoKey | Uint8Array;
  },
): Promise<string> => {
  const { kty, crv, x, y, n, e } = keys.jwk;
  return new SignJWT({
    htm: about.method,
    htu: about.url,
    jti: randomUuid(),
    iat: now(),
    ...(about.nonce ? { nonce: about.nonce } : {}),
    ...(about.token ? { ath: sha256(about.token).toString('base64url') } : {}),
    ...about.payload,
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JWK, ...about.header })
    .sign(about.key ?? keys.privateKey);
};

/** Asks the token endpoint for a DPoP nonce. */
export const dpopNonce = async (world: World, service: FapiService): Promise<string> => {
  const url = `${world.app.site.issuer}/token`;
  const asked = await post(
    url,
    { grant_type: 'client_credentials', ...(await assertion(world, service)) },
    { dpop: await proof(service.dpop, { method: 'POST', url }) },
  );
  return asked.headers.get('dpop-nonce') ?? '';
};

export const introspect = (service: TestService, token: string) => client.tokenIntrospection(service.config, token);

/** How many lines of the security log hold a code. */
export const noted = (world: World, code?: string): number =>
  world.logged.filter(({ line }) => line['event'] === 'security' && (code === undefined || line['code'] === code)).length;

/** The faults that the log holds: there must be none. */
export const faults = (world: World): unknown[] => world.logged.filter(({ level }) => level === 'error').map(({ line }) => line);

/** How a delegated session stands in the database. */
export const endOf = async (world: World, session: unknown): Promise<unknown> => {
  const [found] = await world.sql('select end_reason from delegated_session where id = $1', [session]);
  return found ? (found['end_reason'] ?? 'live') : 'absent';
};

/** Everything that stands in the domain's tables, as one hash a table. */
export const stateOf = async (world: World, except: readonly string[] = []): Promise<string> => {
  const tables = [
    'organisation',
    'staff',
    'staff_identity',
    'membership',
    'administration',
    'agent',
    'approval',
    'usager',
    'usager_identity',
    'service',
    'demarche',
    'mandate',
    'mandate_grant',
    'delegated_session',
    'action',
  ];
  const parts = tables
    .filter((table) => !except.includes(table))
    .map((table) => `select '${table}' name, coalesce(md5(string_agg(t::text, '|' order by t::text)), '') hash from ${table} t`);
  return JSON.stringify(await world.sql(parts.join(' union all ')));
};

/** The session that the claims of a delegated sign-in name. */
export const sessionOf = (claims: Readonly<Record<string, unknown>> | undefined): string => {
  const [detail] = (claims?.['authorization_details'] ?? []) as { session?: string }[];
  return detail?.session ?? '';
};

/** What a promise was rejected with. */
export const rejection = async (promise: Promise<unknown>): Promise<{ error?: string; code?: string; status?: number; message: string }> => {
  try {
    await promise;
  } catch (error) {
    return error as { message: string };
  }
  return { message: '' };
};
