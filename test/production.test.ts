import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { makeMissingKeys } from '../src/config/keys.ts';
import { randomToken } from '../src/kernel/crypto.ts';
import { freePort } from '../src/practice/ports.ts';
import { assert, test } from './support/check.ts';
import { type FreshDatabase, postgresOnly, superuserSql } from './support/database.ts';

/** The compiled program as an installation runs it: its own logins, its own folders, a signer in a process of its own. */

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'relais-production-'));
const inside = (...path: string[]): string => join(folder, ...path);
/** What must never stand in a log line, whoever sends it. */
const CANARY = 'canary-4f1d';
const ALLOWED = ['level', 'time', 'pid', 'event', 'method', 'route', 'status', 'ms', 'port', 'origin', 'kind', 'code'];

const running: ChildProcess[] = [];
after(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Compiles src/ beside links to what the program reads around it. */
const compile = (): void => {
  execFileSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(root, 'tsconfig.build.json'),
    '--outDir',
    inside('dist'),
  ]);
  cpSync(join(root, 'src/web/assets'), inside('dist/web/assets'), { recursive: true, filter: (name) => !name.endsWith('.ts') });
  for (const name of ['node_modules', 'migrations']) symlinkSync(join(root, name), inside(name));
  copyFileSync(join(root, 'package.json'), inside('package.json'));
};

interface Program {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly ended: Promise<number>;
}

const launch = (env: Readonly<Record<string, string>>, ...args: string[]): Program => {
  const child = spawn(process.execPath, args, { cwd: folder, env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  const said = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  return { child, said, ended: new Promise((done) => child.once('close', (code) => done(code ?? -1))) };
};

const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > 10_000) throw new Error(`in vain: ${what}`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
};

/** Asks the instance as its proxy would. */
const ask = (port: number, path: string, more: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    redirect: 'manual',
    ...more,
    headers: {
      'content-type': 'application/cloudevents+json',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'relais.example',
      'x-forwarded-for': '203.0.113.7',
    },
  });

const linesOf = (program: Program): Record<string, unknown>[] =>
  program.said.out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const postgres = postgresOnly();
