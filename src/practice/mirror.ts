import './guard.ts';
import cookie from '@fastify/cookie';
import type { FastifyInstance } from 'fastify';
import { randomToken } from '../kernel/crypto.ts';
import { type Contract, type StoredAct, WELL_KNOWN } from './check/contract.ts';
import { type Credentials, createRelyingParty, type RelyingParty } from './mirror-client.ts';
import { DemarchesPage } from './mirror-demarche-pages.tsx';
import { addDemarches } from './mirror-demarches.ts';
import { createLogoutCheck, type LogoutToken } from './mirror-logout.ts';
import { ByePage, WelcomePage } from './mirror-pages.tsx';
import { createReporter, type Reporter } from './mirror-report.ts';
import { type ClientMetadata, IDENTITY_SCOPES, type MirrorService, registration } from './mirror-service.ts';
import { createShop, type Shop } from './mirror-shop.ts';
import { addSignIn } from './mirror-sign-in.ts';
import { createSignalCheck } from './mirror-signals.ts';
import { OTHER_TAB } from './mirror-troubles.ts';
import { listen, originFor, practiceServer } from './server.ts';

export interface MirrorOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly relaisIssuer: string;
  readonly relaisOrigin: string;
  readonly credentials?: Credentials;
  /** How often a report that Relais did not answer is said again; every five seconds by default. */
  readonly retryEveryMs?: number;
  /** Publishes what `relais check-service` reads: a contract, and what is stored with each act. */
  readonly checked?: boolean;
  /** Puts other parts in the place of the mirror's own: how a check is seen to find faults. */
  readonly variant?: Variant;
}

/** Each takes the right part and gives the one to use. */
export interface Variant {
  relyingParty?(right: RelyingParty): RelyingParty;
  reporter?(right: Reporter): Reporter;
  logoutCheck?(right: LogoutCheck): LogoutCheck;
  signalCheck?(right: SignalCheck): SignalCheck;
  acts?: StoredAct[];
}
type LogoutCheck = ReturnType<typeof createLogoutCheck>;
type SignalCheck = ReturnType<typeof createSignalCheck>;

/** A running mirror service. */
export interface Mirror {
  readonly origin: string;
  readonly clientMetadata: ClientMetadata;
  /** Logout tokens accepted so far, oldest first. */
  readonly received: readonly LogoutToken[];
  /** Gives the secret that Relais drew when the service was registered. */
  useSecret(secret: string): void;
  close(): Promise<void>;
}

/** Adds the way out: the aidant's own "Arrêter", and the page on which Relais brings the browser back. */
const addSignOut = (app: FastifyInstance, shop: Shop): void => {
  const states = new Map<string, number>();
  app.post('/arreter', async (request, reply) => {
    const session = shop.session(request, reply);
    if (session === 'answered') return reply;
    if (!session || !shop.form(request, session)) return shop.trouble(reply, 403, OTHER_TAB);
    shop.sessions.remove(session.id);
    reply.clearCookie(shop.cookies.session, { path: '/' });
    const state = randomToken();
    for (const [old, until] of states) if (until < Date.now()) states.delete(old);
    states.set(state, Date.now() + 600_000);
    // The service's own session is over whatever happens next; telling Relais is the browser's next step.
    const url = await shop.relyingParty.logoutUrl(session.idToken, state).catch(() => undefined);
    return url ? reply.redirect(url.href, 303) : shop.page(reply, 200, ByePage(shop));
  });
  app.get<{ Querystring: { state?: string } }>('/au-revoir', async (request, reply) => {
    const { state } = request.query;
    if (typeof state !== 'string' || !states.delete(state)) return reply.redirect('/', 303);
    return shop.page(reply, 200, ByePage(shop));
  });
};

/** Adds the back channel: Relais says here that a delegated session is over (OpenID Connect Back-Channel Logout 1.0). */
const addBackChannel = (app: FastifyInstance, shop: Shop, received: LogoutToken[], variant: Variant): void => {
  const right = createLogoutCheck({ issuer: shop.issuer, clientId: shop.service.id, keys: () => shop.relyingParty.keys() });
  const check = variant.logoutCheck?.(right) ?? right;
  app.post('/deconnexion/relais', async (request, reply) => {
    const body: unknown = request.body;
    const token = typeof body === 'object' && body !== null && 'logout_token' in body ? body.logout_token : undefined;
    if (typeof token !== 'string') return reply.code(400).send({ error: 'invalid_request', error_description: 'logout_token is missing' });
    try {
      const result = await check(token);
      if ('refused' in result) return reply.code(400).send({ error: 'invalid_request', error_description: result.refused });
      shop.sessions.endByToken(result);
      received.push(result);
      return reply.code(200).send();
    } catch {
      return reply.code(503).send({ error: 'temporarily_unavailable', error_description: 'keys of the issuer cannot be read' });
    }
  });
};

