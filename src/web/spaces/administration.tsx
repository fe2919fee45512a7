import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { filterOf } from '../../actions/export.ts';
import type { Filter, ProvedEntry, StoredEntry } from '../../journal/journal.ts';
import { visibleTo } from '../../journal/visible.ts';
import { isId } from '../../kernel/ids.ts';
import { THEMES } from '../../organisations/theme.ts';
import type { Service } from '../../services/service.ts';
import { evidenceOf } from '../evidence.ts';
import { type AgentHere, requireAgent } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { AuditPage, type AuditRow, BarPage } from '../views/administration.tsx';
import { PATHS } from '../views/paths.ts';
import { type Query, readQuery, servicesOf, viewOf } from './journal-query.ts';
import { sendProof } from './preuve.ts';

const PAGE = 50;

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The administration's space: entries of its own services, after a reason that is itself an entry. */
export const administrationSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    /** What this administration may see of an entry, and nothing else of it (journal/visible.ts). */
    const toRows = (here: AgentHere, entry: StoredEntry, services: readonly Service[], references: Map<string, string>): AuditRow[] => {
      const seen = visibleTo(viewOf(site, here.administration.id, services), entry);
      if (!seen) return [];
      const { index, at, type, aidant, theme, verb, outcome, mandate, session, detail } = seen;
      const organisation = textOf(detail?.['organisationName']);
      const demarche = textOf(detail?.['demarcheLabel']) ?? seen.demarche;
      const about = detail?.['entry'];
      const row: AuditRow = {
        index,
        proofHref: `/administration/entrees/${index}/preuve`,
        at,
        type,
        ...(aidant ? { aidant } : {}),
        ...(organisation ? { organisation } : {}),
        ...(theme ? { theme } : {}),
        ...(demarche ? { demarche } : {}),
        ...(verb ? { verb } : {}),
        ...(outcome ? { outcome } : {}),
        ...(detail?.['outsideMandate'] === true ? { outsideMandate: true } : {}),
        ...(detail?.['signInAgain'] === true ? { signInAgain: true } : {}),
        ...(mandate && references.has(mandate)
          ? { mandateReference: references.get(mandate) as string, mandateHref: `/administration/mandats/${mandate}` }
          : {}),
        ...(session ? { session } : {}),
        ...(typeof about === 'number' ? { about } : {}),
        ...(detail === null ? { erased: entry.erased?.at ?? true } : {}),
      };
      return [row];
    };

    /** Reads and records the reading in one transaction: one entry a person concerned, so that each sees who looked, and why (claim J8). */
    const readLogged = (here: AgentHere, reason: string, filter: Filter): Promise<ProvedEntry[]> =>
      site.transactions.run(async (tx) => {
        const entries = await site.journal.prove(tx, filter);
        const shown = entries.slice(0, PAGE);
        const people = [...new Set(shown.map((entry) => entry.usager))];
        for (const usager of people.length ? people : [undefined])
          await site.journal.record(tx, {
            type: 'journal.read',
            administration: here.administration.id,
            actor: here.session.staffId,
            usager,
            service: filter.service,
            detail: { reason, entries: shown.filter((entry) => entry.usager === usager).length, administrationName: here.administration.name },
          });
        return entries;
      });

    const page = async (request: FastifyRequest, reply: FastifyReply, here: AgentHere, query?: Query): Promise<FastifyReply> => {
      const services = await servicesOf(site, here.administration.id);
      const asked = query ?? { values: {}, errors: [] };
      const filter: Filter | undefined =
        'picked' in asked
          ? {
              ...filterOf(here.administration.id, asked.picked),
              limit: PAGE + 1,
              ...(asked.before === undefined ? {} : { before: asked.before }),
            }
          : undefined;
      const found = filter && 'reason' in asked ? await readLogged(here, asked.reason, filter) : undefined;
      if (found) site.journal.nudge();
      const rows = found?.slice(0, PAGE) ?? [];
      const [references, evidence] = await Promise.all([
        site.references(rows.flatMap((entry) => (entry.mandate ? [entry.mandate] : []))),
        rows.length
          ? evidenceOf(site, { view: viewOf(site, here.administration.id, services), lines: rows, lang: kit.lang(request), as: 'table' })
          : undefined,
      ]);
      const again = (extra: readonly (readonly [string, string])[]) =>
        kit.post(here.session, '/administration/journal', [
          ...Object.entries(asked.values).map(([name, value]) => [name, String(value)] as const),
          ...extra,
        ]);
      const last = rows.at(-1);
      return kit.page(
        reply,
        <AuditPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, '/administration/journal')}
          administration={here.administration.name}
          values={asked.values}
          services={services.map((service) => [service.id, service.name] as const)}
          themes={THEMES.filter((theme) => services.some((service) => service.themes.includes(theme)))}
          demarches={services.flatMap((service) => service.demarches.map((demarche) => [demarche.code, demarche.labelFr] as const))}
          {...('errors' in asked && asked.errors.length ? { errors: asked.errors } : {})}
          {...(found
            ? {
                exportPost: kit.post(
                  here.session,
                  PATHS.exports,
                  Object.entries(asked.values).map(([name, value]) => [name, String(value)] as const),
                ),
                exportsHref: PATHS.exports,
                results: {
                  rows: rows.flatMap((entry) => toRows(here, entry, services, references)),
                  ...(evidence ? { evidence } : {}),
                  ...(filter?.before !== undefined ? { previous: again([]) } : {}),
                  ...(found.length > PAGE && last ? { next: again([['before', String(last.index)]]) } : {}),
                },
              }
            : {})}
        />,
        { status: 'errors' in asked && asked.errors.length ? 422 : 200 },
      );
    };

    type Params = { Params: { id: string } };
    const barPage = async (request: FastifyRequest, reply: FastifyReply, here: AgentHere, id: string, wrong?: { reason: string }) => {
      const mandate = isId('man', id) ? await site.barring.find(here.administration.id, id) : undefined;
      if (!mandate) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return kit.page(
        reply,
        <BarPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `/administration/mandats/${mandate.id}`)}
          administration={here.administration.name}
          reference={mandate.reference}
          organisation={mandate.organisationName}
          barred={mandate.barred}
          {...(wrong ? { reason: wrong.reason, errors: [{ field: 'reason', code: 'bar_reason' }] } : {})}
        />,
        { status: wrong ? 422 : 200 },
      );
    };
    app.get<Params>('/administration/mandats/:id', async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      return here ? barPage(request, reply, here, request.params.id) : reply;
    });
    app.post<Params>('/administration/mandats/:id', async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const reason = kit.fields(request).text('reason');
      const agent = { staffId: here.session.staffId, administration: here.administration };
      const done = isId('man', id) ? await site.barring.bar(agent, id, reason) : { refused: 'not_found' as const };
      if ('again' in done) {
        site.nudgeDeliveries();
        return reply.redirect(`/administration/mandats/${id}`, 303);
      }
      if (done.refused === 'reason_malformed') return barPage(request, reply, here, id, { reason });
      return kit.refuse(request, reply, done.refused, { session: here.session, who: here.who });
    });

    app.get<Params>('/administration/entrees/:id/preuve', async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const index = Number(request.params.id);
      const known = Number.isSafeInteger(index) && index >= 0;
      const filter = { administration: here.administration.id, before: index + 1, limit: 1 };
      const [entry] = known ? await site.journal.read(site.transactions.auto, filter) : [];
      const seen = entry?.index === index && visibleTo({ who: 'administration', id: here.administration.id, pseudonym: () => undefined }, entry);
      const own = seen ? entry : undefined;
      const sent = own && (await sendProof(site, reply, own, { staffId: here.session.staffId, administration: here.administration }));
      return sent ?? kit.refuse(request, reply, own ? 'proof_unsealed' : 'not_found', { session: here.session, who: here.who });
    });

    app.get('/administration', async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      return here ? page(request, reply, here) : reply;
    });
    app.post('/administration/journal', async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const services = await servicesOf(site, here.administration.id);
      return page(request, reply, here, readQuery(kit.fields(request).text, services));
    });
  };
