import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endOfMandate } from '../../kernel/calendar.ts';
import { isId } from '../../kernel/ids.ts';
import { type Draft, DURATIONS, isDuration, type Mandate } from '../../mandates/mandate.ts';
import { MOST_DEMARCHES } from '../../mandates/narrowing.ts';
import { type Actor, renewal } from '../../mandates/policy.ts';
import { isTheme, THEMES, type Theme } from '../../organisations/theme.ts';
import { displayName, shortName, type Usager } from '../../usagers/usager.ts';
import { type AidantHere, requireAidant } from '../guards.ts';
import { t } from '../i18n/language.ts';
import type { Kit } from '../kit.tsx';
import { MandateDaysPage, MandateReadPage, MandateThemesPage } from '../views/mandate.tsx';
import { MandateCreatedPage, MandateSignPage } from '../views/mandate-sign.tsx';
import { MandatePage } from '../views/mandate-text.tsx';
import { attestedPage, sendPdf, textOfDraft } from './attested.ts';
import { startSignIn } from './connexion.tsx';
import { usableAt } from './usable.ts';

const NEW = '/aidant/mandats/nouveau';
const draftPath = (id: string): string => `/aidant/mandats/brouillon/${id}`;

/** Reads a list of an address: at most as many as a mandate may name, each once. */
const listed = (text: string | undefined): string[] => [...new Set((text ?? '').split(',').filter(Boolean))].slice(0, MOST_DEMARCHES + 1);