if (postgres) {
  let fresh: FreshDatabase;
  let settings: Record<string, string>;
  let owner: string;
  const relais = async (env: Record<string, string>, ...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const program = launch(env, 'dist/cli/main.js', ...args);
    return { code: await program.ended, ...program.said };
  };

  before(async () => {
    compile();
    fresh = await postgres.fresh({ empty: true });
    const url = new URL(fresh.url ?? '');
    const name = url.pathname.slice(1);
    // As docker/database-roles.sh: an owner who migrates, and the login of the instances, which owns nothing and inherits nothing.
    await superuserSql(url.href, `create role owner_${name} login createrole`);
    await superuserSql(url.href, `alter database ${name} owner to owner_${name}`);
    for (const role of ['relais_app', 'relais_sequencer', 'relais_eraser'])
      await superuserSql(url.href, `do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`);
    await superuserSql(url.href, `create role login_${name} login noinherit in role relais_app, relais_sequencer, relais_eraser`);
    await superuserSql(url.href, `revoke all on database ${name} from public`);
    await superuserSql(url.href, `grant connect on database ${name} to login_${name}`);
    await superuserSql(url.href, `grant create on schema public to owner_${name}`);
    const as = (login: string): string => Object.assign(new URL(url), { username: `${login}_${name}`, password: '' }).href;
    owner = as('owner');
    makeMissingKeys(inside('keys'));
    mkdirSync(inside('signer-keys'), { mode: 0o700 });
    renameSync(inside('keys/journal-ed25519.pem'), inside('signer-keys/journal-ed25519.pem')); // the signer's alone
    writeFileSync(inside('secret'), randomToken(32), { mode: 0o600 });
    settings = {
      NODE_ENV: 'production',
      RELAIS_PUBLIC_URL: 'https://relais.example',
      DATABASE_URL: as('login'),
      RELAIS_KEYS: inside('keys'),
      RELAIS_VAR: inside('var'),
      RELAIS_SIGNER_SOCKET: inside('run/signer.sock'),
      RELAIS_SMTP_URL: 'smtps://mail.invalid',
      RELAIS_MAIL_FROM: 'relais@relais.example',
      RELAIS_HELP_NUMBER: '01 23 45 67 89',
      RELAIS_TRUSTED_PROXIES: '127.0.0.1',
      PROCONNECT_ISSUER: 'https://proconnect.invalid',
      PROCONNECT_CLIENT_ID: 'relais',
      PROCONNECT_CLIENT_SECRET_FILE: inside('secret'),
      FRANCECONNECT_ISSUER: 'https://franceconnect.invalid',
      FRANCECONNECT_CLIENT_ID: 'relais',
      FRANCECONNECT_CLIENT_SECRET_FILE: inside('secret'),
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
    };
  });
  after(async () => {
    const name = new URL(fresh.url ?? '').pathname.slice(1);
    await Promise.all(running.map((child) => child.exitCode ?? new Promise((done) => child.once('close', done).kill('SIGKILL'))));
    await superuserSql(fresh.url ?? '', `drop owned by owner_${name}, login_${name} cascade`);
    await superuserSql(fresh.url ?? '', `alter database ${name} owner to current_user`);
    await superuserSql(fresh.url ?? '', `drop role owner_${name}, login_${name}`);
    await fresh.drop();
  });

  const start = async (env: Record<string, string>): Promise<Program> => {
    const program = launch(env, '--enable-source-maps', 'dist/main.js');
    await until('the instance starts', () => program.said.out.includes('"started"') || program.child.exitCode !== null);
    assert.ok(program.said.out.includes('"started"'), program.said.err);
    return program;
  };

  test('the compiled program starts on PostgreSQL with the signer apart, answers, seals, drains at SIGTERM, and logs only allowed fields', {
    database: 'postgres',
    atLeast: 40,
  }, async () => {
    const early = await relais({ ...settings }, 'doctor');
    assert.equal(early.code, 1, early.out + early.err);
    const refused = launch(settings, 'dist/main.js');
    assert.equal(await refused.ended, 3);
    assert.match(refused.said.err, /not_migrated|relais migrate/);
    const migrated = await relais({ ...settings, DATABASE_URL: owner }, 'migrate');
    assert.equal(migrated.code, 0, migrated.err);

    const signer = launch(
      { RELAIS_KEYS: inside('signer-keys'), RELAIS_VAR: inside('var'), NODE_ENV: 'production' },
      'dist/cli/main.js',
      'journal',
      'sign',
      '--socket',
      inside('run/signer.sock'),
    );
    await until('the signer listens', () => existsSync(inside('run/signer.sock')));
    const instance = await start(settings);
    const port = Number(settings['PORT']);
    assert.deepEqual(await (await ask(port, '/health/live')).json(), { live: true });
    assert.equal((await ask(port, '/health/ready')).status, 200);

    const home = await ask(port, `/?name=${CANARY}`);
    assert.equal(home.status, 200);
    assert.match(home.headers.get('strict-transport-security') ?? '', /max-age=31536000/);
    const style = /href="([^"]+\.css[^"]*)"/.exec(await home.text())?.[1] ?? '';
    assert.equal((await ask(port, style)).status, 200, style);
    const metadata = (await (await ask(port, '/oidc/.well-known/openid-configuration')).json()) as Record<string, unknown>;
    assert.equal(metadata['issuer'], 'https://relais.example/oidc');
    assert.equal(metadata['token_endpoint'], 'https://relais.example/oidc/token');
    assert.equal((await ask(port, `/oidc/auth?client_id=${CANARY}&redirect_uri=https://${CANARY}.example`)).status, 400);
    assert.equal((await ask(port, `/${CANARY}`)).status, 404);
    assert.equal((await ask(port, '/api/v1/actions', { method: 'POST', body: '{}' })).status, 401);

    // The command line beside it: its entries are sequenced by the instance and signed by the signer.
    const added = await relais(settings, 'organisation', 'add', '--name', 'Mairie de Thénac', '--siret', '21750001600019', '--theme', 'famille');
    assert.equal(added.code, 0, added.err);
    await until('the entry is signed', async () => (await ask(port, '/log/checkpoint')).status === 200);
    const verified = await relais(settings, 'journal', 'verify', '--json');
    assert.equal(verified.code, 0, verified.out + verified.err);
    const report = JSON.parse(verified.out) as { ok: boolean; size: number; sealed: number };
    assert.ok(report.ok && report.size >= 1 && report.sealed >= 1, verified.out);
    const examined = await relais(settings, 'doctor');
    assert.equal(examined.code, 0, examined.out);
    assert.match(examined.out, /ok {4}migrations +all applied/);
    assert.match((await relais(settings, 'keys', 'list')).out, /journal-ed25519 +held by the signer/);
    const sql = await relais(settings, 'db', 'sql', 'select 1');
    assert.equal(sql.code, 1);
    assert.match(sql.err, /demonstration_only/);

    instance.child.kill('SIGTERM');
    await until('ready goes off first', async () => (await ask(port, '/health/ready')).status === 503);
    assert.equal((await ask(port, '/health/live')).status, 200); // and those who are still sent here are answered
    assert.equal((await ask(port, '/')).status, 200);
    assert.equal(await instance.ended, 0, instance.said.err);
    assert.equal(instance.said.err, '');
    signer.child.kill('SIGTERM');
    assert.equal(await signer.ended, 0, signer.said.err);

    const lines = linesOf(instance);
    assert.deepEqual(
      lines.filter((line) => line['event'] !== 'http' && line['event'] !== 'security').map((line) => line['event']),
      ['started', 'draining', 'stopped'],
    );
    const routes = lines.filter((line) => line['event'] === 'http').map((line) => line['route']);
    for (const route of ['/', '/oidc/*', '/health/live', '/health/ready']) assert.ok(routes.includes(route), route);
    for (const line of lines.filter((each) => each['event'] === 'http'))
      for (const field of Object.keys(line)) assert.ok(ALLOWED.includes(field), field);
    assert.ok(!instance.said.out.includes(CANARY), instance.said.out);
    assert.ok(!instance.said.out.includes('203.0.113.7'));
  });

  test('C5 the compiled program refuses to start with an empty environment, with another key under its database, and never loads practice', {
    database: 'postgres',
  }, async () => {
    const empty = launch({ NODE_ENV: 'production' }, 'dist/main.js');
    assert.equal(await empty.ended, 3);
    for (const name of ['RELAIS_PUBLIC_URL', 'DATABASE_URL', 'RELAIS_KEYS', 'PROCONNECT_ISSUER', 'RELAIS_SMTP_URL'])
      assert.ok(empty.said.err.includes(`${name} is missing`), name);
    cpSync(inside('keys'), inside('other-keys'), { recursive: true });
    writeFileSync(inside('other-keys/pairwise'), randomToken(32), { mode: 0o600 });
    const other = launch({ ...settings, RELAIS_KEYS: inside('other-keys') }, 'dist/main.js');
    assert.equal(await other.ended, 3);
    assert.match(other.said.err, /key_differs\npairwise is not the key that this database was made with/);
    for (const program of ['start', 'demo']) {
      const practice = launch(settings, `dist/practice/${program}.js`);
      assert.notEqual(await practice.ended, 0);
      assert.match(practice.said.err, /production/);
    }
  });
}
