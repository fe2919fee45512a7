import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import type { JWK } from 'jose';
import { pairwise } from '../../src/delegation/session.ts';
import { CASES } from '../../src/practice/check/cases.ts';
import { checkService } from '../../src/practice/check/check.ts';
import { type Contract, readContract } from '../../src/practice/check/contract.ts';
import { freePort } from '../../src/practice/ports.ts';
import { ensureService } from '../../src/practice/seed.ts';
import { confirmDelegation } from '../../src/practice/story.ts';
import { type Page, textOf, type Walker } from '../../src/practice/walker.ts';
import { until } from './acting.ts';
import { assert, test } from './check.ts';
import { databases } from './database.ts';
import { endOf } from './protocol.ts';
import { mandateByPages, openWorld, signedInAidant, type World } from './world.ts';

/**
 * Programs of other people, as they are installed, in front of a running Relais: each is a service of its own, in a process of its own, with the
 * addresses of docs/integrate.md: `/` signs in, `/moi` shows who acts, `/envoyer` writes, `/sortir` signs out, `/deconnexion` is the back channel.
 */

export const ROOT = resolve(import.meta.dirname, '../..');

/** The one block of a language in docs/integrate.md. */
export const printed = (language: string): string => {
  const blocks = [...readFileSync(join(ROOT, 'docs/integrate.md'), 'utf8').matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))];
  const [only] = blocks;
  if (blocks.length !== 1 || !only?.[1]) throw new Error(`docs/integrate.md holds ${blocks.length} blocks of ${language}`);
  return only[1];
};

/** The contract that docs/check-service.md prints, for a service on another port. */
export const printedContract = (port: number): Contract => {
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/check-service.md'), 'utf8')) ?? [];
  return readContract(json.replaceAll('localhost:3000', `localhost:${port}`));
};

export const answers = (port: number): Promise<boolean> =>
  new Promise((said) => {
    const socket = connect(port, 'localhost');
    socket.once('connect', () => said(true)).once('error', () => said(false));
    socket.once('connect', () => socket.destroy());
  });

/** What a program is given. */
export interface Given {
  /** ISSUER, CLIENT_ID, CLIENT_SECRET, PORT, and the PATH of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  freePort(): Promise<number>;
  /** Starts a program, and waits until it listens. It ends with the tests. */
  run(command: string, args: readonly string[], options: { readonly env: Readonly<Record<string, string>>; readonly port: number }): Promise<void>;
}

export interface Program {
  /** The library, as it calls itself. */
  readonly name: string;
  readonly start: (given: Given) => Promise<void>;
  /** `/deconnexion` unless the library decides. */
  readonly backChannel?: string;
  /** Of a service that has a key instead of a secret (profile `fapi2`). */
  readonly jwk?: JWK;
  /** Cases of `relais check-service` that the library does not pass, by their names. */
  readonly fails?: readonly string[];
}

const ID = 'mon-service';
/** A machine that runs much else takes its time: no clock decides here. */
const PATIENCE_MS = 20_000;

const register = (world: World, here: string, program: Program) =>
  ensureService(
    world.app,
    {
      id: ID,
      name: 'Mon service',
      profile: program.jwk ? 'fapi2' : 'standard',
      redirect_uris: [`${here}/retour`],
      post_logout_redirect_uris: [`${here}/au-revoir`],
      backchannel_logout_uri: `${here}${program.backChannel ?? '/deconnexion'}`,
      backchannel_logout_session_required: true,
      initiate_login_uri: here,
      token_endpoint_auth_method: program.jwk ? 'private_key_jwt' : 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
      ...(program.jwk ? { jwks: { keys: [program.jwk as Readonly<Record<string, unknown>>] } } : {}),
      scopes: ['given_name', 'family_name'],
      themes: ['logement'],
      delegation_supported: true,
      demarches: [
        { code: `${ID}.demande`, label_fr: 'votre demande de logement', label_en: 'your housing request', themes: ['logement'], effect: 'declare' },
      ],
    },
    'Allocations de démonstration',
    false,
  );

