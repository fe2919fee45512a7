import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import { LARGEST_SCAN } from '../../mandates/scan.ts';
import { codeOf } from '../error-handler.ts';
import { requireAidant } from '../guards.ts';
import type { Kit } from '../kit.tsx';

/** What the form sends around the file. */
const AROUND = 64 * 1024;

/** What multipart's own limits mean to whoever sent the form. */
const LIMITS: Readonly<Record<string, string>> = {
  FST_REQ_FILE_TOO_LARGE: 'scan_too_large',
  FST_FILES_LIMIT: 'scan_one_file',
  FST_PARTS_LIMIT: 'scan_one_file',
};

/** Copies of signed sheets: added by a form, read as a file to save and in no other way. */
export const copie =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    // Nothing is read from somebody who may not send it, nor more than is kept.
    app.addHook('onRequest', async (request, reply) => {
      if (request.method !== 'POST') return;
      if (!(await kit.session(request))) return kit.refuse(request, reply, 'session_expired');
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      if (Number(request.headers['content-length'] ?? 0) > LARGEST_SCAN + AROUND)
        return kit.refuse(request, reply.header('connection', 'close'), 'scan_too_large', { session: here.session, who: here.who });
    });
    app.setErrorHandler(async (error: Error & { code?: string; statusCode?: number }, request, reply) => {
      const here = await kit.session(request);
      const known = LIMITS[error.code ?? ''] ?? (request.isMultipart() && (!request.raw.complete || !isFault(error)) ? 'scan_unreadable' : undefined);
      site.notice(known ? { code: `page_${known}` } : { code: 'fault', fault: error });
      return kit.refuse(request, reply, known ?? codeOf(error), here ? { session: here } : {});
    });
    await app.register(multipart, {
      attachFieldsToBody: 'keyValues',
      limits: { fileSize: LARGEST_SCAN, files: 1, fields: 5, parts: 7, fieldNameSize: 100, fieldSize: 2000, headerPairs: 50 },
    });

    const gone = (request: FastifyRequest, reply: FastifyReply, here: NonNullable<Awaited<ReturnType<typeof requireAidant>>>, code: string) => {
      if (code !== 'not_found') site.notice({ code: `copy_${code}` }); // an unknown id has its line already
      return kit.refuse(request, reply, code, { session: here.session, who: here.who });
    };

    app.post<Params>('/aidant/papiers/:id/copie', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const sent = typeof request.body === 'object' && request.body !== null && 'scan' in request.body ? request.body.scan : undefined;
      const bytes = Buffer.isBuffer(sent) ? sent : Buffer.alloc(0);
      const done = isId('pap', id) ? await site.scans.add(here, id, bytes) : ({ refused: 'not_found' } as const);
      if ('refused' in done) return gone(request, reply, here, done.refused);
      const paper = isId('pap', id) ? await site.papers.read(here, id) : undefined;
      return reply.redirect(
        paper?.paper.askedBy === here.aidantId ? `/aidant/mandats/brouillon/${paper.draft.id}/papier/feuille` : `/aidant/temoin/${id}`,
        303,
      );
    });
    app.get<Params>('/aidant/papiers/:id/copie', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const found = isId('pap', id) ? await site.scans.read(here, id) : ({ refused: 'not_found' } as const);
      if ('refused' in found) return gone(request, reply, here, 'not_found');
      return reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="${found.name}"`)
        .header('content-security-policy', "sandbox; default-src 'none'")
        .send(found.bytes);
    });
  };

/** Ours, or the database's. What fails before all has arrived is the sender's. */
const isFault = (error: Error & { code?: string }): boolean =>
  error.name === 'Failure' || /^(ECONN|57P|08|53|23)/.test(error.code ?? '') || error.name === 'error';
