import { importJWK, type JWK } from 'jose';
import * as client from 'openid-client';
import { readPrivateKey, toJwk } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';

/** How a service shows who it is: a secret (profile standard), or a private key, a JWK or PKCS #8 PEM (`private_key_jwt`, and DPoP with it). */
export type Credentials = { readonly secret: string } | { readonly key: string };

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Relais, asked as a service by a token of its own. */
export interface Relais {
  /** Where its streams are; undefined where Relais has none. */
  readonly streams: string | undefined;
  /** Fails as `stream_unreachable` and `stream_token_refused`. */
  ask(method: string, url: string, body?: object): Promise<Answer>;
}

const TIMEOUT_SECONDS = 30;
const SCOPE = 'ssf.manage';

type Members = Readonly<Record<string, unknown>>;
/** A member of a JSON object, or undefined. */
export const member = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Members)[name] : undefined);

const metadata = async (url: string): Promise<unknown> => {
  let answer: Response;
  try {
    answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000) });
  } catch (cause) {
    throw new Failure('stream_unreachable', `${url}: nobody answers there`, { cause });
  }
  if (answer.status === 404) return undefined;
  return answer.json().catch((cause: unknown) => {
    throw new Failure('stream_unreachable', `${url} answered ${answer.status}, and not with JSON: is this the address of Relais?`, { cause });
  });
};

const ALGS: Readonly<Record<string, string>> = { EC: 'ES256', RSA: 'PS256', OKP: 'EdDSA' };

/** Reads a private key and its `kid`, if it says one: without, Relais looks among the keys of the service. */
const readKey = async (text: string): Promise<client.PrivateKey> => {
  try {
    const jwk = (text.startsWith('{') ? JSON.parse(text) : toJwk(readPrivateKey(text))) as JWK;
    if (!jwk.d) throw new TypeError('not private');
    const key = (await importJWK(jwk, jwk.alg ?? ALGS[jwk.kty ?? ''])) as client.CryptoKey;
    return jwk.kid === undefined ? { key } : { key, kid: jwk.kid };
  } catch (cause) {
    throw new Failure('key_file_unreadable', '--key-file is neither a private JWK nor a PKCS #8 PEM key', { cause });
  }
};

/** What Relais said of the client, in words that say what to look at. */
const tokenRefused = (error: unknown, by: string): Failure => {
  if (!(error instanceof client.ResponseBodyError || error instanceof client.WWWAuthenticateChallengeError))
    return new Failure('stream_unreachable', `Relais gave no token: ${error instanceof Error ? error.message : 'fault'}`, { cause: error });
  const said = error instanceof client.ResponseBodyError ? `${error.error}${error.error_description ? `, ${error.error_description}` : ''}` : '';
  return new Failure('stream_token_refused', `Relais does not know this client with this ${by} (${error.status}${said ? ` ${said}` : ''})`);
};

/** Looks for Relais, and takes a token; another one is taken when it is too old. */
export const reachRelais = async (from: string, clientId: string, credentials: Credentials): Promise<Relais> => {
  const authority = member(await metadata(`${from}/.well-known/oauth-protected-resource`), 'authorization_servers');
  const [issuer] = Array.isArray(authority) ? authority : [];
  if (typeof issuer !== 'string' || !URL.canParse(issuer)) throw new Failure('stream_none', `${from} has no streams of signals, or is not Relais`);
  const streams = member(await metadata(`${from}/.well-known/ssf-configuration`), 'configuration_endpoint');
  const authentication = 'key' in credentials ? client.PrivateKeyJwt(await readKey(credentials.key)) : client.ClientSecretBasic(credentials.secret);
  const execute = issuer.startsWith('http:') ? [client.allowInsecureRequests] : [];
  const config = await client
    .discovery(new URL(issuer), clientId, {}, authentication, { execute, timeout: TIMEOUT_SECONDS })
    .catch((cause: unknown) => {
      throw new Failure('stream_unreachable', `${issuer}/.well-known/openid-configuration cannot be read`, { cause });
    });
  const dpop = 'key' in credentials ? { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) } : undefined;
  const take = async (): Promise<string> => {
    try {
      return (await client.clientCredentialsGrant(config, { scope: SCOPE }, dpop)).access_token;
    } catch (error) {
      throw tokenRefused(error, 'key' in credentials ? 'key' : 'secret');
    }
  };
  let token = await take();
  const once = async (method: string, url: string, body: object | undefined): Promise<Answer> => {
    const headers = new Headers(body ? { 'content-type': 'application/json' } : {});
    try {
      const answer = await client.fetchProtectedResource(config, token, new URL(url), method, body ? JSON.stringify(body) : null, headers, dpop);
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : undefined };
    } catch (error) {
      if (error instanceof client.WWWAuthenticateChallengeError) return { status: error.status, body: undefined };
      throw new Failure('stream_unreachable', `${url}: no answer`, { cause: error });
    }
  };
  return {
    streams: typeof streams === 'string' ? streams : undefined,
    async ask(method, url, body) {
      const answer = await once(method, url, body);
      if (answer.status !== 401) return answer;
      token = await take();
      return once(method, url, body);
    },
  };
};
