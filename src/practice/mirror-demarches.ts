import './guard.ts';
import type { FastifyInstance } from 'fastify';
import { randomBelow, randomToken } from '../kernel/crypto.ts';
import { covered, DemarchePage, DonePage } from './mirror-demarche-pages.tsx';
import { StoppedPage } from './mirror-pages.tsx';
import type { Reporter } from './mirror-report.ts';
import type { Demarche } from './mirror-service.ts';
import type { Outcome, Session } from './mirror-session.ts';
import type { Shop } from './mirror-shop.ts';
import { NOT_COVERED, NOT_REPORTED, OTHER_TAB, signInAgain, UNAVAILABLE } from './mirror-troubles.ts';

const OPENED = 'Rien n’a été montré ni transmis.';
const SENT = 'Rien n’a été transmis. Il faudra remplir cette page de nouveau.';

/** Reads the fields of a démarche and says what is wrong, field by field. */
const check = (demarche: Demarche, body: Readonly<Record<string, string>>) => {
  const values = Object.fromEntries(demarche.fields.map(({ name }) => [name, body[name] ?? '']));
  const errors = Object.fromEntries(
    demarche.fields.flatMap((field) => {
      const error = field.check(values[field.name] ?? '');
      return error ? [[field.name, error]] : [];
    }),
  );
  return { values, errors };
};

/**
 * Sends one form: asks Relais whether the token still holds, writes at the service, then tells Relais. Nothing is written when it does
 * not hold, or when Relais cannot say.
 */
const send = async (
  shop: Shop,
  reporter: Reporter,
  session: Session,
  demarche: Demarche,
  form: string,
  values: Record<string, string>,
): Promise<Outcome> => {
  const state = await reporter.holds(session, demarche.code);
  if (state !== 'active') return { kind: state };
  const at = new Date();
  const reference = `${at.getFullYear()}-${String(10_000 + randomBelow(90_000))}`;
  const dossier = shop.dossier(session);
  demarche.apply?.(dossier, values);
  dossier.sent.push({ title: demarche.title, reference, at });
  const { acting } = session;
  if (acting) shop.acts.push({ session: acting.session, act: { sub: acting.aidant }, identifier: acting.identifier });
  const verb = demarche.effect === 'change' ? 'change' : 'send';
  return { kind: 'done', reference, at, report: await reporter.report(session, { id: form, keep: true, verb, demarche: demarche.code, reference }) };
};

/** Adds the pages of the démarches: to open one, and to send what was filled. */
export const addDemarches = (app: FastifyInstance, shop: Shop, reporter: Reporter): void => {
  const find = (slug: string): Demarche | undefined => shop.service.demarches.find((demarche) => demarche.slug === slug);
  const opened = async (session: Session, demarche: Demarche) => {
    const before = session.opened.get(demarche.code);
    if (before) return before;
    const report = await reporter.report(session, { verb: demarche.effect === 'read' ? 'read' : 'open', demarche: demarche.code });
    if (report.kind === 'receipt') session.opened.set(demarche.code, report);
    return report;
  };

  app.get<{ Params: { slug: string } }>('/demarches/:slug', async (request, reply) => {
    const demarche = find(request.params.slug);
    if (!demarche) return reply.callNotFound();
    const session = shop.session(request, reply);
    if (session === 'answered') return reply;
    if (!session) return reply.redirect('/', 303);
    if (!covered(session, demarche)) return shop.trouble(reply, 403, NOT_COVERED);
    const state = await reporter.holds(session, demarche.code);
    if (state === 'unavailable') return shop.trouble(reply, 503, UNAVAILABLE);
    if (state === 'inactive') return over(session, reply);
    if (state === 'stale') return again(session, demarche, reply, OPENED);
    const report = await opened(session, demarche);
    if (report.kind === 'stale') return again(session, demarche, reply, OPENED);
    if (report.kind === 'refused' || report.kind === 'pending')
      return shop.trouble(reply, 503, { ...NOT_REPORTED, code: report.kind === 'refused' ? report.code : NOT_REPORTED.code });
    return shop.page(reply, 200, DemarchePage({ service: shop.service, session, demarche, dossier: shop.dossier(session), form: randomToken(12) }));
  });

  app.post<{ Params: { slug: string } }>('/demarches/:slug', async (request, reply) => {
    const demarche = find(request.params.slug);
    if (!demarche?.fields.length) return reply.callNotFound();
    const session = shop.session(request, reply);
    if (session === 'answered') return reply;
    const body = shop.form(request, session);
    if (!session || !body) return shop.trouble(reply, 403, OTHER_TAB);
    if (!covered(session, demarche)) return shop.trouble(reply, 403, NOT_COVERED);
    const form = body['_form'] || randomToken(12);
    const { values, errors } = check(demarche, body);
    if (Object.keys(errors).length)
      return shop.page(reply, 422, DemarchePage({ service: shop.service, session, demarche, dossier: shop.dossier(session), form, values, errors }));
    // The same form twice (a double click, a page sent again) is one act.
    const sending = session.sent.get(form) ?? send(shop, reporter, session, demarche, form, values);
    session.sent.set(form, sending);
    const outcome = await sending;
    if (outcome.kind === 'done') return shop.page(reply, 200, DonePage({ service: shop.service, session, demarche, ...outcome }));
    session.sent.delete(form);
    if (outcome.kind === 'stale') return again(session, demarche, reply, SENT);
    return outcome.kind === 'inactive' ? over(session, reply) : shop.trouble(reply, 503, UNAVAILABLE);
  });

  /** Another sign-in, as this démarche asks, comes back to it (RFC 9470). */
  const again = ({ acting }: Session, { slug }: Demarche, reply: Parameters<Shop['page']>[0], changes: string) =>
    shop.trouble(reply, 403, signInAgain(`/connexion/aidant?${new URLSearchParams({ theme: acting?.themes[0] ?? '', demarche: slug })}`, changes));

  const over = (session: Session, reply: Parameters<Shop['page']>[0]) => {
    shop.sessions.endOne(session);
    shop.sessions.remove(session.id);
    reply.clearCookie(shop.cookies.session, { path: '/' });
    return shop.page(reply, 403, StoppedPage({ service: shop.service, session }));
  };
};
