import type { SealWaits } from '../journal/verify-window.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, rows } from './database.ts';
import { sql } from './sql.ts';

interface Wait {
  readonly index: number;
  readonly ms: number;
  readonly size: number;
}

/** Checkpoints that one statement reads: a log of years has tens of millions. */
const PAGE = 20_000;

/** How long the first entry of each checkpoint above `after` waited for it, in order. */
const page = (tx: Transaction, after: number): Promise<Wait[]> =>
  rows<Wait>(
    tx,
    sql`select c.size, c.first as index, (extract(epoch from c.at - l.at) * 1000)::float8 as ms
      from (select size, at, lag(size, 1, ${after}::bigint) over (order by size) as first
            from (select size, at from journal.checkpoint where size > ${after} order by size limit ${PAGE}) p) c
      join journal.leaf l on l.idx = c.first order by c.size`,
  );

/** Reads how long entries from `from` on waited for their first checkpoint; `lateMs`: which waits are to be named. Times are what rows say. */
export const sealWaits = async (tx: Transaction, from: number, lateMs: number | undefined): Promise<SealWaits> => {
  const before = await row<{ size: number }>(tx, sql`select size from journal.checkpoint where size <= ${from} order by size desc limit 1`);
  let longest: Wait | undefined;
  let late: Wait | undefined;
  for (let after = before?.size ?? 0; ; ) {
    const waits = await page(tx, after);
    for (const wait of waits) {
      if (!longest || wait.ms > longest.ms) longest = wait;
      if (!late && lateMs !== undefined && wait.ms > lateMs) late = wait;
    }
    const last = waits.at(-1);
    if (!last) break;
    after = last.size;
  }
  const waiting = await row<{ index: number; at: Date }>(
    tx,
    sql`select idx as index, at from journal.leaf where idx = (select coalesce(max(size), 0) from journal.checkpoint)`,
  );
  return { longest: longest && { index: longest.index, ms: longest.ms }, late: late && { index: late.index, ms: late.ms }, waiting };
};
