import type { FastifyInstance, FastifyReply } from 'fastify';
import { writeRotations } from '../../journal/rotations.ts';
import type { Site } from '../site.ts';

/** The key may be replaced while an instance runs. */
const ASK_AGAIN_MS = 60_000;

/** Asks at most once in `ms`; a failure is not kept. */
const each = <T>(ms: number, ask: () => Promise<T>): (() => Promise<T>) => {
  let kept: { readonly at: number; readonly value: Promise<T> } | undefined;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at > ms) kept = { at: now, value: ask() };
    const { value } = kept;
    value.catch(() => {
      if (kept?.value === value) kept = undefined;
    });
    return value;
  };
};

/** What the log says of itself (journal.md §3.7): its newest head, the newest that witnesses have seen, its key, and who the witnesses are. */
export const checkpointApi =
  (site: Pick<Site, 'checkpoint' | 'witnessed' | 'witnessPolicy' | 'logVkey' | 'rotations'>) =>
  async (app: FastifyInstance): Promise<void> => {
    const text = (reply: FastifyReply, body: string): FastifyReply => reply.type('text/plain; charset=utf-8').send(body);
    let known: { readonly vkey: string; readonly at: number } | undefined;
    const rotations = each(1000, site.rotations);

    app.get('/log/checkpoint', async (_request, reply) => {
      const checkpoint = await site.checkpoint();
      return checkpoint ? text(reply, checkpoint.note) : text(reply.code(404), 'no checkpoint yet\n');
    });

    app.get('/log/checkpoint/witnessed', async (_request, reply) => {
      const witnessed = site.witnessed();
      if (witnessed) return text(reply, witnessed.note);
      if (site.witnessPolicy === undefined)
        return text(reply.code(404), 'this journal has no witnesses: /log/checkpoint is signed by its own key alone\n');
      return text(
        reply.code(503).header('retry-after', '10'),
        'not enough witnesses have cosigned yet: /log/checkpoint is signed by the key of the journal alone\n',
      );
    });

    app.get('/log/vkey', async (_request, reply) => {
      if (!known || performance.now() - known.at > ASK_AGAIN_MS) {
        const vkey = await site.logVkey().catch(() => undefined);
        if (vkey !== undefined) known = { vkey, at: performance.now() };
      }
      if (known) return text(reply.header('cache-control', 'public, max-age=300'), `${known.vkey}\n`);
      return text(reply.code(503).header('retry-after', '10'), 'the signer does not answer\n');
    });

    app.get('/log/rotations', async (_request, reply) => text(reply.header('cache-control', 'public, max-age=1'), writeRotations(await rotations())));

    app.get('/log/policy', async (_request, reply) =>
      site.witnessPolicy === undefined
        ? text(reply.code(404), 'this journal has no witnesses\n')
        : text(reply.header('cache-control', 'public, max-age=300'), site.witnessPolicy),
    );
  };
