import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Browser } from 'playwright-core';
import { urlReader } from '../../src/journal/log-url.ts';
import { type Mirror, openMirror } from '../../src/journal/mirror.ts';
import { type MirrorServer, serveMirror } from '../../src/journal/mirror-server.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { randomToken, sha256 } from '../../src/kernel/crypto.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { untilWitnessed } from '../support/evidence.ts';
import { openWorld, type World } from '../support/world.ts';
import { pageOf, said, shoot } from './checked.ts';
import { newWitness, openBrowser } from './people.ts';

/** A page asks mirrors, which are in other hands, whether entries are hidden at its end (§6.30): the real program, its own folder, a real Chromium. */

const on = { database: 'pglite' } as const;
const witness = newWitness();
const folder = mkdtempSync(join(tmpdir(), 'relais-mirrors-'));
const NAME = 'association-d-usagers';
let world: World;
let browser: Browser;
let mirror: Mirror;
let server: MirrorServer;
let usager: string;
let url = '';
const colette = new Walker();

/** The address of the mirror is known before the mirror is: what comes to this door is led there. */
const door = createServer((outside) => {
  const inside = connect(server.port, 'localhost');
  for (const [one, other] of [
    [outside, inside],
    [inside, outside],
  ] as const)
    one.on('error', () => other.destroy()).pipe(other);
});
/** Entries that she reads: somebody read her journal. */
const write = async (count: number): Promise<void> => {
  const read = (i: number) =>
    ({ type: 'journal.read', usager, detail: { reason: `contrôle ${i}`, entries: 1, administrationName: 'la CAF' } }) as const;
  await world.database.run((tx) =>
    world.app.journal.recordAll(
      tx,
      Array.from({ length: count }, (_, i) => ({ entry: read(i) })),
    ),
  );
  await untilWitnessed(world);
};
const last = async (): Promise<number> =>
  Number((await world.sql('select max(usager_n) n from journal.projection where usager = $1', [usager]))[0]?.['n']);
const open = async () => {
  const page = await pageOf(browser, colette, witness);
  await page.goto(`${world.places.relais}/usager`);
  return page;
};

before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  const token = randomToken();
  await once(door.listen(0, 'localhost'), 'listening');
  const address = door.address();
  url = `http://localhost:${typeof address === 'object' && address ? address.port : 0}`;
  const mirrorsFile = join(folder, 'mirrors');
  writeFileSync(mirrorsFile, `${NAME} ${sha256(token).toString('base64url')} ${url}\nanother ${sha256('x').toString('base64url')}\n`);
  browser = await openBrowser();
  world = await openWorld(kind, { witnessed: true, mirrorsFile });
  await signInUsager(colette, world.places, 'colette');
  await world.app.flushJournal();
  usager = await personOf(world, 'colette');
  await world.app.flushJournal();
  await write(12 - (await last()));
  assert.equal(await last(), 12);
  const policy = readPolicy(`log ${await world.app.site.logVkey()}\nquorum none\n`);
  mirror = await openMirror({ folder: join(folder, 'copy'), reader: urlReader(`${world.places.relais}/log`, token), policy });
  await mirror.update();
  server = await serveMirror({ mirror, token, port: 0, host: 'localhost' });
});
after(async () => {
  await browser?.close();
  door.close();
  await server?.close();
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
  const refused = /ERR_CONNECTION_REFUSED|ERR_FAILED/; // the mirror was stopped
  assert.deepEqual(
    witness.faults.filter((fault) => !refused.test(fault)),
    [],
  );
});

test('her page asks the mirror, which knows no more than the twelve entries that it shows (§6.30)', on, async () => {
  const page = await pageOf(browser, colette, witness);
  const asked: string[] = [];
  page.on('request', (request) => void (request.url().startsWith(url) && asked.push(`${request.url()} ${JSON.stringify(request.headers())}`)));
  const answer = await page.goto(`${world.places.relais}/usager`);
  assert.match(answer?.headers()['content-security-policy'] ?? '', new RegExp(`connect-src 'self' ${url}/tag/;`));
  await page.getByText('Le miroir association-d-usagers').waitFor();
  const words = await said(page, 'verified');
  assert.match(words, /Rien ne manque.*Le miroir association-d-usagers \(une copie du journal, tenue ailleurs\) ne connaît aucune ligne de plus\./);
  await shoot(page, 'mirror-none');
  assert.equal(asked.length, 2, 'whether the next tag is there, and whether the last is');
  for (const one of asked) assert.match(one, /\/tag\/[A-Za-z0-9_-]{22} (?!.*(?:cookie|"referer":"[^"]|relais_session))/i);
  const older = await page.goto(`${world.places.relais}/usager/releve`);
  assert.match(older?.headers()['content-security-policy'] ?? '', /connect-src 'self';/, 'no other page may ask');
  await page.context().close();
});

