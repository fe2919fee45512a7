import './guard.ts';
import cookie from '@fastify/cookie';
import type { FastifyReply } from 'fastify';
import * as client from 'openid-client';
import { randomToken } from '../kernel/crypto.ts';
import { THEMES } from '../organisations/theme.ts';
import { FrontHome, FrontIdentity } from './front-pages.tsx';
import type { ClientMetadata } from './mirror-service.ts';
import { type Programme, render, TroublePage } from './page.tsx';
import { listen, originFor, practiceServer } from './server.ts';

/** The scopes that FranceConnect's code asks, and those of its documentation (federations.md §2.3). */
export const FRONT_SCOPES = {
  code: 'openid profile email birth',
  documentation: 'openid profile email preferred_username birthplace birthcountry',
} as const;

const CALLBACK = '/api/v2/oidc-callback';
const LEFT = '/api/v2/client/logout-callback';
const COOKIE = 'practice_front';
const REQUIRED = ['given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'] as const;

const programme: Programme = {
  name: 'FranceConnect, devant Relais',
  line: 'Simulateur : Relais y est un fournisseur d’identité',
  theme: 'simulateur',
  practice: 'Simulateur : aucune vraie donnée, aucun vrai service de l’État.',
};

/** What came of one sign-in through Relais, as FranceConnect would keep it. */
export interface FrontAnswer {
  readonly idToken: Readonly<Record<string, unknown>>;
  readonly userinfo: Readonly<Record<string, unknown>>;
  readonly rawIdToken: string;
  readonly accessToken: string;
  readonly expiresIn: number | undefined;
}

interface Pending {
  readonly state: string;
  readonly nonce: string;
}

/** FranceConnect's own codes of what goes wrong with an identity provider. */
class Refused extends Error {
  readonly status: number;
  constructor(code: string, status = 400) {
    super(code);
    this.status = status;
  }
}

/**
 * Plays FranceConnect as a client of Relais: no PKCE, `prompt=login`, `acr_values=eidas1`, `rep_scope`; discovery at each use; then every check that
 * it makes of an identity provider, each failure with its code.
 */
