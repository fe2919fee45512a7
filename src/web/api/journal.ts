import type { FastifyInstance } from 'fastify';
import { addDays, readDay, startOfDay } from '../../kernel/calendar.ts';
import { readReason } from '../../organisations/name.ts';
import type { Kit } from '../kit.tsx';
import { rowsOf } from '../spaces/export-file.ts';
import { readQuery, servicesOf } from '../spaces/journal-query.ts';
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

const MALFORMED = 'before and limit are counts; from and until are days, YYYY-MM-DD, both included.';

interface Page {
  readonly before: number | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly limit: number;
}
/** Reads which page is asked for; undefined when it is none. */
const pageOf = (asked: (name: string) => string | undefined): Page | undefined => {
  const [before, limit, from, to] = [countOf(asked('before')), countOf(asked('limit')), dayOf(asked('from')), dayOf(asked('until'))];
  if (before === null || limit === null || from === null || to === null || limit === 0) return undefined;
  return { before, from, to, limit: Math.min(limit ?? PAGE, MOST) };
};

/** The reason of whoever asks: text of one line, percent-encoded, since a header holds ASCII. */
const reasonOf = (header: string | string[] | undefined): string | undefined => {
  try {
    return readReason(decodeURIComponent(typeof header === 'string' ? header : ''));
  } catch {
    return undefined;
  }
};

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
      const page = pageOf((name) => kit.query(request, name));
      if (!page) return sendProblem(reply, 'invalid_request', MALFORMED);
      const { before, from, to, limit: most } = page;
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

    // The header is what no other site can make a browser send: a page that is read here is an entry.
    app.get('/api/v1/journal/org', async (request, reply) => {
      const session = await kit.session(request);
      const standing = session?.kind === 'staff' ? await site.aidants.standing(session.staffId) : undefined;
      if (session?.kind !== 'staff' || !standing || 'refused' in standing || standing.administration?.role !== 'reader')
        return sendProblem(reply, 'session_expired');
      if (!allows(session.staffId)) return sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      const reason = reasonOf(request.headers['relais-reason']);
      if (reason === undefined) return sendProblem(reply, 'reason_required');
      const asked = (name: string): string | undefined => kit.query(request, name);
      const page = pageOf(asked);
      const { administration } = standing;
      const given = (name: string): string =>
        name === 'reason' ? reason : name === 'from' ? (page?.from ?? '') : name === 'to' ? (page?.to ?? '') : (asked(name) ?? '');
      const query = readQuery(given, await servicesOf(site, administration.id));
      if (!page || 'errors' in query) return sendProblem(reply, 'invalid_request', MALFORMED);
      const { before, limit } = page;
      const taken = await site.exports.page({ staffId: session.staffId, webSession: session.hash, administration }, query.picked, reason, {
        limit,
        ...(before === undefined ? {} : { before }),
      });
      if ('refused' in taken) return sendProblem(reply, taken.refused);
      const [entries, checkpoint] = await Promise.all([rowsOf(site, administration.id, taken.entries), site.checkpoint()]);
      const last = taken.entries.length === limit ? taken.entries.at(-1) : undefined;
      const next = new URLSearchParams(request.url.split('?')[1] ?? '');
      if (last) next.set('before', String(last.index));
      return reply
        .type('application/json; charset=utf-8')
        .send(
          JSON.stringify({ log: site.origin(), checkpoint: checkpoint?.note, entries, ...(last ? { next: `/api/v1/journal/org?${next}` } : {}) }),
        );
    });
  };
