import './guard.ts';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import formbody from '@fastify/formbody';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Programme, render, TroublePage } from './page.tsx';
import { freePort } from './ports.ts';
import { STYLE } from './style.ts';

const font = (): Buffer =>
  readFileSync(
    fileURLToPath(import.meta.resolve('@fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-wght-normal.woff2')),
  );

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b5566"/><path d="M8 16h16M16 8v16" stroke="#fff" stroke-width="4"/></svg>`;

/**
 * Makes the web server of one practice programme: security headers, stylesheet, font, forms, and pages for what is unknown or fails.
 * `formAction` lists the other origins to which its forms may lead; `any` leaves the directive out (a sign-in page cannot know where
 * its chain of redirects ends, and browsers check the whole chain).
 */
export const practiceServer = async (programme: Programme, formAction: 'any' | readonly string[] = []): Promise<FastifyInstance> => {
  const app = Fastify({ logger: false, forceCloseConnections: true, bodyLimit: 65_536 });
  const forms = formAction === 'any' ? '' : `; form-action ${["'self'", ...formAction].join(' ')}`;
  const policy = `default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'${forms}`;
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });
  await app.register(formbody);
  const woff2 = font();
  app.get('/assets/style.css', async (_request, reply) => reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=300').send(STYLE));
  app.get('/assets/atkinson.woff2', async (_request, reply) => reply.type('font/woff2').header('cache-control', 'max-age=86400').send(woff2));
  app.get('/assets/icon.svg', async (_request, reply) => reply.type('image/svg+xml').header('cache-control', 'max-age=86400').send(ICON));
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type('text/html; charset=utf-8')
      .send(render(TroublePage({ programme, trouble: NOT_FOUND }))),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = statusOf(error);
    void reply
      .code(status)
      .type('text/html; charset=utf-8')
      .send(render(TroublePage({ programme, trouble: status < 500 ? BAD_REQUEST : FAULT })));
  });
  return app;
};

/** Chooses the origin of a program before it listens, because its pages and metadata name it; a `port` of 0 takes any free one. */
export const originFor = async (port: number): Promise<string> => `http://localhost:${port === 0 ? await freePort() : port}`;

/** Listens on `localhost`, both address families. */
export const listen = async (app: FastifyInstance, origin: string): Promise<void> => {
  await app.listen({ port: Number(new URL(origin).port), host: 'localhost' });
};

const statusOf = (error: unknown): number =>
  typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;

const home = { href: '/', text: 'Revenir à l’accueil' } as const;
const NOT_FOUND = {
  title: 'Cette page n’existe pas',
  what: 'L’adresse demandée ne correspond à aucune page.',
  changes: 'Rien n’a été transmis.',
  todo: 'Vérifiez l’adresse, ou revenez à l’accueil.',
  code: 'not_found',
  link: home,
};
const BAD_REQUEST = {
  title: 'Cette demande n’a pas pu être lue',
  what: 'Ce qui a été envoyé n’a pas la forme attendue.',
  changes: 'Rien n’a été enregistré.',
  todo: 'Revenez à l’accueil et recommencez.',
  code: 'invalid_request',
  link: home,
};
const FAULT = {
  title: 'Ce programme de démonstration a rencontré un problème',
  what: 'Une erreur inattendue s’est produite.',
  changes: 'Rien n’a été enregistré.',
  todo: 'Attendez un instant, puis recommencez.',
  code: 'fault',
  link: home,
};
