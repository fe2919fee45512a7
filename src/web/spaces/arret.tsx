import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Ended } from '../../mandates/ending.ts';
import type { PaperProof } from '../../mandates/stopping.ts';
import { requireAidant } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { createTries } from '../tries.ts';
import type { Frame } from '../views/layout.tsx';
import type { Post } from '../views/parts.tsx';
import { PATHS } from '../views/paths.ts';
import { StopByPaperPage, StoppedByPaperPage } from '../views/stop.tsx';

const RECEIVED = '/aidant/arret';
const RECEIPT_MS = 2_000;
const TRIES_A_MINUTE = 30;

/** Reads `12/04/1946`, with any of the separators that people write. */
const readBirthdate = (typed: string): string | undefined => {
  const [, day = '', month = '', year = ''] = /^\s*(\d{1,2})[\s/.-]{1,3}(\d{1,2})[\s/.-]{1,3}(\d{4})\s*$/.exec(typed.slice(0, 20)) ?? [];
  return year ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}` : undefined;
};

/** Stopping with the paper of a mandate: anybody who holds it, and aidants of any structure who receive a signed request (claim M18). */
export const arret =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const allows = createTries(site.clock, TRIES_A_MINUTE);
    type Where = { readonly frame: Frame; readonly post: Post; readonly received: boolean; readonly backHref: string };
    type Errors = readonly { readonly field: string; readonly code: string }[];

    const form = (reply: FastifyReply, where: Where, errors: Errors = []): FastifyReply =>
      kit.page(reply, <StopByPaperPage {...where} errors={errors} spaceHref="/connexion/franceconnect" />, { status: errors.length ? 422 : 200 });

    const read = (request: FastifyRequest): { proof: PaperProof } | { errors: Errors } => {
      const fields = kit.fields(request);
      const birthdate = readBirthdate(fields.text('birthdate'));
      return birthdate
        ? { proof: { code: fields.text('code').slice(0, 60), birthdate } }
        : { errors: [{ field: 'birthdate', code: 'birthdate_format' }] };
    };

    const done = async (reply: FastifyReply, where: Where, ended: Ended): Promise<FastifyReply> => {
      site.nudgeDeliveries();
      const { mandate, again, event } = ended;
      const receipt = event === undefined ? undefined : await site.journal.receipt(event, RECEIPT_MS);
      return kit.page(
        reply,
        <StoppedByPaperPage
          frame={where.frame}
          reference={mandate.reference}
          at={mandate.state.kind === 'ended' ? mandate.state.at : mandate.endsAt}
          again={again}
          {...(receipt ? { receipt } : {})}
          backHref={where.backHref}
        />,
      );
    };

    app.get(PATHS.stop, async (request, reply) => {
      const session = await kit.sessionOrNew(request, reply);
      return form(reply, { frame: kit.frame(request), post: kit.post(session, PATHS.stop), received: false, backHref: '/' });
    });
    app.post(PATHS.stop, async (request, reply) => {
      const session = await kit.sessionOrNew(request, reply);
      const where = { frame: kit.frame(request), post: kit.post(session, PATHS.stop), received: false, backHref: '/' };
      const said = read(request);
      if ('errors' in said) return form(reply, where, said.errors);
      if (!allows(request.ip)) {
        site.notice({ code: 'too_many_requests', detail: request.routeOptions.url });
        return kit.refuse(request, reply.header('retry-after', '60'), 'too_many_requests');
      }
      const ended = await site.stopping.byLetter(said.proof, request.ip);
      if (!('refused' in ended)) return done(reply, where, ended);
      site.notice({ code: ended.refused });
      if (ended.refused === 'stop_capped') return kit.refuse(request, reply, 'stop_capped');
      return form(reply, where, [{ field: 'code', code: ended.refused }]);
    });

    app.get(RECEIVED, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      return form(reply, {
        frame: kit.frame(request, here.session, here.who),
        post: kit.post(here.session, RECEIVED),
        received: true,
        backHref: '/aidant',
      });
    });
    app.post(RECEIVED, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const where = {
        frame: kit.frame(request, here.session, here.who),
        post: kit.post(here.session, RECEIVED),
        received: true,
        backHref: '/aidant',
      };
      const said = read(request);
      if ('errors' in said) return form(reply, where, said.errors);
      if (kit.fields(request).text('signed') !== 'yes') return form(reply, where, [{ field: 'signed', code: 'signed_stop_required' }]);
      const ended = await site.stopping.byPaper(here, said.proof);
      if (!('refused' in ended)) return done(reply, where, ended);
      site.notice({ code: ended.refused });
      if (ended.refused === 'stop_unknown') return form(reply, where, [{ field: 'code', code: ended.refused }]);
      return kit.refuse(request, reply, ended.refused, { session: here.session, who: here.who });
    });
  };
