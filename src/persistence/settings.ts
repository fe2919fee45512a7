import type { Transaction } from '../kernel/transaction.ts';
import { rows } from './database.ts';
import { sql } from './sql.ts';

/** Remembers the digests of settings, and names those that differ from what was remembered. Of two processes that start at once, one is told. */
export const noteSettings = async (tx: Transaction, settings: ReadonlyMap<string, string>): Promise<string[]> => {
  const sorted = [...settings].sort(([a], [b]) => (a < b ? -1 : 1)); // one order for all: two processes wait for each other, never in a circle
  const changed = await rows<{ name: string }>(
    tx,
    sql`insert into setting (name, digest) select * from unnest(${sorted.map(([name]) => name)}::text[], ${sorted.map(([, digest]) => digest)}::text[])
      on conflict (name) do update set digest = excluded.digest where setting.digest <> excluded.digest returning name`,
  );
  return changed.map(({ name }) => name);
};
