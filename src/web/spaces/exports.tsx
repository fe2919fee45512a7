import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ExportFilter, JournalExport } from '../../actions/export.ts';
import type { Agent } from '../../actions/exports.ts';
import { startOfDay } from '../../kernel/calendar.ts';
import { type AgentHere, requireAgent } from '../guards.ts';
import { plainDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { themeLabel } from '../i18n/sentence.ts';
import type { Kit } from '../kit.tsx';
import { type ExportCard, ExportsPage } from '../views/exports.tsx';
import { PATHS } from '../views/paths.ts';
import { type Format, sendExport } from './export-file.ts';
import { readQuery, servicesOf } from './journal-query.ts';
import { proveFor } from './securite.tsx';

const APPROVE = `${PATHS.exports}/accord`;
const TAKE = `${PATHS.exports}/fichier`;

/** What the pages call a refusal of approvals or of exports. */
const PAGES: Readonly<Record<string, string>> = {
  factor_not_fresh: 'export_factor',
  same_person: 'export_same_person',
  already_approved: 'export_same_person',
  unknown_approval: 'not_found',
  hash_differs: 'export_over',
};

/** A filter as the agents picked it. */
const filtersOf = ({ from, to, theme, ...rest }: ExportFilter, lang: Lang): string[] => {
  const words = t(lang).administration;
  const dated = (word: string, day: string | undefined): string[] => (day === undefined ? [] : [`${word} ${plainDay(startOfDay(day), lang)}`]);
  return [...dated(words.from, from), ...dated(words.to, to), ...(theme === undefined ? [] : [themeLabel(theme, lang)]), ...Object.values(rest)];
};

const formatOf = (text: string): Format => (text === 'json' ? 'json' : 'csv');

/** Files of entries that agents take away, and the second agent above 1,000 people (claim J9). */
export const exportsSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const agentOf = (here: AgentHere): Agent => ({
      staffId: here.session.staffId,
      webSession: here.session.hash,
      administration: here.administration,
    });

    const refuse = (request: FastifyRequest, reply: FastifyReply, here: AgentHere, refused: string): FastifyReply => {
      const { lang } = kit.frame(request);
      return kit.refuse(request, reply, PAGES[refused] ?? refused, {
        session: here.session,
        who: here.who,
        ...(refused === 'factor_not_fresh' ? { actions: [{ href: proveFor('/administration/exports'), label: t(lang).security.stepUp.title }] } : {}),
      });
    };

    const cardOf = async (here: AgentHere, it: JournalExport, lang: Lang): Promise<ExportCard> => {
      const by = await site.aidants.standing(it.askedBy);
      const mine = it.askedBy === here.session.staffId;
      const hidden = [['export', it.id]] as const;
      return {
        id: it.id,
        at: it.askedAt,
        by: 'refused' in by ? '' : `${by.staff.givenName} ${by.staff.familyName}`,
        reason: it.reason,
        filters: filtersOf(it.filter, lang),
        entries: it.entries,
        persons: it.persons,
        mine,
        approved: it.approvedBy !== undefined,
        ...(it.approvedBy === undefined && !mine ? { approve: kit.post(here.session, APPROVE, hidden) } : {}),
        ...(it.approvedBy !== undefined && mine ? { take: kit.post(here.session, TAKE, hidden) } : {}),
      };
    };

    app.get(PATHS.exports, async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const open = await site.exports.open(here.administration.id);
      return kit.page(
        reply,
        <ExportsPage
          frame={kit.frame(request, here.session, here.who)}
          cards={await Promise.all(open.map((it) => cardOf(here, it, kit.lang(request))))}
          backHref="/administration"
        />,
      );
    });

    app.post(PATHS.exports, async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const query = readQuery(fields.text, await servicesOf(site, here.administration.id));
      if ('errors' in query) return refuse(request, reply, here, 'invalid_request');
      const answer = await site.exports.ask(agentOf(here), query.picked, query.reason);
      if ('refused' in answer) return refuse(request, reply, here, answer.refused);
      if ('waiting' in answer) return reply.redirect(PATHS.exports, 303);
      return sendExport(site, reply, here, answer.entries, formatOf(fields.text('format')));
    });

    app.post(APPROVE, async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const answer = await site.exports.approve(agentOf(here), kit.fields(request).text('export'));
      return 'refused' in answer ? refuse(request, reply, here, answer.refused) : reply.redirect(PATHS.exports, 303);
    });

    app.post(TAKE, async (request, reply) => {
      const here = await requireAgent(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const answer = await site.exports.take(agentOf(here), fields.text('export'));
      if ('refused' in answer) return refuse(request, reply, here, answer.refused);
      return sendExport(site, reply, here, answer.entries, formatOf(fields.text('format')));
    });
  };
