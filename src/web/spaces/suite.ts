import type { FastifyInstance } from 'fastify';
import { sendProblem } from '../api/actions.ts';
import { readSpan, restOf } from '../evidence-rest.ts';
import type { Kit } from '../kit.tsx';
import { createTries } from '../tries.ts';
import { PATHS } from '../views/paths.ts';

const A_MINUTE = 240;

/** What the script of a person's page reads when her page has more leaves than it carries: her own, five hundred at a time. */
export const suite =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const allows = createTries(site.clock, A_MINUTE);
    app.get(PATHS.ownLeaves, async (request, reply) => {
      const session = await kit.session(request);
      if (session?.kind !== 'usager') return sendProblem(reply, 'session_expired');
      if (!allows(session.usagerId)) return sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      const span = readSpan((name) => kit.query(request, name));
      const sealed = await site.checkpoint();
      if (!span || !sealed || span.size > sealed.size)
        return sendProblem(reply, 'invalid_request', 'de, avant and taille are counts; taille is a size that is signed.');
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(await restOf(site, { who: 'usager', id: session.usagerId }, span)));
    });
  };
