import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { writeProofText } from '../../journal/proof-text.ts';
import { readTilePath } from '../../journal/tile-path.ts';
import { TILE_WIDTH } from '../../journal/tree.ts';
import { equal, sha256 } from '../../kernel/crypto.ts';
import type { Site } from '../site.ts';
import { sendProblem } from './actions.ts';

const INDEX = /^(?:0|[1-9][0-9]{0,14})$/;

/** Reads a number of the address; undefined when it is not one, or written twice. */
const numberOf = (value: unknown): number | undefined => (typeof value === 'string' && INDEX.test(value) ? Number(value) : undefined);

const text = (reply: FastifyReply, body: string): FastifyReply => reply.type('text/plain; charset=utf-8').send(body);

/**
 * The log for those outside (journal.md §3.7): `/log/tile/…` as C2SP tlog-tiles has it, bundles of leaves for mirrors alone, proofs of
 * inclusion (`/api/v1/journal/proof/:index?size=`, C2SP tlog-proof) and of consistency (`/api/v1/journal/consistency?from=&to=`, one hash a
 * line in base 64).
 */
export const logApi =
  (site: Pick<Site, 'published' | 'mirrors' | 'notice'>) =>
  async (app: FastifyInstance): Promise<void> => {
    const { published, mirrors } = site;

    /** Every hash is compared, so that the time tells nothing of which one was near. */
    const isMirror = (request: FastifyRequest): boolean => {
      const [, token = ''] = /^Bearer ([\x21-\x7e]{20,200})$/i.exec(request.headers.authorization ?? '') ?? [];
      if (!token) return false;
      const hash = sha256(token);
      return mirrors.filter((known) => equal(known, hash)).length > 0;
    };

    app.get<{ Params: { '*': string } }>('/log/tile/*', async (request, reply) => {
      const address = readTilePath(request.params['*']);
      if (!address) return sendProblem(reply, 'not_found', 'A tile is /log/tile/<level>/<number>, with .p/<width> when it is not full.');
      if (address.level === 'entries' && !isMirror(request)) {
        site.notice({ code: 'log_token_refused' });
        reply.header('www-authenticate', 'Bearer error="invalid_token"');
        return sendProblem(reply, 'token_refused', 'Leaves are given to mirrors, with the token that the operator gave them.');
      }
      const tile = await published.tile(address);
      if (!tile) return sendProblem(reply, 'not_found', 'No signed checkpoint covers this tile yet.');
      const lasting = address.width === TILE_WIDTH ? 'max-age=31536000, immutable' : 'max-age=60';
      return reply
        .type('application/octet-stream')
        .header('cache-control', `${address.level === 'entries' ? 'private' : 'public'}, ${lasting}`)
        .send(tile);
    });

    app.get<{ Params: { index: string }; Querystring: Record<string, unknown> }>('/api/v1/journal/proof/:index', async (request, reply) => {
      const index = numberOf(request.params.index);
      const size = numberOf(request.query['size']);
      if (index === undefined || (size === undefined && request.query['size'] !== undefined))
        return sendProblem(reply, 'invalid_request', 'Send the index of an entry and, if you wish, the size of a published checkpoint.');
      const proof = await published.inclusion(index, size);
      if ('hashes' in proof) return text(reply, writeProofText({ index, ...proof }));
      return sendProblem(
        reply,
        'not_found',
        proof.refused === 'no_such_checkpoint'
          ? `No checkpoint of ${size} entries was published: leave size out to have the newest.`
          : `No published checkpoint${size === undefined ? '' : ` of ${size} entries`} covers entry ${index}.`,
      );
    });

    app.get<{ Querystring: Record<string, unknown> }>('/api/v1/journal/consistency', async (request, reply) => {
      const [from, to] = [numberOf(request.query['from']), numberOf(request.query['to'])];
      if (from === undefined || to === undefined || from > to)
        return sendProblem(reply, 'invalid_request', 'Send two sizes of the log, from and to, the smaller first.');
      const proof = await published.consistency(from, to);
      if (!Array.isArray(proof)) return sendProblem(reply, 'not_found', `No published checkpoint covers ${to} entries.`);
      return text(reply, proof.map((hash) => `${hash.toString('base64')}\n`).join(''));
    });
  };
