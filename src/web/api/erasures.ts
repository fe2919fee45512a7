import type { FastifyInstance } from 'fastify';
import type { Site } from '../site.ts';
import { sendProblem } from './actions.ts';

const INDEX = /^(?:0|[1-9][0-9]{0,14})$/;
const PAGE = 100;

/** What was erased of the journal, newest first, for anybody (journal.md §3.7): whole leaves, so that each can be checked by its proof. None names anybody. */
export const erasuresApi =
  (site: Pick<Site, 'erasures'>) =>
  async (app: FastifyInstance): Promise<void> => {
    app.get<{ Querystring: Record<string, unknown> }>('/api/v1/journal/erasures', async (request, reply) => {
      const before = request.query['before'];
      if (before !== undefined && !(typeof before === 'string' && INDEX.test(before)))
        return sendProblem(reply, 'invalid_request', 'before is the index of an entry: send it once, or leave it out.');
      const found = await site.erasures(before === undefined ? undefined : Number(before), PAGE);
      const last = found.length === PAGE ? found.at(-1) : undefined;
      return reply
        .header('cache-control', 'public, max-age=60')
        .type('application/json; charset=utf-8')
        .send(JSON.stringify({ erasures: found, ...(last ? { next: `/api/v1/journal/erasures?before=${last.index}` } : {}) }));
    });
  };
