import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { REMARKABLE, REMARKS, type Said } from '../../actions/contests.ts';
import type { EventType } from '../../journal/event.ts';
import type { ProvedEntry, StoredEntry } from '../../journal/journal.ts';
import { type View, visibleTo } from '../../journal/visible.ts';
import { isId } from '../../kernel/ids.ts';
import { displayName } from '../../usagers/usager.ts';
import { evidenceOf } from '../evidence.ts';
import { type AidantHere, requireAidant, requireUsager } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { ContestPage, DeclareErrorPage, DisagreementsPage, OwnActsPage } from '../views/contests.tsx';

const PAGE = 20;

/** What an aidant reads of an act of their own, beside what their structure does. */
const OWN_ACT = ['verb', 'demarcheLabel', 'demarcheLabelEn'];

/** A structure reads of an entry what is its own; of the person, the mandate's reference stands on the page. */
const structure = (here: AidantHere): View => ({ who: 'organisation', id: here.organisationId, helps: () => false });

/** The event that an entry speaks of: another's for what was said, its own otherwise. */
const aboutOf = ({ type, detail, eventId }: StoredEntry): string => {
  const about: unknown = (REMARKS as readonly EventType[]).includes(type) && detail && 'event' in detail ? detail.event : undefined;
  return typeof about === 'string' ? about : eventId;
};

