import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Level, lowest, pairwise, reaches } from '../../delegation/session.ts';
import type { Candidate } from '../../delegation/sessions.ts';
import { isId, type MandateId } from '../../kernel/ids.ts';
import type { Transaction } from '../../kernel/transaction.ts';
import { covered } from '../../mandates/narrowing.ts';
import { isTheme, type Theme } from '../../organisations/theme.ts';
import { FRONT_ACR, isFront } from '../../provider/front.ts';
import {
  askedSubject,
  asksLogin,
  asksSignInAnew,
  type DelegatedRequest,
  meetsAcr,
  readRequest,
  signInIsFresh,
  withMaxAge,
} from '../../provider/interaction.ts';
import type { Interaction } from '../../provider/parts.ts';
import { openChoice } from '../hint.ts';
import type { Kit } from '../kit.tsx';
import { aidantOf, isOwnFactorEnough, type Session } from '../session.ts';
import { startSignIn } from '../spaces/connexion.tsx';
import { proveFor } from '../spaces/securite.tsx';
import { ConfirmPage, PickPersonPage, PickThemePage } from '../views/interaction.tsx';

const PAGE = 20;

/** An aidant in front of a service's request: everything that the three pages need. */
interface Asking {
  readonly interaction: Interaction;
  readonly request: DelegatedRequest;
  readonly session: Extract<Session, { kind: 'staff' }>;
  readonly who: { readonly aidantId: `aid_${string}`; readonly organisationId: `org_${string}` };
  readonly header: { readonly name: string; readonly organisation: string; readonly canSwitch: boolean };
}

/** When the holder of a browser session signed in. */
const signInOf = (session: Session): Date => new Date(session.data.signedIn?.at ?? 0);

