import './guard.ts';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import Provider from 'oidc-provider';
import type { Federation, Simulator, SimulatorOptions } from './federation.ts';
import { render, type Trouble, TroublePage } from './page.tsx';
import { listen, originFor, practiceServer } from './server.ts';
import { configurationOf, makeKeys, ROUTES, troubleOf } from './simulator-op.ts';
import { install, type Running, transportFault } from './simulator-running.ts';
import { signIn } from './simulator-sign-in.ts';

const BASE = '/api/v2';

const mount = (app: FastifyInstance, running: Running): void => {
  const handle = running.provider.callback();
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.all(`${BASE}/*`, (request, reply) => {
      const { federation, issuer, fault } = running;
      const url = new URL(request.url, issuer);
      const path = url.pathname.slice(BASE.length);
      if (transportFault(fault, path, reply)) return;
      const checked =
        path === ROUTES.authorization
          ? federation.authorize(url.searchParams)
          : path === ROUTES.end_session
            ? federation.logout(url.searchParams)
            : undefined;
      if (checked && 'refused' in checked) {
        void reply
          .code(400)
          .type('text/html; charset=utf-8')
          .send(render(TroublePage({ programme: federation.programme, trouble: troubleOf(checked) })));
        return;
      }
      const query = checked instanceof URLSearchParams ? `?${checked}` : url.search;
      for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value as string);
      reply.hijack();
      const raw = request.raw as IncomingMessage & { originalUrl?: string };
      raw.headers.host = new URL(issuer).host;
      raw.originalUrl = `${BASE}${path}${query}`;
      raw.url = `${path}${query}`;
      void handle(raw, reply.raw);
    });
  });
};

/** Starts a federation: an OpenID provider of its own, with its own keys, on its own port. */
export const startSimulator = async (federation: Federation, options: SimulatorOptions): Promise<Simulator> => {
  const app = await practiceServer(federation.programme, 'any');
  const keys = await makeKeys();
  const origin = await originFor(options.port);
  const issuer = `${origin}${BASE}`;
  const provider = new Provider(issuer, configurationOf(federation, options, keys.jwks));
  const secretOf = (clientId: string): string => options.clients.find((client) => client.id === clientId)?.secret ?? '';
  const running: Running = { federation, provider, issuer, key: keys.es256, secretOf, fault: undefined };
  install(running);
  mount(app, running);
  signIn(app, running);
  app.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(render(TroublePage({ programme: federation.programme, trouble: HOME }))),
  );
  await listen(app, origin);
  return {
    issuer,
    origin,
    setFault: (fault) => {
      running.fault = fault;
    },
    close: () => app.close(),
  };
};

const HOME: Trouble = {
  title: 'On n’arrive pas ici directement',
  what: 'Ce simulateur ne s’ouvre que depuis une demande de connexion.',
  changes: 'Rien n’a été transmis.',
  todo: 'Allez sur Relais et choisissez « Se connecter ».',
  code: 'no_request',
};
