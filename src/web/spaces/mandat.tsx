import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endOfMandate } from '../../kernel/calendar.ts';
import { isId } from '../../kernel/ids.ts';
import { type Draft, DURATIONS, isDuration, type Mandate, TEMPLATE } from '../../mandates/mandate.ts';
import { type Actor, renewal } from '../../mandates/policy.ts';
import { isTheme, THEMES } from '../../organisations/theme.ts';
import { displayName, shortName, type Usager } from '../../usagers/usager.ts';
import { type AidantHere, requireAidant } from '../guards.ts';
import { t } from '../i18n/language.ts';
import type { Kit } from '../kit.tsx';
import { MandateDaysPage, MandateReadPage, MandateThemesPage } from '../views/mandate.tsx';
import type { MandateTextData } from '../views/mandate-blocks.ts';
import { MandateCreatedPage, MandateSignPage } from '../views/mandate-sign.tsx';
import { MandatePage } from '../views/mandate-text.tsx';
import { attestedPage, sendPdf } from './attested.ts';
import { startSignIn } from './connexion.tsx';
import { usableAt } from './usable.ts';

const NEW = '/aidant/mandats/nouveau';
const draftPath = (id: string): string => `/aidant/mandats/brouillon/${id}`;

/** Codes that are shown beside the field they concern, with the page as it was. */
const FIELD_ERRORS = ['wrong_code', 'code_already_used', 'too_many_codes', 'passkey_expired', 'passkey_refused'];
const REFUSALS = [
  'minor',
  'self_dealing',
  'identity_incomplete',
  'draft_expired',
  'theme_not_covered',
  'organisation_suspended',
  'aidant_suspended',
  'not_found',
  'session_expired',
  'protected_person',
  'person_deceased',
  'mandate_revoked',
  'renewal_refused',
  'usager_mismatch',
  'consent_not_given',
  'consent_failed',
];
/** Refusals after which another attempt, by the same person, can succeed. */
const WORTH_ANOTHER_TRY = ['identity_incomplete', 'consent_not_given', 'consent_failed', 'session_expired'];

