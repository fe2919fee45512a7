import type { SealWaits } from '../journal/verify-window.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row } from './database.ts';
import { sql } from './sql.ts';

/** Reads how long entries from `from` on waited for their first checkpoint; `lateMs`: which waits are to be named. Times are what rows say. */
export const sealWaits = async (tx: Transaction, from: number, lateMs: number | undefined): Promise<SealWaits> => {
  const found = await row<{ [K in keyof SealWaits]: SealWaits[K] | null } & { waiting: { index: number; at: string } | null }>(
    tx,
    sql`with covered as materialized (
        select c.first as index, extract(epoch from c.at - f.at) * 1000 as wait
        from (select size, at, lag(size, 1, 0::bigint) over (order by size) as first from journal.checkpoint where size > 0) c
        join journal.leaf f on f.idx = c.first
        where c.size > ${from})
      select
        (select json_build_object('index', index, 'ms', wait) from covered order by wait desc, index limit 1) as longest,
        (select json_build_object('index', index, 'ms', wait) from covered where wait > ${lateMs ?? null}::float8 order by index limit 1) as late,
        (select json_build_object('index', idx, 'at', at) from journal.leaf
          where idx = (select coalesce(max(size), 0) from journal.checkpoint)) as waiting`,
  );
  const { longest, late, waiting } = found ?? {};
  return {
    longest: longest ?? undefined,
    late: late ?? undefined,
    waiting: waiting ? { index: waiting.index, at: new Date(waiting.at) } : undefined,
  };
};
