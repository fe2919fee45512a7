import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../src/practice/ports.ts';

/** A PostgreSQL cluster of our own: a temporary folder, a free port of the loopback, a superuser. */
export interface Cluster {
  /** Superuser's address of the database `postgres`. */
  readonly url: string;
  /** Kills the server without warning, as a power cut would, and starts it again on what is on the disk, after `meanwhile`. Ends when it answers. */
  killAndStart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Takes a base backup of the running server (`pg_basebackup`), and gives its folder. */
  backup(): string;
  /** Kills the server, puts a backup in the place of its data, and starts it: as it was then, or after the archived WAL up to a restore point. */
  restore(backup: string, upTo?: string): Promise<void>;
  /** Files of the archived WAL. */
  archived(): string[];
  /** Stops the server by its own pid and removes the folder. May be called twice. */
  stop(): Promise<void>;
}

/** Finds the folder of `initdb`: PATH first, then the newest of Debian's versions (15 or more). Undefined when there is none. */
export const findPostgres = (): string | undefined => {
  const installed = '/usr/lib/postgresql';
  const debian = existsSync(installed)
    ? readdirSync(installed)
        .map(Number)
        .filter((version) => version >= 15)
        .sort((a, b) => b - a)
        .map((version) => join(installed, String(version), 'bin'))
    : [];
  const inPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  // The servers' own folder holds postgres too; a lone link to initdb in PATH does not make one.
  return [...debian, ...inPath].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
};

/** PostgreSQL refuses to run as root: then it runs as `postgres`, and otherwise as whoever runs the tests. */
const owner = (): { uid: number; gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim());
  return { uid: id('-u'), gid: id('-g') };
};

/** Whether a server answers at an address; `alone`: and no longer repeats what it was restored from. */
const answers = async (url: string, alone: boolean): Promise<boolean> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query('select pg_is_in_recovery() repeats');
    return !(alone && rows[0]?.repeats);
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
};

/** Starts a cluster (about one second). `durable` keeps fsync on, for faults and measures; tests do without. `archive`: WAL is archived (continuous archiving). */
export const startPostgres = async (options: { durable?: boolean; maxConnections?: number; archive?: boolean } = {}): Promise<Cluster> => {
  const bin = findPostgres();
  if (!bin) throw new Error('PostgreSQL is not installed: initdb was not found');
  const as = owner();
  const folder = mkdtempSync(join(tmpdir(), 'relais-postgres-'));
  if (as) chownSync(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  const environment = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: folder };
  const shared = { cwd: folder, env: environment, ...as };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], { ...shared, stdio: 'pipe' });
  const archive = join(folder, 'archive');
  mkdirSync(archive);
  if (as) chownSync(archive, as.uid, as.gid);
  const port = await freePort();
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${folder}`,
    `max_connections=${options.maxConnections ?? 120}`,
    'shared_buffers=64MB',
    'timezone=UTC',
    'track_commit_timestamp=on', // claim M17 compares when transactions committed
    'logging_collector=off',
    ...(options.archive ? ['archive_mode=on', `archive_command=cp %p ${archive}/%f`] : []),
    ...(options.durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
  let log = '';
  const launch = () => {
    const process_ = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
      ...shared,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    process_.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4000);
    });
    return process_;
  };
  const gone = (): Promise<void> => new Promise((resolve) => (running() ? void server.once('exit', () => resolve()) : resolve()));
  let server = launch();
  const running = (): boolean => server.exitCode === null && server.signalCode === null;
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // Last resort when the caller dies without stopping: SIGQUIT is PostgreSQL's immediate stop.
  const abandon = (): void => {
    if (running()) server.kill('SIGQUIT');
    remove();
  };
  process.once('exit', abandon);
  const stop = async (): Promise<void> => {
    if (running()) {
      server.kill('SIGINT'); // fast stop: rolls back what is open
      await gone();
    }
    process.removeListener('exit', abandon);
    remove();
  };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  /** True once it answers, false when it ended instead. */
  const answersSoon = async (alone = false): Promise<boolean> => {
    for (let attempt = 0; running() && attempt < 300; attempt++) {
      if (await answers(url, alone)) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };
  if (!(await answersSoon())) {
    await stop();
    throw new Error(`PostgreSQL does not start:\n${log}`);
  }
  const killAndStart: Cluster['killAndStart'] = async (meanwhile) => {
    const ended = gone();
    server.kill('SIGKILL');
    await ended;
    await meanwhile?.();
    // Until the last process of the dead server has noticed, its memory is still attached and a new server refuses to start.
    for (let attempt = 0; ; attempt++) {
      server = launch();
      if (await answersSoon()) return;
      if (attempt > 100) throw new Error(`PostgreSQL does not start again:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  let backups = 0;
  return {
    url,
    killAndStart,
    stop,
    backup() {
      const to = join(folder, `backup-${backups++}`);
      const more = ['--no-sync', '--checkpoint=fast', '-X', options.archive ? 'none' : 'stream'];
      execFileSync(join(bin, 'pg_basebackup'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-D', to, ...more], {
        ...shared,
        stdio: 'pipe',
      });
      return to;
    },
    async restore(backup, upTo) {
      await killAndStart(async () => {
        rmSync(data, { recursive: true });
        execFileSync('cp', ['-a', backup, data], shared);
        if (upTo === undefined) return;
        const recovery = [`restore_command = 'cp ${archive}/%f %p'`, `recovery_target_name = '${upTo}'`, "recovery_target_action = 'promote'"];
        appendFileSync(join(data, 'postgresql.auto.conf'), `${recovery.join('\n')}\n`);
        writeFileSync(join(data, 'recovery.signal'), '');
      });
      // It answers before it has ended its recovery: until then it is a standby, of which nothing is asked.
      if (upTo !== undefined && !(await answersSoon(true))) throw new Error(`PostgreSQL does not end its recovery:\n${log}`);
    },
    archived: () => readdirSync(archive).map((name) => join(archive, name)),
  };
};
