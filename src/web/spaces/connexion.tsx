import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asParty } from '../../aidants/aidant.ts';
import { sha256 } from '../../kernel/crypto.ts';
import { isId } from '../../kernel/ids.ts';
import { type Connector, usagerLevel, type VerifiedIdentity } from '../../upstream/connector.ts';
import { safeReturn } from '../guards.ts';
import { isLeavingState, leavingState, openIdToken, openLink, sealIdToken } from '../hint.ts';
import { time } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { type Kit, remaining } from '../kit.tsx';
import { answerLink, keepOutcome, linkOf, OUTCOME } from '../phone-outcome.ts';
import type { Data, Purpose, Session } from '../session.ts';
import { SignedOutPage, StayedPage } from '../views/leaving.tsx';
import { PATHS } from '../views/paths.ts';
import { afterConsent, askAboutOthers, OTHERS } from './others.tsx';

/** Attempts kept in one session: more than the tabs of one person, few enough for a row. */
const MOST_ATTEMPTS = 8;

const withAttempt = (data: Data, state: string, attempt: NonNullable<Data['attempts']>[string]): Data => ({
  ...data,
  attempts: Object.fromEntries([...Object.entries(data.attempts ?? {}).slice(-(MOST_ATTEMPTS - 1)), [state, attempt]]),
});

/** Starts a sign-in upstream: keeps what the answer must match, and sends the browser there. */
export const startSignIn = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  connector: Connector,
  purpose: Purpose,
  again = false,
): Promise<FastifyReply> => {
  const begun = await connector.begin(again);
  if ('refused' in begun) return kit.refuse(request, reply, begun.refused, { facts: { service: labelOf(connector) } });
  const session = await kit.sessionOrNew(request, reply);
  const kept = await kit.site.webSessions.save(session, withAttempt(session.data, begun.attempt.state, { ...begun.attempt, purpose }));
  kit.keep(request, reply, kept);
  return reply.redirect(begun.url, 303);
};

const labelOf = (connector: Connector): string => (connector.federation.name === 'proconnect' ? 'ProConnect' : 'FranceConnect');

/** Sends the browser through the federation's logout, so that the next person at the counter is not silently reused. */
const leaveFederation = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  idToken: string,
  to: string,
): Promise<FastifyReply> => {
  const state = sha256(`${session.token}${idToken}`).toString('base64url');
  const url = await kit.site.connectors.franceconnect.logoutUrl(idToken, state);
  if (!url) return reply.redirect(to, 303);
  const kept = await kit.site.webSessions.save(session, { ...session.data, returns: { ...session.data.returns, [state]: to } });
  kit.keep(request, reply, kept);
  return reply.redirect(url, 303);
};

