import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { Database } from './database.ts';

export const MIGRATIONS = new URL('../../migrations/', import.meta.url).pathname;

/** The instances' login owns nothing: it reads what was applied as `relais_app`, which the first migration makes. */
const READABLE = `do $$ begin grant select on public.migration to relais_app; exception when undefined_object then null; end $$`;

type Query = (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;

/** Reads which migrations were applied: as whoever is logged in if they may, otherwise with the rights of an instance. */
export const appliedMigrations = async (query: Query): Promise<Map<string, string>> => {
  if ((await query("select to_regclass('public.migration') is not null as there"))[0]?.['there'] !== true) return new Map();
  const [found] = await query("select has_table_privilege('public.migration', 'select') as readable");
  if (found?.['readable'] !== true) await query('set role relais_app');
  try {
    const applied = await query('select name, hash from public.migration');
    return new Map(applied.map((each) => [String(each['name']), String(each['hash'])]));
  } finally {
    if (found?.['readable'] !== true) await query('reset role');
  }
};

/** `key-store`: only what a database of keys needs (JOURNAL_KEYS_URL). */
type Which = 'all' | 'key-store';

/** A migration of the folder: its name, its text, the SHA-256 of that text. */
const read = (folder: string, which: Which): { name: string; text: string; hash: string }[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(which === 'key-store' ? '_key_store.sql' : '.sql'))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      return { name, text, hash: sha256(text).toString('hex') };
    });

/**
 * Applies what is missing, in order, one transaction a file, under an advisory lock so that several instances may start at once.
 * Fails as `migration_edited` when a file that was applied has changed since, and as `migration_unknown` when the database knows one that
 * the folder lacks (an older program on a newer database). Returns the names applied.
 */
export const migrate = async (database: Database, folder = MIGRATIONS, which: Which = 'all'): Promise<string[]> =>
  database.asOwner(async (query) => {
    await query('select pg_advisory_lock(7351001)');
    try {
      await query(
        'create table if not exists public.migration (name text primary key, hash text not null, applied_at timestamptz not null default now())',
      );
      const done = new Map((await query('select name, hash from public.migration')).map((found) => [String(found['name']), String(found['hash'])]));
      const files = read(folder, which);
      for (const name of done.keys())
        if (!files.some((file) => file.name === name)) throw new Failure('migration_unknown', `the database has ${name}, this program does not`);
      const applied: string[] = [];
      for (const file of files) {
        const before = done.get(file.name);
        if (before !== undefined && before !== file.hash) throw new Failure('migration_edited', `${file.name} was changed after it was applied`);
        if (before !== undefined) continue;
        await query('begin');
        try {
          await query(file.text);
          await query('insert into public.migration (name, hash) values ($1, $2)', [file.name, file.hash]);
          await query('commit');
        } catch (error) {
          await query('rollback');
          throw error;
        }
        applied.push(file.name);
      }
      if (applied.length) await query(READABLE);
      return applied;
    } finally {
      await query('select pg_advisory_unlock(7351001)');
    }
  });

/** Names the migrations that this program has and the database has not; fails as `migration_edited` or `migration_unknown` as `migrate` does. */
export const pendingMigrations = (database: Database, folder = MIGRATIONS, which: Which = 'all'): Promise<string[]> =>
  database.asOwner(async (query) => {
    const done = await appliedMigrations(query);
    const files = read(folder, which);
    for (const [name, hash] of done) {
      const file = files.find((each) => each.name === name);
      if (!file) throw new Failure('migration_unknown', `the database has ${name}, this program does not`);
      if (file.hash !== hash) throw new Failure('migration_edited', `${file.name} was changed after it was applied`);
    }
    return files.filter((file) => !done.has(file.name)).map((file) => file.name);
  });
