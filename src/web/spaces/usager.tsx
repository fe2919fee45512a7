import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { REMARKABLE } from '../../actions/contests.ts';
import type { EventType } from '../../journal/event.ts';
import type { ProvedEntry, StoredEntry } from '../../journal/journal.ts';
import { isId } from '../../kernel/ids.ts';
import type { Mandate } from '../../mandates/mandate.ts';
import { isTheme, type Theme } from '../../organisations/theme.ts';
import { displayName, shortName } from '../../usagers/usager.ts';
import { asksOf, evidenceOf } from '../evidence.ts';
import { writeSpan } from '../evidence-rest.ts';
import { requireUsager, type UsagerSession } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { MandatePage } from '../views/mandate-text.tsx';
import { PATHS } from '../views/paths.ts';
import { ReceiptPage } from '../views/receipt.tsx';
import { UsagerHomePage } from '../views/usager.tsx';
import { EntryPage, MandateStoppedPage, StopMandatePage } from '../views/usager-detail.tsx';
import { attestedPage, sendPdf } from './attested.ts';
import { SHOWN, silentAmong } from './own-entries.ts';
import { sendProof } from './preuve.ts';
import { ENDS, receiptOf } from './receipt.ts';

const PAGE = 30;

const liveThemes = (mandate: Mandate): Theme[] => mandate.themes.flatMap((each) => (each.endedAt ? [] : [each.theme]));
/** Themes of a mandate for which another structure may act too (claim M22). */
const sharedThemes = (mandate: Mandate, live: readonly Mandate[]): Theme[] =>
  liveThemes(mandate).filter((theme) => live.some((each) => each.organisationId !== mandate.organisationId && liveThemes(each).includes(theme)));

const isRemarkable = ({ type, session }: StoredEntry): boolean => session !== undefined && (REMARKABLE as readonly EventType[]).includes(type);

