import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pairwise } from '../../delegation/session.ts';
import type { Filter, StoredEntry } from '../../journal/journal.ts';
import { KINDS_SEEN, visibleTo } from '../../journal/visible.ts';
import { addDays, readDay, startOfDay } from '../../kernel/calendar.ts';
import { isId } from '../../kernel/ids.ts';
import { readReason } from '../../organisations/name.ts';
import { isTheme, THEMES } from '../../organisations/theme.ts';
import type { Service } from '../../services/service.ts';
import type { StaffSession } from '../guards.ts';
import type { Fields, Kit } from '../kit.tsx';
import { AuditPage, type AuditRow, BarPage, type QueryValues } from '../views/administration.tsx';
import { sendProof } from './preuve.ts';

const PAGE = 50;

interface AgentHere {
  readonly session: StaffSession;
  readonly administration: { readonly id: string; readonly name: string };
  readonly who: { readonly name: string; readonly organisation: string };
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Reads a day; undefined when nothing was typed, null when it is no day. */
const dayOf = (value: string): string | undefined | null => (value.trim() === '' ? undefined : (readDay(value) ?? null));

type Query =
  | { readonly values: QueryValues; readonly filter: Filter; readonly reason: string }
  | { readonly values: QueryValues; readonly errors: { field: string; code: string }[] };

/** Reads the form. Only the administration's own services can be named: another's gives nothing (claim V11). */
const readQuery = (fields: Fields, administrationId: string, services: readonly Service[]): Query => {
  const names = ['reason', 'from', 'to', 'service', 'theme', 'demarche', 'outcome', 'session'] as const;
  const values: QueryValues = Object.fromEntries(names.map((name) => [name, fields.text(name)]).filter(([, value]) => value !== ''));
  const errors: { field: string; code: string }[] = [];
  const reason = readReason(values.reason ?? '');
  if (!reason) errors.push({ field: 'reason', code: 'reason_required' });
  const from = dayOf(values.from ?? '');
  const to = dayOf(values.to ?? '');
  if (from === null) errors.push({ field: 'from', code: 'date_format' });
  if (to === null) errors.push({ field: 'to', code: 'date_format' });
  if (values.session !== undefined && !isId('dls', values.session)) errors.push({ field: 'session', code: 'session_format' });
  if (errors.length || !reason) return { values, errors };
  const before = Number(fields.text('before'));
  return {
    values,
    reason,
    filter: {
      administration: administrationId,
      types: KINDS_SEEN.administration,
      limit: PAGE + 1,
      ...(from ? { from: startOfDay(from) } : {}),
      ...(to ? { until: startOfDay(addDays(to, 1)) } : {}),
      ...(services.some((service) => service.id === values.service) ? { service: values.service as string } : {}),
      ...(isTheme(values.theme) ? { theme: values.theme } : {}),
      ...(values.demarche ? { demarche: values.demarche } : {}),
      ...(values.outcome ? { outcome: values.outcome } : {}),
      ...(values.session ? { session: values.session } : {}),
      ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}),
    },
  };
};

/** The administration's space: entries of its own services, after a reason that is itself an entry. */
export const administrationSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    const requireAgent = async (request: FastifyRequest, reply: FastifyReply): Promise<AgentHere | undefined> => {
      const session = await kit.session(request);
      if (session?.kind !== 'staff') {
        if (request.method === 'GET') void reply.redirect('/connexion/proconnect?vers=/administration', 303);
        else kit.refuse(request, reply, 'session_expired');
        return undefined;
      }
      const standing = await site.aidants.standing(session.staffId);
      if ('refused' in standing || !standing.administration) {
        kit.refuse(request, reply, 'refused' in standing ? standing.refused : 'not_found');
        return undefined;
      }
      return {
        session,
        administration: standing.administration,
        who: { name: `${standing.staff.givenName} ${standing.staff.familyName}`, organisation: standing.administration.name },
      };
    };

    /** What this administration may see of an entry, and nothing else of it (journal/visible.ts). */
    const toRows = (here: AgentHere, entry: StoredEntry, services: readonly Service[], references: Map<string, string>): AuditRow[] => {
      const pseudonym = (aidant: string, service: string): string | undefined => {
        const sector = services.find(({ id }) => id === service)?.sector;
        return sector === undefined ? undefined : pairwise(site.pairwiseKey.reveal(), 'act', sector, aidant);
      };
      const seen = visibleTo({ who: 'administration', id: here.administration.id, pseudonym }, entry);
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
        ...(mandate && references.has(mandate)
          ? { mandateReference: references.get(mandate) as string, mandateHref: `/administration/mandats/${mandate}` }
          : {}),
        ...(session ? { session } : {}),
        ...(typeof about === 'number' ? { about } : {}),
      };
      return [row];
    };

    /** Reads and records the reading in one transaction: one entry a person concerned, so that each sees who looked, and why (claim J8). */
    const readLogged = (here: AgentHere, reason: string, filter: Filter): Promise<StoredEntry[]> =>
      site.transactions.run(async (tx) => {
        const entries = await site.journal.read(tx, filter);
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
      const services = (await site.services.list()).filter((service) => service.administrationId === here.administration.id);
      const asked = query ?? { values: {}, errors: [] };
      const found = 'filter' in asked ? await readLogged(here, asked.reason, asked.filter) : undefined;
      if (found) site.journal.nudge();
      const rows = found?.slice(0, PAGE) ?? [];
      const references = await site.references(rows.flatMap((entry) => (entry.mandate ? [entry.mandate] : [])));
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
                results: {
                  rows: rows.flatMap((entry) => toRows(here, entry, services, references)),
                  ...('filter' in asked && asked.filter.before !== undefined ? { previous: again([]) } : {}),
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
      const here = await requireAgent(request, reply);
      return here ? barPage(request, reply, here, request.params.id) : reply;
    });
    app.post<Params>('/administration/mandats/:id', async (request, reply) => {
      const here = await requireAgent(request, reply);
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
      const here = await requireAgent(request, reply);
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
      const here = await requireAgent(request, reply);
      return here ? page(request, reply, here) : reply;
    });
    app.post('/administration/journal', async (request, reply) => {
      const here = await requireAgent(request, reply);
      if (!here) return reply;
      const services = (await site.services.list()).filter((service) => service.administrationId === here.administration.id);
      return page(request, reply, here, readQuery(kit.fields(request), here.administration.id, services));
    });
  };
