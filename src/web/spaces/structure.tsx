import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Filter, ProvedEntry } from '../../journal/journal.ts';
import { KINDS_SEEN, type View, visibleTo } from '../../journal/visible.ts';
import { addDays, startOfDay } from '../../kernel/calendar.ts';
import { THEMES } from '../../organisations/theme.ts';
import { sendProblem } from '../api/actions.ts';
import { evidenceOf } from '../evidence.ts';
import { readSpan, restOf, writeSpan } from '../evidence-rest.ts';
import { type AidantHere, requireReferent } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { PATHS } from '../views/paths.ts';
import { StructureJournalPage, type StructureRow } from '../views/structure.tsx';
import { type Query, readQuery } from './journal-query.ts';

const PAGE = 50;

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The référent's journal: what the structure may read of what its aidants did, after a reason that is itself an entry (journal.md §2). */
export const structureSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    /** Reads and records the reading in one transaction: one entry a person concerned, so that each sees who looked, and why (claim J8). */
    const readLogged = (here: AidantHere, reason: string, filter: Filter): Promise<ProvedEntry[]> =>
      site.transactions.run(async (tx) => {
        const entries = await site.journal.prove(tx, filter);
        const shown = entries.slice(0, PAGE);
        const people = [...new Set(shown.map((entry) => entry.usager))];
        const aidantName = here.dossier.staff.givenName.split(' ')[0] ?? '';
        for (const usager of people.length ? people : [undefined])
          await site.journal.record(tx, {
            type: 'journal.read',
            organisation: here.organisationId,
            aidant: here.aidantId,
            usager,
            detail: {
              reason,
              entries: shown.filter((entry) => entry.usager === usager).length,
              aidantName,
              organisationName: here.organisationName,
            },
          });
        return entries;
      });

    const filterOf = (here: AidantHere, { picked, before }: Extract<Query, { reason: string }>, aidant: string | undefined): Filter => {
      const { from, to, service, theme, session } = picked;
      return {
        organisation: here.organisationId,
        types: KINDS_SEEN.organisation,
        ...(aidant ? { aidant } : {}),
        ...(service ? { service } : {}),
        ...(theme ? { theme } : {}),
        ...(session ? { session } : {}),
        ...(from === undefined ? {} : { from: startOfDay(from) }),
        ...(to === undefined ? {} : { until: startOfDay(addDays(to, 1)) }),
        ...(before === undefined ? {} : { before }),
        limit: PAGE + 1,
      };
    };

    /** Without a filter nothing of the structure is left out: from the last line of the page before to the last of this one. */
    const wholeOf = (picked: object, before: number | undefined, found: readonly ProvedEntry[], rows: readonly ProvedEntry[]) => {
      const [first, last] = [rows[0], rows.at(-1)];
      if (Object.keys(picked).length || !first || !last) return {};
      const oldest = found.length <= PAGE;
      const span = { from: oldest ? 0 : last.index, to: before ?? first.index, newest: false, oldest };
      return { whole: { ...span, ...(before === undefined ? {} : { anchor: before }) } };
    };

    const resultsOf = async (
      request: FastifyRequest,
      here: AidantHere,
      query: Extract<Query, { reason: string }>,
      aidant: string | undefined,
      colleagues: ReadonlyMap<string, string>,
    ) => {
      const found = await readLogged(here, query.reason, filterOf(here, query, aidant));
      site.journal.nudge();
      const entries = found.slice(0, PAGE);
      const people = entries.flatMap((entry) => entry.usager ?? []);
      const [names, references] = await Promise.all([
        site.helpedNames(here.organisationId, people),
        site.references(entries.flatMap((entry) => entry.mandate ?? [])),
      ]);
      const view: View = { who: 'organisation', id: here.organisationId, helps: (usager) => names.has(usager) };
      const rest = (span: Parameters<typeof writeSpan>[0]) => `${PATHS.structureLeaves}?${writeSpan(span)}`;
      const shown = wholeOf(aidant ? { aidant } : query.picked, query.before, found, entries);
      const evidence = entries.length
        ? await evidenceOf(site, { view, lines: entries, lang: kit.lang(request), as: 'structure', rest, ...shown })
        : undefined;
      const rows = entries.flatMap((entry): StructureRow[] => {
        const seen = visibleTo(view, entry);
        if (!seen) return [];
        const reference = seen.mandate && references.get(seen.mandate);
        const { aidantName, serviceName, entry: about } = seen.detail ?? {};
        const known = colleagues.get(seen.aidant ?? '');
        return [
          {
            index: seen.index,
            at: seen.at,
            type: seen.type,
            ...(textOf(aidantName) ? { aidant: String(aidantName) } : known ? { aidant: known } : {}),
            ...(seen.usager && names.has(seen.usager) ? { person: names.get(seen.usager) as string } : {}),
            ...(reference ? { mandate: { reference, href: `/aidant/mandats/${seen.mandate}` } } : {}),
            ...(textOf(serviceName) ? { site: String(serviceName) } : {}),
            ...(seen.theme ? { theme: seen.theme } : {}),
            ...(seen.session ? { session: seen.session } : {}),
            ...(typeof about === 'number' ? { about } : {}),
            ...(seen.detail === null ? { erased: entry.erased?.at ?? true } : {}),
          },
        ];
      });
      return { rows, more: found.length > PAGE, last: entries.at(-1)?.index, ...(evidence ? { evidence } : {}) };
    };

    const page = async (request: FastifyRequest, reply: FastifyReply, here: AidantHere, query?: Query): Promise<FastifyReply> => {
      const [services, aidants] = await Promise.all([site.services.list(), site.colleagues(here.organisationId)]);
      const given = query ? kit.fields(request).text('aidant') : '';
      const aidant = aidants.find(([id]) => id === given)?.[0];
      const found = query && 'reason' in query ? await resultsOf(request, here, query, aidant, new Map(aidants)) : undefined;
      const values = { ...query?.values, ...(aidant ? { aidant } : {}) };
      const again = (extra: readonly (readonly [string, string])[]) =>
        kit.post(here.session, PATHS.structureJournal, [...Object.entries(values).map(([name, value]) => [name, String(value)] as const), ...extra]);
      const errors = query && 'errors' in query ? query.errors : [];
      return kit.page(
        reply,
        <StructureJournalPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, PATHS.structureJournal)}
          organisation={here.organisationName}
          values={values}
          aidants={aidants}
          services={services.map((service) => [service.id, service.name] as const)}
          themes={THEMES}
          errors={errors}
          {...(found
            ? {
                results: {
                  rows: found.rows,
                  ...(found.evidence ? { evidence: found.evidence } : {}),
                  ...(query && 'before' in query ? { previous: again([]) } : {}),
                  ...(found.more && found.last !== undefined ? { next: again([['before', String(found.last)]]) } : {}),
                },
              }
            : {})}
          backHref="/aidant"
        />,
        { status: errors.length ? 422 : 200 },
      );
    };

    app.get(PATHS.structureJournal, async (request, reply) => {
      const here = await requireReferent(kit, request, reply);
      return here ? page(request, reply, here) : reply;
    });
    app.post(PATHS.structureJournal, async (request, reply) => {
      const here = await requireReferent(kit, request, reply);
      if (!here) return reply;
      return page(request, reply, here, readQuery(kit.fields(request).text, await site.services.list()));
    });
    app.get(PATHS.structureLeaves, async (request, reply) => {
      const here = await requireReferent(kit, request, reply);
      if (!here) return reply;
      const span = readSpan((name) => kit.query(request, name));
      const sealed = await site.checkpoint();
      if (!span || !sealed || span.size > sealed.size)
        return sendProblem(reply, 'invalid_request', 'de, avant and taille are counts; taille is a size that is signed.');
      const view: View = { who: 'organisation', id: here.organisationId, helps: () => false };
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(await restOf(site, view, span)));
    });
  };
