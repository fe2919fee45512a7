import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Answered } from '../../mandates/remote-consents.ts';
import { isSignedSms, type SmsPurpose } from '../../notices/sms.ts';
import type { Site } from '../site.ts';
import { sendProblem } from './actions.ts';

type Call = Readonly<Record<string, string>>;

/** Reads a JSON object of which these members are texts of a reasonable length; undefined for anything else. */
const readCall = (body: string, members: readonly string[]): Call | undefined => {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null) return undefined;
    const call: Record<string, string> = {};
    for (const name of members) {
      const member: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
      if (typeof member !== 'string') return undefined;
      const text = member.toWellFormed().replaceAll('\0', '');
      if (name !== 'text' && (text.length === 0 || text.length > 100)) return undefined;
      call[name] = text;
    }
    return call;
  } catch {
    return undefined;
  }
};

/**
 * What the SMS gateway calls: `POST /api/v1/sms/replies` {id, reference, from, text} and `POST /api/v1/sms/receipts` {id, reference, status}. Each body
 * is signed; each `id` counts once; nothing but a recorded question is ever answered (claim U10).
 */
export const smsApi =
  (site: Site) =>
  async (app: FastifyInstance): Promise<void> => {
    const { sms } = site;
    if (!sms) return;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: 65_536 }, (_request, body, done) => done(null, body));

    const signed = (request: FastifyRequest, purpose: SmsPurpose): string | undefined => {
      const body = typeof request.body === 'string' ? request.body : '';
      return isSignedSms(sms.key.reveal(), purpose, request.headers['relais-signature'], body, site.clock.now()) ? body : undefined;
    };
    const refuse = (reply: FastifyReply, code: string): FastifyReply => {
      site.notice({ code: `sms_${code}` });
      return sendProblem(reply, code);
    };
    const accepted = (reply: FastifyReply, done: Answered): FastifyReply => {
      if ('refused' in done) return refuse(reply, done.refused);
      site.nudgeDeliveries();
      return reply.code(done.taken === 'already' ? 200 : 202).send({ status: done.taken === 'already' ? 'already' : 'taken' });
    };

    app.post('/api/v1/sms/replies', async (request, reply) => {
      const body = signed(request, 'replies');
      if (body === undefined) return refuse(reply, 'signature_refused');
      const { id = '', reference = '', from = '', text = '' } = readCall(body, ['id', 'reference', 'from', 'text']) ?? {};
      if (!id) return refuse(reply, 'invalid_request');
      return accepted(reply, await sms.consents.answer({ messageId: id, reference, from, text }));
    });
    app.post('/api/v1/sms/receipts', async (request, reply) => {
      const body = signed(request, 'receipts');
      if (body === undefined) return refuse(reply, 'signature_refused');
      const { id = '', reference = '', status } = readCall(body, ['id', 'reference', 'status']) ?? {};
      if (status !== 'delivered' && status !== 'failed') return refuse(reply, 'invalid_request');
      return accepted(reply, await sms.consents.receipt({ messageId: id, reference, status }));
    });
  };
