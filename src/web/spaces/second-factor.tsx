import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId, type StaffId } from '../../kernel/ids.ts';
import { aidantLevel } from '../../upstream/connector.ts';
import { type StaffSession, safeReturn } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { type Data, isOwnFactorEnough, type Session } from '../session.ts';
import { SecondFactorPage } from '../views/code.tsx';
import { RecoverySignInPage } from '../views/security.tsx';
import { refuseSignIn } from './connexion.tsx';

const CODE = '/connexion/code';
const RECOVERY = '/connexion/secours';

type Pending = NonNullable<Data['pending']> & { readonly staffId: StaffId };
const pendingOf = (session: Session | undefined): Pending | undefined =>
  session?.data.pending?.staffId ? { ...session.data.pending, staffId: session.data.pending.staffId } : undefined;

/** What a page says of a passkey's answer that was refused. */
export const passkeyError = (refused: string): string => (refused === 'passkey_expired' ? 'passkey_expired' : 'passkey_refused');
/** What a passkey is called in `amr` (RFC 8176). */
export const amrOf = (key: { readonly synced: boolean }): string[] => [key.synced ? 'swk' : 'hwk', 'user'];
/** Codes that end an attempt for a while, and not only this one. */
export const errorStatus = (refused: string): number => (refused === 'too_many_codes' ? 429 : 422);

/** The second factor of a sign-in: a passkey, a code, or a recovery code; then a session with another id (claim S3). */
export const secondFactor =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    const page = async (
      request: FastifyRequest,
      reply: FastifyReply,
      session: Session,
      pending: Pending,
      refused?: string,
    ): Promise<FastifyReply> => {
      const passkey = await site.passkeys.ask(pending.staffId, 'sign-in', session.hash);
      return kit.page(
        reply,
        <SecondFactorPage
          frame={kit.frame(request)}
          post={kit.post(session, CODE)}
          passkey={passkey}
          recoveryHref={(await site.recovery.left(pending.staffId)) > 0 ? RECOVERY : undefined}
          {...(refused ? { errors: [{ field: 'code', code: refused }] } : {})}
        />,
        { status: refused ? errorStatus(refused) : 200, script: passkey !== undefined },
      );
    };

    app.get(CODE, async (request, reply) => {
      const session = await kit.session(request);
      const pending = pendingOf(session);
      return session && pending ? page(request, reply, session, pending) : reply.redirect('/', 303);
    });
    app.post(CODE, async (request, reply) => {
      const session = await kit.session(request);
      const pending = pendingOf(session);
      if (!session || !pending) return kit.refuse(request, reply, 'session_expired');
      const fields = kit.fields(request);
      const assertion = fields.text('assertion');
      if (assertion) {
        const answer = await site.passkeys.verify(pending.staffId, assertion, 'sign-in', session.hash);
        if ('refused' in answer) return page(request, reply, session, pending, passkeyError(answer.refused));
        return arrive(kit, request, reply, session, pending, amrOf(answer.key));
      }
      const answer = await site.means.verifyCode(pending.staffId, fields.text('code'), 'sign-in');
      if ('refused' in answer) return page(request, reply, session, pending, answer.refused);
      return arrive(kit, request, reply, session, pending, ['otp']);
    });

    const recoveryPage = (request: FastifyRequest, reply: FastifyReply, session: Session, refused?: string): FastifyReply =>
      kit.page(
        reply,
        <RecoverySignInPage
          frame={kit.frame(request)}
          post={kit.post(session, RECOVERY)}
          {...(refused ? { errors: [{ field: 'recovery-code', code: refused }] } : {})}
        />,
        { status: refused ? errorStatus(refused) : 200 },
      );
    app.get(RECOVERY, async (request, reply) => {
      const session = await kit.session(request);
      return session && pendingOf(session) ? recoveryPage(request, reply, session) : reply.redirect('/', 303);
    });
    app.post(RECOVERY, async (request, reply) => {
      const session = await kit.session(request);
      const pending = pendingOf(session);
      if (!session || !pending) return kit.refuse(request, reply, 'session_expired');
      const used = await site.recovery.use(pending.staffId, kit.fields(request).text('recovery'));
      site.nudgeDeliveries();
      if ('refused' in used) return recoveryPage(request, reply, session, used.refused);
      return arrive(kit, request, reply, session, pending, ['otp'], '/aidant/securite?motif=secours');
    });
  };

