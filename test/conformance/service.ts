import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { sha256 } from '../../src/kernel/crypto.ts';
import { ensureService } from '../../src/practice/seed.ts';
import type { Page, Walker } from '../../src/practice/walker.ts';
import { assert } from '../support/check.ts';
import { type Answer, basic, get, post } from '../support/protocol.ts';
import type { Request, TestService, World } from '../support/world.ts';

/** A service that is reached: what came to its callback, to its logout page and to its back channel, and what every module asserts of it. */

export interface Arrival {
  readonly path: string;
  readonly method: string;
  readonly type: string;
  readonly query: URLSearchParams;
  readonly body: URLSearchParams;
}

export type Mode = 'query' | 'form_post';

export interface Reached extends TestService {
  readonly origin: string;
  readonly arrivals: Arrival[];
  close(): Promise<void>;
}

/** Registers a service whose addresses are a server of this test. */
export const reachedService = async (
  world: World,
  id: string,
  more: {
    method?: 'client_secret_basic' | 'client_secret_post';
    alg?: 'ES256' | 'RS256';
    delegation?: boolean;
  } = {},
): Promise<Reached> => {
  const arrivals: Arrival[] = [];
  const server = createServer((req, res) => {
    let text = '';
    req.on('data', (part: Buffer) => {
      text += part.toString();
    });
    req.on('end', () => {
      const url = new URL(req.url ?? '/', 'http://localhost');
      const type = req.headers['content-type'] ?? '';
      arrivals.push({ path: url.pathname, method: req.method ?? '', type, query: url.searchParams, body: new URLSearchParams(text) });
      res.setHeader('cache-control', 'no-store').end('arrived');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const { method = 'client_secret_basic', alg = 'ES256', delegation = false } = more;
  const redirectUri = `${origin}/${id}/retour`;
  const secret = await ensureService(
    world.app,
    {
      id,
      name: `Service ${id}`,
      profile: 'standard',
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [`${origin}/${id}/bye`],
      backchannel_logout_uri: `${origin}/${id}/logout`,
      backchannel_logout_session_required: true,
      initiate_login_uri: `${origin}/${id}/connexion`,
      token_endpoint_auth_method: method,
      id_token_signed_response_alg: alg,
      scopes: ['given_name', 'family_name', 'email'],
      themes: ['logement'],
      delegation_supported: delegation as true,
      demarches: delegation
        ? [{ code: `${id}.logement`, label_fr: 'votre demande', label_en: 'your request', themes: ['logement'], effect: 'declare' as const }]
        : [],
    },
    'Allocations de démonstration',
    false,
  );
  const config = await client.discovery(new URL(world.app.site.issuer), id, { client_secret: secret ?? '' }, client.ClientSecretBasic(secret ?? ''), {
    execute: [client.allowInsecureRequests],
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { id, secret: secret ?? '', redirectUri, config, origin, arrivals, close };
};

/** Signs a person in alone through FranceConnect, when she is asked, and follows the browser into the service. Returns the page where it stands. */
export const arrive = async (walker: Walker, url: URL, person = 'colette'): Promise<Page & { readonly asked: boolean }> => {
  let page = await walker.open(url);
  const asked = /\/interaction\//.test(page.url.pathname);
  if (asked) page = await walker.open(page.url, { identity: person });
  if (page.html.includes('id="op.callbackForm"')) page = await walker.send('op.callbackForm');
  return { ...page, asked };
};

/** The response parameters of the last arrival, and that they came by the way that was asked and no other. */
export const responseOf = (service: Reached, mode: Mode): URLSearchParams => {
  const last = service.arrivals.at(-1);
  assert.ok(last, 'the service was reached');
  assert.equal(last.path, new URL(service.redirectUri).pathname);
  if (mode === 'query') {
    assert.deepEqual([last.method, [...last.body]], ['GET', []]);
    return last.query;
  }
  assert.deepEqual([last.method, last.type, [...last.query]], ['POST', 'application/x-www-form-urlencoded', []]);
  return last.body;
};

/** Characters that RFC 6749 allows in `error_description` (appendix A.8). */
const DESCRIPTION = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;

export const assertErrorResponse = (world: World, params: URLSearchParams, state: string | null, errors: readonly string[]): void => {
  assert.ok(errors.includes(params.get('error') ?? ''), `${params}`);
  assert.deepEqual([params.get('state'), params.get('iss'), params.get('code')], [state, world.app.site.issuer, null]);
  if (params.has('error_description')) assert.match(params.get('error_description') ?? '', DESCRIPTION);
  const known = ['error', 'error_description', 'error_uri', 'state', 'iss'];
  assert.deepEqual(
    [...params.keys()].filter((name) => !known.includes(name)),
    [],
  );
};

/** An error of an endpoint that answers programs: its status, its code, JSON, not to be kept. */
export const assertErrorAnswer = (answer: Answer, status: number, ...errors: readonly string[]): void => {
  assert.ok(answer.status === status && errors.includes(String(answer.json['error'])), `${answer.status} ${answer.text}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  if (answer.json['error_description'] !== undefined) assert.match(String(answer.json['error_description']), DESCRIPTION);
};

export const jwksOf = async (world: World) => createLocalJWKSet((await get(`${world.app.site.issuer}/jwks`)).json as unknown as JSONWebKeySet);

/** What is asserted of every id_token: signature, kid, issuer, audience, times, nonce, access token hash (OpenID Connect Core §3.1.3.7). */
export const assertIdToken = async (
  world: World,
  token: unknown,
  about: { readonly audience: string; readonly nonce?: string | undefined; readonly alg?: string },
): Promise<JWTPayload> => {
  const header = decodeProtectedHeader(String(token));
  assert.equal(header.alg, about.alg ?? 'ES256');
  assert.ok(header.kid, 'the key is named');
  const { payload } = await jwtVerify(String(token), await jwksOf(world), { issuer: world.app.site.issuer, audience: about.audience });
  const now = Math.floor(Date.now() / 1000);
  assert.ok(payload.iat && Math.abs(payload.iat - now) < 300 && payload.exp && payload.exp > now);
  assert.ok(payload.sub && payload.sub.length <= 255 && /^[\x20-\x7e]+$/.test(payload.sub));
  assert.equal(payload['nonce'], about.nonce);
  return payload;
};

export const atHash = (accessToken: string): string => sha256(accessToken).subarray(0, 16).toString('base64url');

/** Redeems the code of a response with the client's secret, and asserts what a good token answer holds. */
export const redeemed = async (
  world: World,
  service: Reached,
  request: Request,
  params: URLSearchParams,
  how: { readonly post?: boolean; readonly alg?: string; readonly nonce?: boolean } = {},
): Promise<{ accessToken: string; claims: JWTPayload; idToken: string; fields: Record<string, string>; answer: Answer }> => {
  assert.deepEqual([params.get('error'), params.get('state'), params.get('iss')], [null, request.state, world.app.site.issuer]);
  assert.deepEqual([...params.keys()].sort(), ['code', 'iss', 'state']);
  const fields = {
    grant_type: 'authorization_code',
    code: params.get('code') ?? '',
    redirect_uri: service.redirectUri,
    code_verifier: request.verifier,
    ...(how.post ? { client_id: service.id, client_secret: service.secret } : {}),
  };
  const answer = await post(`${world.app.site.issuer}/token`, fields, how.post ? {} : { authorization: basic(service) });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.match(String(answer.json['token_type']), /^bearer$/i);
  assert.ok(Number.isInteger(answer.json['expires_in']) && Number(answer.json['expires_in']) > 0);
  assert.equal(answer.json['refresh_token'], undefined);
  const accessToken = String(answer.json['access_token']);
  assert.match(accessToken, /^[\w~.+/-]{22,}=*$/);
  const idToken = String(answer.json['id_token']);
  const nonce = how.nonce === false ? undefined : request.nonce;
  const claims = await assertIdToken(world, idToken, { audience: service.id, nonce, ...(how.alg ? { alg: how.alg } : {}) });
  if (claims['at_hash'] !== undefined) assert.equal(claims['at_hash'], atHash(accessToken));
  return { accessToken, claims, idToken, fields, answer };
};

/** Userinfo as JSON, about the person of the id_token. */
export const assertUserinfo = (answer: Answer, sub: string | undefined): void => {
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.json['sub'], sub);
};