/** Creating a mandate with the usager present: four pages, two wills, one transaction. */
export const mandat =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const ownDraft = async (here: AidantHere, id: string) => (isId('dra', id) ? site.mandates.findDraft(here, id) : undefined);

    const themesPage = (request: FastifyRequest, reply: FastifyReply, here: AidantHere, chosen: readonly string[], error?: string): FastifyReply => {
      const membership = here.dossier.memberships.find((each) => each.organisation.id === here.organisationId);
      const themes = THEMES.filter((theme) => membership?.themes.includes(theme) && membership.organisation.themes.includes(theme));
      return kit.page(
        reply,
        <MandateThemesPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, NEW)}
          backHref="/aidant"
          themes={themes}
          chosen={chosen}
          outside={THEMES.filter((theme) => !themes.includes(theme))}
          {...(error ? { errors: [{ field: `theme-${themes[0] ?? ''}`, code: error }] } : {})}
        />,
        { status: error ? 422 : 200 },
      );
    };

    app.get(NEW, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      return here ? themesPage(request, reply, here, (kit.query(request, 'themes') ?? '').split(',').filter(isTheme)) : reply;
    });
    app.post(NEW, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const chosen = kit.fields(request).all('themes').filter(isTheme);
      if (!chosen.length) return themesPage(request, reply, here, [], 'themes_required');
      return reply.redirect(`${NEW}/duree?themes=${chosen.join(',')}`, 303);
    });

    const chosenThemes = (request: FastifyRequest) => [...new Set((kit.query(request, 'themes') ?? '').split(',').filter(isTheme))];

    const daysPage = (request: FastifyRequest, reply: FastifyReply, here: AidantHere, themes: readonly string[], error?: string): FastifyReply => {
      const now = site.clock.now();
      return kit.page(
        reply,
        <MandateDaysPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(
            here.session,
            `${NEW}/duree`,
            themes.map((theme) => ['themes', theme] as const),
          )}
          backHref={`${NEW}?themes=${themes.join(',')}`}
          now={now}
          durations={DURATIONS.map((days) => ({ days, endsAt: endOfMandate(now, days) }))}
          {...(error ? { errors: [{ field: 'days-1', code: error }] } : {})}
        />,
        { status: error ? 422 : 200 },
      );
    };
    app.get(`${NEW}/duree`, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const themes = chosenThemes(request);
      return themes.length ? daysPage(request, reply, here, themes) : reply.redirect(NEW, 303);
    });
    app.post(`${NEW}/duree`, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const days = Number(kit.fields(request).text('days'));
      const themes = [...new Set(kit.fields(request).all('themes').filter(isTheme))];
      if (!themes.length) return themesPage(request, reply, here, [], 'themes_required');
      if (!isDuration(days)) return daysPage(request, reply, here, themes, 'days_required');
      const drafted = await site.mandates.draft(here, themes, days);
      if ('refused' in drafted)
        return kit.refuse(request, reply, drafted.refused === 'theme_missing' ? 'invalid_request' : drafted.refused, {
          session: here.session,
          who: here.who,
        });
      return reply.redirect(draftPath(drafted.draft.id), 303);
    });

    const draftText = (draft: Draft, actor: Actor, usager: Usager | undefined): MandateTextData => ({
      template: TEMPLATE,
      organisation: { name: actor.organisationName, siret: actor.siret },
      themes: draft.themes,
      days: draft.days,
      helpNumber: site.helpNumber,
      dates: { from: site.clock.now(), endsAt: endOfMandate(site.clock.now(), draft.days) },
      ...(usager ? { person: { name: displayName(usager), birthdate: usager.birthdate } } : {}),
      ...(draft.consent ? { consent: { method: draft.consent.method, at: draft.consent.at } } : {}),
    });

    app.get<Params>('/aidant/mandats/brouillon/:id', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      const { draft, actor } = found;
      return kit.page(
        reply,
        <MandateReadPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${draftPath(draft.id)}/consentement`)}
          refuse={kit.post(here.session, `${draftPath(draft.id)}/abandon`)}
          backHref={`${NEW}/duree?themes=${draft.themes.join(',')}`}
          text={draftText(draft, actor, undefined)}
          paperHref={`${draftPath(draft.id)}/papier`}
          {...(site.sms ? { smsHref: `${draftPath(draft.id)}/sms` } : {})}
        />,
      );
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/abandon', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      return here ? reply.redirect('/aidant', 303) : reply;
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/consentement', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return startSignIn(kit, request, reply, site.connectors.franceconnect, { kind: 'consent', draft: found.draft.id });
    });
    app.get<Params>('/aidant/mandats/brouillon/:id/refus', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const reason = kit.query(request, 'motif') ?? '';
      const words = t(kit.lang(request)).mandate;
      const again = { href: draftPath(request.params.id), label: words.tryAgain };
      const list = { href: '/aidant', label: words.created.home };
      return kit.refuse(request, reply, REFUSALS.includes(reason) ? reason : 'invalid_request', {
        session: here.session,
        who: here.who,
        actions: WORTH_ANOTHER_TRY.includes(reason) ? [again, list] : [list, { href: NEW, label: words.another }],
      });
    });

    /** Where a page that needs the person's will leads without it: to the waiting room when she was asked by SMS, to the sheet when she signs by hand. */
    const unsigned = async (here: AidantHere, id: Draft['id']): Promise<string> => {
      if (await site.papers.find(here, id)) return `${draftPath(id)}/papier/feuille`;
      return (await site.sms?.consents.find(here, id)) ? `${draftPath(id)}/attente` : draftPath(id);
    };

    const signPage = async (
      request: FastifyRequest,
      reply: FastifyReply,
      here: AidantHere,
      found: { draft: Draft; actor: Actor; usager: Usager },
      errors: readonly { field: string; code: string }[] = [],
    ): Promise<FastifyReply> => {
      const { draft, actor, usager } = found;
      if (!draft.consent) return reply.redirect(draftPath(draft.id), 303);
      const now = site.clock.now();
      const live = (await site.mandates.ofUsager(usager.id)).filter((mandate) => mandate.state.kind === 'active' && mandate.endsAt > now);
      const mine = live.filter((mandate) => mandate.organisationId === here.organisationId);
      const passkey = await site.passkeys.ask(here.aidantId, 'mandate', draft.consent.textHash);
      return kit.page(
        reply,
        <MandateSignPage
          frame={kit.frame(request, here.session, here.who)}
          now={now}
          post={kit.post(here.session, `${draftPath(draft.id)}/signer`, [['text_hash', draft.consent.textHash.toString('base64url')]])}
          notThisPerson={kit.post(here.session, `${draftPath(draft.id)}/consentement`)}
          errors={errors}
          person={{ name: displayName(usager), birthdate: usager.birthdate }}
          consent={{ method: draft.consent.method, at: draft.consent.at }}
          themes={draft.themes}
          days={draft.days}
          endsAt={endOfMandate(now, draft.days)}
          organisation={actor.organisationName}
          aidant={`${actor.givenName} ${actor.familyName}`}
          replaces={draft.themes.filter((theme) => mine.some((mandate) => mandate.themes.some((each) => each.theme === theme && !each.endedAt)))}
          otherOrganisations={[
            ...new Set(
              live
                .filter(
                  (mandate) =>
                    mandate.organisationId !== here.organisationId &&
                    mandate.themes.some((each) => draft.themes.includes(each.theme) && !each.endedAt),
                )
                .map((mandate) => mandate.organisationName),
            ),
          ]}
          textHref={`${draftPath(draft.id)}/texte`}
          passkey={passkey}
        />,
        { status: errors.length ? 422 : 200, script: passkey !== undefined },
      );
    };

    app.get<Params>('/aidant/mandats/brouillon/:id/texte', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return kit.page(
        reply,
        <MandatePage
          frame={kit.frame(request, here.session, here.who)}
          data={draftText(found.draft, found.actor, found.usager)}
          backHref={`${draftPath(found.draft.id)}${found.usager ? '/signer' : ''}`}
        />,
      );
    });
    app.get<Params>('/aidant/mandats/brouillon/:id/signer', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      if (found.draft.closedAt)
        return kit.refuse(request, reply, 'draft_closed', {
          session: here.session,
          who: here.who,
          actions: [{ href: '/aidant', label: t(kit.lang(request)).mandate.created.home }],
        });
      if (!found.usager) return reply.redirect(await unsigned(here, found.draft.id), 303);
      return signPage(request, reply, here, { ...found, usager: found.usager });
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/signer', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      if (!found.usager) return reply.redirect(await unsigned(here, found.draft.id), 303);
      const fields = kit.fields(request);
      const ready = { ...found, usager: found.usager };
      if (!found.draft.closedAt && fields.text('said_aloud') !== 'yes')
        return signPage(request, reply, here, ready, [{ field: 'said-aloud', code: 'said_aloud_required' }]);
      const done = await site.mandates.accept(
        here,
        found.draft.id,
        Buffer.from(fields.text('text_hash'), 'base64url'),
        fields.text('assertion') ? { assertion: fields.text('assertion') } : fields.text('code'),
      );
      site.nudgeDeliveries();
      if (!('refused' in done)) return reply.redirect(`/aidant/mandats/${done.mandate.id}/cree`, 303);
      if (FIELD_ERRORS.includes(done.refused)) return signPage(request, reply, here, ready, [{ field: 'code', code: done.refused }]);
      if (done.refused === 'consent_missing') return reply.redirect(draftPath(found.draft.id), 303);
      return kit.refuse(request, reply, done.refused, { session: here.session, who: here.who });
    });

    /** A mandate of the organisation that is selected; another's is answered as an unknown one (claim M1). */
    const ownMandate = async (here: AidantHere, id: string): Promise<Mandate | undefined> => {
      const mandate = isId('man', id) ? await site.mandates.find(id) : undefined;
      return mandate?.organisationId === here.organisationId ? mandate : undefined;
    };

    app.get<Params>('/aidant/mandats/:id/cree', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await ownMandate(here, request.params.id);
      const usager = mandate && (await site.usagers.find(mandate.usagerId));
      if (!mandate || !usager) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return kit.page(
        reply,
        <MandateCreatedPage
          frame={kit.frame(request, here.session, here.who)}
          person={shortName(usager)}
          reference={mandate.reference}
          services={mandate.state.kind === 'active' ? usableAt(mandate, await site.services.list()) : []}
          printHref={`/aidant/mandats/${mandate.id}`}
          homeHref="/aidant"
        />,
      );
    });
    app.get<Params>('/aidant/mandats/:id', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await ownMandate(here, request.params.id);
      if (!mandate) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      const siret = here.dossier.memberships.find((each) => each.organisation.id === here.organisationId)?.organisation.siret;
      return kit.page(
        reply,
        <MandatePage
          frame={kit.frame(request, here.session, here.who)}
          {...(await attestedPage(site, mandate, siret, await site.usagers.find(mandate.usagerId), `/aidant/mandats/${mandate.id}`))}
          {...('refused' in renewal(mandate, site.clock.now()) ? {} : { renew: kit.post(here.session, `/aidant/mandats/${mandate.id}/renouveler`) })}
          {...(mandate.state.kind === 'active' && mandate.endsAt > site.clock.now()
            ? { renounceHref: `/aidant/mandats/${mandate.id}/renoncer` }
            : {})}
          backHref="/aidant"
        />,
      );
    });
    app.get<Params>('/aidant/mandats/:id/attestation.pdf', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await ownMandate(here, request.params.id);
      const sent = mandate && (await sendPdf(site, reply, mandate));
      return sent ?? kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
    });
  };
