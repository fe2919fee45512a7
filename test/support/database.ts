import { chmodSync, existsSync, linkSync, mkdirSync, openAsBlob, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { randomToken, sha256 } from '../../src/kernel/crypto.ts';
import { type Database, openPglite, openPostgres } from '../../src/persistence/database.ts';
import { MIGRATIONS, migrate } from '../../src/persistence/migrate.ts';

export interface FreshDatabase {
  readonly database: Database;
  /** The superuser's address of this database; PostgreSQL only. */
  readonly url?: string;
  /** Closes it, and removes it from the cluster. */
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly kind: 'pglite' | 'postgres';
  /** Makes a database of its own for one test file or one test: migrated, or `empty`. `max` is the size of PostgreSQL's pool. */
  fresh(options?: { empty?: boolean; max?: number }): Promise<FreshDatabase>;
}

/** Names the state of the migrations, so that what was prepared for another state is never used. */
const stateOfMigrations = (): string =>
  sha256(
    ...readdirSync(MIGRATIONS)
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .flatMap((name) => [name, '\n', readFileSync(join(MIGRATIONS, name))]),
  )
    .toString('hex')
    .slice(0, 16);

let dump: Promise<Blob> | undefined;

/** The bytes of a migrated embedded database. Made once for each state of the migrations, then kept in the system's temporary folder. */
export const migratedDump = (): Promise<Blob> => {
  dump ??= (async () => {
    const folder = join(tmpdir(), `relais-test-${process.getuid?.() ?? 0}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const file = join(folder, `pglite-${stateOfMigrations()}.tar`);
    if (!existsSync(file)) {
      for (const old of readdirSync(folder))
        if (statSync(join(folder, old)).mtimeMs < Date.now() - 86_400_000) rmSync(join(folder, old), { force: true });
      const lite = await PGlite.create();
      const query = async (text: string, values?: unknown[]): Promise<Record<string, unknown>[]> =>
        values ? (await lite.query<Record<string, unknown>>(text, values)).rows : ((await lite.exec(text)).at(-1)?.rows ?? []);
      // `migrate` asks nothing of a database but its owner's connection.
      await migrate({ asOwner: (work: (run: typeof query) => unknown) => work(query) } as unknown as Database);
      const bytes = Buffer.from(await (await lite.dumpDataDir('none')).arrayBuffer());
      await lite.close();
      const own = `${file}.${process.pid}`;
      writeFileSync(own, bytes, { mode: 0o600 });
      // Two test files may prepare it at once: the first stays, whole, since the other may be reading it already.
      try {
        linkSync(own, file);
      } catch (error) {
        if ((error as { code?: string }).code !== 'EEXIST') throw error;
      }
      rmSync(own);
    }
    return openAsBlob(file);
  })();
  return dump;
};

const asSuperuser = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const withName = (url: string, name: string): string => {
  const address = new URL(url);
  address.pathname = `/${name}`;
  return address.href;
};

const templates = new Map<string, Promise<string>>();

/** Makes the migrated template of a cluster, once for all processes. */
const migratedTemplate = (cluster: string): Promise<string> => {
  const known = templates.get(cluster);
  if (known) return known;
  const template = asSuperuser(cluster, async (client) => {
    const name = `relais_template_${stateOfMigrations()}`;
    await client.query('select pg_advisory_lock(7351999)');
    if ((await client.query('select 1 from pg_database where datname = $1 and datistemplate', [name])).rowCount) return name;
    await client.query(`drop database if exists ${name}`);
    await client.query(`create database ${name}`);
    const database = await openPostgres(withName(cluster, name), { max: 1 });
    await migrate(database).finally(() => database.close());
    await client.query(`alter database ${name} is_template true`);
    return name;
  });
  templates.set(cluster, template);
  return template;
};

const freshPostgres = async (cluster: string, options: { empty?: boolean; max?: number } = {}): Promise<FreshDatabase> => {
  const name = `relais_${randomToken(9)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '0')}`;
  const source = options.empty ? 'template0' : await migratedTemplate(cluster);
  await asSuperuser(cluster, (client) => client.query(`create database ${name} template ${source}`));
  const url = withName(cluster, name);
  const database = await openPostgres(url, options.max === undefined ? {} : { max: options.max });
  return {
    database,
    url,
    drop: async () => {
      await database.close();
      await asSuperuser(cluster, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
};

const pglite: DatabaseKind = {
  kind: 'pglite',
  fresh: async (options = {}) => {
    const database = await openPglite(undefined, options.empty ? undefined : await migratedDump());
    return { database, drop: () => database.close() };
  },
};

/** The databases to test on: the embedded one always, PostgreSQL when `RELAIS_TEST_POSTGRES` gives a superuser's address. */
export const databases = (): readonly DatabaseKind[] => {
  const cluster = process.env['RELAIS_TEST_POSTGRES'];
  return cluster ? [pglite, postgresAt(cluster)] : [pglite];
};

/** PostgreSQL at a superuser's address: a cluster of the test's own. */
export const postgresAt = (cluster: string): DatabaseKind => ({ kind: 'postgres', fresh: (options) => freshPostgres(cluster, options) });

/** The real PostgreSQL alone, for tests that need several connections or several instances; undefined when there is none. */
export const postgresOnly = (): DatabaseKind | undefined => databases().find(({ kind }) => kind === 'postgres');

/** Opens the same PostgreSQL database once more, as a second instance of the application would. Close it before `drop`. */
export const openSecond = (url: string, options: { max?: number } = {}): Promise<Database> => openPostgres(url, options);

/** Runs SQL as the superuser, past every role and guard of the application: what an attacker with the whole database can do. PostgreSQL only. */
export const superuserSql = (url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  asSuperuser(url, async (client) => (await client.query(text, values)).rows as Record<string, unknown>[]);
