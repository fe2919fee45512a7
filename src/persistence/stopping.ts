import type { MandateId, OrganisationId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { StoppingStore } from '../mandates/stopping.ts';
import { row, rows, run } from './database.ts';
import { createEndingStore } from './mandate-endings.ts';
import { createReadings } from './mandate-readings.ts';
import { sql } from './sql.ts';

export const createStoppingStore = (): StoppingStore => ({
  actor: createEndingStore().actor,
  find: createReadings().find,
  byPaper: (tx, code) =>
    row<{ mandateId: MandateId; birthdate: string }>(
      tx,
      sql`select a.mandate_id "mandateId", u.birthdate from attestation a join mandate m on m.id = a.mandate_id join usager u on u.id = m.usager_id
        where a.code = ${code}`,
    ),
  async countTry(tx, day, scope, holder) {
    const counted = await row<{ tries: number }>(
      tx,
      sql`insert into stop_try (day, scope, holder, tries) values (${day}::date, ${scope}, ${holder}, 1)
        on conflict (day, scope, holder) do update set tries = least(stop_try.tries + 1, 1000) returning tries`,
    );
    return counted?.tries ?? 1;
  },
  async forgiveTry(tx, day, scope, holder) {
    await run(tx, sql`update stop_try set tries = greatest(tries - 1, 0) where day = ${day}::date and scope = ${scope} and holder = ${holder}`);
  },
  purgeTries: (tx, before) => run(tx, sql`delete from stop_try where day < ${before}::date`),
});

/** Mail addresses of the référents who lead an organisation now. */
export const referentsOf = async (tx: Transaction, organisationId: OrganisationId): Promise<string[]> => {
  const found = await rows<{ email: string }>(
    tx,
    sql`select s.email from membership b join staff s on s.id = b.aidant_id
      where b.organisation_id = ${organisationId} and b.referent and b.status = 'active' and s.status = 'active' order by s.email`,
  );
  return found.map(({ email }) => email);
};
