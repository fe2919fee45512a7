import './guard.ts';
import type { FastifyReply } from 'fastify';
import { CompactSign, type CryptoKey, decodeJwt, decodeProtectedHeader } from 'jose';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type Fault, forgeIdToken, forgesIdToken } from './faults.ts';
import { type Federation, member } from './federation.ts';
import { ROUTES } from './simulator-op.ts';

/** A simulator at work. */
export interface Running {
  readonly federation: Federation;
  readonly provider: Provider;
  readonly issuer: string;
  readonly key: CryptoKey;
  readonly secretOf: (clientId: string) => string;
  fault: Fault | undefined;
}

/** Ends the session at once where the library would ask a question: both federations log out without one. */
const logoutNow = async (ctx: KoaContextWithOIDC): Promise<void> => {
  const { session, params, provider } = ctx.oidc;
  if (session?.accountId) await session.destroy();
  ctx.cookies.set(provider.cookieName('session'), null, { overwrite: true });
  const target = params?.['post_logout_redirect_uri'];
  if (typeof target !== 'string') return ctx.redirect(ctx.oidc.urlFor('end_session_success'));
  const url = new URL(target);
  if (typeof params?.['state'] === 'string') url.searchParams.set('state', params['state']);
  ctx.redirect(url.href);
};

/** Adds to the library what it does not do by itself: logout without a question, and the faults. */
export const install = (running: Running): void => {
  running.provider.use(async (ctx: KoaContextWithOIDC, next) => {
    await next();
    const { fault } = running;
    const route = ctx.oidc?.route;
    if (route === 'end_session' && ctx.status === 200) await logoutNow(ctx);
    if (!fault) return;
    const body: unknown = ctx.body;
    if (route === 'token' && forgesIdToken(fault) && typeof member(body, 'id_token') === 'string')
      ctx.body = {
        ...(body as object),
        id_token: await forgeIdToken(fault, String(member(body, 'id_token')), { ...running, lowAcr: running.federation.lowAcr }),
      };
    const location = ctx.response.get('location');
    if (fault === 'wrong-callback-iss' && /[?&]iss=/.test(location))
      ctx.redirect(location.replace(/([?&]iss=)[^&]*/, '$1https%3A%2F%2Fanother-issuer.example'));
    if (route === 'userinfo' && ctx.status === 200) await spoilUserinfo(ctx, running, fault);
  });
};

const spoilUserinfo = async (ctx: KoaContextWithOIDC, running: Running, fault: Fault): Promise<void> => {
  const token = typeof ctx.body === 'string' ? ctx.body : '';
  if (!token) return;
  if (fault === 'userinfo-unsigned') ctx.body = decodeJwt(token);
  if (fault !== 'userinfo-sub') return;
  const forged = Buffer.from(JSON.stringify({ ...decodeJwt(token), sub: 'another-subject' }));
  ctx.body = await new CompactSign(forged).setProtectedHeader({ alg: 'ES256', ...decodeProtectedHeader(token) }).sign(running.key);
  ctx.type = 'application/jwt; charset=utf-8';
};

/** Faults of transport, decided before the library: `true` when the request has been taken care of. */
export const transportFault = (fault: Fault | undefined, path: string, reply: FastifyReply): boolean => {
  const discovery = path === '/.well-known/openid-configuration' || path === ROUTES.jwks;
  const silent =
    (fault === 'hang' && path === ROUTES.token) ||
    (fault === 'hang-discovery' && discovery) ||
    (fault === 'hang-userinfo' && path === ROUTES.userinfo);
  if (silent) {
    reply.hijack();
    return true;
  }
  const spoiled = path === ROUTES.token || path === ROUTES.userinfo;
  if (fault === 'garbage' && spoiled) {
    void reply.code(200).type('application/json').send('<html>{"access_token": garbage');
    return true;
  }
  if (fault === 'http-500' && spoiled) {
    void reply.code(500).type('text/plain').send('Internal Server Error');
    return true;
  }
  return false;
};