/** The usager's space: who can act, how to stop it, what was done. */
export const usagerSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const whoIs = async (session: UsagerSession) => {
      const usager = await site.usagers.find(session.usagerId);
      return { name: usager ? displayName(usager) : '', greeting: usager ? shortName(usager) : '', usager };
    };
    const ownMandate = async (session: UsagerSession, id: string): Promise<Mandate | undefined> => {
      const mandate = isId('man', id) ? await site.mandates.find(id) : undefined;
      return mandate?.usagerId === session.usagerId ? mandate : undefined;
    };
    const partOf = (mandate: Mandate) => ({
      stopped: mandate.themes.flatMap((each) => (each.endedAt ? [each.theme] : [])),
      left: liveThemes(mandate),
    });

    app.get('/usager', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const before = Number(kit.query(request, 'avant'));
      const now = site.clock.now();
      const paged = Number.isSafeInteger(before) && before > 0;
      // Where her entries end now: what is written while this page is made belongs to the next.
      const newest = paged
        ? before
        : ((await site.evidence.leaves(site.transactions.auto, 'usager', session.usagerId, { from: 0 }, 1)).leaves[0]?.index ?? -1);
      const [who, entries, mandates, checkpoint] = await Promise.all([
        whoIs(session),
        site.journal.prove(site.transactions.auto, {
          usager: session.usagerId,
          types: SHOWN,
          limit: PAGE + 1,
          before: paged ? before : newest + 1,
        }),
        site.mandates.ofUsager(session.usagerId),
        site.checkpoint(),
      ]);
      const shown = entries.slice(0, PAGE);
      const last = shown.at(-1);
      const live = mandates.filter((mandate) => mandate.state.kind === 'active' && mandate.endsAt > now);
      const remarkable = shown.filter(isRemarkable);
      const oldest = entries.length <= PAGE;
      const whole = { from: oldest ? 0 : (last?.index ?? 0), to: newest, newest: !paged, oldest, ...(paged ? { anchor: newest } : {}) };
      const lang = kit.lang(request);
      const [evidence, silent, names, said] = await Promise.all([
        evidenceOf(site, {
          view: { who: 'usager', id: session.usagerId },
          lines: shown,
          lang,
          whole,
          again: `/usager?avant=${paged ? before : newest + 1}`,
          rest: (span) => `${PATHS.ownLeaves}?${writeSpan(span)}`,
        }),
        silentAmong(site, shown),
        site.aidantNames(live.map((mandate) => mandate.organisationId)),
        site.contests.said(remarkable.map((entry) => entry.eventId)),
      ]);
      return kit.page(
        reply,
        <UsagerHomePage
          frame={kit.frame(request, session, { name: who.name })}
          now={now}
          greeting={who.greeting}
          lines={shown.map((entry) => ({
            entry,
            detailHref: `/usager/entrees/${entry.index}`,
            withoutReport: entry.session !== undefined && entry.type === 'session.opened' && silent.has(entry.session),
            ...(remarkable.includes(entry) ? { disagreeHref: `/usager/entrees/${entry.index}/desaccord` } : {}),
            disagreed: said.get(entry.eventId)?.contest !== undefined,
          }))}
          mandates={live.map((mandate) => {
            const aidants = names.get(mandate.organisationId) ?? [];
            return {
              organisation: mandate.organisationName,
              aidants: aidants.slice(0, 2),
              otherAidants: Math.max(0, aidants.length - 2),
              themes: liveThemes(mandate),
              narrowing: mandate.narrowing,
              used: mandate.used,
              endsAt: mandate.endsAt,
              shared: sharedThemes(mandate, live),
              consent: { method: mandate.consent.method, at: mandate.consent.at },
              stopHref: `/usager/mandats/${mandate.id}/arreter`,
              textHref: `/usager/mandats/${mandate.id}`,
            };
          })}
          {...(checkpoint && shown[0] && checkpoint.size > shown[0].index ? { checkpoint: { size: checkpoint.size, at: checkpoint.at } } : {})}
          {...(evidence ? { evidence } : {})}
          {...(site.sms ? { phoneHref: '/usager/telephone' } : {})}
          {...(kit.query(request, 'avant') ? { newer: '/usager' } : {})}
          {...(entries.length > PAGE && last ? { older: `/usager?avant=${last.index}` } : {})}
        />,
        { asks: asksOf(evidence) },
      );
    });

    const ownEntry = async (session: UsagerSession, id: string): Promise<ProvedEntry | undefined> => {
      const index = Number(id);
      if (!Number.isSafeInteger(index) || index < 0) return undefined;
      const [entry] = await site.journal.prove(site.transactions.auto, { usager: session.usagerId, types: SHOWN, before: index + 1, limit: 1 });
      return entry?.index === index ? entry : undefined;
    };
    app.get<Params>('/usager/entrees/:id/preuve', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const entry = await ownEntry(session, request.params.id);
      const sent = entry && (await sendProof(site, reply, entry, { usager: session.usagerId }));
      return sent ?? kit.refuse(request, reply, entry ? 'proof_unsealed' : 'not_found', { session, who: { name: (await whoIs(session)).name } });
    });
    app.get<Params>('/usager/entrees/:id', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const [who, entry] = await Promise.all([whoIs(session), ownEntry(session, request.params.id)]);
      if (!entry) return kit.refuse(request, reply, 'not_found', { session, who: { name: who.name } });
      const view = { who: 'usager', id: session.usagerId } as const;
      const [evidence, checkpoint, silent, references] = await Promise.all([
        evidenceOf(site, { view, lines: [entry], lang: kit.lang(request), again: `/usager/entrees/${entry.index}` }),
        site.checkpoint(),
        silentAmong(site, [entry]),
        site.references(entry.mandate ? [entry.mandate] : []),
      ]);
      const reference = entry.mandate ? references.get(entry.mandate) : undefined;
      return kit.page(
        reply,
        <EntryPage
          frame={kit.frame(request, session, { name: who.name })}
          entry={entry}
          origin={site.origin()}
          {...(evidence ? { evidence } : {})}
          {...(checkpoint && checkpoint.size > entry.index ? { checkpoint: { size: checkpoint.size, at: checkpoint.at } } : {})}
          proofHref={`/usager/entrees/${entry.index}/preuve`}
          withoutReport={entry.session !== undefined && silent.has(entry.session)}
          {...(reference ? { mandateReference: reference } : {})}
          {...(entry.mandate && (ENDS as readonly string[]).includes(entry.type) ? { receiptHref: `/usager/mandats/${entry.mandate}/recu` } : {})}
          backHref="/usager"
        />,
      );
    });

    app.get<Params>('/usager/mandats/:id', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const [who, mandate] = await Promise.all([whoIs(session), ownMandate(session, request.params.id)]);
      if (!mandate) return kit.refuse(request, reply, 'not_found', { session, who: { name: who.name } });
      return kit.page(
        reply,
        <MandatePage
          frame={kit.frame(request, session, { name: who.name })}
          {...(await attestedPage(site, mandate, undefined, who.usager, `/usager/mandats/${mandate.id}`))}
          aloudHref={`/usager/mandats/${mandate.id}/lecture`}
          backHref="/usager"
        />,
      );
    });
    app.get<Params>('/usager/mandats/:id/attestation.pdf', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const mandate = await ownMandate(session, request.params.id);
      const sent = mandate && (await sendPdf(site, reply, mandate));
      return sent ?? kit.refuse(request, reply, 'not_found', { session, who: { name: (await whoIs(session)).name } });
    });

    app.get<Params>('/usager/mandats/:id/arreter', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const [who, mandate] = await Promise.all([whoIs(session), ownMandate(session, request.params.id)]);
      if (!mandate) return kit.refuse(request, reply, 'not_found', { session, who: { name: who.name } });
      if (mandate.state.kind === 'ended') return reply.redirect(`/usager/mandats/${mandate.id}/arrete`, 303);
      return kit.page(
        reply,
        <StopMandatePage
          frame={kit.frame(request, session, { name: who.name })}
          post={kit.post(session, `/usager/mandats/${mandate.id}/arreter`)}
          organisation={mandate.organisationName}
          themes={liveThemes(mandate)}
          running={await site.runningServices(mandate.id)}
          backHref="/usager"
        />,
      );
    });

    app.post<Params>('/usager/mandats/:id/arreter', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const { id } = request.params;
      const theme = kit.fields(request).text('theme');
      if (theme && !isTheme(theme)) return kit.refuse(request, reply, 'invalid_request', { session, who: { name: (await whoIs(session)).name } });
      const done = isId('man', id)
        ? await site.mandates.revokeByUsager(session.usagerId, id, isTheme(theme) ? theme : undefined)
        : { refused: 'not_found' as const };
      if ('refused' in done) return kit.refuse(request, reply, done.refused, { session, who: { name: (await whoIs(session)).name } });
      site.nudgeDeliveries();
      return reply.redirect(`/usager/mandats/${done.mandate.id}/arrete`, 303);
    });

    const stoppedPage = async (request: FastifyRequest, reply: FastifyReply, session: UsagerSession, mandate: Mandate): Promise<FastifyReply> => {
      const [who, told] = await Promise.all([whoIs(session), site.tellings(mandate.id)]);
      return kit.page(
        reply,
        <MandateStoppedPage
          frame={kit.frame(request, session, { name: who.name })}
          organisation={mandate.organisationName}
          at={mandate.state.kind === 'ended' ? mandate.state.at : mandate.endsAt}
          {...(mandate.state.kind === 'active' ? { part: partOf(mandate) } : {})}
          services={told.map(({ serviceName, acknowledgedAt }) => ({ name: serviceName, ...(acknowledgedAt ? { knownAt: acknowledgedAt } : {}) }))}
          receiptHref={`/usager/mandats/${mandate.id}/recu`}
          refreshHref={`/usager/mandats/${mandate.id}/arrete`}
          backHref="/usager"
        />,
      );
    };
    app.get<Params>('/usager/mandats/:id/recu', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const mandate = await ownMandate(session, request.params.id);
      const { name } = await whoIs(session);
      if (!mandate || !partOf(mandate).stopped.length) return kit.refuse(request, reply, 'not_found', { session, who: { name } });
      const frame = kit.frame(request, session, { name });
      return kit.page(
        reply,
        <ReceiptPage frame={frame} {...(await receiptOf(site, mandate, 'person', frame.lang))} backHref={`/usager/mandats/${mandate.id}`} />,
      );
    });
    app.get<Params>('/usager/mandats/:id/arrete', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const mandate = await ownMandate(session, request.params.id);
      if (!mandate || (mandate.state.kind === 'active' && !partOf(mandate).stopped.length))
        return kit.refuse(request, reply, 'not_found', { session, who: { name: (await whoIs(session)).name } });
      return stoppedPage(request, reply, session, mandate);
    });
  };
