import type { Browser, BrowserContext, Page } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { axeFaults, inBrowser, newWitness, watch } from './people.ts';

/** One computer, several people after one another, and somebody who is slow. */
const witness = newWitness();
const MINUTE = 60_000;
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
});

const computer = async (javaScriptEnabled = true): Promise<{ context: BrowserContext; page: Page }> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR', javaScriptEnabled });
  watch(context, witness);
  context.setDefaultTimeout(10_000);
  return { context, page: await context.newPage() };
};
const open = (page: Page, to: string) => page.goto(`${world.places.relais}${to}`, { waitUntil: 'load' });
const press = async (page: Page, selector: string): Promise<void> => {
  await Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()]);
};
const textOf = async (page: Page, selector = 'body'): Promise<string> => (await page.locator(selector).first().innerText()).replace(/\s+/g, ' ');
const signIn = async (page: Page, identity: string, who: string): Promise<void> => {
  await open(page, '/connexion/proconnect?vers=/aidant');
  await press(page, `#identite-${identity}`);
  assert.equal(new URL(page.url()).pathname, '/connexion/code', await textOf(page));
  await page.locator('#code').fill(await world.code(world.places, who));
  await press(page, '#check-code');
};
const seenAt = async (): Promise<number> =>
  Number((await world.sql("select max(extract(epoch from seen_at)) s from web_session where kind = 'staff' and ended_at is null"))[0]?.['s']);
const shoot = async (page: Page, name: string): Promise<void> => {
  for (const what of await axeFaults(page)) witness.faults.push(`${name}: ${what}`);
  const folder = process.env['RELAIS_SHOTS'];
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    if (Number(await page.evaluate('document.documentElement.scrollWidth > innerWidth ? 1 : 0'))) witness.faults.push(`${name}: wider than ${width}`);
    if (folder) await page.screenshot({ path: `${folder}/${name}-${width}.png` });
  }
};

test('S8 two minutes before the end the page warns; "Rester connecté" keeps the session and what was typed, by keyboard alone', {
  database: 'pglite',
}, async () => {
  const { context, page } = await computer();
  await context.clock.install({ time: new Date() });
  await signIn(page, 'karim', 'Karim Benali');
  await open(page, '/aidant/securite');
  assert.match(await textOf(page, '#session-bar'), /Vous serez déconnecté à \d+ h \d\d si vous ne faites rien/);
  await page.locator('#name').fill('Ordinateur du bureau');
  await context.clock.runFor(12 * MINUTE);
  assert.equal(await page.locator('#session-bar [role="alert"]').innerText(), '');
  await context.clock.runFor(1.2 * MINUTE);
  world.advance(13.2 * MINUTE);
  assert.match(await textOf(page, '#session-bar [role="alert"]'), /Dans moins de 2 minutes, vous serez déconnecté/);
  await shoot(page, 'session-warning');
  const [before, shown] = [await seenAt(), await textOf(page, '[data-session-text]')];
  await page.locator('#stay button').focus();
  await page.keyboard.press('Enter');
  await page.locator('.session--warned').waitFor({ state: 'detached' });
  assert.ok((await seenAt()) >= before + 13 * 60, 'the server has counted it as a use');
  assert.notEqual(await textOf(page, '[data-session-text]'), shown);
  assert.equal(await page.locator('#name').inputValue(), 'Ordinateur du bureau', 'what was typed is there');
  assert.equal(context.pages().length, 1, 'no window was opened');
  world.advance(14 * MINUTE);
  assert.match(await textOf(page), /Karim Benali/);
  await context.clock.runFor(16 * MINUTE);
  assert.match(await textOf(page, '#session-bar [role="alert"]'), /Vous êtes déconnecté/);
  world.advance(2 * MINUTE);
  await open(page, '/aidant');
  assert.notEqual(new URL(page.url()).origin, world.places.relais, 'and so it is');
  await context.close();
});

test('S8 a page opened in one tab puts off the end that another tab announces', { database: 'pglite' }, async () => {
  const { context, page } = await computer();
  await context.clock.install({ time: new Date() });
  await signIn(page, 'karim', 'Karim Benali');
  await open(page, '/aidant/securite');
  const shown = await textOf(page, '[data-session-text]');
  await context.clock.runFor(12 * MINUTE);
  world.advance(12 * MINUTE);
  const other = await context.newPage();
  await open(other, '/aidant/securite');
  await page.waitForFunction(`document.querySelector('[data-session-text]').textContent !== ${JSON.stringify(shown)}`);
  await context.clock.runFor(1.5 * MINUTE);
  assert.equal(await page.locator('#session-bar [role="alert"]').innerText(), '', 'the session was used since');
  await context.clock.runFor(12 * MINUTE);
  assert.match(await textOf(page, '#session-bar [role="alert"]'), /Dans moins de 2 minutes/, 'and its new end is announced too');
  await context.close();
});

