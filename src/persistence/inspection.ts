import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from '../journal/keys.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, row, rows, run, sqlState } from './database.ts';
import { appliedMigrations, MIGRATIONS } from './migrate.ts';
import { sql } from './sql.ts';

/** What `relais doctor` and the start of the program look at before they trust a database. */

export interface MigrationState {
  readonly pending: readonly string[];
  /** Applied there, absent here: an older program on a newer database. */
  readonly unknown: readonly string[];
  /** Changed since they were applied. */
  readonly edited: readonly string[];
}

const migrationFiles = (which: 'all' | 'key-store'): { name: string; hash: string }[] =>
  readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith(which === 'key-store' ? '_key_store.sql' : '.sql'))
    .sort()
    .map((name) => ({ name, hash: sha256(readFileSync(join(MIGRATIONS, name), 'utf8')).toString('hex') }));

/** Compares the migrations of the folder with those of the database; undefined when this login may not read them. */
export const migrationState = async (database: Database, which: 'all' | 'key-store' = 'all'): Promise<MigrationState | undefined> => {
  const files = migrationFiles(which);
  try {
    const hashes = await database.asOwner(appliedMigrations);
    return {
      pending: files.filter((file) => !hashes.has(file.name)).map((file) => file.name),
      unknown: [...hashes.keys()].filter((name) => !files.some((file) => file.name === name)),
      edited: files.filter((file) => (hashes.get(file.name) ?? file.hash) !== file.hash).map((file) => file.name),
    };
  } catch (error) {
    if (sqlState(error) === '42501') return undefined;
    throw error;
  }
};

/** How many keys of the journal's sealed parts this database holds. */
export const keysInside = async (tx: Transaction): Promise<number> =>
  (
    await row<{ n: number }>(
      tx,
      sql`select (select count(*) from journal_keys.person_key where wrapped is not null)::int + (select count(*) from journal_keys.period_key where wrapped is not null)::int n`,
    )
  )?.n ?? 0;

/** The database's own clock. */
export const databaseNow = async (tx: Transaction): Promise<Date | undefined> =>
  (await row<{ now: Date }>(tx, sql`select clock_timestamp() as now`))?.now;

/** Reads the fingerprints that the database keeps, by name of key. */
export const readFingerprints = async (tx: Transaction): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (await rows<{ name: string; fingerprint: string }>(tx, sql`select name, fingerprint from key_fingerprint`)).map((it) => [
      it.name,
      it.fingerprint,
    ]),
  );

/** Says whether a key is the one that the database remembers, or one that it was told follows it (`relais journal rotate-key`). */
export const isRemembered = (known: ReadonlyMap<string, string>, name: string, fingerprint: string): boolean =>
  [...known].some(([each, kept]) => kept === fingerprint && (each === name || each.startsWith(`${name}-next-`)));

/** Keeps the fingerprint of a key the first time it is seen; one that is there is never replaced. */
export const keepFingerprint = async (tx: Transaction, name: string, fingerprint: string): Promise<void> => {
  await run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${name}, ${fingerprint}) on conflict (name) do nothing`);
};

/** The parties of the entries that have waited longest. */
export const waitingParties = async (tx: Transaction): Promise<string[]> =>
  (
    await rows<{ id: string }>(
      tx,
      sql`select distinct e.value as id from (select parties from journal.queue order by id limit 512) q, jsonb_each_text(q.parties) e
        where e.key = any(${ROLES}::text[]) order by 1`,
    )
  ).map(({ id }) => id);

export interface JournalState {
  readonly size: number;
  readonly at: Date;
  /** Entries that nobody has sequenced yet, and since when the oldest waits. */
  readonly waiting: number;
  readonly oldest: Date | undefined;
  /** Size of the newest signed checkpoint (0 without one), and when it was signed. */
  readonly sealed: number;
  readonly sealedAt: Date | undefined;
}

/** Reads where the journal's head, queue and seal stand. */
export const journalState = async (tx: Transaction): Promise<JournalState | undefined> => {
  const found = await row<{ size: number; at: Date; waiting: number; oldest: Date | null; sealed: number | null; sealed_at: Date | null }>(
    tx,
    sql`select h.size, h.at, (select count(*)::int from journal.queue) as waiting, (select min(q.at) from journal.queue q) as oldest,
               c.size as sealed, c.at as sealed_at
        from journal.head h left join (select size, at from journal.checkpoint order by size desc limit 1) c on true`,
  );
  return (
    found && {
      size: found.size,
      at: found.at,
      waiting: found.waiting,
      oldest: found.oldest ?? undefined,
      sealed: found.sealed ?? 0,
      sealedAt: found.sealed_at ?? undefined,
    }
  );
};