/** Routes of sign-in and sign-out. What comes between is in second-factor.tsx. */
export const connexion =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const { proconnect, franceconnect } = site.connectors;

    app.get('/connexion/proconnect', (request, reply) =>
      startSignIn(kit, request, reply, proconnect, { kind: 'staff', to: safeReturn(kit.query(request, 'vers') ?? '/aidant') }),
    );
    app.get('/connexion/franceconnect', (request, reply) => startSignIn(kit, request, reply, franceconnect, { kind: 'usager' }));

    const callback = async (request: FastifyRequest, reply: FastifyReply, connector: Connector): Promise<FastifyReply> => {
      const search = new URL(request.url, site.publicUrl).searchParams;
      const session = await kit.session(request);
      const state = search.get('state') ?? '';
      const attempts = session?.data.attempts ?? {};
      const attempt = Object.hasOwn(attempts, state) ? attempts[state] : undefined;
      let here = session;
      if (session && attempt) {
        const { [state]: _used, ...others } = attempts; // used once, whatever comes of it
        here = await site.webSessions.save(session, { ...session.data, attempts: others });
        kit.keep(request, reply, here);
      }
      const identity = await connector.callback(search, attempt);
      if ('refused' in identity || !here || !attempt) {
        const code = 'refused' in identity ? identity.refused : 'state_mismatch';
        await refuseSignIn(kit, connector, code);
        if (here && attempt?.purpose.kind === 'consent')
          return reply.redirect(
            `/aidant/mandats/brouillon/${attempt.purpose.draft}/refus?motif=${code === 'upstream_refused' ? 'consent_not_given' : 'consent_failed'}`,
            303,
          );
        if (here && attempt?.purpose.kind === 'phone') {
          const { link } = attempt.purpose;
          const refused = code === 'upstream_refused' ? 'consent_not_given' : 'consent_failed';
          await keepOutcome(kit, request, reply, here, link, await answerLink(kit, here, link, { refused }));
          return reply.redirect(OUTCOME, 303);
        }
        if (here && attempt?.purpose.kind === 'interaction' && code === 'upstream_refused') {
          // The service waits for an answer, which is given where the library's cookie is.
          const { uid } = attempt.purpose;
          kit.keep(request, reply, await site.webSessions.save(here, { ...here.data, declined: uid }));
          return reply.redirect(`/interaction/${uid}/suite`, 303);
        }
        return kit.refuse(request, reply, code, { facts: { service: labelOf(connector) } });
      }
      return connector === proconnect
        ? staffArrives(kit, request, reply, here, attempt.purpose, identity)
        : personArrives(kit, request, reply, here, attempt.purpose, identity);
    };
    app.get('/connexion/proconnect/retour', (request, reply) => callback(request, reply, proconnect));
    app.get('/connexion/franceconnect/retour', (request, reply) => callback(request, reply, franceconnect));

    app.get('/connexion/franceconnect/sortie', async (request, reply) => {
      const session = await kit.session(request);
      const state = kit.query(request, 'state') ?? '';
      const returns = session?.data.returns ?? {};
      const to = Object.hasOwn(returns, state) ? returns[state] : undefined;
      if (!session || !to) return reply.redirect('/', 303);
      const { [state]: _used, ...others } = returns;
      kit.keep(request, reply, await site.webSessions.save(session, { ...session.data, returns: others }));
      return reply.redirect(to, 303);
    });

    app.post(PATHS.stay, async (request, reply) => {
      const found = await kit.session(request); // the guard against forgery has seen one
      if (!found || found.kind === 'anonymous') return kit.refuse(request, reply, 'session_expired');
      const session = await site.webSessions.stay(found);
      const lang = kit.lang(request);
      const words = t(lang).shared.session;
      const { seconds, last, endsAt } = remaining(session, site.clock.now());
      const end = time(endsAt, lang);
      if (request.headers.accept === 'application/json')
        return reply.send({ seconds, last, text: last ? words.last(end) : words.until(end), warning: last ? words.soonLast : words.soon });
      return kit.page(reply, <StayedPage frame={kit.frame(request)} end={end} />);
    });

    app.post('/deconnexion', async (request, reply) => {
      const session = await kit.session(request);
      const upstream = session && (await leavingProConnect(kit, session));
      if (session) await signOut(kit, session);
      kit.keep(request, reply, undefined);
      reply.header('clear-site-data', '"cache", "storage"');
      return upstream ? reply.redirect(upstream, 303) : kit.page(reply, <SignedOutPage frame={kit.frame(request)} />);
    });
    app.get('/connexion/proconnect/sortie', (request, reply) =>
      isLeavingState(site.cookieKey.reveal(), kit.query(request, 'state'), site.clock.now())
        ? kit.page(reply, <SignedOutPage frame={{ ...kit.frame(request), languageHref: `/?lang=${kit.lang(request) === 'fr' ? 'en' : 'fr'}` }} />)
        : reply.redirect('/', 303),
    );
  };

/** Where ProConnect forgets a member of staff too: on a shared computer the next one must not be taken for them. Undefined when it does not answer. */
const leavingProConnect = async ({ site }: Kit, session: Session): Promise<string | undefined> => {
  const key = site.cookieKey.reveal();
  const idToken = session.kind === 'staff' ? openIdToken(key, session.staffId, session.data.signedIn?.leaving) : undefined;
  return idToken && site.connectors.proconnect.logoutUrl(idToken, leavingState(key, site.clock.now()));
};

/** Ends a browser session with the delegated sessions that it opened. */
const signOut = async (kit: Kit, session: Session): Promise<void> => {
  const { site } = kit;
  await site.webSessions.end(session, async (tx) => {
    if (session.kind !== 'staff') return;
    await site.sessions.endIn(tx, { webSession: session.hash }, 'signed_out', site.clock.now());
    await site.journal.record(tx, { type: 'aidant.signed-out', ...asParty(session.staffId), detail: {} });
  });
  site.journal.nudge();
  site.nudgeDeliveries();
};

/** Writes down a sign-in that was refused. */
export const refuseSignIn = async (kit: Kit, connector: Connector, reason: string, staffId?: string): Promise<void> => {
  const { site } = kit;
  await site.transactions.run((tx) =>
    connector.federation.name === 'proconnect'
      ? site.journal.record(tx, { type: 'aidant.sign-in-refused', outcome: 'refused', aidant: staffId, detail: { reason } })
      : site.journal.record(tx, { type: 'usager.sign-in-refused', outcome: 'refused', detail: { reason } }),
  );
  site.journal.nudge();
};

