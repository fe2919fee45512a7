import type { FastifyReply, FastifyRequest } from 'fastify';
import { isId, type OrganisationId } from '../../kernel/ids.ts';
import type { StaffSession } from '../guards.ts';
import type { Kit } from '../kit.tsx';

/**
 * Selects the organisation that an aidant works for, in a session with another id (claim S3). What was open for the one before ends: another tab
 * cannot go on with it (claim M15).
 */
export const selectOrganisation = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: StaffSession,
  organisationId: OrganisationId,
): Promise<void> => {
  if (session.organisationId === organisationId) return;
  const { site } = kit;
  const fresh = await site.webSessions.renew(session, { kind: 'staff', staffId: session.staffId, organisationId }, session.data, async (tx) => {
    await site.sessions.endIn(tx, { webSession: session.hash }, 'signed_out', site.clock.now());
    if (isId('aid', session.staffId))
      await site.journal.record(tx, {
        type: 'organisation.switched',
        aidant: session.staffId,
        organisation: organisationId,
        detail: { from: session.organisationId ?? '' },
      });
  });
  site.journal.nudge();
  site.nudgeDeliveries();
  kit.keep(request, reply, fresh);
};
