import type { Stampable, StampStore } from '../journal/stamping.ts';
import type { StampRow, StampSource } from '../journal/verify-timestamps.ts';
import type { Transactions } from '../kernel/transaction.ts';
import { type Database, row, rows, run } from './database.ts';
import { sql } from './sql.ts';

/** Times from outside, as they are kept: read by everybody, added by the sequencer's role. */
export const stampStore = (database: Database): StampStore => ({
  newest: () =>
    row<Stampable & { size: number }>(
      database.auto,
      sql`select c.size, c.note, c.at, h.size = c.size as whole, exists (select 1 from journal.timestamp t where t.size = c.size) as stamped
        from journal.checkpoint c, journal.head h where c.size > 0 order by c.size desc limit 1`,
    ),
  async add({ size, token, at }) {
    const connection = await database.dedicated('relais_sequencer');
    try {
      await run(
        connection.auto,
        sql`insert into journal.timestamp (size, token, at) values (${size}, ${token}, ${at}) on conflict (size) do nothing`,
      );
    } finally {
      await connection.release();
    }
  },
});

/** Gives `verifyTimestamps` the stamps of a database, with what stands on either side of each. */
export const stampSource = (database: Transactions): StampSource => ({
  stamps: (after, limit) =>
    rows<StampRow>(
      database.auto,
      sql`select t.size, t.token, t.at, c.note, l.leaf as last, n.leaf as next
        from journal.timestamp t left join journal.checkpoint c on c.size = t.size
        left join journal.leaf l on l.idx = t.size - 1 left join journal.leaf n on n.idx = t.size
        where t.size > ${after} order by t.size limit ${limit}`,
    ),
});
