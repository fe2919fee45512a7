import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { statusOf } from './error-handler.ts';
import type { Lang } from './i18n/language.ts';
import type { RefusalFacts } from './i18n/refusal.ts';
import type { Session } from './session.ts';
import type { Site } from './site.ts';
import { ErrorPage } from './views/error.tsx';
import type { Frame, Who } from './views/layout.tsx';
import type { Post } from './views/parts.tsx';
import { PATHS } from './views/paths.ts';
import { render } from './views/render.ts';

/** A form's fields, as they came: text only, first value of each name; several values only where asked for. */
export interface Fields {
  text(name: string): string;
  all(name: string): string[];
}

export interface PageOptions {
  readonly status?: number;
  /** Origins besides our own that a form of this page may end at, after redirects (CSP form-action). */
  readonly formOrigins?: readonly string[];
  /** True for the few pages that load the script of passkeys (CSP script-src). */
  readonly script?: boolean;
  /** Addresses beyond this site that the page's script asks, each up to its last slash (CSP connect-src). */
  readonly asks?: readonly string[];
  /** True for a page that reads itself again by our other script (CSP script-src, connect-src). */
  readonly follows?: boolean;
}

/** What every handler of a page uses. */
export interface Kit {
  readonly site: Site;
  session(request: FastifyRequest): Promise<Session | undefined>;
  /** The session of this browser, made if there is none. */
  sessionOrNew(request: FastifyRequest, reply: FastifyReply): Promise<Session>;
  keep(request: FastifyRequest, reply: FastifyReply, session: Session | undefined): void;
  lang(request: FastifyRequest): Lang;
  frame(request: FastifyRequest, session?: Session, who?: Omit<Who, 'signOut' | 'stay'>): Frame;
  post(session: Session, action: string, hidden?: readonly (readonly [string, string])[]): Post;
  page(reply: FastifyReply, node: JSX.Element, options?: PageOptions): FastifyReply;
  /** A page that says what happened, what it changes, what to do. */
  refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    code: string,
    options?: { facts?: RefusalFacts; actions?: readonly { href: string; label: string }[]; who?: Omit<Who, 'signOut' | 'stay'>; session?: Session },
  ): FastifyReply;
  fields(request: FastifyRequest): Fields;
  query(request: FastifyRequest, name: string): string | undefined;
}

const NAMES = { secure: '__Host-relais', plain: 'relais_session' } as const;
const LANG = 'relais_lang';

const text = (value: unknown): string => (typeof value === 'string' ? value : Array.isArray(value) && typeof value[0] === 'string' ? value[0] : '');
const member = (of: unknown, name: string): unknown =>
  typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? (of as Record<string, unknown>)[name] : undefined;

export const contentSecurityPolicy = (
  formOrigins: readonly string[],
  script: 'none' | 'alone' | 'reading' = 'none',
  asks: readonly string[] = [],
): string =>
  `default-src 'none'; ${{ none: '', alone: "script-src 'self'; ", reading: `script-src 'self'; connect-src ${["'self'", ...asks].join(' ')}; ` }[script]}style-src 'self'; font-src 'self'; img-src 'self' data:; form-action ${["'self'", ...new Set(formOrigins)].join(' ')}; base-uri 'none'; frame-ancestors 'none'`;

/** What our own pages put into their addresses. */
const PARAMETERS = ['themes', 'personne', 'thematique', 'choisir', 'apres', 'avant', 'motif', 'vers', 'langue', 'periode', 'feuille', 'suivre'];

/**
 * This page in the other language: its address with nothing in it but what our pages write there. A target need not be a path (RFC 9112 section 3.2),
 * and `//name` would name another host: those lead home.
 */
const otherLanguage = (request: FastifyRequest, lang: Lang): string => {
  const [path = '/', query] = request.url.split('?', 2);
  const given = new URLSearchParams(query);
  const search = new URLSearchParams();
  for (const name of PARAMETERS) for (const value of given.getAll(name)) search.append(name, value);
  search.set('lang', lang === 'fr' ? 'en' : 'fr');
  return request.method === 'GET' && /^(\/[\w.~%-]+)*\/?$/.test(path) && !/\/\.{1,2}(\/|$)/.test(path)
    ? `${path}?${search}`
    : `/?lang=${search.get('lang')}`;
};