/** What people say of an act: the person that she did not agree, the aidant that it was an error. A page says it once, by a button, and shows it for ever. */
export const desaccord =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    app.get<Params>('/usager/entrees/:id/desaccord', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const [usager, found] = await Promise.all([
        site.usagers.find(session.usagerId),
        site.contests.ofUsager(session.usagerId, Number(request.params.id)),
      ]);
      const who = { name: usager ? displayName(usager) : '' };
      if (!found) return kit.refuse(request, reply, 'not_found', { session, who });
      const { entry, said } = found;
      const mandate = isId('man', entry.mandate) ? await site.mandates.find(entry.mandate) : undefined;
      const live = mandate?.state.kind === 'active' && mandate.endsAt > site.clock.now();
      const lines = await site.journal.prove(site.transactions.auto, { usager: session.usagerId, indices: [entry.index], limit: 1 });
      const view = { who: 'usager', id: session.usagerId } as const;
      const evidence = await evidenceOf(site, { view, lines, lang: kit.lang(request), again: `/usager/entrees/${entry.index}/desaccord` });
      return kit.page(
        reply,
        <ContestPage
          {...(evidence ? { evidence } : {})}
          frame={kit.frame(request, session, who)}
          entry={entry}
          said={said}
          post={kit.post(session, `/usager/entrees/${entry.index}/desaccord`)}
          {...(live ? { stopHref: `/usager/mandats/${mandate.id}/arreter` } : {})}
          backHref="/usager"
        />,
      );
    });
    app.post<Params>('/usager/entrees/:id/desaccord', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const index = Number(request.params.id);
      const done = await site.contests.contest(session.usagerId, index);
      if ('refused' in done) {
        const usager = await site.usagers.find(session.usagerId);
        return kit.refuse(request, reply, done.refused, { session, who: { name: usager ? displayName(usager) : '' } });
      }
      site.nudgeDeliveries();
      return reply.redirect(`/usager/entrees/${index}/desaccord`, 303);
    });

    /** An aidant is not the structure: each line is proved, the key of the structure's tags stays with its référents. */
    const checked = async (request: FastifyRequest, here: AidantHere, lines: readonly ProvedEntry[], also: readonly string[], again: string) => {
      const shown = { view: structure(here), lines, lang: kit.lang(request), as: 'cards', also, again, keyless: true } as const;
      const evidence = lines.length ? await evidenceOf(site, shown) : undefined;
      return evidence ? { evidence } : {};
    };
    /** A page of entries of this aidant's structure, with what was said of each. */
    const listed = async (
      request: FastifyRequest,
      here: AidantHere,
      path: string,
      whose: { types: readonly EventType[]; aidant?: string },
      also: readonly string[] = [],
    ) => {
      const before = Number(kit.query(request, 'avant'));
      const found = await site.journal.prove(site.transactions.auto, {
        organisation: here.organisationId,
        ...whose,
        limit: PAGE + 1,
        ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}),
      });
      const entries = found.slice(0, PAGE);
      const last = entries.at(-1);
      const [said, references, evidence] = await Promise.all([
        site.contests.said(entries.map(aboutOf)),
        site.references(entries.flatMap(({ mandate }) => mandate ?? [])),
        checked(request, here, entries, also, Number.isSafeInteger(before) && before > 0 ? `${path}?avant=${before}` : path),
      ]);
      return {
        ...evidence,
        lines: entries.map((entry) => ({ entry, said: said.get(aboutOf(entry)) ?? {}, ...mandateOf(entry, references) })),
        ...(kit.query(request, 'avant') ? { newer: path } : {}),
        ...(found.length > PAGE && last ? { older: `${path}?avant=${last.index}` } : {}),
        backHref: '/aidant',
      };
    };
    const mandateOf = (entry: StoredEntry, references: ReadonlyMap<string, string>) => {
      const reference = references.get(entry.mandate ?? '');
      return reference === undefined ? {} : { mandate: { reference, href: `/aidant/mandats/${entry.mandate}` } };
    };

    app.get('/aidant/desaccords', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const page = await listed(request, here, '/aidant/desaccords', { types: [...REMARKS, 'mandate.barred'] });
      // What was done is the person's, the aidant's and the administration's: a colleague reads of it what the structure may.
      const seen = ({ entry }: { entry: StoredEntry }) => visibleTo(structure(here), entry)?.detail ?? null;
      const lines = page.lines.map((line) => ({ ...line, entry: { ...line.entry, detail: seen(line) as StoredEntry['detail'] } }));
      return kit.page(reply, <DisagreementsPage frame={kit.frame(request, here.session, here.who)} {...page} lines={lines} />);
    });
    app.get('/aidant/actes', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const page = await listed(request, here, '/aidant/actes', { types: REMARKABLE, aidant: here.aidantId }, OWN_ACT);
      const href = ({ index }: StoredEntry, said: Said) => (said.error ? {} : { href: `/aidant/actes/${index}/erreur` });
      const lines = page.lines.map((line) => ({ ...line, ...href(line.entry, line.said) }));
      return kit.page(reply, <OwnActsPage frame={kit.frame(request, here.session, here.who)} {...page} lines={lines} />);
    });

    const gone = (request: FastifyRequest, reply: FastifyReply, here: AidantHere): FastifyReply =>
      kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
    app.get<Params>('/aidant/actes/:id/erreur', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const found = await site.contests.ofAidant(here, Number(request.params.id));
      if (!found) return gone(request, reply, here);
      const { entry, said } = found;
      const proved = await site.journal.prove(site.transactions.auto, { organisation: here.organisationId, indices: [entry.index], limit: 1 });
      return kit.page(
        reply,
        <DeclareErrorPage
          {...(await checked(request, here, proved, OWN_ACT, `/aidant/actes/${entry.index}/erreur`))}
          frame={kit.frame(request, here.session, here.who)}
          entry={entry}
          said={said}
          {...mandateOf(entry, await site.references(entry.mandate ? [entry.mandate] : []))}
          post={kit.post(here.session, `/aidant/actes/${entry.index}/erreur`)}
          backHref="/aidant/actes"
        />,
      );
    });
    app.post<Params>('/aidant/actes/:id/erreur', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const index = Number(request.params.id);
      const done = await site.contests.declareError(here, index);
      if ('refused' in done) return gone(request, reply, here);
      site.nudgeDeliveries();
      return reply.redirect(`/aidant/actes/${index}/erreur`, 303);
    });
  };
