import './guard.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { equal } from '../kernel/crypto.ts';
import type { StoredAct } from './check/contract.ts';
import type { RelyingParty } from './mirror-client.ts';
import { StoppedPage } from './mirror-pages.tsx';
import type { Dossier, MirrorService } from './mirror-service.ts';
import { createSessions, type Session, type Sessions, type StepUp } from './mirror-session.ts';
import { render, type Trouble, TroublePage } from './page.tsx';

/** What the pages of one mirror service share. */
export interface Shop {
  readonly service: MirrorService;
  readonly origin: string;
  readonly issuer: string;
  readonly relyingParty: RelyingParty;
  readonly sessions: Sessions;
  /** What is kept of each act that an aidant did, oldest first. */
  readonly acts: StoredAct[];
  /** What Relais asks of the sign-in, by code of démarche, once it said so. */
  readonly stepUps: Map<string, StepUp>;
  /** Cookies carry the service's name: all the programs of the demonstration share a host. */
  readonly cookies: { readonly session: string; readonly browser: string };
  page(reply: FastifyReply, status: number, page: Parameters<typeof render>[0]): FastifyReply;
  trouble(reply: FastifyReply, status: number, trouble: Trouble): FastifyReply;
  /** The session of this browser, when it still holds; otherwise says why on a page of its own, once. */
  session(request: FastifyRequest, reply: FastifyReply): Session | undefined | 'answered';
  /** What the service holds about this session's person. */
  dossier(session: Session): Dossier;
  /** Reads a form of this very session: a form made for another session (another person, another tab) is refused. */
  form(request: FastifyRequest, session: Session | undefined): Readonly<Record<string, string>> | undefined;
}

const texts = (body: unknown): Readonly<Record<string, string>> =>
  typeof body === 'object' && body !== null
    ? Object.fromEntries(Object.entries(body).map(([name, value]) => [name, typeof value === 'string' ? value.trim().slice(0, 200) : '']))
    : {};

/** Makes what the pages of a mirror service share. */
export const createShop = (given: Pick<Shop, 'service' | 'origin' | 'issuer' | 'relyingParty' | 'acts' | 'stepUps'>): Shop => {
  const sessions = createSessions();
  const dossiers = new Map<string, Dossier>();
  const cookies = { session: `${given.service.id}_session`, browser: `${given.service.id}_browser` };
  const page: Shop['page'] = (reply, status, content) => reply.code(status).type('text/html; charset=utf-8').send(render(content));
  return {
    ...given,
    sessions,
    cookies,
    page,
    trouble: (reply, status, trouble) => page(reply, status, TroublePage({ programme: given.service.programme, trouble })),
    session: (request, reply) => {
      const session = sessions.find(request.cookies[cookies.session]);
      if (!session) return undefined;
      if (!session.ended && session.expiresAt > Date.now()) return session;
      sessions.remove(session.id);
      reply.clearCookie(cookies.session, { path: '/' });
      page(reply, 403, StoppedPage({ service: given.service, session }));
      return 'answered';
    },
    dossier: ({ sub }) => {
      const dossier = dossiers.get(sub) ?? { address: '3 rue des Tilleuls, 17460 Thénac', sent: [] };
      dossiers.set(sub, dossier);
      return dossier;
    },
    form: (request, session) => {
      const body = texts(request.body);
      return session && body['_csrf'] && equal(body['_csrf'], session.csrf) ? body : undefined;
    },
  };
};
