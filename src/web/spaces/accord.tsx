import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import QR from 'qrcode';
import { type DraftId, isId } from '../../kernel/ids.ts';
import { readSecret, secretGroups, standingOf } from '../../mandates/phone-link.ts';
import { firstName } from '../../usagers/usager.ts';
import { statusOf } from '../error-handler.ts';
import { requireAidant } from '../guards.ts';
import { openLink, sealLink } from '../hint.ts';
import { minutesLeft } from '../i18n/dates.ts';
import type { Kit } from '../kit.tsx';
import { keepOutcome, OUTCOME } from '../phone-outcome.ts';
import { PhoneAnsweredPage, PhoneAskPage, PhoneWaitPage } from '../views/phone-consent.tsx';
import { textOfDraft } from './attested.ts';
import { startSignIn } from './connexion.tsx';

const draftPath = (id: string): string => `/aidant/mandats/brouillon/${id}`;
/** Attempts that the same link, or the same person, can make good. */
const AGAIN = ['identity_incomplete', 'consent_not_given', 'consent_failed'];

/** Consent on the person's own telephone: the aidant's page shows a code, the telephone opens it, and only its button leads to FranceConnect. */
export const accord =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    await app.register(showing(kit));
    await app.register(answering(kit));
  };

/** The aidant's screen. */
const showing =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };
    const PATH = '/aidant/mandats/brouillon/:id/telephone';

    app.post<Params>(PATH, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const made = isId('dra', id) ? await site.phoneLinks.make(here, id) : { refused: 'not_found' as const };
      if (!('refused' in made)) return reply.redirect(`${draftPath(id)}/telephone`, 303);
      if (made.refused === 'already_agreed') return reply.redirect(`${draftPath(id)}/signer`, 303);
      const code = made.refused === 'theme_missing' ? 'invalid_request' : made.refused;
      return kit.refuse(request, reply, code, { session: here.session, who: here.who });
    });

    app.get<Params>(PATH, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const found = isId('dra', id) ? await site.mandates.findDraft(here, id) : undefined;
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      const shown = await site.phoneLinks.find(here, id as DraftId);
      if (!shown) return reply.redirect(draftPath(id), 303);
      const now = site.clock.now();
      const { link, secret } = shown;
      const standing = standingOf(link, now);
      if (standing === 'over' && found.draft.consent && !found.draft.closedAt) return reply.redirect(`${draftPath(id)}/signer`, 303);
      const url = `${site.publicUrl}/accord/${secret}`;
      const open = standing === 'waiting' || standing === 'started' || standing === 'refused';
      const following = kit.query(request, 'suivre') === '1';
      return kit.page(
        reply,
        <PhoneWaitPage
          frame={kit.frame(request, here.session, here.who)}
          standing={standing}
          {...(link.refusal ? { refusal: link.refusal } : {})}
          {...(open
            ? {
                code: {
                  qrSvg: await QR.toString(url, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' }),
                  address: `${site.publicUrl.replace(/^https?:\/\//, '')}/accord/`,
                  groups: secretGroups(secret).split('-'),
                  minutes: minutesLeft(link.expiresAt, now),
                  until: link.expiresAt,
                },
              }
            : {})}
          following={following}
          again={kit.post(here.session, `${draftPath(id)}/telephone`)}
          draftOver={found.draft.closedAt !== undefined || found.draft.expiresAt <= now}
          selfHref={`${draftPath(id)}/telephone`}
          signHref={`${draftPath(id)}/signer`}
          otherWayHref={draftPath(id)}
          restartHref={`/aidant/mandats/nouveau?themes=${found.draft.themes.join(',')}`}
        />,
        { follows: open && !following },
      );
    });
  };

/** The person's telephone. Nobody is signed in to Relais there, before or after. */
const answering =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { token: string } };

    const answered = (request: FastifyRequest, reply: FastifyReply, code: string, againHref?: string): FastifyReply =>
      kit.page(
        reply,
        <PhoneAnsweredPage
          frame={{ ...kit.frame(request), ...(againHref ? {} : { languageHref: otherWords(request) }) }}
          outcome={code}
          {...(againHref ? { againHref } : {})}
        />,
        { status: code === 'no' ? 200 : statusOf(code) },
      );
    const otherWords = (request: FastifyRequest): string => `?lang=${kit.lang(request) === 'fr' ? 'en' : 'fr'}`;

    app.get(OUTCOME, async (request, reply) => {
      const session = await kit.session(request);
      const kept = session?.data.answered;
      const secret = kept && session && openLink(site.cookieKey.reveal(), session.hash, kept.link);
      if (!kept || !secret) return reply.redirect('/', 303);
      if (kept.outcome !== 'yes') return answered(request, reply, kept.outcome, AGAIN.includes(kept.outcome) ? `/accord/${secret}` : undefined);
      const found = await site.phoneLinks.outcome(secret);
      if ('refused' in found) return answered(request, reply, found.refused);
      return kit.page(
        reply,
        <PhoneAnsweredPage
          frame={kit.frame(request)}
          outcome="yes"
          organisation={found.actor.organisationName}
          at={found.link.endedAt ?? site.clock.now()}
          selfHref={OUTCOME}
          {...(found.mandate ? { reference: found.mandate.reference } : {})}
        />,
      );
    });

    app.get<Params>('/accord/:token', async (request, reply) => {
      const { token } = request.params;
      const found = await site.phoneLinks.read(token);
      if ('refused' in found) return answered(request, reply, found.refused);
      const { draft, actor } = found;
      const session = await kit.sessionOrNew(request, reply);
      return kit.page(
        reply,
        <PhoneAskPage
          frame={kit.frame(request)}
          connect={kit.post(session, `/accord/${token}`)}
          decline={kit.post(session, `/accord/${token}/refus`)}
          organisation={actor.organisationName}
          aidant={firstName(actor.givenName)}
          until={found.link.expiresAt}
          text={textOfDraft(site, draft, actor)}
        />,
      );
    });
    app.post<Params>('/accord/:token', async (request, reply) => {
      const secret = readSecret(request.params.token) ?? '';
      const started = await site.phoneLinks.start(secret);
      if ('refused' in started) return answered(request, reply, started.refused);
      const session = await kit.sessionOrNew(request, reply);
      const link = sealLink(site.cookieKey.reveal(), session.hash, secret);
      return startSignIn(kit, request, reply, site.connectors.franceconnect, { kind: 'phone', link });
    });
    app.post<Params>('/accord/:token/refus', async (request, reply) => {
      const secret = readSecret(request.params.token) ?? '';
      const done = await site.phoneLinks.decline(secret);
      if ('refused' in done) return answered(request, reply, done.refused);
      const session = await kit.sessionOrNew(request, reply);
      await keepOutcome(kit, request, reply, session, sealLink(site.cookieKey.reveal(), session.hash, secret), 'no');
      return reply.redirect(OUTCOME, 303);
    });
  };
