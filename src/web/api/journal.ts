import type { FastifyInstance } from 'fastify';
import { addDays, readDay, startOfDay } from '../../kernel/calendar.ts';
import type { Kit } from '../kit.tsx';
import { createTries } from '../tries.ts';
import { sendProblem } from './actions.ts';
import { ownJson } from './entry-json.ts';

const A_MINUTE = 120;
const PAGE = 100;
const MOST = 500;

/** Reads a count; undefined when there is none, null when it is no count. */
const countOf = (text: string | undefined): number | undefined | null =>
  text === undefined ? undefined : /^\d{1,15}$/.test(text) ? Number(text) : null;
/** Reads a day; undefined when there is none, null when it is no day. */
const dayOf = (text: string | undefined): string | undefined | null => (text === undefined ? undefined : (readDay(text) ?? null));

/** `/api/v1/journal/…`: one's own entries, with the leaves that prove them. */
export const journalApi =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const allows = createTries(site.clock, A_MINUTE);

    app.get('/api/v1/journal/me', async (request, reply) => {
      const session = await kit.session(request);
      if (session?.kind !== 'usager') return sendProblem(reply, 'session_expired');
      if (!allows(session.usagerId)) return sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      const asked = (name: string): string | undefined => kit.query(request, name);
      const [before, limit, from, to] = [countOf(asked('before')), countOf(asked('limit')), dayOf(asked('from')), dayOf(asked('until'))];
      if (before === null || limit === null || from === null || to === null || limit === 0)
        return sendProblem(reply, 'invalid_request', 'before and limit are counts; from and until are days, YYYY-MM-DD, both included.');
      const most = Math.min(limit ?? PAGE, MOST);
      const usager = session.usagerId;
      const { auto } = site.transactions;
      const [found, checkpoint, tagKey] = await Promise.all([
        site.journal.prove(auto, {
          usager,
          limit: most,
          ...(before === undefined ? {} : { before }),
          ...(from === undefined ? {} : { from: startOfDay(from) }),
          ...(to === undefined ? {} : { until: startOfDay(addDays(to, 1)) }),
        }),
        site.checkpoint(),
        site.journal.tagKey(auto, usager),
      ]);
      const last = found.length === most ? found.at(-1) : undefined;
      const again = new URLSearchParams({
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { until: to }),
        limit: String(most),
        before: String(last?.index),
      });
      return reply.type('application/json; charset=utf-8').send(
        JSON.stringify({
          log: site.origin(),
          checkpoint: checkpoint?.note,
          // With it she makes the tags of her entries again: whoever has it recognises them among all, so it is hers alone.
          ...(tagKey ? { tags: { role: 'usager', key: tagKey.toString('base64url') } } : {}),
          ...ownJson(usager, found, kit.lang(request)),
          ...(last ? { next: `/api/v1/journal/me?${again}` } : {}),
        }),
      );
    });
  };
