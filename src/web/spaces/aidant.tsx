import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Dossier } from '../../aidants/aidant.ts';
import { isId } from '../../kernel/ids.ts';
import { isTheme } from '../../organisations/theme.ts';
import { isReferent, requireAidant, type StaffSession } from '../guards.ts';
import { sealChoice } from '../hint.ts';
import type { Kit } from '../kit.tsx';
import { AidantHomePage, OrganisationPage } from '../views/aidant.tsx';
import { PATHS } from '../views/paths.ts';
import { selectOrganisation } from './organisation.ts';
import { usableAt } from './usable.ts';

const PAGE = 20;

/** The aidant's space: whom one accompanies, what is open, which structure. */
export const aidantSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    const home = async (request: FastifyRequest, reply: FastifyReply, name: string, after: string | undefined): Promise<FastifyReply> => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const now = site.clock.now();
      const [found, open, services, total, sheets] = await Promise.all([
        site.mandates.ofOrganisation(here.organisationId, {
          now,
          name: name || undefined,
          after: isId('man', after) ? after : undefined,
          limit: PAGE + 1,
        }),
        site.sessions.live(here.session.hash),
        site.services.list(),
        site.mandates.countOfOrganisation(here.organisationId, { now, name: name || undefined }),
        site.papers.waiting(here),
      ]);
      const people = found.slice(0, PAGE);
      const last = people.at(-1);
      const page = (from?: string) =>
        name
          ? kit.post(here.session, '/aidant', [['q', name] as const, ...(from ? [['apres', from] as const] : [])])
          : `/aidant${from ? `?apres=${from}` : ''}`;
      return kit.page(
        reply,
        <AidantHomePage
          frame={kit.frame(request, here.session, here.who)}
          now={now}
          people={people.map((mandate) => ({
            id: mandate.id,
            name: mandate.usagerName,
            themes: mandate.themes.filter((each) => !each.endedAt).map((each) => each.theme),
            narrowing: mandate.narrowing,
            used: mandate.used,
            endsAt: mandate.endsAt,
            method: mandate.consent.method,
            services: usableAt(mandate, services),
          }))}
          total={total}
          filter={{ post: kit.post(here.session, '/aidant'), query: name, clearHref: '/aidant' }}
          open={open.map((session) => ({
            id: session.id,
            person: session.usagerName,
            service: session.serviceName,
            theme: session.theme,
            expiresAt: session.expiresAt,
            stop: kit.post(here.session, `/aidant/sessions/${session.id}/arreter`),
          }))}
          createHref="/aidant/mandats/nouveau"
          mandatesHref="/aidant/mandats"
          {...(isReferent(here) ? { journalHref: PATHS.structureJournal } : {})}
          witness={{ href: '/aidant/temoin', waiting: sheets.length }}
          {...(after ? { previous: page() } : {})}
          {...(found.length > PAGE && last ? { next: page(last.id) } : {})}
        />,
      );
    };
    app.get('/aidant', (request, reply) => home(request, reply, '', kit.query(request, 'apres')));
    app.post('/aidant', (request, reply) => {
      const fields = kit.fields(request);
      return home(request, reply, fields.text('q').trim().slice(0, 80), fields.text('apres') || undefined);
    });

    app.post<{ Params: { id: string } }>('/aidant/sessions/:id/arreter', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      if (isId('dls', id)) await site.sessions.end({ id, webSession: here.session.hash }, 'signed_out');
      site.nudgeDeliveries();
      return reply.redirect('/aidant', 303);
    });

    /** Leads to the service, which comes back asking; the hint says for whom. */
    app.get<{ Params: { mandate: string; service: string } }>('/aidant/agir/:mandate/:service', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { mandate: mandateId } = request.params;
      const mandate = isId('man', mandateId) ? await site.mandates.find(mandateId) : undefined;
      const service = await site.services.find(request.params.service);
      const asked = kit.query(request, 'thematique');
      const common = mandate?.themes.flatMap((each) => (!each.endedAt && service?.themes.includes(each.theme) ? [each.theme] : [])) ?? [];
      const themes = isTheme(asked) ? common.filter((each) => each === asked) : common;
      if (mandate?.organisationId !== here.organisationId || !service?.initiateLoginUri || service.status !== 'approved' || !themes.length)
        return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      const theme = themes.length === 1 ? themes[0] : undefined; // several: the aidant says which, before confirming
      const to = new URL(service.initiateLoginUri);
      to.searchParams.set('iss', site.issuer);
      to.searchParams.set('login_hint', sealChoice(site.cookieKey.reveal(), here.session.hash, { mandateId: mandate.id, theme }, site.clock.now()));
      if (theme) to.searchParams.set('theme', theme);
      return reply.redirect(to.href, 303);
    });

    const organisations = (request: FastifyRequest, reply: FastifyReply, session: StaffSession, dossier: Dossier, to: string, error?: string) =>
      kit.page(
        reply,
        <OrganisationPage
          frame={kit.frame(request, session, { name: `${dossier.staff.givenName} ${dossier.staff.familyName}` })}
          post={kit.post(session, '/aidant/structures', to ? [['vers', to]] : [])}
          organisations={dossier.memberships.map(({ organisation }) => ({
            id: organisation.id,
            name: organisation.name,
            current: organisation.id === session.organisationId,
          }))}
          {...(error ? { errors: [{ field: 'organisation-1', code: error }] } : {})}
        />,
        { status: error ? 422 : 200 },
      );

    app.get('/aidant/structures', async (request, reply) => {
      const session = await kit.session(request);
      if (session?.kind !== 'staff') return reply.redirect('/connexion/proconnect', 303);
      const standing = await site.aidants.standing(session.staffId);
      if ('refused' in standing) return kit.refuse(request, reply, standing.refused);
      return organisations(request, reply, session, standing, kit.query(request, 'vers') ?? '');
    });

    app.post('/aidant/structures', async (request, reply) => {
      const session = await kit.session(request);
      if (session?.kind !== 'staff') return kit.refuse(request, reply, 'session_expired');
      const standing = await site.aidants.standing(session.staffId);
      if ('refused' in standing) return kit.refuse(request, reply, standing.refused);
      const fields = kit.fields(request);
      if (!fields.text('organisation')) return organisations(request, reply, session, standing, fields.text('vers'), 'organisation_required');
      const chosen = standing.memberships.find(({ organisation }) => organisation.id === fields.text('organisation'))?.organisation;
      if (!chosen)
        return kit.refuse(request, reply, 'not_found', { session, who: { name: `${standing.staff.givenName} ${standing.staff.familyName}` } });
      await selectOrganisation(kit, request, reply, session, chosen.id);
      const to = fields.text('vers');
      return reply.redirect(/^\/interaction\/[A-Za-z0-9_-]{10,100}$/.test(to) ? to : '/aidant', 303);
    });
  };