test('S8 without JavaScript the same form answers in another window, and the page with what was typed stays', { database: 'pglite' }, async () => {
  const { context, page } = await computer(false);
  await signIn(page, 'karim', 'Karim Benali');
  await open(page, '/aidant/securite');
  await page.locator('#name').fill('Ordinateur du bureau');
  world.advance(13 * MINUTE);
  const before = await seenAt();
  assert.match(await textOf(page, '#stay'), /Rester connecté \(nouvelle fenêtre\)/);
  const [other] = await Promise.all([context.waitForEvent('page'), page.locator('#stay button').click()]);
  await other.waitForLoadState('load');
  assert.match(await textOf(other), /Vous restez connecté.*Votre connexion dure maintenant jusqu’à/);
  assert.ok((await seenAt()) >= before + 13 * 60);
  await other.close();
  assert.equal(await page.locator('#name').inputValue(), 'Ordinateur du bureau');
  world.advance(14 * MINUTE);
  await page.locator('#name').press('Enter');
  await page.waitForLoadState('load');
  assert.match(await textOf(page), /Confirmez que c’est vous/, 'signed in still: only the factor is asked again');
  await context.close();
});

test('S14 after a sign-out on a shared computer nothing of the person is left: neither back, nor storage, nor draft, nor sessions', {
  database: 'pglite',
}, async () => {
  const { context, page } = await computer();
  const start = new Date();
  await signIn(page, 'karim', 'Karim Benali');
  await open(page, '/aidant/mandats/nouveau');
  await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })");
  await page.locator('#theme-logement').check();
  await press(page, '#continue');
  await page.locator('#days-1').check();
  await press(page, '#continue');
  await press(page, '#person-signs-in');
  await press(page, '#identite-colette');
  const draft = new URL(page.url()).pathname;
  assert.match(await textOf(page), /Colette Martin/);
  for (const path of ['/aidant', '/aidant/mandats', draft]) {
    await open(page, path);
    for (const field of await page.locator('input:not([type=hidden]):not([type=radio]):not([type=checkbox])').all())
      assert.match((await field.getAttribute('autocomplete')) ?? '', /^(off|one-time-code)$/, `${path}: no name is offered to the next one`);
    assert.doesNotMatch(`${await page.title()} ${page.url()}`, /Colette|Martin|Karim|Benali/i, path);
  }
  await open(page, '/aidant');
  const [cleared] = await Promise.all([page.waitForResponse((answer) => answer.url().endsWith('/deconnexion')), press(page, '#sign-out button')]);
  assert.equal(await cleared.headerValue('clear-site-data'), '"cache", "storage"');
  for (let back = 0; back < 4; back++) {
    await page.goBack({ waitUntil: 'load' }).catch(() => undefined);
    if (page.url().startsWith(world.places.relais))
      assert.doesNotMatch(await page.content(), /Colette|Karim|Benali/, `back ${back + 1}: ${page.url()}`); // the simulator names everybody to everybody
  }
  await open(page, '/');
  assert.equal(await page.evaluate('localStorage.length + sessionStorage.length'), 0);
  for (const { name, value } of await context.cookies()) assert.doesNotMatch(decodeURIComponent(`${name} ${value}`), /Colette|Karim|Benali/i);
  const left =
    "select 1 from web_session where created_at >= $1 and (kind = 'staff' and ended_at is null or data::text ~ 'pending|signedIn|identified')";
  assert.deepEqual(await world.sql(left, [start]), []);

  await signIn(page, 'ines', 'Inès Moreau');
  await page.locator('main input[type=radio]').last().check(); // the same structure
  await press(page, 'main form button');
  assert.doesNotMatch(await page.content(), /Karim|Benali/);
  await open(page, draft);
  assert.match(await textOf(page), /Cette page n’existe pas/, 'the draft of the one before');
  await context.close();
});

test('nothing went wrong in these windows', () => {
  const simulators = [world.places.proconnect, world.places.franceconnect]; // their own pages are not ours to judge
  assert.deepEqual(
    witness.faults.filter((fault) => !simulators.some((origin) => fault.includes(origin))),
    [],
  );
});
