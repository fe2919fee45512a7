import './guard.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomToken } from '../kernel/crypto.ts';
import type { Ask, Pending } from './mirror-client.ts';
import { readActing } from './mirror-session.ts';
import type { Shop } from './mirror-shop.ts';
import { codeOf, signInTrouble } from './mirror-troubles.ts';

const TEN_MINUTES = 600_000;
const COOKIE = { path: '/', httpOnly: true, sameSite: 'lax' } as const;

/** Sign-ins under way, each bound to the browser that began it and used once. */
const createPending = () => {
  const rows = new Map<string, { readonly pending: Pending; readonly browser: string }>();
  return {
    keep: (pending: Pending, browser: string): void => {
      for (const [state, row] of rows) if (row.pending.startedAt < Date.now() - TEN_MINUTES || rows.size > 5000) rows.delete(state);
      rows.set(pending.state, { pending, browser });
    },
    take: (state: unknown, browser: string | undefined): Pending | undefined => {
      const row = typeof state === 'string' ? rows.get(state) : undefined;
      if (!row || row.browser !== browser || row.pending.startedAt < Date.now() - TEN_MINUTES) return undefined;
      rows.delete(row.pending.state);
      return row.pending;
    },
  };
};

/** Adds the three ways of beginning a sign-in, and the address to which Relais answers. */
export const addSignIn = (app: FastifyInstance, shop: Shop): void => {
  const pendings = createPending();
  const all = shop.service.themes.map(({ code }) => code);
  const trouble = (reply: FastifyReply, code: string, status = 400, alone = false) =>
    shop.trouble(reply, code === 'relais_unavailable' ? 503 : status, signInTrouble(code, alone));

  const begin = async (request: FastifyRequest, reply: FastifyReply, ask: Ask) => {
    const browser = request.cookies[shop.cookies.browser] ?? randomToken();
    try {
      const { url, pending } = await shop.relyingParty.begin(ask);
      pendings.keep(pending, browser);
      return reply.setCookie(shop.cookies.browser, browser, COOKIE).redirect(url.href, 303);
    } catch (error) {
      return trouble(reply, codeOf(error));
    }
  };

  app.get('/connexion', (request, reply) => begin(request, reply, { themes: [] }));

  app.get<{ Querystring: { theme?: string; demande?: string; demarche?: string } }>('/connexion/aidant', async (request, reply) => {
    const { theme, demande, demarche: slug } = request.query;
    if (theme !== undefined && !all.includes(theme)) return trouble(reply, 'unknown_theme');
    const demarche = shop.service.demarches.find((each) => each.slug === slug);
    const toDemarche = demarche ? { stepUp: shop.stepUps.get(demarche.code), back: `/demarches/${demarche.slug}` } : {};
    return begin(request, reply, { themes: theme === undefined ? all : [theme], details: demande === 'details', ...toDemarche });
  });

  // OpenID Connect Core §4: Relais sends the aidant here with a hint of the person, already chosen in the aidant's own space.
  app.get<{ Querystring: { iss?: string; login_hint?: string; theme?: string } }>('/connexion/relais', async (request, reply) => {
    const { iss, login_hint, theme } = request.query;
    if (iss !== shop.issuer) return trouble(reply, 'unknown_issuer');
    if (theme !== undefined && !all.includes(theme)) return trouble(reply, 'unknown_theme');
    const loginHint = typeof login_hint === 'string' ? login_hint.slice(0, 500) : undefined;
    return begin(request, reply, { themes: theme === undefined ? all : [theme], loginHint });
  });

  app.get<{ Querystring: { state?: unknown } }>('/retour', async (request, reply) => {
    const pending = pendings.take(request.query.state, request.cookies[shop.cookies.browser]);
    if (!pending) return trouble(reply, 'state_mismatch');
    const alone = pending.themes.length === 0;
    try {
      const refused = await finish(shop, request, reply, pending);
      return refused ? trouble(reply, refused, 403, alone) : reply.redirect(pending.back ?? '/', 303);
    } catch (error) {
      return trouble(reply, codeOf(error), 403, alone);
    }
  });
};

/** Redeems the answer and opens the service's own session, or gives the code of what is wrong with it. */
const finish = async (shop: Shop, request: FastifyRequest, reply: FastifyReply, pending: Pending): Promise<string | undefined> => {
  const tokens = await shop.relyingParty.redeem(new URL(request.url, shop.origin), pending);
  const claims = tokens.claims();
  if (!claims || !tokens.id_token) return 'no_id_token';
  const acting = readActing(claims, pending.themes);
  if (acting && 'refused' in acting) return acting.refused;
  const person = await shop.relyingParty.userinfo(tokens.access_token, claims.sub);
  const name = [person.given_name, person.family_name].filter(Boolean).join(' ') || 'une personne sans nom connu';
  const old = shop.sessions.find(request.cookies[shop.cookies.session]);
  if (old) shop.sessions.remove(old.id);
  const session = shop.sessions.open({
    sub: claims.sub,
    sid: typeof claims['sid'] === 'string' ? claims['sid'] : undefined,
    person: { name, birthdate: person.birthdate ?? '' },
    acting,
    idToken: tokens.id_token,
    accessToken: tokens.access_token,
    expiresAt: Date.now() + (tokens.expiresIn() ?? 300) * 1000,
  });
  reply.setCookie(shop.cookies.session, session.id, COOKIE);
  return undefined;
};
