import type { Browser } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import { stage } from '../support/stage.ts';
import { stateOf } from '../support/state.ts';
import type { World } from '../support/world.ts';
import { inBrowser } from './people.ts';

let world: World;
let browser: Browser;
inBrowser((opened) => {
  ({ world, browser } = opened);
});

/** An anonymous session may begin, the journal is signed, and what waits is told. Nothing else may move. */
const OTHER_ROWS = ['public.web_session', 'public.delivery', 'journal.checkpoint', 'journal.head', 'journal.outbox'];

test('S12 a scanner that runs the scripts of every link of a mail, of a paper or of a QR code, waits and reloads, changes nothing', {
  database: 'pglite',
}, async () => {
  const staged = await stage(world);
  const { aidant } = staged;
  await aidant.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await aidant.send('mandate-themes', { themes: ['travail'] });
  await aidant.send('mandate-days', { days: '1' });
  const shown = (await aidant.send('mandate-phone')).html.replaceAll(/<[^>]+>|\s/g, '');
  const accord = /\/accord\/(?:[a-z2-7]{4}-){12}[a-z2-7]{4}/.exec(shown)?.[0] ?? '';
  const links = ['/inscription/:token', '/connexion/perdu/:token', '/verifier/:code'].map((route) => staged.target(route).path);
  const start = await stateOf(world, OTHER_ROWS);
  for (const path of [...links, accord, '/arreter']) {
    assert.match(path, /^\/[a-z]+/);
    const context = await browser.newContext();
    const page = await context.newPage();
    const posts: string[] = [];
    page.on('request', (request) => {
      if (request.method() !== 'GET') posts.push(`${request.method()} ${request.url()}`);
    });
    const opened = await page.goto(`${world.places.relais}${path}`, { waitUntil: 'load' });
    assert.equal(opened?.status(), 200, path);
    await page.waitForTimeout(500);
    await page.reload({ waitUntil: 'load' });
    for (const method of ['HEAD', 'GET', 'OPTIONS'])
      await fetch(`${world.places.relais}${path}`, { method, headers: { 'sec-purpose': 'prefetch' }, redirect: 'manual' });
    assert.deepEqual(posts, [], `${path}: no page sends a form by itself`);
    await context.close();
  }
  assert.deepEqual(await stateOf(world, OTHER_ROWS), start);
});
