import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import QR from 'qrcode';
import { base32 } from '../../aidants/code.ts';
import type { EnrolmentRefusal, Pending } from '../../aidants/enrolment.ts';
import { openLink, sealLink } from '../hint.ts';
import type { Kit } from '../kit.tsx';
import type { Session } from '../session.ts';
import { EnrolmentDonePage, EnrolmentKeyPage, EnrolmentStartPage } from '../views/code.tsx';
import { startSignIn } from './connexion.tsx';

const DONE = '/inscription/prete';
const FIELD_ERRORS = ['wrong_code', 'code_already_used', 'too_many_codes'];
const pageCode = (refused: string): string =>
  refused.startsWith('link_') || refused === 'already_enrolled' || refused === 'not_begun' ? 'enrolment_link_invalid' : 'not_habilitated';

/** Enrolment by one-time link: the link shows a page; what acts is its button, then the first code. */
export const inscription =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { token: string } };

    const refuse = (request: FastifyRequest, reply: FastifyReply, refused: string): FastifyReply => {
      site.notice({ code: `enrolment_${refused}` });
      return kit.refuse(request, reply, pageCode(refused));
    };

    const keyPage = async (
      request: FastifyRequest,
      reply: FastifyReply,
      session: Session,
      token: string,
      pending: Pending,
      error?: string,
    ): Promise<FastifyReply> => {
      const qrSvg = await QR.toString(pending.otpauth, { type: 'svg', margin: 1, errorCorrectionLevel: 'M' });
      return kit.page(
        reply,
        <EnrolmentKeyPage
          frame={kit.frame(request)}
          post={kit.post(session, `/inscription/${token}/code`)}
          qrSvg={qrSvg}
          secretKey={base32(pending.seed)}
          {...(error ? { errors: [{ field: 'code', code: error }] } : {})}
        />,
        { status: error ? 422 : 200 },
      );
    };

    app.get(DONE, (request, reply) => kit.page(reply, <EnrolmentDonePage frame={kit.frame(request)} signInHref="/connexion/proconnect" />));

    app.get<Params>('/inscription/:token', async (request, reply) => {
      const { token } = request.params;
      const session = await kit.sessionOrNew(request, reply);
      const upstream = session.data.pending;
      if (upstream && openLink(site.cookieKey.reveal(), session.hash, upstream.link) === token) {
        const pending = await site.aidants.pendingEnrolment(token, upstream);
        if (!('refused' in pending)) return keyPage(request, reply, session, token, pending);
      }
      const opened = await site.aidants.openEnrolment(token);
      if ('refused' in opened) return refuse(request, reply, opened.refused);
      return kit.page(reply, <EnrolmentStartPage frame={kit.frame(request)} post={kit.post(session, `/inscription/${token}`)} />);
    });

    app.post<Params>('/inscription/:token', async (request, reply) => {
      const { token } = request.params;
      const session = await kit.sessionOrNew(request, reply);
      const opened = await site.aidants.openEnrolment(token);
      if ('refused' in opened) return refuse(request, reply, opened.refused);
      const upstream = session.data.pending;
      if (!upstream || openLink(site.cookieKey.reveal(), session.hash, upstream.link) !== token) {
        const link = sealLink(site.cookieKey.reveal(), session.hash, token);
        return startSignIn(kit, request, reply, site.connectors.proconnect, { kind: 'enrolment', link });
      }
      const pending = await site.aidants.beginEnrolment(token, upstream);
      if ('refused' in pending) return refuse(request, reply, pending.refused);
      return keyPage(request, reply, session, token, pending);
    });

    app.post<Params>('/inscription/:token/code', async (request, reply) => {
      const { token } = request.params;
      const session = await kit.sessionOrNew(request, reply);
      const upstream = session.data.pending;
      if (!upstream) return kit.refuse(request, reply, 'session_expired');
      const done: { staff: unknown } | EnrolmentRefusal = await site.aidants.confirmEnrolment(token, upstream, kit.fields(request).text('code'));
      if (!('refused' in done)) return reply.redirect(DONE, 303);
      const pending = FIELD_ERRORS.includes(done.refused) ? await site.aidants.pendingEnrolment(token, upstream) : done;
      if ('refused' in pending) return refuse(request, reply, pending.refused);
      return keyPage(request, reply, session, token, pending, done.refused);
    });
  };