/** Somebody comes back from ProConnect: known and habilitated, on the way to enrol, or neither. */
const staffArrives = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  purpose: Purpose,
  identity: VerifiedIdentity,
): Promise<FastifyReply> => {
  const { site } = kit;
  const now = site.clock.now();
  const upstream = { iss: identity.iss, sub: identity.sub, acr: identity.acr, amr: identity.amr, at: now.getTime() };
  if (purpose.kind === 'enrolment') {
    const token = openLink(site.cookieKey.reveal(), session.hash, purpose.link);
    kit.keep(request, reply, await site.webSessions.save(session, { ...session.data, pending: { ...upstream, to: '/', link: purpose.link } }));
    return reply.redirect(`/inscription/${token}`, 303);
  }
  const standing = await site.aidants.recognise(identity.iss, identity.sub);
  if ('refused' in standing) {
    await refuseSignIn(kit, site.connectors.proconnect, standing.refused);
    return kit.refuse(request, reply, standing.refused);
  }
  const to = purpose.kind === 'staff' ? purpose.to : '/';
  const { id: staffId } = standing.staff;
  const leaving = sealIdToken(site.cookieKey.reveal(), staffId, identity.idToken);
  kit.keep(request, reply, await site.webSessions.save(session, { ...session.data, pending: { ...upstream, to, staffId, leaving } }));
  return reply.redirect('/connexion/code', 303);
};

/** A person comes back from FranceConnect: for herself, for a mandate at the counter or on her own telephone, or to sign in alone at a service. */
const personArrives = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  purpose: Purpose,
  identity: VerifiedIdentity,
): Promise<FastifyReply> => {
  const { site } = kit;
  const acr = usagerLevel(identity.acr);
  const found = await site.usagers.identify({ iss: identity.iss, sub: identity.sub, acr, claims: identity.claims });
  if ('refused' in found) {
    await refuseSignIn(kit, site.connectors.franceconnect, found.refused);
    if (purpose.kind === 'phone') {
      const outcome = await answerLink(kit, session, purpose.link, { refused: found.refused });
      return leaveFederation(kit, request, reply, await keepOutcome(kit, request, reply, session, purpose.link, outcome), identity.idToken, OUTCOME);
    }
    if (purpose.kind !== 'consent') return kit.refuse(request, reply, found.refused);
    return leaveFederation(kit, request, reply, session, identity.idToken, `/aidant/mandats/brouillon/${purpose.draft}/refus?motif=${found.refused}`);
  }
  const { usager } = found;
  if (purpose.kind === 'interaction') {
    const kept = await site.webSessions.save(session, {
      ...session.data,
      identified: { uid: purpose.uid, usagerId: usager.id, acr, at: site.clock.now().getTime() },
    });
    kit.keep(request, reply, kept);
    return reply.redirect(`/interaction/${purpose.uid}/suite`, 303);
  }
  const consent = { method: 'franceconnect', acr, evidence: sha256(identity.idToken) } as const;
  if (purpose.kind === 'phone') {
    const outcome = await answerLink(kit, session, purpose.link, { usagerId: usager.id, consent });
    const link = outcome === 'overlap_unanswered' ? await linkOf(kit, session, purpose.link) : undefined;
    if (link) {
      const { draftId: draft, aidantId, organisationId } = link;
      const given = { draft, aidantId, organisationId, usagerId: usager.id, acr, evidence: consent.evidence, link: purpose.link };
      return leaveFederation(kit, request, reply, await askAboutOthers(kit, session, given), identity.idToken, OTHERS);
    }
    return leaveFederation(kit, request, reply, await keepOutcome(kit, request, reply, session, purpose.link, outcome), identity.idToken, OUTCOME);
  }
  if (purpose.kind === 'consent') {
    const who =
      session.kind === 'staff' && isId('aid', session.staffId) && session.organisationId
        ? { aidantId: session.staffId, organisationId: session.organisationId }
        : undefined;
    const consented =
      who && isId('dra', purpose.draft)
        ? await site.mandates.consent(
            who,
            purpose.draft,
            usager.id,
            consent,
            undefined,
            purpose.instead === undefined ? undefined : new Date(purpose.instead),
          )
        : { refused: 'session_expired' as const };
    if ('refused' in consented && consented.refused === 'overlap_unanswered' && who && isId('dra', purpose.draft)) {
      const { draft, instead } = purpose;
      const given = { draft, ...who, usagerId: usager.id, acr, evidence: consent.evidence, ...(instead === undefined ? {} : { instead }) };
      return leaveFederation(kit, request, reply, await askAboutOthers(kit, session, given), identity.idToken, OTHERS);
    }
    return leaveFederation(kit, request, reply, session, identity.idToken, afterConsent(purpose.draft, consented));
  }
  const fresh = await site.webSessions.renew(
    session,
    { kind: 'usager', usagerId: usager.id },
    { signedIn: { acr, amr: [], at: site.clock.now().getTime() } },
    async (tx) => {
      if (session.kind === 'staff') await site.sessions.endIn(tx, { webSession: session.hash }, 'signed_out', site.clock.now());
      await site.journal.record(tx, { type: 'usager.signed-in', usager: usager.id, detail: { acr } });
    },
  );
  site.journal.nudge();
  kit.keep(request, reply, fresh);
  return leaveFederation(kit, request, reply, fresh, identity.idToken, '/usager');
};
