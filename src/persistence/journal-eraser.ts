import type { KeyEraser } from '../journal/erasing.ts';
import type { PeriodClass } from '../journal/keys.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, rows, run } from './database.ts';
import { sql } from './sql.ts';

/** Runs something as `relais_eraser`, on a connection of its own. Call it outside transactions: the embedded database has one connection. */
export const asEraser = async <T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> => {
  const connection = await database.dedicated('relais_eraser');
  try {
    return await connection.run(work);
  } finally {
    await connection.release();
  }
};

/** Destroys keys in the store that `database` holds: the row stays, so that no other key is made in its place. */
export const createKeyEraser = (database: Database): KeyEraser => ({
  async persons(ids) {
    if (!ids.length) return;
    await asEraser(database, (tx) =>
      run(tx, sql`update journal_keys.person_key set wrapped = null, erased_at = now() where party_id = any(${ids}::text[]) and wrapped is not null`),
    );
  },
  there: async (ids) =>
    (
      await rows<{ id: string }>(
        database.auto,
        sql`select party_id id from journal_keys.person_key where party_id = any(${ids}::text[]) and wrapped is not null order by 1`,
      )
    ).map(({ id }) => id),
  period: (boxClass, period) =>
    asEraser(database, async (tx) => {
      await run(
        tx,
        sql`update journal_keys.period_key set wrapped = null, erased_at = now() where class = ${boxClass} and period = ${period} and wrapped is not null`,
      );
    }),
  periods: () =>
    rows<{ class: PeriodClass; period: string; there: boolean }>(
      database.auto,
      sql`select class, period, wrapped is not null as there from journal_keys.period_key order by period, class`,
    ),
});
