import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { confirmDelegation } from '../../src/practice/story.ts';
import type { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { mandateByPages, openWorld, signedInAidant, type World } from '../support/world.ts';

/** docs/integrate.md, played: the service that it prints is run as it stands, and an aidant acts there. */

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/integrate.md'), 'utf8');
const [pglite] = databases();
const folder = mkdtempSync(join(tmpdir(), 'relais-integrate-'));
let world: World;
let stop = (): void => undefined;

const freePort = (): Promise<number> =>
  new Promise((found) => {
    const server = createServer().listen(0, 'localhost', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });

before(async () => {
  if (pglite) world = await openWorld(pglite);
});
after(async () => {
  stop();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the only program of the page, and waits until it listens. */
const runService = async (env: Record<string, string>): Promise<void> => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  writeFileSync(join(folder, 'service.mjs'), code);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const child = spawn(process.execPath, ['service.mjs'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stop = () => void child.kill();
  await new Promise<void>((listening, reject) => {
    child.stdout.once('data', () => listening());
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
  });
};

const post = async (walker: Walker, url: string): Promise<{ status: number; text: string }> => {
  const response = await walker.ask(url, {});
  return { status: response.status, text: await response.text() };
};

test('the service of docs/integrate.md runs as printed: it names who acts, reports, asks again before writing, and is told of the stop', {
  database: 'pglite',
}, async () => {
  const port = await freePort();
  const here = `http://localhost:${port}`;
  const service = await world.service('mon-service', {
    redirectUris: [`${here}/retour`],
    backchannelLogoutUri: `${here}/deconnexion`,
    themes: ['logement'],
  });
  // The test's helper names its démarche after the theme; the page's is `mon-service.demande`.
  await world.sql("update demarche set code = 'mon-service.demande' where service_id = 'mon-service'");
  await runService({ ISSUER: world.app.site.issuer, CLIENT_ID: service.id, CLIENT_SECRET: service.secret, PORT: String(port) });
  const aidant = await signedInAidant(world);
  const mandate = await mandateByPages(world, aidant, 'colette', ['logement'], '1');
  const asking = await aidant.open(here);
  const back = await confirmDelegation(aidant, asking, 'Colette Martin', `${here}/retour`);
  const shown = await (await aidant.ask(back.url)).text();
  assert.match(shown, /^Un aidant de mairie de Thénac agit pour Colette Martin$/im);
  const sent = await post(aidant, `${here}/envoyer`);
  assert.equal(sent.status, 200, sent.text);
  assert.match(sent.text, /Envoyé, numéro 2026-11893, inscrit au journal à la ligne \d+/);
  await world.app.flushJournal();
  const verbs = await world.sql("select verb from journal.projection where type = 'action.reported' and service = 'mon-service' order by idx");
  assert.deepEqual(
    verbs.map((row) => row['verb']),
    ['open', 'send'],
  );

  const [row] = await world.sql('select usager_id from mandate where id = $1', [mandate]);
  await world.app.site.mandates.revokeByUsager(row?.['usager_id'] as `usg_${string}`, mandate as `man_${string}`);
  world.app.site.nudgeDeliveries();
  const refused = await post(aidant, `${here}/envoyer`);
  assert.equal(refused.status, 403);
  assert.match(refused.text, /Ce mandat a été arrêté\. Rien n’a été transmis/);
  for (let tries = 0; tries < 100; tries++) {
    const [told] = await world.sql("select acknowledged_at from delivery where target = 'mon-service'");
    if (told?.['acknowledged_at']) break;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  const [told] = await world.sql("select acknowledged_at, last_error from delivery where target = 'mon-service'");
  assert.ok(told?.['acknowledged_at'], `the logout token was taken: ${String(told?.['last_error'])}`);
});
