import { randomToken, sha256 } from '../src/kernel/crypto.ts';
import { type Answer, Connection } from './client.ts';

/** The six requests of a sign-in: authorize → page → choice → resume → token → userinfo. The same code drives every provider. */

export interface Party {
  readonly origin: string;
  /** Path of the provider under the origin. */
  readonly base: string;
  readonly clientId: string;
  readonly secret: string;
  readonly scope: string;
  /** An API for which a signed token is asked: userinfo is then not asked. */
  readonly resource?: string;
}

const REDIRECT = 'http://localhost:9/retour';

export const basic = ({ clientId, secret }: Pick<Party, 'clientId' | 'secret'>): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;

const expect = (answer: Answer, status: number | readonly number[], what: string): Answer => {
  if (![status].flat().includes(answer.status)) throw new Error(`${what}: ${answer.status} ${answer.body.slice(0, 600)}`);
  return answer;
};

const pathOf = (answer: Answer, origin: string): string => {
  const to = new URL(answer.headers.get('location') ?? '', origin);
  return `${to.pathname}${to.search}`;
};

/** Cookies of one browser, by name: every path is on one host and the server ignores those it does not know. */
const jar = (first?: string) => {
  const kept = new Map<string, string>();
  const keep = (pair: string): void => {
    const name = pair.slice(0, pair.indexOf('='));
    if (pair.length === name.length + 1) kept.delete(name);
    else kept.set(name, pair);
  };
  if (first) keep(first);
  return {
    keep: (answer: Answer): Answer => {
      for (const pair of answer.cookies) keep(pair);
      return answer;
    },
    headers: (): Record<string, string> => ({ accept: 'text/html', ...(kept.size ? { cookie: [...kept.values()].join('; ') } : {}) }),
  };
};

/** Sends the form `id` of a page with its hidden fields, or the only form when it has none of that name. */
const form = (html: string): { action: string; body: string } => {
  const [, attributes = '', inside = ''] =
    /<form((?=[^>]*id="confirm")[^>]*)>([\s\S]*?)<\/form>/.exec(html) ?? /<form([^>]*)>([\s\S]*?)<\/form>/.exec(html) ?? [];
  const fields = [...inside.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([tag]): [string, string] => [
    /name="([^"]*)"/.exec(tag)?.[1] ?? '',
    /value="([^"]*)"/.exec(tag)?.[1] ?? '',
  ]);
  return { action: /action="([^"]*)"/.exec(attributes)?.[1] ?? '', body: new URLSearchParams(fields).toString() };
};

export interface SignedIn {
  readonly accessToken: string;
  readonly idToken: string;
  readonly session: string;
}

/** One whole sign-in over one connection, in a browser that holds nothing but `cookie`. */
export const signIn = async (connection: Connection, party: Party, browser: { cookie?: string; hint?: string } = {}): Promise<SignedIn> => {
  const { origin, base, clientId, scope, resource } = party;
  const asked8707 = resource === undefined ? {} : { resource };
  const cookies = jar(browser.cookie);
  const verifier = randomToken(32);
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope,
    state: randomToken(16),
    nonce: randomToken(16),
    code_challenge: sha256(verifier).toString('base64url'),
    code_challenge_method: 'S256',
    ...(browser.hint ? { login_hint: browser.hint } : {}),
    ...asked8707,
  });
  const get = async (path: string): Promise<Answer> => cookies.keep(await connection.ask({ path, headers: cookies.headers() }));
  const asked = expect(await get(`${base}/auth?${query}`), [302, 303], 'authorize');
  const page = expect(await get(pathOf(asked, origin)), 200, 'page');
  const { action, body } = form(page.body);
  const sent = await connection.ask({
    method: 'POST',
    path: action,
    body,
    headers: { ...cookies.headers(), 'content-type': 'application/x-www-form-urlencoded', origin, 'sec-fetch-site': 'same-origin' },
  });
  const chosen = expect(cookies.keep(sent), [302, 303], 'choice');
  const resumed = expect(await get(pathOf(chosen, origin)), [302, 303], 'resume');
  const back = new URL(resumed.headers.get('location') ?? '');
  const code = back.searchParams.get('code');
  if (!code) throw new Error(`no code: ${back.href}`);
  const redeemed = await connection.ask({
    method: 'POST',
    path: `${base}/token`,
    headers: { authorization: basic(party), 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier, ...asked8707 }).toString(),
  });
  const tokens = JSON.parse(expect(redeemed, 200, 'token').body) as { access_token: string; id_token: string };
  if (resource !== undefined) return { accessToken: tokens.access_token, idToken: tokens.id_token, session: '' };
  const who = await connection.ask({ path: `${base}/${base ? 'userinfo' : 'me'}`, headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = JSON.parse(expect(who, 200, 'userinfo').body) as { authorization_details?: { session?: string }[] };
  return { accessToken: tokens.access_token, idToken: tokens.id_token, session: claims.authorization_details?.[0]?.session ?? '' };
};

/** Connections to one server, one a lane. */
export const connections = (origin: string, lanes: number): { of(lane: number): Connection; close(): void } => {
  const open = Array.from({ length: lanes }, () => new Connection(origin));
  return {
    of: (lane) => {
      const connection = open[lane];
      if (!connection) throw new RangeError('no such lane');
      return connection;
    },
    close: () => {
      for (const each of open) each.close();
    },
  };
};