test('a usager shown 7 of 12 entries is told by the mirror that five are hidden, which nothing else shows (§6.30)', on, async () => {
  for (const part of await world.sql(`select 'journal.projection' as name union all
    select inhrelid::regclass::text from pg_inherits where inhparent = 'journal.projection'::regclass`))
    await world.sql(`alter table ${String(part['name'])} disable trigger all`);
  await world.sql('create table public.kept as select * from journal.projection where usager = $1 and usager_n > 7', [usager]);
  const hide = async (beyond: number): Promise<void> => {
    await world.sql('delete from journal.projection where usager = $1 and usager_n > $2', [usager, beyond]);
    assert.equal(await last(), beyond);
  };
  await hide(11);
  const one = await open();
  assert.match(
    await said(one, 'mismatch'),
    /Le miroir association-d-usagers connaît une ligne de plus que cette page : elle ne vous est pas montrée\./,
  );
  await one.context().close();
  await hide(7);
  const alone = await pageOf(browser, colette, witness);
  await alone.route(`${url}/**`, (route) => route.abort());
  await alone.goto(`${world.places.relais}/usager`);
  await alone.getByText('n’a pas répondu').waitFor();
  assert.match(await said(alone, 'verified'), /Rien ne manque/, 'without a mirror nothing shows');
  await alone.context().close();
  const page = await open();
  const words = await said(page, 'mismatch');
  assert.match(words, /Le miroir association-d-usagers connaît 5 lignes de plus que cette page : elles ne vous sont pas montrées\./);
  assert.match(words, /^Ne correspond pas : gardez ce fichier/);
  await shoot(page, 'mirror-more');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Télécharger les preuves' }).click()]);
  const file = JSON.parse(readFileSync(await download.path(), 'utf8')) as { problem: { mirror: { name: string; more: number } } };
  assert.deepEqual([file.problem.mirror.name, file.problem.mirror.more], [NAME, 5]);
  await page.context().close();
  await world.sql('insert into journal.projection select * from public.kept');
  assert.equal(await last(), 12);
});

test('an entry written since the page was made is said to be new, not hidden', on, async () => {
  const page = await pageOf(browser, colette, witness);
  let cut = true;
  await page.route(`${url}/**`, (route) => (cut ? route.abort() : route.continue()));
  await page.goto(`${world.places.relais}/usager`);
  await page.getByText('n’a pas répondu').waitFor();
  assert.match(await said(page, 'verified'), /Le miroir association-d-usagers n’a pas répondu : il n’a pas dit si une ligne manque à la fin\./);
  await write(1);
  await mirror.update();
  cut = false;
  await page.getByRole('button', { name: 'Vérifier de nouveau' }).click();
  await page.getByText('Une ligne a été écrite depuis').waitFor();
  assert.equal(await page.locator('#checked').getAttribute('data-state'), 'verified');
  await page.reload();
  await page.getByText('ne connaît aucune ligne de plus').waitFor();
  await page.context().close();
});

test('a mirror that has not copied what witnesses saw says nothing of the end, and the page says so until it has', on, async () => {
  await write(1);
  const page = await open();
  await page.getByText('n’a pas encore copié les dernières lignes').waitFor();
  await said(page, 'verified');
  await mirror.update();
  await page.getByText('ne connaît aucune ligne de plus').waitFor();
  await page.context().close();
});

test('a mirror without the page’s newest entry holds another journal, and the page does not match', on, async () => {
  const page = await pageOf(browser, colette, witness);
  const size = mirror.tags.size();
  const headers = { 'access-control-allow-origin': '*' };
  await page.route(`${url}/**`, (route) => route.fulfill({ headers, json: { origin: world.app.origin, size, found: false } }));
  await page.goto(`${world.places.relais}/usager`);
  assert.match(await said(page, 'mismatch'), /n’a pas la dernière ligne de cette page : il ne tient pas le même journal/);
  await page.context().close();
});