/** Adds where Relais pushes its signals (RFC 8935): the session that one names is over. */
const addSignals = (app: FastifyInstance, shop: Shop, relaisOrigin: string, variant: Variant): void => {
  const right = createSignalCheck({ relaisOrigin, clientId: shop.service.id });
  const check = variant.signalCheck?.(right) ?? right;
  app.addContentTypeParser('application/secevent+jwt', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.post('/signaux', async (request, reply) => {
    if (typeof request.body !== 'string') return reply.code(400).send({ err: 'invalid_request', description: 'not application/secevent+jwt' });
    try {
      const result = await check(request.body);
      if ('refused' in result) return reply.code(400).send({ err: result.refused, description: 'refused' });
      if (result.session !== undefined) shop.sessions.endByToken({ sid: result.session });
      return reply.code(202).send();
    } catch {
      return reply.code(503).send();
    }
  });
};

/** Adds the first page: a door for who is not signed in, the démarches for who is. */
const addHome = (app: FastifyInstance, shop: Shop): void => {
  app.get('/', async (request, reply) => {
    const session = shop.session(request, reply);
    if (session === 'answered') return reply;
    if (!session) return shop.page(reply, 200, WelcomePage(shop));
    return shop.page(reply, 200, DemarchesPage({ service: shop.service, session, dossier: shop.dossier(session) }));
  });
};

/** Adds what a check reads. A real service would publish it where it is tested, and nowhere else. */
const addContract = (app: FastifyInstance, shop: Shop, metadata: ClientMetadata): void => {
  const { service, origin } = shop;
  const demarche = service.demarches.find(({ slug }) => slug === service.example.slug);
  const theme = demarche?.themes[0] ?? '';
  const path = `/demarches/${service.example.slug}`;
  const contract: Contract = {
    client_id: service.id,
    profile: service.profile,
    redirect_uri: `${origin}/retour`,
    post_logout_redirect_uri: `${origin}/au-revoir`,
    backchannel_logout_uri: metadata.backchannel_logout_uri ?? '',
    signals_uri: `${origin}/signaux`,
    ...(metadata.jwks ? { jwks: metadata.jwks } : {}),
    scopes: IDENTITY_SCOPES,
    theme,
    sign_in: `/connexion/aidant?theme=${theme}`,
    pages: ['/', path],
    write: { page: path, action: path, fields: service.example.values, demarche: demarche?.code ?? '', verb: 'send' },
    acts: '/actes.json',
  };
  app.get(WELL_KNOWN, async (_request, reply) => reply.send(contract));
  app.get('/actes.json', async (_request, reply) => reply.send(shop.acts));
};

/** Starts a mirror public service. It finds Relais at the first sign-in: it may be started before it. */
export const startMirror = async (service: MirrorService, options: MirrorOptions): Promise<Mirror> => {
  const app = await practiceServer(service.programme, [options.relaisOrigin]);
  await app.register(cookie);
  const origin = await originFor(options.port);
  const variant = options.variant ?? {};
  const client = await createRelyingParty({ service, issuer: options.relaisIssuer, origin, credentials: options.credentials ?? {} });
  const relyingParty = variant.relyingParty?.(client) ?? client;
  const shop = createShop({ service, origin, issuer: options.relaisIssuer, relyingParty, acts: variant.acts ?? [], stepUps: new Map() });
  const right = createReporter({
    relyingParty,
    relaisOrigin: options.relaisOrigin,
    source: origin,
    stepUps: shop.stepUps,
    retryEveryMs: options.retryEveryMs,
  });
  const reporter = variant.reporter?.(right) ?? right;
  const received: LogoutToken[] = [];
  const metadata = registration(service, origin, relyingParty.publicJwk);
  addHome(app, shop);
  addSignIn(app, shop);
  addSignOut(app, shop);
  addDemarches(app, shop, reporter);
  addBackChannel(app, shop, received, variant);
  addSignals(app, shop, options.relaisOrigin, variant);
  if (options.checked) addContract(app, shop, metadata);
  await listen(app, origin);
  return {
    origin,
    clientMetadata: metadata,
    received,
    useSecret: (secret) => relyingParty.useSecret(secret),
    close: async () => {
      reporter.close();
      await app.close();
    },
  };
};
