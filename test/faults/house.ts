import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { verifierOf } from '../../src/journal/note.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import { readOrigin } from '../../src/persistence/journal.ts';
import { until } from '../support/acting.ts';
import { assert } from '../support/check.ts';
import { postgresAt, superuserSql } from '../support/database.ts';
import { startPostgres } from '../support/postgres.ts';
import type { ChildOptions } from './child.ts';
import { type PartKeys, verifyPart } from './part.ts';

/** Processes that write a journal on a PostgreSQL of their own, with a signer apart; any of them may be killed. */

const ROOT = resolve(import.meta.dirname, '../..');

export interface Running {
  readonly name: string;
  readonly process: ChildProcess;
}

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((done) => (child.exitCode !== null || child.signalCode !== null ? done() : void child.once('exit', () => done())));

const launch = (
  name: string,
  args: readonly string[],
  ready: RegExp,
  said: string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Running> =>
  new Promise((found, failed) => {
    const child = spawn(process.execPath, [...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    child.stdout.on('data', (part: Buffer) => ready.test(part.toString()) && found({ name, process: child }));
    child.stderr.on('data', (part: Buffer) => said.push(`${name}: ${part}`));
    child.once('exit', (code, signal) => failed(new Error(`${name} ended (${code ?? signal}): ${said.slice(-3).join('')}`)));
  });

export interface House {
  readonly url: string;
  readonly origin: string;
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Starts a writer: `producers` acts at a time, 0 for one that only sequences. */
  startWriter(more?: Partial<Pick<ChildOptions, 'producers' | 'skewMs'>>): Promise<Running>;
  startSigner(): Promise<Running>;
  killPostgres(): Promise<void>;
  kill(one: Running): Promise<void>;
  /** Asks every writer that runs to end, and waits. */
  settle(writers: readonly Running[]): Promise<void>;
  /** Epochs seen in the head, in the order seen. */
  readonly alarms: () => string[];
  /** Everything that must hold once nothing runs; returns counts. */
  judge(): Promise<{ acknowledged: number; entries: number; checkpoints: number }>;
  close(): Promise<void>;
}

const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);

export const openHouse = async (): Promise<House> => {
  const cluster = await startPostgres({ durable: true });
  const folder = mkdtempSync(join(tmpdir(), 'relais-faults-'));
  const fresh = await postgresAt(cluster.url).fresh({ max: 2 });
  const { database } = fresh;
  const url = fresh.url ?? '';
  const sql = (text: string, values?: unknown[]) => superuserSql(url, text, values);
  await sql('create table acted (event_id uuid primary key, kept boolean not null); grant insert on acted to relais_app');
  const origin = await readOrigin(database, 'example');
  const keys: PartKeys = { kek: randomBytes(32).toString('base64'), mac: randomBytes(32).toString('base64') };
  const pem = makePrivateKeyPem('ed25519');
  mkdirSync(join(folder, 'keys'));
  writeFileSync(join(folder, 'keys', 'journal-ed25519.pem'), pem, { mode: 0o600 });
  const socket = join(folder, 'signer.sock');
  const files = { acknowledged: join(folder, 'acknowledged'), signed: join(folder, 'signed'), alarms: join(folder, 'alarms') };
  const said: string[] = [];
  const running = new Set<Running>();
  let started = 0;
  const keep = (one: Running): Running => {
    running.add(one);
    one.process.once('exit', () => running.delete(one));
    return one;
  };

  const judge: House['judge'] = async () => {
    const number = async (text: string): Promise<number> => Number((await sql(text))[0]?.['n']);
    const size = await number('select size::int n from journal.head');
    const [span] = await sql('select count(*)::int n, min(idx)::int first, max(idx)::int last from journal.leaf');
    assert.deepEqual(span, { n: size, first: 0, last: size - 1 }, 'no gap and no double');
    for (const table of ['payload', 'receipt', 'projection']) assert.equal(await number(`select count(*)::int n from journal.${table}`), size, table);
    // Each act that committed has its one entry, each that was given up has none.
    assert.equal(await number('select count(*)::int n from acted where not kept'), 0);
    assert.equal(await number('select count(*)::int n from acted a join journal.receipt r using (event_id)'), size);
    assert.equal(await number('select count(*)::int n from acted'), size);
    // Each receipt that was given holds.
    const held = new Map(
      (
        await sql(
          'select r.event_id, r.idx::int idx, l.leaf_hash from journal.receipt r join journal.leaf l on l.idx = r.idx and l.leaf_hash = r.leaf_hash',
        )
      ).map((one) => [String(one['event_id']), `${one['idx']} ${(one['leaf_hash'] as Buffer).toString('base64url')}`]),
    );
    const acknowledged = linesOf(files.acknowledged);
    assert.equal(new Set(acknowledged.map((line) => line.slice(0, 36))).size, acknowledged.length);
    for (const line of acknowledged) assert.equal(held.get(line.slice(0, 36)), line.slice(37), line);
    // The signer never gave two roots for one size, and each it gave is of this history.
    const roots = new Map<number, string>();
    for (const line of linesOf(files.signed)) {
      const [at, root] = line.split(' ');
      assert.equal(roots.get(Number(at)) ?? root, root, `two roots for ${at}`);
      roots.set(Number(at), root ?? '');
    }
    for (const stored of await sql('select size::int size, root from journal.checkpoint'))
      assert.equal(roots.get(Number(stored['size'])), (stored['root'] as Buffer).toString('base64url'), `checkpoint ${stored['size']}`);
    const trusted = [verifierOf(origin, publicKeyOf(readPrivateKey(pem)))];
    const report = await verifyPart({ ...keys, database, origin, trusted, stateFile: join(folder, 'seen') });
    assert.deepEqual(report.faults, []);
    assert.deepEqual([report.checked, report.sealed], [size, size]);
    return { acknowledged: acknowledged.length, entries: size, checkpoints: roots.size };
  };

  return {
    url,
    origin,
    sql,
    judge,
    startWriter: async ({ producers = 6, skewMs = 0 } = {}) => {
      const name = `writer ${++started}`;
      const options: ChildOptions = { ...keys, ...files, name, url, socket, producers, skewMs };
      return keep(await launch(name, [join(import.meta.dirname, 'child.ts'), JSON.stringify(options)], /ready/, said));
    },
    startSigner: async () =>
      keep(
        await launch(
          'signer',
          ['--import', 'tsx', 'src/cli/main.ts', 'journal', 'sign', '--socket', socket, '--state', join(folder, 'signer')],
          /Signing/,
          said,
          { PATH: process.env['PATH'], RELAIS_KEYS: join(folder, 'keys'), RELAIS_VAR: folder },
        ),
      ),
    killPostgres: () => cluster.killAndStart(),
    async kill(one) {
      one.process.kill('SIGKILL');
      await gone(one.process);
    },
    async settle(writers) {
      for (const one of writers) one.process.kill('SIGTERM');
      await Promise.all(writers.map((one) => gone(one.process)));
    },
    alarms: () => linesOf(files.alarms),
    async close() {
      const left = [...running];
      for (const one of left) one.process.kill('SIGKILL');
      await Promise.all(left.map((one) => gone(one.process)));
      await fresh.drop().catch(() => undefined);
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Waits until nothing waits any more and all is sealed. */
export const drained = async (house: House): Promise<void> => {
  const empty = async (): Promise<boolean> =>
    (
      await house.sql(
        'select 1 from journal.queue union all select 1 from journal.head where size > coalesce((select max(size) from journal.checkpoint), 0)',
      )
    ).length === 0;
  assert.ok(await until(() => empty().catch(() => false), 20_000), 'what waited is sequenced and sealed');
};
