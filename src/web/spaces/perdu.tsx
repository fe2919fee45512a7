import type { FastifyInstance } from 'fastify';
import type { Kit } from '../kit.tsx';
import { LostConfirmPage, LostDonePage, LostPage, LostSentPage } from '../views/lost.tsx';
import { PATHS } from '../views/paths.ts';

/** A lost means of signing in, reported by whoever cannot sign in. Only the button of the page behind a mailed link acts (claims S12, S16). */
export const perdu =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { token: string } };

    app.get(PATHS.lost, async (request, reply) => {
      const session = await kit.sessionOrNew(request, reply);
      return kit.page(reply, <LostPage frame={kit.frame(request)} post={kit.post(session, PATHS.lost)} />);
    });
    app.post(PATHS.lost, async (request, reply) => {
      const noted = await site.losses.report(kit.fields(request).text('email'), request.ip);
      if (!('refused' in noted)) return kit.page(reply, <LostSentPage frame={kit.frame(request)} />);
      if (noted.refused === 'too_many_reports') return kit.refuse(request, reply.header('retry-after', '3600'), noted.refused);
      const session = await kit.sessionOrNew(request, reply);
      const errors = [{ field: 'email', code: noted.refused }];
      return kit.page(reply, <LostPage frame={kit.frame(request)} post={kit.post(session, PATHS.lost)} errors={errors} />, { status: 422 });
    });

    app.get<Params>(`${PATHS.lost}/:token`, async (request, reply) => {
      const session = await kit.sessionOrNew(request, reply);
      const opened = await site.losses.openLink(request.params.token);
      if ('refused' in opened) return kit.refuse(request, reply, 'loss_link_invalid');
      return kit.page(reply, <LostConfirmPage frame={kit.frame(request)} post={kit.post(session, `${PATHS.lost}/${request.params.token}`)} />);
    });
    app.post<Params>(`${PATHS.lost}/:token`, async (request, reply) => {
      const done = await site.losses.confirm(request.params.token);
      if ('refused' in done) {
        site.notice({ code: `loss_${done.refused}` });
        return kit.refuse(request, reply, 'loss_link_invalid');
      }
      site.nudgeDeliveries();
      return kit.page(reply, <LostDonePage frame={kit.frame(request)} />);
    });
  };
