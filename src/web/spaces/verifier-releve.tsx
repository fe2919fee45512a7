import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Kit } from '../kit.tsx';
import { offlineCheck } from '../offline-check.ts';
import { createTries } from '../tries.ts';
import { PATHS } from '../views/paths.ts';
import { StatementCheckPage, StatementVerdictPage } from '../views/statement-check.tsx';

const TRIES_A_MINUTE = 30;
/** Some twenty sheets. */
const LONGEST = 40_000;

/** Where anybody checks a sheet of a statement, nobody signed in. It asks no database: what the sheet says is in its QR code, signed. */
export const statementVerifier =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const allows = createTries(site.clock, TRIES_A_MINUTE);

    app.get(PATHS.verifyStatement, async (request, reply) => {
      const session = await kit.sessionOrNew(request, reply);
      return kit.page(reply, <StatementCheckPage frame={kit.frame(request)} post={kit.post(session, PATHS.verifyStatement)} />, { script: true });
    });
    app.get(PATHS.offlineCheck, async (request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-disposition', 'attachment; filename="verifier-un-releve.html"')
        .send(offlineCheck(await site.attestations.publicKeys(), kit.lang(request))),
    );
    app.post(PATHS.verifyStatement, async (request, reply): Promise<FastifyReply> => {
      if (!allows(request.ip)) {
        site.notice({ code: 'too_many_requests', detail: request.routeOptions.url });
        return kit.refuse(request, reply.header('retry-after', '60'), 'too_many_requests');
      }
      const typed = kit.fields(request).text('texte');
      const verdict = typed.length > LONGEST ? ({ kind: 'unreadable' } as const) : site.statements.check(typed);
      if (verdict.kind === 'altered') site.notice({ code: 'statement_altered' });
      if (verdict.kind !== 'unreadable') return kit.page(reply, <StatementVerdictPage frame={kit.frame(request)} verdict={verdict} />);
      const session = await kit.sessionOrNew(request, reply);
      return kit.page(
        reply,
        <StatementCheckPage
          frame={kit.frame(request)}
          post={kit.post(session, PATHS.verifyStatement)}
          errors={[{ field: 'texte', code: 'statement_text' }]}
        />,
        { status: 422, script: true },
      );
    });
  };
