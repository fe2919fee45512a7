import type { FastifyReply } from 'fastify';
import type { StoredEntry } from '../../journal/journal.ts';
import type { Site } from '../site.ts';

/** Whoever takes a proof away: the person whose entry it is, unless it is an agent. */
type Taker = { readonly usager: string } | { readonly staffId: string; readonly administration: { readonly id: string; readonly name: string } };

/** Sends the proof of an entry that the taker may read, and records it. Undefined while no signed checkpoint covers the entry. */
export const sendProof = async (site: Site, reply: FastifyReply, entry: StoredEntry, taker: Taker): Promise<FastifyReply | undefined> => {
  const text = await site.transactions.run(async (tx) => {
    const proof = await site.proof(tx, entry.index);
    if (proof !== undefined)
      await site.journal.record(tx, {
        type: 'proof.downloaded',
        usager: entry.usager,
        ...('usager' in taker ? {} : { administration: taker.administration.id, service: entry.service, actor: taker.staffId }),
        detail: { entry: entry.index, ...('usager' in taker ? {} : { administrationName: taker.administration.name }) },
      });
    return proof;
  });
  if (text === undefined) return undefined;
  site.journal.nudge();
  return reply.type('text/plain; charset=utf-8').header('content-disposition', `attachment; filename="relais-${entry.index}.tlog-proof"`).send(text);
};
