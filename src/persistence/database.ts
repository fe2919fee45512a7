import type { EventEmitter } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import pg from 'pg';
import { Failure } from '../kernel/failure.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Statement } from './sql.ts';

/** Counts what was sent, for `bench/` and for tests that hold a path to a number of statements. */
export interface Statistics {
  statements: number;
  commits: number;
  /** Statements of dedicated connections: the sequencer's and the sealing's, which nobody waits for. */
  background: number;
}

/** One connection taken out of the pool, with a role of its own: the sequencer's (journal.md §3.5.2). */
export interface Dedicated {
  readonly auto: Transaction;
  run<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** False when the connection is gone, and its advisory locks with it. */
  alive(): boolean;
  release(): Promise<void>;
}

export interface Database extends Transactions {
  readonly kind: 'postgres' | 'pglite';
  readonly statistics: Statistics;
  dedicated(role: Role): Promise<Dedicated>;
  /** Calls back at each NOTIFY of a channel, until it is ended; the embedded database has nobody else who could notify. */
  listen(channel: string, heard: () => void): () => Promise<void>;
  /** Runs SQL text as the connection's own user, outside every role: migrations, and `relais db sql` in the demonstration. */
  asOwner<T>(work: (query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type Role = 'relais_app' | 'relais_sequencer' | 'relais_eraser';

interface Handle extends Transaction {
  readonly auto?: true;
  query(statement: Statement): Promise<{ rows: unknown[]; count: number }>;
}

type Client = pg.PoolClient;

pg.types.setTypeParser(pg.types.builtins.INT8, Number); // indices and counts stay far below 2^53

/** Says whether `tx` is no transaction: each statement is its own. */
export const isAuto = (tx: Transaction): boolean => (tx as Handle).auto === true;

/** Reads the rows of a statement. The caller names the shape that its own SQL text returns. */
export const rows = async <R>(tx: Transaction, statement: Statement): Promise<R[]> => (await (tx as Handle).query(statement)).rows as R[];

/** Reads the only row, or undefined. */
export const row = async <R>(tx: Transaction, statement: Statement): Promise<R | undefined> => (await rows<R>(tx, statement))[0];

/** Runs a statement and says how many rows it touched. */
export const run = async (tx: Transaction, statement: Statement): Promise<number> => (await (tx as Handle).query(statement)).count;

/** The SQLSTATE of a database error, or undefined for any other error. */
export const sqlState = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;

/** The name of the constraint that refused a write, or undefined. */
export const constraint = (error: unknown): string | undefined =>
  error instanceof Error && 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : undefined;

const RETRIED = new Set(['40001', '40P01']);
/** A text that no database can hold: U+0000, or half of a surrogate pair (claims I1, P21). Only somebody's input brings one. */
const UNSTORABLE = new Set(['22021', '22P05']);

/** The driver gives no code to a connection that ended or never came: it is given one, so that whoever reads errors knows that this one passes. */
const coded = (error: unknown): unknown =>
  error instanceof Error &&
  !('code' in error) &&
  /^(?:Connection terminated|timeout exceeded when|Client (?:has encountered|was closed))/.test(error.message)
    ? Object.assign(error, { code: 'ECONNLOST' })
    : error;

const lost = (error: unknown): never => {
  throw coded(error);
};

/** A statement on one client. An error is never given to `release`, or pg-pool would close PGlite's only connection. */
const on = (client: Client, count: () => void): Handle =>
  ({
    query: async (statement: Statement) => {
      count();
      const result = await client.query({ name: statement.name, text: statement.text, values: [...statement.values] }).catch((cause: unknown) => {
        throw UNSTORABLE.has(sqlState(cause) ?? '') ? new Failure('unstorable_text', undefined, { cause }) : coded(cause);
      });
      return { rows: result.rows, count: result.rowCount ?? 0 };
    },
  }) as unknown as Handle;

const inTransaction = async <T>(client: Client, count: () => void, prelude: string, work: (tx: Transaction) => Promise<T>): Promise<T> => {
  await client.query(`begin${prelude}`).catch(lost);
  try {
    const result = await work(on(client, count));
    await client.query('commit').catch((cause: unknown) => {
      // Nobody can tell whether the database did it: neither may we (the journal, once it is back, can).
      throw sqlState(cause) === undefined ? new Failure('outcome_unknown', undefined, { cause }) : cause;
    });
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
};

/** The rows of the last statement: text without values may hold several. */
const lastRows = (result: pg.QueryResult | pg.QueryResult[]): Record<string, unknown>[] =>
  Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows;

/**
 * The sequencer finds every row by its key: a plan that was made while its tables were empty, and reads them whole, must not be kept while they grow, nor
 * another made for each batch.
 */
const BY_KEY_ALONE = ' -c plan_cache_mode=force_generic_plan -c enable_seqscan=off';

const READS = /^\s*select/i;

const open = (
  kind: Database['kind'],
  pool: pg.Pool,
  closeAll: () => Promise<void>,
  dedicated: Database['dedicated'],
  listen: Database['listen'],
  asOwner: Database['asOwner'],
  statistics: Statistics,
): Database => {
  const count = (): void => void statistics.statements++;
  const auto = {
    auto: true,
    query: async (statement: Statement) => {
      const client = await pool.connect().catch(lost);
      try {
        if (!READS.test(statement.text)) statistics.commits++;
        return await on(client, count).query(statement);
      } finally {
        client.release();
      }
    },
  } as unknown as Handle;
  return {
    kind,
    statistics,
    auto,
    async run(work) {
      for (let attempt = 0; ; attempt++) {
        const client = await pool.connect().catch(lost);
        try {
          const result = await inTransaction(client, count, '', work);
          statistics.commits++;
          return result;
        } catch (error) {
          if (attempt >= 3 || !RETRIED.has(sqlState(error) ?? '')) throw error;
        } finally {
          client.release();
        }
      }
    },
    dedicated,
    listen,
    asOwner,
    close: closeAll,
  };
};

const LISTEN_AGAIN_MS = 1000;

/** A connection of its own that listens, and comes back when it is lost; meanwhile whoever listens looks by itself from time to time. */
const listenWith =
  (connect: () => Promise<pg.Client>): Database['listen'] =>
  (channel, heard) => {
    let ended = false;
    let client: pg.Client | undefined;
    let timer: NodeJS.Timeout | undefined;
    const later = (): void => {
      client = undefined;
      if (ended) return;
      clearTimeout(timer);
      timer = setTimeout(() => void start(), LISTEN_AGAIN_MS).unref();
    };
    const start = async (): Promise<void> => {
      try {
        const made = await connect();
        if (ended) return void (await made.end());
        client = made;
        made.on('notification', heard);
        made.once('end', later);
        await made.query(`listen ${channel}`);
        heard(); // what was notified while nobody listened
      } catch {
        const failed = client;
        later();
        await failed?.end().catch(() => undefined);
      }
    };
    const started = start();
    return async () => {
      ended = true;
      clearTimeout(timer);
      await started;
      await client?.end().catch(() => undefined);
    };
  };

/**
 * A client that the server told, with its first words, whether it only repeats another (`in_hot_standby`). What a standby says of a mandate may be old:
 * nothing is asked of one (claim B6).
 */
class PrimaryClient extends pg.Client {
  standby = false;
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const { connection } = this as unknown as { connection: EventEmitter };
    connection.on('parameterStatus', (said: { parameterName: string; parameterValue: string }) => {
      if (said.parameterName === 'in_hot_standby') this.standby = said.parameterValue === 'on';
    });
  }
}

const notPrimary = (client: unknown): Failure | undefined =>
  client instanceof PrimaryClient && client.standby
    ? new Failure('database_standby', 'this server only repeats another: its answers may be old')
    : undefined;

/** Opens PostgreSQL. Each connection starts in the role `relais_app`; `max` is the size of the pool. */
export const openPostgres = async (connectionString: string, options: { max?: number } = {}): Promise<Database> => {
  const statistics: Statistics = { statements: 0, commits: 0, background: 0 };
  const withRole = (role: Role | undefined): pg.ClientConfig => ({
    connectionString,
    connectionTimeoutMillis: 5000,
    // Statements are short: compiling one costs more than running it.
    options: `-c timezone=UTC -c jit=off${role ? ` -c role=${role}` : ''}${role === 'relais_sequencer' ? BY_KEY_ALONE : ''}`,
  });
  const pool = new pg.Pool({
    ...withRole('relais_app'),
    max: options.max ?? 10,
    statement_timeout: 15_000,
    Client: PrimaryClient,
    verify: (client, done) => done(notPrimary(client)),
  });
  pool.on('error', () => undefined);
  // A connection that breaks while it is lent fails its query; without a listener the event would end the process as well.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  const connect = async (role: Role | undefined): Promise<{ client: pg.Client; lost: () => boolean }> => {
    const client = new PrimaryClient(withRole(role));
    let gone = false;
    client.on('error', () => {
      gone = true;
    });
    client.on('end', () => {
      gone = true;
    });
    await client.connect();
    const standby = notPrimary(client);
    if (standby) {
      await client.end();
      throw standby;
    }
    return { client, lost: () => gone };
  };
  return open(
    'postgres',
    pool,
    () => pool.end(),
    async (role) => {
      const { client, lost } = await connect(role);
      const asPool = client as unknown as Client;
      const count = (): void => void statistics.background++;
      return {
        auto: on(asPool, count),
        run: (work) => inTransaction(asPool, count, '', work),
        alive: () => !lost(),
        release: () => client.end(),
      };
    },
    listenWith(async () => (await connect('relais_app')).client),
    async (work) => {
      const { client } = await connect(undefined);
      try {
        return await work(async (text, values) => lastRows(await client.query(text, values)));
      } finally {
        await client.end();
      }
    },
    statistics,
  );
};

/** Holds the folder for one process: PGlite itself would let a second one write over the first. */
const lockFolder = (folder: string): (() => void) => {
  const file = join(folder, 'lock');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (cause) {
      const holder = Number(existsSync(file) ? readFileSync(file, 'utf8') : 0);
      if (holder > 0 && holder !== process.pid && isRunning(holder))
        throw new Failure('folder_in_use', `${folder} is in use by process ${holder}: stop it first, or give another folder`, { cause });
      rmSync(file, { force: true });
    }
  }
  throw new Failure('folder_in_use', `${folder} cannot be locked`);
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/**
 * Opens the embedded PostgreSQL (PGlite) in `folder`, behind the same `pg.Pool` as the real one. The folder is 0700, held by one process,
 * and written with fsync. Without a folder it lives in memory (`dump`: the bytes of a migrated database, for tests).
 */
export const openPglite = async (folder: string | undefined, dump?: Blob): Promise<Database> => {
  let unlock = (): void => undefined;
  if (folder) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    unlock = lockFolder(folder);
  }
  const umask = folder ? process.umask(0o077) : undefined;
  let lite: PGlite;
  try {
    lite = await PGlite.create({
      ...(folder ? { dataDir: join(folder, 'pglite') } : {}),
      ...(dump ? { loadDataDir: dump } : {}),
      ...(folder ? { startParams: PGlite.defaultStartParams.filter((parameter) => parameter !== '-F').concat('-c', 'fsync=on') } : {}),
    });
  } catch (error) {
    unlock();
    throw error;
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
  await lite.exec("set timezone = 'UTC'");
  const statistics: Statistics = { statements: 0, commits: 0, background: 0 };
  const config = createPgConfig(lite);
  const connection = config.connection as unknown as { parse(query: object): unknown };
  const parse = connection.parse.bind(connection);
  connection.parse = (query) => parse({ ...query, types: undefined }); // PGlite 0.5.16 takes an array where pg gives an object
  // One connection for everybody: whoever waits longer than this waits for something that will not come, and is told so.
  const limits = { connectionTimeoutMillis: 30_000, query_timeout: 60_000 };
  const pool = new pg.Pool({ ...(config as unknown as pg.PoolConfig), ...limits, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: false });
  pool.on('error', () => undefined);
  const borrow = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  };
  const setRole = (role: string): Promise<unknown> => borrow((client) => client.query(`set role ${role}`));
  const hasRole = await borrow((client) => client.query("select 1 from pg_roles where rolname = 'relais_app'"));
  if (hasRole.rowCount) await setRole('relais_app');
  return open(
    'pglite',
    pool,
    async () => {
      await borrow((client) => client.query('select 1')).catch(() => undefined); // after an error, PGlite's last answer is still on its way
      await pool.end();
      await lite.close();
      unlock();
    },
    async (role) => {
      const runAs = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
        borrow((client) => inTransaction(client, () => void statistics.background++, `; set local role ${role}`, work));
      const auto = { query: (statement: Statement) => runAs((tx) => (tx as Handle).query(statement)) } as unknown as Handle;
      return { auto, run: runAs, alive: () => true, release: async () => undefined };
    },
    () => async () => undefined,
    (work) =>
      borrow(async (client) => {
        await client.query('reset role');
        try {
          return await work(async (text, values) => lastRows(await client.query(text, values)));
        } finally {
          const made = await client.query("select 1 from pg_roles where rolname = 'relais_app'");
          if (made.rowCount) await client.query('set role relais_app');
        }
      }),
    statistics,
  );
};
