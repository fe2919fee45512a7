import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance } from 'fastify';
import { inRequest } from '../kernel/request-scope.ts';
import { watchRequest } from '../services/requests.ts';
import { actionsApi, sendProblem } from './api/actions.ts';
import { checkpointApi } from './api/checkpoint.ts';
import { erasuresApi } from './api/erasures.ts';
import { journalApi } from './api/journal.ts';
import { logApi } from './api/log.ts';
import { mandatesApi } from './api/mandates.ts';
import { openApiDocument } from './api/openapi.ts';
import { smsApi } from './api/sms.ts';
import { ssfApi } from './api/ssf.ts';
import { codeOf, statusOf } from './error-handler.ts';
import { createFlowLimits } from './flow-limits.ts';
import { refuseForgery } from './guards.ts';
import { interactions } from './interaction/interaction.tsx';
import { contentSecurityPolicy, createKit, type Kit } from './kit.tsx';
import type { Site } from './site.ts';
import { accord } from './spaces/accord.tsx';
import { administrationSpace } from './spaces/administration.tsx';
import { aidantSpace } from './spaces/aidant.tsx';
import { arret } from './spaces/arret.tsx';
import { connexion } from './spaces/connexion.tsx';
import { consentement } from './spaces/consentement.tsx';
import { copie } from './spaces/copie.ts';
import { desaccord } from './spaces/desaccord.tsx';
import { exportsSpace } from './spaces/exports.tsx';
import { inscription } from './spaces/inscription.tsx';
import { integrationSpace } from './spaces/integration.tsx';
import { lecture } from './spaces/lecture.tsx';
import { mandat } from './spaces/mandat.tsx';
import { mandats } from './spaces/mandats.tsx';
import { personalData } from './spaces/mes-donnees.ts';
import { otherMandates } from './spaces/others.tsx';
import { papier } from './spaces/papier.tsx';
import { perdu } from './spaces/perdu.tsx';
import { publicPages } from './spaces/public.tsx';
import { releve } from './spaces/releve.tsx';
import { secondFactor } from './spaces/second-factor.tsx';
import { securite } from './spaces/securite.tsx';
import { structureSpace } from './spaces/structure.tsx';
import { suite } from './spaces/suite.ts';
import { telephone } from './spaces/telephone.tsx';
import { temoin } from './spaces/temoin.tsx';
import { usagerSpace } from './spaces/usager.tsx';
import { verifier } from './spaces/verifier.tsx';
import { statementVerifier } from './spaces/verifier-releve.tsx';

export interface HttpOptions {
  readonly trustedProxies: readonly string[];
  /** One line a request: allow-listed fields only (claim V1). */
  readonly log: (line: { method: string; route: string; status: number; ms: number }) => void;
}

/** How long the requests under way may still take when an instance ends. */
const CLOSING_MS = 5_000;

/** An address that cannot be decoded meets no route, hence none of our headers or pages: it becomes one that does not exist. */
const readable = (url: string): string => {
  try {
    decodeURIComponent(url.split('?')[0] ?? '');
    return url;
  } catch {
    return '/unreadable';
  }
};

/** Makes the HTTP face: headers, limits, pages, API, and the provider under `/oidc`. Nothing listens. */
export const createHttp = async (site: Site, options: HttpOptions): Promise<FastifyInstance> => {
  const app = Fastify({
    logger: false,
    trustProxy: options.trustedProxies.length ? [...options.trustedProxies] : false,
    bodyLimit: 65_536,
    routerOptions: { maxParamLength: 200 },
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    rewriteUrl: (request) => readable(request.url ?? '/'),
  });
  const kit = createKit(site);
  // Node waits for ever for a connection on which nothing was ever asked: once the requests under way have had their time, all are closed.
  app.addHook('preClose', (done) => {
    setTimeout(() => app.server.closeAllConnections(), CLOSING_MS).unref();
    done();
  });
  const asked = new WeakMap<object, ReturnType<typeof watchRequest>>();
  app.addHook('onRequest', (request, _reply, done) =>
    inRequest(() => {
      asked.set(request, watchRequest());
      done();
    }),
  );
  app.addHook('onResponse', (request, reply, done) => {
    site.requests.note(request.originalUrl, asked.get(request) ?? {}, reply.raw.statusCode);
    options.log({
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.raw.statusCode,
      ms: Math.round(reply.elapsedTime),
    });
    done();
  });
  await app.register(helmet, {
    contentSecurityPolicy: false,
    frameguard: { action: 'deny' },
    // Nothing to other sites. Not `no-referrer`: with it a browser says `Origin: null` of our own forms, which the guard against forgery refuses.
    referrerPolicy: { policy: 'same-origin' },
    hsts: site.secure ? { maxAge: 31_536_000 } : false,
    crossOriginOpenerPolicy: { policy: 'same-origin' },
  });
  app.addHook('onSend', async (_request, reply, payload) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (!reply.hasHeader('content-security-policy')) reply.header('content-security-policy', contentSecurityPolicy([]));
    return payload;
  });
  // Before what it must hold for: a plugin takes the handler that stands when it is registered.
  app.setErrorHandler((error: Error, request, reply) => {
    const code = codeOf(error);
    if (FAULTS.has(code)) site.notice({ code: 'fault', fault: error });
    else site.notice({ code: `page_${code}` });
    return kit.refuse(request, reply, code);
  });
  await app.register(cookie);
  await app.register(mountProvider(site, kit));
  await app.register(async (api) => {
    api.setErrorHandler((error: Error, _request, reply) => {
      const code = codeOf(error);
      if (statusOf(code) >= 500) site.notice({ code: 'fault', fault: error });
      else site.notice({ code: `api_${code}` });
      return sendProblem(reply, code);
    });
    await api.register(actionsApi(site));
    await api.register(mandatesApi(site));
    await api.register(smsApi(site));
    await api.register(journalApi(kit));
    await api.register(logApi(site));
    await api.register(erasuresApi(site));
    await api.register(checkpointApi(site));
    await api.register(ssfApi(site));
    await api.register(openApiDocument(site));
  });
  await app.register(pages(kit));
  app.setNotFoundHandler((request, reply) =>
    request.url.startsWith('/api/') ? sendProblem(reply, 'not_found') : kit.refuse(request, reply, 'not_found'),
  );
  return app;
};

