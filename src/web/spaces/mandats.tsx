import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import type { Mandate } from '../../mandates/mandate.ts';
import { isTheme, THEMES } from '../../organisations/theme.ts';
import { type AidantHere, requireAidant } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { MandatesPage, RenouncedPage, RenouncePage } from '../views/mandates.tsx';
import { ReceiptPage } from '../views/receipt.tsx';
import { receiptOf } from './receipt.ts';

const PAGE = 20;
const SOON_MS = 30 * 86_400_000;
const LIST = '/aidant/mandats';

const live = (mandate: Mandate) => mandate.themes.flatMap((each) => (each.endedAt ? [] : [each.theme]));
const stopped = (mandate: Mandate) => mandate.themes.flatMap((each) => (each.endedAt ? [each.theme] : []));

/** The structure's mandates, live and ended, and giving one up. What is searched travels in the form's body: a name is in no address (claim V1). */
export const mandats =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const list = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const theme = fields.text('theme');
      const asked = {
        etat: fields.text('etat') === 'ended' ? 'ended' : 'live',
        theme: isTheme(theme) ? theme : '',
        fin: fields.text('fin') === '30' ? '30' : '',
        q: fields.text('q').trim().slice(0, 80),
      } as const;
      const after = fields.text('apres');
      const now = site.clock.now();
      const wanted = {
        now,
        state: asked.etat,
        theme: asked.theme || undefined,
        endsBefore: asked.fin ? new Date(now.getTime() + SOON_MS) : undefined,
        name: asked.q || undefined,
      } as const;
      const [found, total] = await Promise.all([
        site.mandates.ofOrganisation(here.organisationId, { ...wanted, after: isId('man', after) ? after : undefined, limit: PAGE + 1 }),
        site.mandates.countOfOrganisation(here.organisationId, wanted),
      ]);
      const shown = found.slice(0, PAGE);
      const last = shown.at(-1);
      const page = (from?: string) => kit.post(here.session, LIST, [...Object.entries(asked), ...(from ? [['apres', from] as const] : [])]);
      return kit.page(
        reply,
        <MandatesPage
          frame={kit.frame(request, here.session, here.who)}
          now={now}
          mandates={shown.map((mandate) => ({
            href: `${LIST}/${mandate.id}`,
            reference: mandate.reference,
            person: mandate.usagerName,
            themes: asked.etat === 'live' ? live(mandate) : mandate.themes.map((each) => each.theme),
            endsAt: mandate.endsAt,
            method: mandate.consent.method,
            ...(mandate.state.kind === 'ended'
              ? { ended: mandate.state }
              : mandate.endsAt <= now
                ? { ended: { at: mandate.endsAt, reason: 'expired' } }
                : {}),
          }))}
          total={total}
          filter={{ post: kit.post(here.session, LIST), state: asked.etat, theme: asked.theme, end: asked.fin, name: asked.q }}
          themes={THEMES}
          clearHref={LIST}
          backHref="/aidant"
          {...(after ? { previous: page() } : {})}
          {...(found.length > PAGE && last ? { next: page(last.id) } : {})}
        />,
      );
    };
    app.get(LIST, list);
    app.post(LIST, list);

    /** A mandate of the organisation that is selected; another's is answered as an unknown one (claim M1). */
    const own = async (here: AidantHere, id: string): Promise<Mandate | undefined> => {
      const mandate = isId('man', id) ? await site.mandates.find(id) : undefined;
      return mandate?.organisationId === here.organisationId ? mandate : undefined;
    };
    const unknown = (request: FastifyRequest, reply: FastifyReply, here: AidantHere): FastifyReply =>
      kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });

    app.post<Params>('/aidant/mandats/:id/renouveler', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const drafted = isId('man', id) ? await site.mandates.renew(here, id) : { refused: 'not_found' as const };
      if ('refused' in drafted) return kit.refuse(request, reply, drafted.refused, { session: here.session, who: here.who });
      return reply.redirect(`${LIST}/brouillon/${drafted.draft.id}`, 303);
    });

    app.get<Params>('/aidant/mandats/:id/renoncer', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await own(here, request.params.id);
      if (!mandate) return unknown(request, reply, here);
      if (mandate.state.kind === 'ended') return reply.redirect(`${LIST}/${mandate.id}/renonce`, 303);
      return kit.page(
        reply,
        <RenouncePage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${LIST}/${mandate.id}/renoncer`)}
          person={mandate.usagerName}
          organisation={mandate.organisationName}
          themes={live(mandate)}
          backHref={`${LIST}/${mandate.id}`}
        />,
      );
    });
    app.post<Params>('/aidant/mandats/:id/renoncer', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const theme = kit.fields(request).text('theme');
      if (theme && !isTheme(theme)) return kit.refuse(request, reply, 'invalid_request', { session: here.session, who: here.who });
      const { id } = request.params;
      const done = isId('man', id) ? await site.mandates.renounce(here, id, isTheme(theme) ? theme : undefined) : { refused: 'not_found' as const };
      if ('refused' in done) return kit.refuse(request, reply, done.refused, { session: here.session, who: here.who });
      site.nudgeDeliveries();
      return reply.redirect(`${LIST}/${done.mandate.id}/renonce`, 303);
    });
    app.get<Params>('/aidant/mandats/:id/renonce', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await own(here, request.params.id);
      if (!mandate || !stopped(mandate).length) return unknown(request, reply, here);
      return kit.page(
        reply,
        <RenouncedPage
          frame={kit.frame(request, here.session, here.who)}
          person={mandate.usagerName}
          stopped={stopped(mandate)}
          left={live(mandate)}
          receiptHref={`${LIST}/${mandate.id}/recu`}
          backHref={LIST}
        />,
      );
    });
    app.get<Params>('/aidant/mandats/:id/recu', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const mandate = await own(here, request.params.id);
      if (!mandate || !stopped(mandate).length) return unknown(request, reply, here);
      const frame = kit.frame(request, here.session, here.who);
      const receipt = await receiptOf(site, mandate, 'structure', frame.lang);
      return kit.page(reply, <ReceiptPage frame={frame} {...receipt} backHref={`${LIST}/${mandate.id}`} />);
    });
  };
