import type { LogStore } from '../journal/published.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, rows } from './database.ts';
import { hashSource } from './journal-source.ts';
import { sql } from './sql.ts';

/** Leaves that say what was erased, below an index, newest first. */
export const erasuresIn = (tx: Transaction, before: number | undefined, limit: number): Promise<{ index: number; leaf: string }[]> =>
  rows(
    tx,
    sql`select p.idx as index, convert_from(l.leaf, 'UTF8') leaf from journal.projection p join journal.leaf l on l.idx = p.idx
      where p.type in ('erasure.executed', 'partition.dropped') and p.idx < ${before ?? Number.MAX_SAFE_INTEGER} order by p.idx desc limit ${limit}`,
  );

/** Reads the log for those outside: checkpoints, hashes, leaves. Never the queue, never what is sealed. */
export const logStore = (tx: Transaction): LogStore => ({
  checkpoint: (size) =>
    size === undefined
      ? row(tx, sql`select size, note from journal.checkpoint order by size desc limit 1`)
      : row(
          tx,
          sql`select c.size, c.note || coalesce((select string_agg(line, '' order by at) from (
              select distinct on (witness) line, at from journal.cosignature where size = c.size order by witness, at desc) l), '') as note
            from journal.checkpoint c where c.size = ${size}`,
        ),
  hashes: async (level, from, count) => hashSource(tx).hashes(level, from, count),
  async leaves(from, to) {
    const found = await rows<{ leaf: Buffer }>(tx, sql`select leaf from journal.leaf where idx >= ${from} and idx < ${to} order by idx`);
    if (found.length !== to - from) throw new Failure('journal_leaf_missing', `entries ${from} to ${to - 1}: ${found.length} leaves`);
    return found.map(({ leaf }) => leaf);
  },
});