/** Codes that are shown beside the field they concern, with the page as it was. */
const FIELD_ERRORS = ['wrong_code', 'code_already_used', 'too_many_codes', 'passkey_expired', 'passkey_refused'];
const REFUSALS = [
  'minor',
  'self_dealing',
  'identity_incomplete',
  'identity_drift',
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
  'already_agreed',
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

    /** What was chosen so far, as the address or the form says it: nothing of it is trusted, only read. */
    interface Chosen {
      readonly themes: readonly Theme[];
      readonly demarches: readonly string[];
    }
    const fromQuery = (request: FastifyRequest): Chosen => ({
      themes: listed(kit.query(request, 'themes')).filter(isTheme),
      demarches: listed(kit.query(request, 'demarches')),
    });
    const fromForm = (request: FastifyRequest): Chosen => ({
      themes: [...new Set(kit.fields(request).all('themes').filter(isTheme))],
      demarches: [...new Set(kit.fields(request).all('demarches'))].slice(0, MOST_DEMARCHES + 1),
    });
    const queryOf = ({ themes, demarches }: Chosen): string =>
      `?themes=${themes.join(',')}${demarches.length ? `&demarches=${demarches.map(encodeURIComponent).join(',')}` : ''}`;

    const allowedThemes = (here: AidantHere): Theme[] => {
      const membership = here.dossier.memberships.find((each) => each.organisation.id === here.organisationId);
      return THEMES.filter((theme) => membership?.themes.includes(theme) && membership.organisation.themes.includes(theme));
    };

    const themesPage = async (
      request: FastifyRequest,
      reply: FastifyReply,
      here: AidantHere,
      chosen: Chosen,
      error?: { field: 'demarche-1' | 'theme'; code: string },
    ): Promise<FastifyReply> => {
      const themes = allowedThemes(here);
      const offered = await site.mandates.offered(themes);
      const field = error?.field === 'demarche-1' && offered.length ? 'demarche-1' : `theme-${themes[0] ?? ''}`;
      return kit.page(
        reply,
        <MandateThemesPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, NEW)}
          backHref="/aidant"
          demarches={offered.map((each) => ({
            code: each.code,
            label: kit.lang(request) === 'fr' ? each.labelFr : each.labelEn,
            service: each.serviceName,
            effect: each.effect,
            theme: themes.find((theme) => each.themes.includes(theme)) ?? '',
          }))}
          chosenDemarches={chosen.demarches}
          themes={themes}
          // A theme that came with its démarches is no choice of its own.
          chosen={chosen.demarches.length && !error ? [] : chosen.themes}
          outside={THEMES.filter((theme) => !themes.includes(theme))}
          {...(error ? { errors: [{ field, code: error.code }] } : {})}
        />,
        { status: error ? 422 : 200 },
      );
    };

    /** The themes that démarches bring with them: for each the one already brought if there is one, otherwise its first. Undefined: one has none. */
    const themesOf = async (here: AidantHere, codes: readonly string[]): Promise<Theme[] | undefined> => {
      const allowed = allowedThemes(here);
      const offered = await site.mandates.offered(allowed);
      const brought: Theme[] = [];
      for (const code of codes) {
        const themes = offered.find((each) => each.code === code)?.themes.filter((theme) => allowed.includes(theme)) ?? [];
        const [first] = themes;
        if (!first) return undefined;
        if (!themes.some((theme) => brought.includes(theme))) brought.push(first);
      }
      return brought;
    };

    app.get(NEW, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      return here ? themesPage(request, reply, here, fromQuery(request)) : reply;
    });
    app.post(NEW, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const chosen = fromForm(request);
      if (!chosen.themes.length && !chosen.demarches.length)
        return themesPage(request, reply, here, chosen, { field: 'demarche-1', code: 'themes_required' });
      if (!chosen.demarches.length) return reply.redirect(`${NEW}/duree${queryOf(chosen)}`, 303);
      const brought = await themesOf(here, chosen.demarches);
      if (!brought || chosen.demarches.length > MOST_DEMARCHES)
        return themesPage(request, reply, here, { ...chosen, demarches: [] }, { field: 'demarche-1', code: 'demarches_gone' });
      // A whole theme was chosen on purpose: it holds its démarches. One outside it would need another mandate.
      if (!chosen.themes.length) return reply.redirect(`${NEW}/duree${queryOf({ themes: brought, demarches: chosen.demarches })}`, 303);
      if (brought.every((theme) => chosen.themes.includes(theme)))
        return reply.redirect(`${NEW}/duree${queryOf({ themes: chosen.themes, demarches: [] })}`, 303);
      return themesPage(request, reply, here, chosen, { field: 'theme', code: 'demarches_or_themes' });
    });

    const daysPage = (
      request: FastifyRequest,
      reply: FastifyReply,
      here: AidantHere,
      chosen: Chosen,
      error?: { field: string; code: string },
    ): FastifyReply => {
      const now = site.clock.now();
      const fields = kit.fields(request);
      const days = Number(fields.text('days'));
      return kit.page(
        reply,
        <MandateDaysPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${NEW}/duree`, [
            ...chosen.themes.map((theme) => ['themes', theme] as const),
            ...chosen.demarches.map((code) => ['demarches', code] as const),
          ])}
          backHref={`${NEW}${queryOf(chosen)}`}
          now={now}
          durations={DURATIONS.map((each) => ({ days: each, endsAt: endOfMandate(now, each) }))}
          {...(isDuration(days) ? { chosen: days } : {})}
          readOnly={fields.text('read_only') === 'yes'}
          singleUse={fields.text('single_use') === 'yes'}
          {...(error ? { errors: [error] } : {})}
        />,
        { status: error ? 422 : 200 },
      );
    };
    app.get(`${NEW}/duree`, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const chosen = fromQuery(request);
      return chosen.themes.length ? daysPage(request, reply, here, chosen) : reply.redirect(NEW, 303);
    });
    app.post(`${NEW}/duree`, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const days = Number(fields.text('days'));
      const chosen = fromForm(request);
      if (!chosen.themes.length) return themesPage(request, reply, here, chosen, { field: 'demarche-1', code: 'themes_required' });
      if (!isDuration(days)) return daysPage(request, reply, here, chosen, { field: 'days-1', code: 'days_required' });
      const drafted = await site.mandates.draft(here, chosen.themes, days, {
        ...(chosen.demarches.length ? { demarches: chosen.demarches } : {}),
        readOnly: fields.text('read_only') === 'yes',
        singleUse: fields.text('single_use') === 'yes',
      });
      if (!('refused' in drafted)) return reply.redirect(draftPath(drafted.draft.id), 303);
      if (drafted.refused === 'demarche_not_read_only')
        return daysPage(request, reply, here, chosen, { field: 'read-only', code: 'demarche_not_read_only' });
      const code = drafted.refused === 'theme_missing' ? 'invalid_request' : drafted.refused;
      return kit.refuse(request, reply, code, { session: here.session, who: here.who });
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
          phone={kit.post(here.session, `${draftPath(draft.id)}/telephone`)}
          refuse={kit.post(here.session, `${draftPath(draft.id)}/abandon`)}
          backHref={`${NEW}/duree${queryOf({ themes: draft.themes, demarches: (draft.narrowing.demarches ?? []).map(({ code }) => code) })}`}
          aloudHref={`${draftPath(draft.id)}/lecture`}
          text={textOfDraft(site, draft, actor, undefined)}
          paperHref={`${draftPath(draft.id)}/papier`}
          {...(site.sms ? { smsHref: `${draftPath(draft.id)}/sms` } : {})}
        />,
      );
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/abandon', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      if (isId('dra', request.params.id)) await site.mandates.abandon(here, request.params.id);
      return reply.redirect('/aidant', 303);
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/consentement', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await ownDraft(here, request.params.id);
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return startSignIn(kit, request, reply, site.connectors.franceconnect, {
        kind: 'consent',
        draft: found.draft.id,
        ...(found.draft.consent ? { instead: found.draft.consent.at.getTime() } : {}),
      });
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
      const mine = (await site.mandates.ofUsager(usager.id)).filter(
        (mandate) => mandate.state.kind === 'active' && mandate.endsAt > now && mandate.organisationId === here.organisationId,
      );
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
          narrowing={draft.narrowing}
          endsAt={endOfMandate(now, draft.days)}
          organisation={actor.organisationName}
          aidant={`${actor.givenName} ${actor.familyName}`}
          replaces={draft.themes.filter((theme) => mine.some((mandate) => mandate.themes.some((each) => each.theme === theme && !each.endedAt)))}
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
          data={textOfDraft(site, found.draft, found.actor, found.usager)}
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
      const copied = mandate.consent.method === 'paper' ? await site.scans.ofMandate(mandate.id) : undefined;
      const siret = here.dossier.memberships.find((each) => each.organisation.id === here.organisationId)?.organisation.siret;
      return kit.page(
        reply,
        <MandatePage
          frame={kit.frame(request, here.session, here.who)}
          {...(await attestedPage(site, mandate, siret, await site.usagers.find(mandate.usagerId), `/aidant/mandats/${mandate.id}`))}
          aloudHref={`/aidant/mandats/${mandate.id}/lecture`}
          {...('refused' in renewal(mandate, site.clock.now()) ? {} : { renew: kit.post(here.session, `/aidant/mandats/${mandate.id}/renouveler`) })}
          {...(mandate.state.kind === 'active' && mandate.endsAt > site.clock.now()
            ? { renounceHref: `/aidant/mandats/${mandate.id}/renoncer` }
            : {})}
          {...(mandate.themes.some((each) => each.endedAt) ? { receiptHref: `/aidant/mandats/${mandate.id}/recu` } : {})}
          {...(copied ? { copyHref: `/aidant/papiers/${copied}/copie` } : {})}
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