/** The pages shown while a service waits: pick the person, pick the theme, confirm. */
export const interactions =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const { provider } = site;
    type Params = { Params: { uid: string } };

    const origins = (interaction: Interaction): string[] => interaction.service.redirectUris.map((uri) => new URL(uri).origin);
    const path = (uid: string): string => `/interaction/${uid}`;

    /** The interaction of this browser under this address, or the answer that there is none (claim M9). */
    const load = async (request: FastifyRequest, reply: FastifyReply): Promise<Interaction | undefined> => {
      const { uid } = request.params as Params['Params'];
      const found = await provider.interaction(request.raw, reply.raw);
      if (found?.uid === uid) return found;
      site.notice({ code: 'interaction_expired' });
      kit.refuse(request, reply, 'interaction_expired');
      return undefined;
    };

    /** Says whether a session of this level meets what the service asked; FranceConnect is told one level, whatever the session's. */
    const meets = (interaction: Interaction, level: Level): boolean =>
      isFront(interaction.service.profile) ? meetsAcr(interaction.params, 'plain', FRONT_ACR) : meetsAcr(interaction.params, 'delegated', level);

    const giveUp = async (
      request: FastifyRequest,
      reply: FastifyReply,
      interaction: Interaction,
      error: string,
      description: string,
      reason: string,
    ): Promise<FastifyReply> => {
      const session = await kit.session(request);
      const who = session && aidantOf(session);
      await site.transactions.run((tx) =>
        site.journal.record(tx, {
          type: 'session.refused',
          service: interaction.service.id,
          administration: interaction.service.administrationId,
          aidant: who?.aidantId,
          organisation: who?.organisationId,
          outcome: 'refused',
          detail: { reason },
        }),
      );
      site.journal.nudge();
      return reply.redirect(await provider.fail(request.raw, reply.raw, { error, description }), 303);
    };

    /** Ordered checks before any page of the delegated path; the first that does not hold has answered. */
    const asking = async (request: FastifyRequest, reply: FastifyReply): Promise<Asking | undefined> => {
      const interaction = await load(request, reply);
      if (!interaction) return undefined;
      const asked = readRequest(interaction.params, interaction.service.profile);
      if (asked.path === 'plain') {
        void reply.redirect(path(interaction.uid), 303);
        return undefined;
      }
      if (!interaction.service.delegationSupported) {
        await giveUp(request, reply, interaction, 'access_denied', 'this service does not accept delegation', 'delegation_not_supported');
        return undefined;
      }
      if (asked.asked?.length === 0) {
        await giveUp(request, reply, interaction, 'access_denied', 'no theme that is asked for exists here', 'theme_not_covered');
        return undefined;
      }
      if (isFront(interaction.service.profile) && !meets(interaction, 'eidas1')) {
        await giveUp(request, reply, interaction, 'unmet_authentication_requirements', 'the requested level cannot be met', 'unmet_level');
        return undefined;
      }
      const session = await kit.session(request);
      const who = session && aidantOf(session);
      const signedInAt = session ? signInOf(session) : new Date(0);
      const upstream = new Date(session?.data.signedIn?.upstream ?? 0);
      // A démarche that is asked for by name may ask for a sign-in of its own age: it is asked now rather than when its act is reported.
      const maxAge = interaction.service.demarches.find(({ code }) => code === asked.demarche)?.maxAge;
      const params = withMaxAge(interaction.params, maxAge);
      const now = site.clock.now();
      const isFresh = signInIsFresh(params, { at: signedInAt, upstream }, interaction.requestedAt, now);
      // Time alone is missing: a factor of ours gives it. What it does not give is asked of ProConnect.
      if (session?.kind === 'staff' && who && !isFresh && !asksLogin(params) && meets(interaction, 'eidas1') && isOwnFactorEnough(session)) {
        void reply.redirect(proveFor(path(interaction.uid)), 303);
        return undefined;
      }
      if (session?.kind !== 'staff' || !who || !isFresh) {
        const known = session?.kind === 'staff' && !who && session.staffId.startsWith('aid_');
        void reply.redirect(known ? `/aidant/structures?vers=${path(interaction.uid)}` : `/connexion/proconnect?vers=${path(interaction.uid)}`, 303);
        return undefined;
      }
      const standing = await site.aidants.standing(session.staffId);
      const membership = 'refused' in standing ? undefined : standing.memberships.find((each) => each.organisation.id === who.organisationId);
      if ('refused' in standing || !membership) {
        await refuseHere(request, reply, interaction, 'refused' in standing ? standing.refused : 'organisation_suspended');
        return undefined;
      }
      return {
        interaction,
        request: asked,
        session,
        who,
        header: {
          name: `${standing.staff.givenName} ${standing.staff.familyName}`,
          organisation: membership.organisation.name,
          canSwitch: standing.memberships.length > 1,
        },
      };
    };

    /**
     * A page that refuses without ending the interaction; FranceConnect has pages of its own, and is answered. `written`: the journal has it already;
     * otherwise the security log has it.
     */
    const refuseHere = async (
      request: FastifyRequest,
      reply: FastifyReply,
      interaction: Interaction,
      code: string,
      written = false,
    ): Promise<FastifyReply> => {
      if (!written) site.notice({ code, service: interaction.service.id });
      if (isFront(interaction.service.profile))
        return reply.redirect(await provider.fail(request.raw, reply.raw, { error: 'access_denied', description: code }), 303);
      return kit.refuse(request, reply, code, {
        facts: { service: interaction.service.name },
        actions: [
          { href: path(interaction.uid), label: kit.lang(request) === 'en' ? 'Start again' : 'Recommencer' },
          { href: '/aidant', label: kit.lang(request) === 'en' ? 'My list' : 'Revenir à ma liste' },
        ],
      });
    };

    const candidates = (
      here: Asking,
      more: { mandateId?: MandateId; name?: string; after?: MandateId; limit?: number; webSession?: Buffer },
    ): Promise<Candidate[]> =>
      site.sessions.candidates({
        ...here.who,
        serviceId: here.interaction.service.id,
        asked: here.request.asked,
        demarche: here.request.demarche,
        authTime: signInOf(here.session),
        limit: PAGE + 1,
        ...more,
      });

    const abort = (here: Asking) => kit.post(here.session, `${path(here.interaction.uid)}/abandon`);

    const pickPerson = async (request: FastifyRequest, reply: FastifyReply, here: Asking, error?: string): Promise<FastifyReply> => {
      const { interaction } = here;
      const fields = kit.fields(request);
      const name = fields.text('q').trim().slice(0, 80);
      const after = kit.query(request, 'apres') ?? fields.text('apres');
      const found = await candidates(here, { ...(name ? { name } : {}), ...(isId('man', after) ? { after } : {}) });
      if (!found.length && !name && !after && isFront(interaction.service.profile))
        return giveUp(request, reply, interaction, 'access_denied', 'nobody can be represented for what is asked', 'no_mandate_for_service');
      const people = found.slice(0, PAGE);
      const last = people.at(-1);
      const total = found.length > PAGE || after ? (await candidates(here, { ...(name ? { name } : {}), limit: 10_000 })).length : people.length;
      const search = `${path(interaction.uid)}/chercher`;
      const page = (from?: string) =>
        name
          ? kit.post(here.session, search, [['q', name] as const, ...(from ? [['apres', from] as const] : [])])
          : `${path(interaction.uid)}${from ? `?apres=${from}` : '?choisir=1'}`;
      return kit.page(
        reply,
        <PickPersonPage
          frame={kit.frame(request, here.session, here.header)}
          post={kit.post(here.session, `${path(interaction.uid)}/personne`)}
          abort={abort(here)}
          now={site.clock.now()}
          service={interaction.service.name}
          people={people.map((each) => ({
            id: each.mandateId,
            name: each.usagerName,
            themes: each.themes,
            endsAt: each.endsAt,
            method: each.consent.method,
          }))}
          total={total}
          filter={{ post: kit.post(here.session, search), query: name, clearHref: `${path(interaction.uid)}?choisir=1` }}
          createHref="/aidant/mandats/nouveau"
          {...(after ? { previous: page() } : {})}
          {...(found.length > PAGE && last ? { next: page(last.mandateId) } : {})}
          {...(error ? { errors: [{ field: 'person-1', code: error }] } : {})}
        />,
        { status: error ? 422 : 200, formOrigins: origins(interaction) },
      );
    };

    const pickTheme = (request: FastifyRequest, reply: FastifyReply, here: Asking, candidate: Candidate, error?: string): FastifyReply =>
      kit.page(
        reply,
        <PickThemePage
          frame={kit.frame(request, here.session, here.header)}
          post={kit.post(here.session, `${path(here.interaction.uid)}/thematique`, [['person', candidate.mandateId]])}
          abort={abort(here)}
          person={candidate.usagerName}
          themes={candidate.themes}
          {...(error ? { errors: [{ field: `theme-${candidate.themes[0] ?? ''}`, code: error }] } : {})}
        />,
        { status: error ? 422 : 200, formOrigins: origins(here.interaction) },
      );

    const confirm = (request: FastifyRequest, reply: FastifyReply, here: Asking, candidate: Candidate, theme: Theme): FastifyReply => {
      const { interaction } = here;
      const { others } = candidate;
      const inTheme = interaction.service.demarches.filter(({ themes, code }) => themes.includes(theme) && code === (here.request.demarche ?? code));
      const level = lowest(
        candidate.consent.acr === 'eidas2' ? 'eidas2' : 'eidas1',
        here.session.data.signedIn?.acr === 'eidas2' ? 'eidas2' : 'eidas1',
      );
      const within = covered(candidate.narrowing, inTheme).filter((demarche) => reaches(level, demarche));
      const privileges = [...new Set(within.map((demarche) => demarche.effect))];
      return kit.page(
        reply,
        <ConfirmPage
          frame={kit.frame(request, here.session, here.header)}
          post={kit.post(here.session, `${path(interaction.uid)}/confirmer`, [
            ['person', candidate.mandateId],
            ['theme', theme],
            ['organisation', here.who.organisationId],
          ])}
          abort={abort(here)}
          now={site.clock.now()}
          person={candidate.usagerName}
          service={interaction.service.name}
          theme={theme}
          mandate={{ startsAt: candidate.startsAt, endsAt: candidate.endsAt, method: candidate.consent.method }}
          privileges={privileges}
          narrowing={candidate.narrowing}
          anotherHref={`${path(interaction.uid)}?choisir=1`}
          {...(others[0]
            ? { endsFirst: { person: others[0].usagerName, services: [...new Set(others.map((session) => session.serviceName))] } }
            : {})}
        />,
        { formOrigins: origins(interaction) },
      );
    };

    /** The page that the choices made so far lead to. What they name is read again from the database, each time. */
    const next = async (
      request: FastifyRequest,
      reply: FastifyReply,
      here: Asking,
      chosen: { person?: string | undefined; theme?: string | undefined },
    ): Promise<FastifyReply> => {
      if (!chosen.person) return pickPerson(request, reply, here);
      const [candidate] = isId('man', chosen.person)
        ? await candidates(here, { mandateId: chosen.person, limit: 1, webSession: here.session.hash })
        : [];
      if (!candidate) return refuseHere(request, reply, here.interaction, 'no_mandate_for_service');
      const theme =
        isTheme(chosen.theme) && candidate.themes.includes(chosen.theme)
          ? chosen.theme
          : candidate.themes.length === 1
            ? candidate.themes[0]
            : undefined;
      if (theme) return confirm(request, reply, here, candidate, theme);
      return pickTheme(request, reply, here, candidate, chosen.theme === undefined ? undefined : 'theme_required');
    };

    app.get<Params>('/interaction/:uid', async (request, reply) => {
      const interaction = await load(request, reply);
      if (!interaction) return reply;
      if (readRequest(interaction.params, interaction.service.profile).path === 'plain') {
        if (!meetsAcr(interaction.params, 'plain', 'eidas1'))
          return giveUp(request, reply, interaction, 'unmet_authentication_requirements', 'the requested level cannot be met', 'unmet_level');
        return startSignIn(
          kit,
          request,
          reply,
          site.connectors.franceconnect,
          { kind: 'interaction', uid: interaction.uid },
          asksSignInAnew(interaction.params),
        );
      }
      const here = await asking(request, reply);
      if (!here) return reply;
      const picked = { person: kit.query(request, 'personne'), theme: kit.query(request, 'thematique') };
      if (picked.person || kit.query(request, 'choisir') || kit.query(request, 'apres')) return next(request, reply, here, picked);
      const hint = openChoice(site.cookieKey.reveal(), here.session.hash, interaction.params['login_hint'], site.clock.now());
      return next(request, reply, here, hint ? { person: hint.mandateId, theme: hint.theme } : {});
    });

    app.post<Params>('/interaction/:uid/chercher', async (request, reply) => {
      const here = await asking(request, reply);
      return here ? pickPerson(request, reply, here) : reply;
    });
    app.post<Params>('/interaction/:uid/personne', async (request, reply) => {
      const here = await asking(request, reply);
      if (!here) return reply;
      const person = kit.fields(request).text('person');
      if (!person) return pickPerson(request, reply, here, 'person_required');
      return reply.redirect(`${path(here.interaction.uid)}?personne=${encodeURIComponent(person)}`, 303);
    });
    app.post<Params>('/interaction/:uid/thematique', async (request, reply) => {
      const here = await asking(request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      return next(request, reply, here, { person: fields.text('person'), theme: fields.text('theme') });
    });

    /** A service may insist on one person; the aidant chose. When the two differ nothing opens: asking again would not change who was chosen. */
    const isSomebodyElse = async (interaction: Interaction, here: Asking, mandateId: MandateId): Promise<boolean> => {
      const subject = askedSubject(interaction.params);
      if (subject === undefined) return false;
      const [candidate] = await candidates(here, { mandateId, limit: 1 });
      return candidate !== undefined && pairwise(site.pairwiseKey.reveal(), 'sub', interaction.service.sector, candidate.usager.id) !== subject;
    };

    app.post<Params>('/interaction/:uid/confirmer', async (request, reply) => {
      const here = await asking(request, reply);
      if (!here) return reply;
      const { interaction } = here;
      const fields = kit.fields(request);
      const mandateId = fields.text('person');
      const theme = fields.text('theme');
      if (!isId('man', mandateId) || !isTheme(theme)) return refuseHere(request, reply, interaction, 'invalid_request');
      if (fields.text('organisation') !== here.who.organisationId) return refuseHere(request, reply, interaction, 'other_organisation_selected');
      const signedIn = here.session.data.signedIn;
      const aidantAcr = signedIn?.acr === 'eidas2' ? 'eidas2' : 'eidas1';
      // What the lowest level meets, every level meets: the mandate is read only for a request that asks for more.
      const [candidate] = meets(interaction, 'eidas1') ? [] : await candidates(here, { mandateId, limit: 1 });
      const level = lowest(candidate?.consent.acr === 'eidas2' ? 'eidas2' : 'eidas1', aidantAcr);
      if (candidate && !meets(interaction, level))
        return giveUp(request, reply, interaction, 'unmet_authentication_requirements', 'the requested level cannot be met', 'unmet_level');
      if (await isSomebodyElse(interaction, here, mandateId))
        return giveUp(request, reply, interaction, 'login_required', 'the person chosen is not the one that was asked for', 'usager_mismatch');
      const opened = await site.sessions.open(
        {
          webSession: here.session.hash,
          ...here.who,
          aidantAcr,
          aidantAmr: signedIn?.amr ?? [],
          authTime: signInOf(here.session),
          mandateId,
          theme,
          serviceId: interaction.service.id,
          asked: here.request.asked,
          demarche: here.request.demarche,
        },
        (tx, session) => provider.grantDelegated(tx, request.raw, reply.raw, session),
      );
      if ('refused' in opened) return refuseHere(request, reply, interaction, opened.refused, true);
      if (opened.ended) site.nudgeDeliveries();
      return reply.redirect(await provider.finishDelegated(request.raw, reply.raw), 303);
    });

    app.post<Params>('/interaction/:uid/abandon', async (request, reply) => {
      const interaction = await load(request, reply);
      if (!interaction) return reply;
      return giveUp(request, reply, interaction, 'access_denied', 'the person did not continue', 'abandoned');
    });

    /** The plain path comes back here from FranceConnect, where the library's cookie is: the person is given to this request alone. */
    app.get<Params>('/interaction/:uid/suite', async (request, reply) => {
      const interaction = await load(request, reply);
      if (!interaction) return reply;
      const session = await kit.session(request);
      if (session?.data.declined === interaction.uid) {
        const { declined: _used, ...data } = session.data;
        kit.keep(request, reply, await site.webSessions.save(session, data));
        return giveUp(request, reply, interaction, 'access_denied', 'the person did not continue', 'abandoned');
      }
      const identified = session?.data.identified;
      if (!session || identified?.uid !== interaction.uid || readRequest(interaction.params, interaction.service.profile).path !== 'plain')
        return kit.refuse(request, reply, 'interaction_not_yours');
      const { identified: _used, ...data } = session.data;
      kit.keep(request, reply, await site.webSessions.save(session, data));
      const level = identified.acr === 'eidas2' ? 'eidas2' : 'eidas1';
      if (!meetsAcr(interaction.params, 'plain', level))
        return giveUp(request, reply, interaction, 'unmet_authentication_requirements', 'the requested level cannot be met', 'unmet_level');
      const subject = askedSubject(interaction.params);
      if (subject !== undefined && pairwise(site.pairwiseKey.reveal(), 'sub', interaction.service.sector, identified.usagerId) !== subject)
        return giveUp(request, reply, interaction, 'login_required', 'the person who signed in is not the one that was asked for', 'usager_mismatch');
      // One person at a time in one browser: whoever was acting here for somebody else stops (product.md, "Rules of a delegated session").
      const person = { id: identified.usagerId, acr: level, authTime: new Date(identified.at) };
      const beside = {
        browser: session.hash,
        within: async (write: (tx: Transaction) => Promise<void>) => {
          if (await site.sessions.alone(session.hash, identified.usagerId, write)) site.nudgeDeliveries();
        },
      };
      const to = await provider.finishPlain(request.raw, reply.raw, person, session.kind === 'staff' ? beside : undefined);
      return reply.redirect(to, 303);
    });
  };