/**
 * A member of staff, signed in, has proved again that it is them: the sign-in is of now, in a session with another id (claim S3), where what is open goes
 * on. Changes nothing where that is not enough.
 */
export const confirmSignIn = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: StaffSession,
  proved: readonly string[],
): Promise<void> => {
  const { site } = kit;
  const was = session.data.signedIn;
  if (!was || !isOwnFactorEnough(session)) return;
  const signedIn = { ...was, amr: [...new Set([...was.amr, ...proved])], at: site.clock.now().getTime() };
  const holder = { kind: 'staff', staffId: session.staffId, organisationId: session.organisationId } as const;
  const fresh = await site.webSessions.renew(session, holder, { signedIn }, async (tx, { hash }) => {
    await site.sessions.passIn(tx, session.hash, hash);
    await site.recovery.prove(tx, hash);
  });
  kit.keep(request, reply, fresh);
};

/** Signs in whoever has proved both factors; `first` is where to go before anything else. */
const arrive = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  pending: Pending,
  proved: readonly string[],
  first?: string,
): Promise<FastifyReply> => {
  const { site } = kit;
  const standing = await site.aidants.standing(pending.staffId);
  if ('refused' in standing) {
    await refuseSignIn(kit, site.connectors.proconnect, standing.refused, pending.staffId);
    return kit.refuse(request, reply, standing.refused);
  }
  const only = standing.memberships.length === 1 ? standing.memberships[0]?.organisation.id : undefined;
  const amr = [...pending.amr.filter((method) => method !== 'mail'), ...proved];
  const acr = aidantLevel(pending.acr);
  const mine = session.kind === 'staff' && session.staffId === pending.staffId;
  const fresh = await site.webSessions.renew(
    session,
    {
      kind: 'staff',
      staffId: pending.staffId,
      organisationId: mine ? (session.organisationId ?? only) : only,
    },
    {
      signedIn: {
        acr,
        amr: [...new Set(amr)],
        at: site.clock.now().getTime(),
        upstream: pending.at,
        ...(pending.leaving ? { leaving: pending.leaving } : {}),
      },
    },
    async (tx, fresh) => {
      if (mine && !first) await site.sessions.passIn(tx, session.hash, fresh.hash);
      else if (session.kind === 'staff') await site.sessions.endIn(tx, { webSession: session.hash }, 'signed_out', site.clock.now());
      const detail = { acr, amr };
      await site.journal.record(
        tx,
        isId('aid', pending.staffId)
          ? { type: 'aidant.signed-in', aidant: pending.staffId, detail }
          : { type: 'staff.signed-in', actor: pending.staffId, detail },
      );
    },
  );
  // A recovery code is no fresh factor: whoever found the list of them changes no means with it (claim S16). Were this lost, a change would only ask again.
  if (!first) await site.transactions.run((tx) => site.recovery.prove(tx, fresh.hash));
  site.journal.nudge();
  kit.keep(request, reply, fresh);
  if (standing.staff.kind === 'operateur') return kit.refuse(request, reply, 'operateur_space');
  if (first) return reply.redirect(first, 303);
  const home = standing.staff.kind === 'agent' ? '/administration' : '/aidant';
  const wanted = safeReturn(pending.to);
  const elsewhere = wanted === '/' || (standing.staff.kind === 'agent' ? wanted.startsWith('/aidant') : wanted.startsWith('/administration'));
  if (standing.staff.kind === 'aidant' && fresh.kind === 'staff' && !fresh.organisationId)
    return reply.redirect(`/aidant/structures?vers=${encodeURIComponent(elsewhere ? home : wanted)}`, 303);
  return reply.redirect(elsewhere ? home : wanted, 303);
};