/** What the operator's log tells as a fault, not as a page that was refused. */
const FAULTS: ReadonlySet<string> = new Set(['unexpected', 'unavailable', 'journal_unavailable', 'journal_unconfirmed', 'outcome_unknown']);

/** Every page. A POST passes the guard against forgery before its handler, without exception. */
const pages =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    await app.register(formbody, { bodyLimit: 65_536 });
    app.addHook('preHandler', async (request, reply) => {
      if (request.method === 'GET' || request.method === 'HEAD') return;
      const refused = await refuseForgery(kit, request);
      if (!refused) return;
      kit.site.notice({ code: `form_${refused}` });
      kit.refuse(request, reply, refused);
      return reply;
    });
    await app.register(publicPages(kit));
    await app.register(verifier(kit));
    await app.register(statementVerifier(kit));
    await app.register(arret(kit));
    await app.register(connexion(kit));
    await app.register(secondFactor(kit));
    await app.register(perdu(kit));
    await app.register(securite(kit));
    await app.register(inscription(kit));
    await app.register(aidantSpace(kit));
    await app.register(mandat(kit));
    await app.register(lecture(kit));
    await app.register(otherMandates(kit));
    await app.register(consentement(kit));
    await app.register(papier(kit));
    await app.register(copie(kit));
    await app.register(temoin(kit));
    await app.register(accord(kit));
    await app.register(telephone(kit));
    await app.register(mandats(kit));
    await app.register(usagerSpace(kit));
    await app.register(suite(kit));
    await app.register(releve(kit));
    await app.register(personalData(kit));
    await app.register(desaccord(kit));
    await app.register(structureSpace(kit));
    await app.register(administrationSpace(kit));
    await app.register(exportsSpace(kit));
    await app.register(integrationSpace(kit));
    await app.register(interactions(kit));
  };

const PROVIDED = /^\/oidc\/(auth|token|userinfo|introspection|revocation|jwks|par|session\/end|\.well-known\/openid-configuration)(\/|\?|$)/;

/** What leaves a row for each request: RFC 6749 §4.1.1, RFC 9126. Not the address where an authorization goes on. */
const BEGINS = /^\/oidc\/(auth|par)\/?(?:\?|$)/;

/**
 * A request that another site's form posts (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2) is asked again as a GET: a browser sends no cookie
 * of ours with such a post (`SameSite=Lax`), and 303 posts nothing twice (claim P16).
 */
const requestsByPost =
  (issuer: string) =>
  async (app: FastifyInstance): Promise<void> => {
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: 8_192 }, (_request, body, done) =>
      done(null, body),
    );
    for (const path of ['/auth', '/session/end'])
      app.post(`/oidc${path}`, (request, reply) =>
        reply.redirect(`${issuer}${path}?${new URLSearchParams(typeof request.body === 'string' ? request.body : '')}`, 303),
      );
  };

/** The provider under `/oidc`, and the RFC 8414 address of its metadata. Its addresses come from the issuer, never from the Host header (claim I4). */
const mountProvider =
  (site: Site, kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const issuer = new URL(site.issuer);
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    const serve =
      (path: (url: string) => string) =>
      (request: import('fastify').FastifyRequest, reply: import('fastify').FastifyReply): void => {
        const { raw } = request;
        for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value as string);
        reply.raw.setHeader('cache-control', 'no-store');
        reply.raw.setHeader('content-security-policy', contentSecurityPolicy([]));
        reply.hijack();
        Object.assign(raw, { originalUrl: raw.url });
        raw.headers.host = issuer.host;
        raw.headers['x-forwarded-proto'] = issuer.protocol.slice(0, -1);
        delete raw.headers['x-forwarded-host'];
        raw.url = path(raw.url ?? '/');
        // Public, and short: a key that was revoked must be forgotten within five minutes (claim K2).
        if (/^\/jwks(?:\?|$)/.test(raw.url)) reply.raw.setHeader('cache-control', 'public, max-age=300');
        site.provider.handler(raw, reply.raw);
      };
    const provider = serve((url) => url.slice('/oidc'.length));
    const allows = createFlowLimits(site.clock);
    app.all('/oidc/*', (request, reply) => {
      const begins = BEGINS.exec(request.raw.url ?? '')?.[1];
      if (begins && !allows(request.ip)) {
        site.notice({ code: 'too_many_flows' });
        reply.header('retry-after', '60');
        if (begins === 'auth') return void kit.refuse(request, reply, 'too_many_requests');
        return void reply.code(429).send({ error: 'temporarily_unavailable', error_description: 'too many requests: try again in a minute' }); // RFC 9126 §2.3
      }
      if (PROVIDED.test(request.raw.url ?? '')) provider(request, reply);
      else reply.callNotFound(); // the library would answer two words of English, without a code
    });
    await app.register(requestsByPost(site.issuer));
    app.get('/.well-known/oauth-authorization-server/oidc', (request, reply) => {
      serve(() => '/.well-known/oauth-authorization-server')(request, reply);
    });
  };
