import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ConfirmRefusal } from '../../usagers/channels.ts';
import { maskPhone } from '../../usagers/phone.ts';
import { displayName } from '../../usagers/usager.ts';
import { requireUsager, type UsagerSession } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { UsagerPhonePage } from '../views/remote-consent.tsx';

const PATH = '/usager/telephone';
const REFUSED: Readonly<Record<ConfirmRefusal, { field: string; code: string }>> = {
  wrong_code: { field: 'code', code: 'sms_code_wrong' },
  too_many_codes: { field: 'phone', code: 'sms_code_too_many' },
  code_expired: { field: 'phone', code: 'code_expired' },
};

/** The person's own number: she enters it, and proves with a code that she reads it. */
export const telephone =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const { sms } = site;
    if (!sms) return;

    const page = async (
      request: FastifyRequest,
      reply: FastifyReply,
      session: UsagerSession,
      more: { done?: boolean; errors?: readonly { field: string; code: string }[] } = {},
    ): Promise<FastifyReply> => {
      const [usager, channels, pending] = await Promise.all([
        site.usagers.find(session.usagerId),
        sms.channels.ofUsager(session.usagerId),
        sms.channels.pending(session.usagerId),
      ]);
      return kit.page(
        reply,
        <UsagerPhonePage
          frame={kit.frame(request, session, { name: usager ? displayName(usager) : '' })}
          post={kit.post(session, PATH)}
          confirm={kit.post(session, `${PATH}/code`)}
          phones={channels
            .filter((each) => each.kind === 'phone')
            .map((each) => ({ shown: maskPhone(each.address), byAidant: each.addedBy !== 'usager' }))}
          pending={pending && maskPhone(pending.address)}
          {...more}
        />,
        { status: more.errors ? 422 : 200 },
      );
    };

    app.get(PATH, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      return session ? page(request, reply, session) : reply;
    });
    app.post(PATH, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const done = await sms.channels.addOwn(session.usagerId, kit.fields(request).text('phone'));
      if ('refused' in done) return page(request, reply, session, { errors: [{ field: 'phone', code: done.refused }] });
      site.nudgeDeliveries();
      return reply.redirect(PATH, 303);
    });
    app.post(`${PATH}/code`, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const done = await sms.channels.confirm(session.usagerId, kit.fields(request).text('code'));
      site.nudgeDeliveries();
      if ('refused' in done) return page(request, reply, session, { errors: [REFUSED[done.refused]] });
      return page(request, reply, session, { done: true });
    });
  };