export const startFrontFranceConnect = async (options: {
  readonly port: number;
  readonly relaisIssuer: string;
  readonly alg?: 'ES256' | 'RS256';
}) => {
  const origin = await originFor(options.port);
  const relais = new URL(options.relaisIssuer).origin;
  const app = await practiceServer(programme, [relais]);
  await app.register(cookie);
  const alg = options.alg ?? 'ES256';
  let secret = '';
  const pendings = new Map<string, Pending>();
  const answers: FrontAnswer[] = [];
  const leaving = new Map<string, string>();

  const metadata: ClientMetadata = {
    id: 'franceconnect',
    name: 'FranceConnect',
    profile: 'franceconnect',
    redirect_uris: [`${origin}${CALLBACK}`],
    post_logout_redirect_uris: [`${origin}${LEFT}`],
    backchannel_logout_session_required: true,
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: alg as 'ES256',
    scopes: [],
    themes: [...THEMES],
    delegation_supported: true,
    demarches: [],
  };

  const discovered = (): Promise<client.Configuration> =>
    client.discovery(
      new URL(options.relaisIssuer),
      metadata.id,
      { client_secret: secret, id_token_signed_response_alg: alg },
      client.ClientSecretPost(secret),
      { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
    );

  /** What it sends, and nothing else. `more` replaces or removes parameters, for tests of what must be refused. */
  const begin = async (
    browser: string,
    ask: { scope?: string; themes?: readonly string[]; more?: Readonly<Record<string, string>> } = {},
  ): Promise<URL> => {
    const pending = { state: randomToken(32), nonce: randomToken(32) };
    pendings.set(browser, pending);
    const rep_scope = ask.themes ? { essential: true, values: ask.themes } : { essential: true };
    return client.buildAuthorizationUrl(await discovered(), {
      redirect_uri: `${origin}${CALLBACK}`,
      scope: ask.scope ?? FRONT_SCOPES.code,
      acr_values: 'eidas1',
      prompt: 'login',
      claims: JSON.stringify({ id_token: { rep_scope } }),
      ...pending,
      ...ask.more,
    });
  };

  /** Everything that it checks of an answer, in its order. */
  const finish = async (callback: URL, pending: Pending | undefined): Promise<FrontAnswer> => {
    const state = callback.searchParams.get('state');
    if (!state) throw new Refused('Y020021');
    if (!pending || state !== pending.state) throw new Refused('Y020022', 403);
    const error = callback.searchParams.get('error');
    if (error) throw new Refused(error, 403);
    if (!callback.searchParams.has('code')) throw new Refused('Y020025');
    const config = await discovered();
    const checks = { expectedState: pending.state, expectedNonce: pending.nonce, idTokenExpected: true };
    const tokens = await client.authorizationCodeGrant(config, callback, checks).catch(() => {
      throw new Refused('Y020026', 502);
    });
    const idToken: Readonly<Record<string, unknown>> = tokens.claims() ?? {};
    if (!['eidas1', 'eidas2', 'eidas3'].includes(String(idToken['acr']))) throw new Refused('Y020018');
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, String(idToken['sub'])).catch(() => {
      throw new Refused('Y020027', 502);
    });
    if (!userinfo.sub) throw new Refused('Y020029');
    if (REQUIRED.some((name) => typeof userinfo[name] !== 'string') || !/^\d{4}-\d{2}-\d{2}$/.test(String(userinfo['birthdate'])))
      throw new Refused('Y500006');
    const { access_token: accessToken, id_token: rawIdToken = '' } = tokens;
    return { idToken, userinfo, rawIdToken, accessToken, expiresIn: tokens.expires_in };
  };

  const trouble = (reply: FastifyReply, error: unknown): FastifyReply =>
    reply
      .code(error instanceof Refused ? error.status : 500)
      .type('text/html; charset=utf-8')
      .send(
        render(
          TroublePage({
            programme,
            trouble: {
              title: 'La connexion par Relais n’a pas abouti',
              what: 'Relais a répondu par un refus, ou par une réponse que FranceConnect n’accepte pas.',
              changes: 'Personne n’est connecté.',
              todo: 'Recommencez, ou choisissez un autre moyen de vous connecter.',
              code: error instanceof Refused ? error.message : 'fault',
              link: { href: '/', text: 'Revenir à l’accueil' },
            },
          }),
        ),
      );
  const html = (reply: FastifyReply, page: Parameters<typeof render>[0]): FastifyReply => reply.type('text/html; charset=utf-8').send(render(page));

  app.get('/', (_request, reply) => html(reply, FrontHome({ programme, themes: THEMES })));
  app.get<{ Querystring: { theme?: string } }>('/connexion', async (request, reply) => {
    const browser = request.cookies[COOKIE] ?? randomToken(32);
    const { theme } = request.query;
    const to = await begin(browser, theme ? { themes: [theme] } : {});
    return reply.setCookie(COOKIE, browser, { path: '/', httpOnly: true, sameSite: 'lax' }).redirect(to.href, 303);
  });
  app.get(CALLBACK, async (request, reply) => {
    const browser = request.cookies[COOKIE] ?? '';
    const pending = pendings.get(browser);
    pendings.delete(browser);
    try {
      const answer = await finish(new URL(request.url, origin), pending);
      answers.push(answer);
      leaving.set(browser, randomToken(32));
      return html(reply, FrontIdentity({ programme, answer }));
    } catch (error) {
      return trouble(reply, error);
    }
  });
  app.get('/deconnexion', async (request, reply) => {
    const state = leaving.get(request.cookies[COOKIE] ?? '');
    const last = answers.at(-1);
    if (!state || !last) return reply.redirect('/', 303);
    const to = client.buildEndSessionUrl(await discovered(), {
      id_token_hint: last.rawIdToken,
      state,
      post_logout_redirect_uri: `${origin}${LEFT}`,
    });
    return reply.redirect(to.href, 303);
  });
  app.get<{ Querystring: { state?: string } }>(LEFT, (request, reply) => {
    const browser = request.cookies[COOKIE] ?? '';
    const expected = leaving.get(browser);
    if (!expected || request.query.state !== expected) return trouble(reply, new Refused('Y020022', 403));
    leaving.delete(browser);
    return reply.redirect('/', 303);
  });
  await listen(app, origin);
  return {
    origin,
    metadata,
    callback: `${origin}${CALLBACK}`,
    cookie: COOKIE,
    answers: answers as readonly FrontAnswer[],
    begin,
    useSecret: (drawn: string): void => {
      secret = drawn;
    },
    close: () => app.close(),
  };
};