/** What a page says of the end of its session. */
export const remaining = (session: Session, now: Date): { readonly endsAt: Date; readonly seconds: number; readonly last: boolean } => ({
  endsAt: session.endsAt,
  seconds: Math.max(0, Math.floor((session.endsAt.getTime() - now.getTime()) / 1000)),
  last: session.last,
});

/** Makes the kit of a site. The session is read once a request, when a handler asks for it. */
export const createKit = (site: Site): Kit => {
  const cookie = site.secure ? NAMES.secure : NAMES.plain;
  const sessions = new WeakMap<FastifyRequest, Promise<Session | undefined>>();
  const signedIn = new WeakSet<FastifyRequest>(); // their pages load the script that warns before the session ends
  const upstream = [site.connectors.proconnect, site.connectors.franceconnect].map((connector) => new URL(connector.federation.issuer).origin);

  const kit: Kit = {
    site,
    session(request) {
      const known = sessions.get(request) ?? site.webSessions.find(request.cookies[cookie]);
      sessions.set(request, known);
      return known;
    },
    async sessionOrNew(request, reply) {
      const known = await kit.session(request);
      if (known) return known;
      const made = await site.webSessions.start({});
      kit.keep(request, reply, made);
      return made;
    },
    keep(request, reply, session) {
      sessions.set(request, Promise.resolve(session));
      if (session) reply.setCookie(cookie, session.token, { path: '/', httpOnly: true, sameSite: 'lax', secure: site.secure });
      else reply.clearCookie(cookie, { path: '/', httpOnly: true, sameSite: 'lax', secure: site.secure });
    },
    lang: (request) => {
      const asked = kit.query(request, 'lang') ?? request.cookies[LANG];
      return asked === 'en' ? 'en' : 'fr';
    },
    frame(request, session, who) {
      const lang = kit.lang(request);
      if (session && who) signedIn.add(request);
      return {
        lang,
        helpNumber: site.helpNumber,
        languageHref: otherLanguage(request, lang),
        ...(session && who
          ? {
              who: {
                ...who,
                signOut: kit.post(session, '/deconnexion'),
                ...(session.kind === 'staff' ? { meansHref: PATHS.security } : {}),
                stay: { ...remaining(session, site.clock.now()), post: kit.post(session, PATHS.stay) },
              },
            }
          : {}),
      };
    },
    post: (session, action, hidden) => ({ action, csrf: site.webSessions.formToken(session), ...(hidden ? { hidden } : {}) }),
    page(reply, node, options = {}) {
      const asked = kit.query(reply.request, 'lang');
      if (asked === 'fr' || asked === 'en')
        reply.setCookie(LANG, asked, { path: '/', httpOnly: true, sameSite: 'lax', secure: site.secure, maxAge: 365 * 86_400 });
      return reply
        .code(options.status ?? 200)
        .header(
          'content-security-policy',
          contentSecurityPolicy(
            [...upstream, ...(options.formOrigins ?? [])],
            options.follows || signedIn.has(reply.request) ? 'reading' : options.script ? 'alone' : 'none',
            options.asks,
          ),
        )
        .type('text/html; charset=utf-8')
        .send(render(node));
    },
    refuse(request, reply, code, options = {}) {
      // Somebody signed in asked for what is not theirs, or is not: nothing else writes it down (claim M1).
      if (code === 'not_found' && options.session) site.notice({ code, detail: request.routeOptions.url });
      const frame = kit.frame(request, options.session, options.who);
      // To nobody in particular, a refusal repeats nothing of the address: it may hold a code, or a name somebody typed (claims V1, V2).
      return kit.page(
        reply,
        <ErrorPage
          frame={options.session ? frame : { ...frame, languageHref: `/?lang=${frame.lang === 'fr' ? 'en' : 'fr'}` }}
          code={code}
          facts={{ help: site.helpNumber, ...options.facts }}
          {...(options.actions ? { actions: options.actions } : {})}
        />,
        { status: statusOf(code) },
      );
    },
    fields: (request) => ({
      text: (name) => text(member(request.body, name)).normalize('NFC'),
      all: (name) => {
        const value = member(request.body, name);
        return (Array.isArray(value) ? value : [value]).filter((each): each is string => typeof each === 'string');
      },
    }),
    query: (request, name) => {
      const value = member(request.query, name);
      return typeof value === 'string' ? value : undefined;
    },
  };
  return kit;
};
