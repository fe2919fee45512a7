import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, run } from './database.ts';
import { sql } from './sql.ts';

/**
 * Compares a key with the one that this database was made with; the first time, remembers it. A different one fails as `key_differs`, naming
 * the file: with another pairwise key every service would meet strangers, with another payload key the journal could not be opened.
 */
export const checkFingerprint = async (tx: Transaction, name: string, fingerprint: string): Promise<void> => {
  await run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${name}, ${fingerprint}) on conflict (name) do nothing`);
  const known = await row<{ found: boolean }>(
    tx,
    sql`select exists (select 1 from key_fingerprint where (name = ${name} or name like ${`${name}-next-%`}) and fingerprint = ${fingerprint}) as found`,
  );
  if (!known?.found) throw new Failure('key_differs', `${name} is not the key that this database was made with: mount the former file`);
};