const starter = (running: ChildProcess[], folder: string): Given['run'] => {
  return async (command, args, { env, port }) => {
    const child = spawn(command, args, { cwd: folder, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (said = `${said}${part.toString()}`.slice(-4000)));
    let failed: Error | undefined;
    child.once('error', (error) => (failed = error));
    const ready = await until(async () => failed !== undefined || child.exitCode !== null || (await answers(port)), 20_000);
    if (failed || child.exitCode !== null || !ready) throw new Error(`${command} did not start: ${failed?.message ?? ''} ${said}`);
  };
};

/** The three conversations that every service has with Relais, held with a program; each test says what then stands at Relais. */
export const playProgram = (program: Program): void => {
  const [pglite] = databases();
  const folder = mkdtempSync(join(tmpdir(), 'relais-client-'));
  const running: ChildProcess[] = [];
  let world: World;
  let here = '';
  let aidant: Walker;
  let mandate = '';

  before(async () => {
    if (!pglite) throw new Error('no database');
    world = await openWorld(pglite);
    const port = await freePort();
    here = `http://localhost:${port}`;
    const secret = await register(world, here, program);
    const env = {
      PATH: process.env['PATH'] ?? '',
      ISSUER: world.app.site.issuer,
      CLIENT_ID: ID,
      PORT: String(port),
      ...(secret ? { CLIENT_SECRET: secret } : {}),
    };
    await program.start({ env, folder, freePort, run: starter(running, folder) });
    aidant = await signedInAidant(world);
    mandate = await mandateByPages(world, aidant, 'colette', ['logement'], '1');
  });
  after(async () => {
    await Promise.all(
      running.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resume) => child.once('exit', resume));
        child.kill();
        await gone;
      }),
    );
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Signs the aidant in, unless the service still knows them. */
  const signIn = async (): Promise<Page> => {
    const known = await aidant.open(`${here}/moi`);
    if (known.status === 200) return known;
    const back = await confirmDelegation(aidant, await aidant.open(here), 'Colette Martin', `${here}/retour`);
    return aidant.open(back.url);
  };
  const ask = async (path: string, body?: Record<string, string>): Promise<{ status: number; text: string }> => {
    const answer = await aidant.ask(`${here}${path}`, body);
    return { status: answer.status, text: await answer.text() };
  };
  const opened = async () => {
    const rows = await world.sql('select id, identifier, usager_id, aidant_id from delegated_session where service_id = $1 order by opened_at desc', [
      ID,
    ]);
    return { id: String(rows[0]?.['id']), identifier: String(rows[0]?.['identifier']), aidant: String(rows[0]?.['aidant_id']) };
  };
  const reported = async (): Promise<unknown[]> => {
    await world.app.flushJournal();
    const rows = await world.sql("select verb from journal.projection where type = 'action.reported' and service = $1 order by idx", [ID]);
    return rows.map((row) => row['verb']);
  };

  test(`P24 ${program.name}: an aidant signs in, the service reads who acts and under what mandate, and reports`, {
    database: 'pglite',
  }, async () => {
    const shown = await signIn();
    assert.equal(shown.status, 200, textOf(shown));
    assert.match(shown.html, /^Un aidant de mairie de Thénac agit pour Colette Martin$/im);
    const session = await opened();
    assert.equal(await endOf(world, session.id), 'live');
    const pseudonym = pairwise(world.demonstration.config.keys.raw('pairwise').reveal(), 'act', ID, session.aidant);
    assert.match(shown.html, new RegExp(`^aidant ${pseudonym}, mandat urn:uuid:${session.identifier}, session ${session.id}$`, 'm'));
    const sent = await ask('/envoyer', {});
    assert.equal(sent.status, 200, sent.text);
    assert.match(sent.text, /Envoyé, numéro 2026-11893, inscrit au journal à la ligne \d+/);
    assert.deepEqual(await reported(), ['open', 'send']);
  });

  test(`P24 ${program.name}: signing out at the service ends the delegated session at Relais`, { database: 'pglite' }, async () => {
    await signIn();
    const session = await opened();
    const page = await aidant.open(`${here}/sortir`);
    assert.equal(page.url.origin, world.places.relais, textOf(page));
    const done = await aidant.send('op.logoutForm', { logout: 'yes' });
    assert.ok(done.url.href.startsWith(`${here}/au-revoir`), done.url.href);
    assert.equal(done.status, 200);
    assert.equal(await endOf(world, session.id), 'signed_out');
    assert.equal((await ask('/moi')).status, 401);
    const told = () => world.sql('select acknowledged_at from delivery where session_id = $1', [session.id]);
    assert.ok(await until(async () => Boolean((await told())[0]?.['acknowledged_at']), PATIENCE_MS), 'its logout token, late, is taken as well');
  });

  test(`M6 ${program.name}: told of a stop, the service takes the logout token and its own session is over`, { database: 'pglite' }, async () => {
    await signIn();
    const session = await opened();
    assert.equal((await ask('/moi')).status, 200);
    const before = await reported();
    const [row] = await world.sql('select usager_id from mandate where id = $1', [mandate]);
    await world.app.site.mandates.revokeByUsager(row?.['usager_id'] as `usg_${string}`, mandate as `man_${string}`);
    world.app.site.nudgeDeliveries();
    assert.ok(await until(async () => (await ask('/moi')).status === 401, PATIENCE_MS), 'nothing but the back channel ends it there');
    const told = () => world.sql('select acknowledged_at, last_error from delivery where session_id = $1', [session.id]);
    assert.ok(await until(async () => Boolean((await told())[0]?.['acknowledged_at']), PATIENCE_MS), `acknowledged: ${JSON.stringify(await told())}`);
    const refused = await ask('/envoyer', {});
    assert.ok([401, 403].includes(refused.status), `${refused.status}`);
    assert.deepEqual(await reported(), before, 'no act after the stop');
  });

  test(`M24 ${program.name}: the service ${program.fails ? 'is named for what the library lets pass' : 'passes every case of check-service'}`, async () => {
    const [port, authority] = [await freePort(), await freePort()];
    const secret = 'a-secret-of-the-check-a-secret-of-the-check';
    const { jwk, backChannel } = program;
    const contract: Contract = {
      ...printedContract(port),
      backchannel_logout_uri: `http://localhost:${port}${backChannel ?? '/deconnexion'}`,
      ...(jwk ? { profile: 'fapi2', jwks: { keys: [jwk as Readonly<Record<string, unknown>>] } } : {}),
    };
    const checking = checkService({ service: new URL(`http://localhost:${port}/au-revoir`), contract, port: authority, secret });
    assert.ok(await until(() => answers(authority), 60_000));
    const env = { PATH: process.env['PATH'] ?? '', ISSUER: `http://localhost:${authority}/oidc`, CLIENT_ID: ID, CLIENT_SECRET: secret };
    const own = mkdtempSync(join(folder, 'check-'));
    await program.start({ env: { ...env, PORT: String(port), CHECKED: '1' }, folder: own, freePort, run: starter(running, own) });
    const report = await checking;
    const failed = report.cases.filter(({ passed }) => !passed);
    assert.deepEqual(
      failed.map(({ id }) => id),
      program.fails ?? [],
      failed.map(({ id, finding }) => `${id}: ${finding}`).join('\n'),
    );
    assert.equal(report.cases.length, CASES.length);
  });
};
