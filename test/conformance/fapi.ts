import { Buffer } from 'node:buffer';
import type { JWTPayload } from 'jose';
import * as client from 'openid-client';
import { Walker } from '../../src/practice/walker.ts';
import { assert } from '../support/check.ts';
import { type Answer, assertion, dpopNonce, type FapiService, type Keys, post, proof } from '../support/protocol.ts';
import type { World } from '../support/world.ts';
import { assertIdToken } from './service.ts';

/** What a module of the FAPI 2.0 plan does, by hand, so that each step may be wrong: pushed request, sign-in, code, token, resource. */

type Wish = Readonly<Record<string, string | null>>;

export interface Pushed {
  readonly answer: Answer;
  readonly url: URL;
  readonly verifier: string;
  readonly state: string | null;
  readonly nonce: string | null;
}

/** A pushed request with these parameters, or without those that are null. */
export const pushed = async (
  world: World,
  of: FapiService,
  more: Wish = {},
  how: { readonly assertion?: Readonly<Record<string, string>>; readonly dpop?: string } = {},
): Promise<Pushed> => {
  const verifier = client.randomPKCECodeVerifier();
  const fields: Record<string, string | null> = {
    response_type: 'code',
    redirect_uri: of.redirectUri,
    scope: 'openid given_name',
    state: client.randomState(),
    nonce: client.randomNonce(),
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  };
  const sent = Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== null);
  const answer = await post(
    `${world.app.site.issuer}/par`,
    { ...Object.fromEntries(sent), ...(how.assertion ?? (await assertion(world, of))) },
    how.dpop ? { dpop: how.dpop } : {},
  );
  const url = new URL(`${world.app.site.issuer}/auth`);
  url.search = new URLSearchParams({ client_id: of.id, request_uri: String(answer.json['request_uri']) }).toString();
  return { answer, url, verifier, state: fields['state'] ?? null, nonce: fields['nonce'] ?? null };
};

/** What PAR answers to a good request (RFC 9126 §2.2). */
export const assertPushed = ({ answer }: Pushed): void => {
  assert.equal(answer.status, 201, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  const expires = answer.json['expires_in'];
  assert.ok(Number.isInteger(expires) && Number(expires) > 0 && Number(expires) < 600, 'FAPI 2.0 §5.3.2.2: less than ten minutes');
  assert.match(String(answer.json['request_uri']), /^urn:ietf:params:oauth:request_uri:[\w-]{22,}$/);
};

/** Opens the request in a new browser, where Colette signs in at FranceConnect. Returns where the service is reached, or the page where it ended. */
export const signedIn = async (of: FapiService, url: URL, walker = new Walker()): Promise<{ at: URL; status: number; params: URLSearchParams }> => {
  let page = await walker.open(url, undefined, of.redirectUri);
  if (/\/interaction\//.test(page.url.pathname)) page = await walker.open(page.url, { identity: 'colette' }, of.redirectUri);
  return { at: page.url, status: page.status, params: page.url.href.startsWith(of.redirectUri) ? page.url.searchParams : new URLSearchParams() };
};

/** The code of a good response: state as sent, our issuer, nothing else (RFC 9207). */
export const codeOf = async (world: World, of: FapiService, request: Pushed): Promise<string> => {
  assertPushed(request);
  const { params, at } = await signedIn(of, request.url);
  assert.deepEqual([params.get('error'), params.get('state'), params.get('iss')], [null, request.state, world.app.site.issuer], at.href);
  const own = new URL(of.redirectUri).searchParams;
  const keys = [...own.keys(), 'code', 'iss', ...(request.state === null ? [] : ['state'])];
  assert.deepEqual([...params.keys()].sort(), keys.sort(), 'what the registered address asks stays, and nothing else comes');
  for (const [name, value] of own) assert.deepEqual(params.getAll(name), [value]);
  return params.get('code') ?? '';
};

export interface Asking {
  readonly keys?: Keys;
  readonly payload?: JWTPayload;
  /** The header as it is, or none. */
  readonly dpop?: string | null;
  readonly fields?: Wish;
  readonly assertion?: Readonly<Record<string, string>>;
}

/** Asks the token endpoint for this code. */
export const tokenFor = async (world: World, of: FapiService, request: Pushed, code: string, how: Asking = {}): Promise<Answer> => {
  const url = `${world.app.site.issuer}/token`;
  const fields: Record<string, string | null> = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: of.redirectUri,
    code_verifier: request.verifier,
    ...(how.assertion ?? (await assertion(world, of))),
    ...how.fields,
  };
  const nonce = await dpopNonce(world, of);
  const dpop =
    how.dpop === undefined
      ? await proof(how.keys ?? of.dpop, { method: 'POST', url, nonce, ...(how.payload ? { payload: how.payload } : {}) })
      : how.dpop;
  return post(url, Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as Record<string, string>, dpop ? { dpop } : {});
};

/** What a good token answer holds: a token bound to the key, never a refresh token, an id_token of this client. */
export const assertTokens = async (
  world: World,
  of: FapiService,
  request: Pushed,
  answer: Answer,
): Promise<{ token: string; claims: JWTPayload }> => {
  assert.deepEqual([answer.status, answer.json['token_type'], answer.json['refresh_token']], [200, 'DPoP', undefined], answer.text);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const token = String(answer.json['access_token']);
  assert.ok(token.length >= 22, 'at least 128 bits');
  const claims = await assertIdToken(world, answer.json['id_token'], { audience: of.id, nonce: request.nonce ?? undefined });
  assert.equal(Object.hasOwn(claims, 'nonce'), request.nonce !== null);
  return { token, claims };
};

/** A whole flow that must succeed. */
export const tokens = async (world: World, of: FapiService, more: Wish = {}, how: Asking = {}, par: Parameters<typeof pushed>[3] = {}) => {
  const request = await pushed(world, of, more, par);
  const code = await codeOf(world, of, request);
  const answer = await tokenFor(world, of, request, code, how);
  return { request, code, answer, ...(await assertTokens(world, of, request, answer)) };
};

/** A JWS whose header or signature was changed after it was signed. */
export const tampered = (jws: string, header: ((it: Record<string, unknown>) => Record<string, unknown>) | undefined, signature = true): string => {
  const [head = '', payload = '', sign = ''] = jws.split('.');
  const changed = header
    ? Buffer.from(JSON.stringify(header(JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>))).toString('base64url')
    : head;
  return [changed, payload, signature ? sign : ''].join('.');
};
