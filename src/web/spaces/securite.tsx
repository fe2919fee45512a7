import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Holder } from '../../aidants/passkeys.ts';
import { readName } from '../../organisations/name.ts';
import { requireStaff, type StaffHere, safeReturn } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { PATHS } from '../views/paths.ts';
import { NewPasskeyPage, RecoveryCodesPage, SecurityPage, StepUpPage } from '../views/security.tsx';
import { amrOf, confirmSignIn, errorStatus, passkeyError } from './second-factor.tsx';

const HOME = PATHS.security;
const PROVE = `${HOME}/confirmer`;
/** Where a factor is asked again, and then goes on to one of our pages. */
export const proveFor = (to: string): string => `${PROVE}?vers=${encodeURIComponent(to)}`;

const holderOf = (here: StaffHere): Holder => ({
  id: here.session.staffId,
  email: here.dossier.staff.email,
  name: here.who.name,
  webSession: here.session.hash,
});

/** A person's own means of signing in: passkeys, recovery codes. Each change asks for a factor of the last five minutes (claim S9). */
export const securite =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    const home = async (
      request: FastifyRequest,
      reply: FastifyReply,
      here: StaffHere,
      errors: readonly { field: string; code: string }[] = [],
    ): Promise<FastifyReply> => {
      const { session } = here;
      const [keys, left, fresh] = await Promise.all([
        site.passkeys.list(session.staffId),
        site.recovery.left(session.staffId),
        site.recovery.isFresh(session.staffId, session.hash),
      ]);
      return kit.page(
        reply,
        <SecurityPage
          frame={kit.frame(request, session, here.who)}
          keys={keys}
          left={left}
          proveHref={proveFor(HOME)}
          backHref={here.dossier.staff.kind === 'agent' ? '/administration' : '/aidant'}
          done={kit.query(request, 'motif')}
          errors={errors}
          {...(fresh
            ? {
                change: {
                  add: kit.post(session, `${HOME}/cles`),
                  recovery: kit.post(session, `${HOME}/secours`),
                  revoke: (id: string) => kit.post(session, `${HOME}/cles/retirer`, [['key', id]]),
                },
              }
            : {})}
        />,
        { status: errors.length ? 422 : 200 },
      );
    };

    /** What a refused change leads to: the confirmation, or the page as it was with the reason. */
    const refuse = (request: FastifyRequest, reply: FastifyReply, here: StaffHere, refused: string): FastifyReply | Promise<FastifyReply> => {
      if (refused === 'factor_not_fresh') return reply.redirect(proveFor(HOME), 303);
      const code = ['name_malformed', 'too_many_passkeys', 'last_means', 'passkey_known'].includes(refused) ? refused : passkeyError(refused);
      return home(request, reply, here, [{ field: refused === 'last_means' || refused === 'passkey_unknown' ? 'content' : 'name', code }]);
    };

    app.get(HOME, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      return here ? home(request, reply, here) : reply;
    });
    app.post(`${HOME}/cles`, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      if (!here) return reply;
      const name = readName(kit.fields(request).text('name'), 60);
      const begun = await site.passkeys.begin(holderOf(here));
      if ('refused' in begun) return refuse(request, reply, here, begun.refused);
      if (name === undefined) return refuse(request, reply, here, 'name_malformed');
      return kit.page(
        reply,
        <NewPasskeyPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${HOME}/cles/ajouter`, [['name', name]])}
          options={begun.options}
          name={name}
          backHref={HOME}
        />,
        { script: true },
      );
    });
    app.post(`${HOME}/cles/ajouter`, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const added = await site.passkeys.add(holderOf(here), fields.text('name'), fields.text('assertion'));
      site.nudgeDeliveries();
      return 'refused' in added ? refuse(request, reply, here, added.refused) : reply.redirect(`${HOME}?motif=ajoutee`, 303);
    });
    app.post(`${HOME}/cles/retirer`, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      if (!here) return reply;
      const revoked = await site.passkeys.revoke(holderOf(here), kit.fields(request).text('key'));
      site.nudgeDeliveries();
      return 'refused' in revoked ? refuse(request, reply, here, revoked.refused) : reply.redirect(`${HOME}?motif=retiree`, 303);
    });
    app.post(`${HOME}/secours`, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      if (!here) return reply;
      const made = await site.recovery.make(here.session.staffId, here.session.hash);
      site.nudgeDeliveries();
      if ('refused' in made) return refuse(request, reply, here, made.refused);
      return kit.page(reply, <RecoveryCodesPage frame={kit.frame(request, here.session, here.who)} codes={made.codes} backHref={HOME} />);
    });

    const provePage = async (request: FastifyRequest, reply: FastifyReply, here: StaffHere, to: string, refused?: string): Promise<FastifyReply> => {
      const passkey = await site.passkeys.ask(here.session.staffId, 'step-up', here.session.hash);
      return kit.page(
        reply,
        <StepUpPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, PROVE, [['to', to]])}
          passkey={passkey}
          {...(isForSite(to) ? { signInHref: `/connexion/proconnect?vers=${to}` } : {})}
          {...(refused ? { errors: [{ field: 'code', code: refused }] } : {})}
        />,
        { status: refused ? errorStatus(refused) : 200, script: passkey !== undefined },
      );
    };
    /** A service asks for a recent sign-in (interaction.tsx), and not one of our pages for a factor. */
    const isForSite = (to: string): boolean => to.startsWith('/interaction/');
    const target = (to: string | undefined): string => (safeReturn(to) === '/' ? HOME : safeReturn(to));
    app.get(PROVE, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      return here ? provePage(request, reply, here, target(kit.query(request, 'vers'))) : reply;
    });
    app.post(PROVE, async (request, reply) => {
      const here = await requireStaff(kit, request, reply);
      if (!here) return reply;
      const fields = kit.fields(request);
      const { staffId, hash } = here.session;
      const answer = await site.transactions.run(async (tx) => {
        const given = fields.text('assertion');
        const proved = given
          ? await site.passkeys.verifyIn(tx, staffId, given, 'step-up', hash)
          : await site.means.verifyCodeIn(tx, staffId, fields.text('code'), 'step-up');
        if ('accepted' in proved) await site.recovery.prove(tx, hash);
        return 'key' in proved ? { ...proved, amr: amrOf(proved.key) } : { ...proved, amr: ['otp'] };
      });
      site.journal.nudge();
      site.nudgeDeliveries();
      const to = target(fields.text('to'));
      if (!('refused' in answer)) {
        if (isForSite(to)) await confirmSignIn(kit, request, reply, here.session, answer.amr);
        return reply.redirect(to, 303);
      }
      return provePage(request, reply, here, to, answer.refused.startsWith('passkey_') ? passkeyError(answer.refused) : answer.refused);
    });
  };
