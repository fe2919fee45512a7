import type { Browser, Page } from 'playwright-core';
import { prepareMandate, signInStaff, signInUsager, signMandate } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { signedInAidant, type World } from '../support/world.ts';
import { axeFaults, inBrowser, newWitness, watch } from './people.ts';

/** Live pages that the story does not pass, and those that it passes, in English and in the dark: axe, width, and what the browser says of them. */
const witness = newWitness();
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
});

/** A window in which somebody is already signed in: the cookies are those of a walker, who is quicker. */
const openAs = async (walker: Walker, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR', reducedMotion: 'reduce', colorScheme });
  context.setDefaultTimeout(10_000);
  watch(context, witness);
  await context.addCookies(
    [...walker.cookies.values()].map(({ value, path, host }) => {
      const at = value.indexOf('=');
      return { name: value.slice(0, at), value: value.slice(at + 1), domain: host, path };
    }),
  );
  return context.newPage();
};

/** Looks at the page that is shown; gives its words. */
const examine = async (page: Page): Promise<string> => {
  const url = page.url();
  witness.pages.push(url);
  const note = (what: string): void => void witness.faults.push(`${new URL(url).pathname}: ${what}`);
  for (const what of await axeFaults(page)) note(what);
  await page.setViewportSize({ width: 320, height: 720 });
  for (const what of await axeFaults(page, ['scrollable-region-focusable', 'target-size'])) note(`at 320: ${what}`);
  const wider = Number(await page.evaluate('document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : 0'));
  if (wider) note(`${wider} px wide on a screen of 320`);
  await page.setViewportSize({ width: 1280, height: 900 });
  return (await page.locator('body').innerText()).replaceAll(/\s+/g, ' ');
};

const look = async (page: Page, url: string): Promise<string> => {
  await page.goto(url, { waitUntil: 'load' });
  return examine(page);
};

const at = (path: string): string => new URL(path, world.places.relais).href;

test('the pages that anybody may read, in both languages, in light and in the dark', { database: 'pglite' }, async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await openAs(new Walker(), colorScheme);
    for (const path of ['/', '/?lang=en', '/accessibilite', '/donnees-personnelles', '/verifier-le-journal', '/nulle-part', '/inscription/rien'])
      await look(page, at(path));
    for (const origin of [world.places.allowances, world.places.taxes, world.places.messages]) await look(page, origin);
    await page.context().close();
  }
});

test('the aidant’s pages in English and in the dark, with an empty list, and when the person gives up at FranceConnect', {
  database: 'pglite',
}, async () => {
  const walker = await signedInAidant(world);
  await prepareMandate(walker, world.places, { person: 'colette', themes: ['logement', 'argent'], days: '31' });
  const sign = walker.page?.url.pathname ?? '';
  const page = await openAs(walker, 'dark');
  const draft = sign.replace(/\/signer$/, '');
  for (const path of ['/aidant', '/aidant/mandats/nouveau', '/aidant/mandats/nouveau/duree?themes=logement', draft, `${draft}/texte`, sign])
    for (const lang of ['en', 'fr']) await look(page, at(`${path}${path.includes('?') ? '&' : '?'}lang=${lang}`));
  await page.goto(at('/aidant'));
  await page.fill('#q', 'zzz');
  await Promise.all([page.waitForEvent('load'), page.click('#filter-button')]);
  assert.equal(new URL(page.url()).search, '', 'what was typed is not in the address');
  assert.match(await examine(page), /Aucun nom ne correspond/);
  assert.match(await look(page, at(`${draft}/refus?motif=consent_not_given`)), /Le mandat n’a pas été créé/);
  assert.match(await look(page, at('/administration')), /n’existe pas|pas pour vous/);
  await page.context().close();
  await walker.open(at(sign));
  await signMandate(walker, world.places, 'Karim Benali', world.code);
});

test('a duration that was not chosen is asked again, beside the choice', { database: 'pglite' }, async () => {
  const walker = await signedInAidant(world);
  await walker.open(at('/aidant/mandats/nouveau/duree?themes=logement'));
  const refused = await walker.send('mandate-days', { days: '' });
  assert.equal(refused.status, 422);
  assert.match(refused.html, /Choisissez une durée/);
  assert.match(refused.html, /id="days-1-error"/);
});

test('when the person gives up at FranceConnect, the aidant finds the mandate in preparation again', { database: 'pglite' }, async () => {
  const walker = await signedInAidant(world);
  await walker.open(at('/aidant/mandats/nouveau'));
  await walker.send('mandate-themes', { themes: ['logement'] });
  await walker.send('mandate-days', { days: '1' });
  const asked = await walker.send('mandate-consent');
  const back = await walker.open(asked.url, { abort: 'oui' });
  assert.match(back.url.pathname, /^\/aidant\/mandats\/brouillon\/dra_[a-z0-9]+\/refus$/);
  assert.match(back.html, /La personne ne s’est pas connectée/);
  const again = back.url.pathname.replace(/\/refus$/, '');
  assert.ok(back.html.includes(`href="${again}"`), 'it leads back to the same mandate in preparation');
  assert.equal((await walker.open(at(again))).status, 200);
});

test('the usager’s pages, hers and those of somebody who has nothing yet', { database: 'pglite' }, async () => {
  const colette = new Walker();
  const home = await signInUsager(colette, world.places, 'colette');
  const stop = /href="(\/usager\/mandats\/[^"/]+\/arreter)"/.exec(home.html)?.[1] ?? '';
  const entry = /href="(\/usager\/entrees\/\d+)"/.exec(home.html)?.[1] ?? '';
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await openAs(colette, colorScheme);
    for (const path of ['/usager?lang=en', '/usager?lang=fr', stop, entry, stop.replace(/\/arreter$/, ''), '/usager/entrees/1'])
      await look(page, at(path));
    await page.context().close();
  }
  const nobody = new Walker();
  await signInUsager(nobody, world.places, 'etranger');
  const page = await openAs(nobody);
  assert.match(await look(page, at('/usager')), /Personne ne peut agir pour vous/);
  await page.context().close();
});

test('the administration’s page, in English and in the dark', { database: 'pglite' }, async () => {
  const hugo = new Walker();
  await signInStaff(hugo, world.places, 'hugo', 'Hugo Roux', '/connexion/proconnect?vers=/administration', world.code);
  const page = await openAs(hugo, 'dark');
  for (const lang of ['fr', 'en']) await look(page, at(`/administration?lang=${lang}`));
  await page.context().close();
});

test('V8 these pages asked nothing outside this machine, the browser complained of nothing, and axe found nothing', { database: 'pglite' }, () => {
  assert.ok(witness.pages.length >= 50, `${witness.pages.length} pages`);
  assert.deepEqual(witness.faults, []);
  for (const origin of witness.asked) assert.match(origin, /^http:\/\/localhost:\d+$/);
});
