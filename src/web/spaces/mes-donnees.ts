import type { FastifyInstance } from 'fastify';
import type { ProvedEntry } from '../../journal/journal.ts';
import { parisDay } from '../../kernel/calendar.ts';
import { ownJson } from '../api/entry-json.ts';
import { requireUsager } from '../guards.ts';
import { t } from '../i18n/language.ts';
import type { Kit } from '../kit.tsx';
import { PATHS } from '../views/paths.ts';

/** What the journal gives at most in one reading, and what one file holds. */
const AT_ONCE = 500;
const MOST = 20_000;

/** A person's copy of everything that Relais holds on her (claim V9): a file that a program reads, with the sentences that she reads. */
export const personalData =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    // A form, not a link: what leaves in a file is an entry, which she reads.
    app.post(PATHS.personalDataFile, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const lang = kit.lang(request);
      const usager = session.usagerId;
      const file = await site.transactions.run(async (tx) => {
        const all: ProvedEntry[] = [];
        for (let more = true; more && all.length < MOST; ) {
          const last = all.at(-1);
          const found = await site.journal.prove(tx, { usager, limit: AT_ONCE, ...(last ? { before: last.index } : {}) });
          all.push(...found);
          more = found.length === AT_ONCE;
        }
        await site.journal.record(tx, { type: 'journal.exported', usager, detail: { what: 'personal-data', entries: all.length } });
        return {
          about: t(lang).statement.data.about(site.helpNumber),
          made_at: site.clock.now().toISOString(),
          ...(await site.personalData(tx, usager)),
          journal: {
            log: site.origin(),
            ...ownJson(usager, all, lang),
            ...(all.length >= MOST ? { older: `/api/v1/journal/me?before=${all.at(-1)?.index}` } : {}),
          },
        };
      });
      site.journal.nudge();
      return reply
        .type('application/json; charset=utf-8')
        .header('content-disposition', `attachment; filename="mes-donnees-${parisDay(site.clock.now())}.json"`)
        .send(`${JSON.stringify(file, null, 1)}\n`);
    });
  };
