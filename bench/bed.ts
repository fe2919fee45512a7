import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../src/practice/ports.ts';
import { type Cluster, startPostgres } from '../test/support/postgres.ts';
import type { Party } from './flow.ts';
import { type ServerHandle, startServer } from './server.ts';

/** What every part shares: one durable PostgreSQL, a folder, and how servers are started on it. */
export interface Bed {
  readonly seconds: number;
  readonly rounds: number;
  readonly lanes: number;
  readonly prefix: readonly string[];
  readonly folder: string;
  /** A new empty database; its superuser's address. */
  database(): Promise<string>;
  start(program: string, argument?: object): Promise<ServerHandle>;
  /**
   * Gives PostgreSQL its statistics of every database, as autovacuum does within a minute: statements prepared while the tables were empty are planned
   * again.
   */
  analyse(): Promise<void>;
  /** Relais with its people, on a database of its own; started once, then shared by the parts. */
  relais(): Promise<{ server: ServerHandle; party: Party; databaseUrl: string; folder: string }>;
  plain(): Promise<ServerHandle>;
  close(): Promise<void>;
}

/** Makes the bed. Close it whatever happens. */
export const makeBed = async (options: { seconds: number; rounds: number; lanes: number; prefix: readonly string[] }): Promise<Bed> => {
  const cluster: Cluster = await startPostgres({ durable: true });
  const folder = mkdtempSync(join(tmpdir(), 'relais-bench-'));
  const servers: ServerHandle[] = [];
  const urls: string[] = [];
  const start = async (program: string, argument: object = {}): Promise<ServerHandle> => {
    const server = await startServer(program, argument, options.prefix);
    servers.push(server);
    return server;
  };
  const database = async (): Promise<string> => {
    const name = `bench_${urls.length}`;
    const client = new pg.Client({ connectionString: cluster.url });
    await client.connect();
    await client.query(`create database ${name}`).finally(() => client.end());
    const url = new URL(cluster.url);
    url.pathname = `/${name}`;
    urls.push(url.href);
    return url.href;
  };
  const analyse = async (): Promise<void> => {
    for (const connectionString of urls) {
      const client = new pg.Client({ connectionString });
      await client.connect();
      await client.query('vacuum analyze').finally(() => client.end());
    }
  };
  const startRelais = async () => {
    const databaseUrl = await database();
    const server = await start('server-relais.ts', { databaseUrl, folder, port: await freePort() });
    const { clientId, secret } = await server.call<{ clientId: string; secret: string }>('prepare', 100);
    const scope = 'openid given_name family_name dlg:logement';
    return { server, databaseUrl, folder, party: { origin: server.origin, base: '/oidc', clientId, secret, scope } };
  };
  let relais: ReturnType<typeof startRelais> | undefined;
  let plain: Promise<ServerHandle> | undefined;
  return {
    ...options,
    folder,
    database,
    start,
    analyse,
    relais: () => {
      relais ??= startRelais();
      return relais;
    },
    plain: () => {
      plain ??= database().then((databaseUrl) => start('server-plain.ts', { databaseUrl }));
      return plain;
    },
    async close() {
      for (const server of servers) await server.stop();
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
