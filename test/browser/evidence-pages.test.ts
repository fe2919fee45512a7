import { after, before } from 'node:test';
import type { Browser } from 'playwright-core';
import type { MandateId } from '../../src/kernel/ids.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, eventOf, inesAt, inTheMorning, personOf, post, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { untilWitnessed } from '../support/evidence.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';
import { pageOf, said, shoot } from './checked.ts';
import { axeFaults, newWitness, openBrowser } from './people.ts';

/** Every page that shows entries says of its own lines whether they are what was sealed, and sees when a word of one was changed. */

const on = { database: 'pglite' } as const;
const witness = newWitness();
let world: World;
let browser: Browser;
let act = 0;
let mandate = '';
let [colette, karim, ines, nora] = [new Walker(), new Walker(), new Walker(), new Walker()];

before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  browser = await openBrowser();
  world = await openWorld(kind, { witnessed: true });
  inTheMorning(world);
  karim = await signedInAidant(world);
  const service = await world.service('pages-service');
  await agreed(world, 'colette', ['logement', 'famille']);
  mandate = (await agreed(world, 'colette', ['famille', 'papiers'])).id;
  const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
  const events = Array.from({ length: 60 }, (_, n) => eventOf(service, sessionOf(claims), `page-${n}`, { reference: `REF-${n}` }));
  for (let i = 0; i < events.length; i += 20) assert.equal((await reportAt(world, tokens.access_token, events.slice(i, i + 20))).status, 202);
  await signInUsager(colette, world.places, 'colette');
  await world.app.flushJournal();
  const [entry] = await world.app.journal.read(world.database.auto, { types: ['action.reported'], limit: 1 });
  act = entry?.index ?? 0;
  await post(world, colette, `/usager/entrees/${act}/desaccord`, { _csrf: await csrfOf(world, colette, '/usager') });
  await post(world, karim, `/aidant/actes/${act - 1}/erreur`, { _csrf: await csrfOf(world, karim) });
  await world.app.site.mandates.revokeByUsager(await personOf(world, 'colette'), mandate as MandateId, 'papiers');
  ines = await inesAt(world, 'Thénac');
  await signInStaff(nora, world.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (_, who) =>
    world.code(world.places, who),
  );
  await untilWitnessed(world);
});
after(async () => {
  await browser?.close();
  await world?.close();
  assert.deepEqual(witness.faults, []);
});

interface Place {
  readonly who: () => Walker;
  readonly path: () => string;
  /** A word of a line, and what somebody makes of it. */
  readonly word: readonly [string | RegExp, string];
  readonly says?: RegExp;
}
const COMPLETE = /Rien ne manque entre la première et la dernière ligne de cette page/;
const PLACES: Readonly<Record<string, Place>> = {
  statement: { who: () => colette, path: () => '/usager/releve?periode=tout', word: ['Karim', 'Farid'], says: COMPLETE },
  'statement-code': { who: () => colette, path: () => '/usager/releve?periode=tout', word: [/code [A-Z2-7]{5}/, 'code AAAAA'] },
  'statement-second': { who: () => colette, path: () => '/usager/releve?periode=tout&feuille=7', word: ['REF-', 'RFE-'], says: COMPLETE },
  receipt: { who: () => colette, path: () => `/usager/mandats/${mandate}/recu`, word: ['mairie de Thénac', 'mairie de Saintes'] },
  'receipt-theme': { who: () => colette, path: () => `/usager/mandats/${mandate}/recu`, word: [/(<dd[^>]*>)Papiers[^<]*/, '$1Logement'] },
  'receipt-leaf': { who: () => colette, path: () => `/usager/mandats/${mandate}/recu`, word: [/(<code>)..../, '$1AAAA'] },
  'receipt-structure': { who: () => karim, path: () => `/aidant/mandats/${mandate}/recu`, word: [/Papiers[^<]*/, 'Logement'] },
  entry: { who: () => colette, path: () => `/usager/entrees/${act}`, word: [/(<dd[^>]*>)Karim/, '$1Farid'] },
  'entry-sentence': { who: () => colette, path: () => `/usager/entrees/${act}`, word: ['Karim', 'Farid'] },
  'entry-reference': { who: () => colette, path: () => `/usager/entrees/${act}`, word: [/(<dd[^>]*>)REF-59/, '$1REF-58'] },
  contest: { who: () => colette, path: () => `/usager/entrees/${act}/desaccord`, word: ['Karim', 'Farid'] },
  acts: { who: () => karim, path: () => '/aidant/actes', word: [/(<dd[^>]*>)Karim/, '$1Farid'] },
  error: { who: () => karim, path: () => `/aidant/actes/${act}/erreur`, word: [/(<dd[^>]*>)Karim/, '$1Farid'] },
  disagreements: { who: () => karim, path: () => '/aidant/desaccords', word: ['La personne n’était pas d’accord', 'L’aidant a déclaré une erreur'] },
};
for (const [name, { who, path, word, says }] of Object.entries(PLACES))
  test(`J1 the page « ${name} » is verified in the browser, and a changed word of a line does not match`, on, async () => {
    const page = await pageOf(browser, who(), witness);
    await page.goto(`${world.places.relais}${path()}`);
    const words = await said(page, 'verified');
    assert.match(words, /^Vérifié par temoin-1 et temoin-2, à \d+ h \d\d\./);
    if (says) assert.match(words, says);
    if (!name.includes('-')) assert.deepEqual(await axeFaults(page), []);
    await shoot(page, name);
    await page.route(`**${path().split('?')[0]}*`, async (route) => {
      const answer = await route.fetch();
      const html = await answer.text();
      const at = html.indexOf('data-entry=');
      await route.fulfill({ response: answer, body: html.slice(0, at) + html.slice(at).replace(...word) });
    });
    await page.goto(`${world.places.relais}${path()}`);
    assert.match(await said(page, 'mismatch'), /texte affiché/);
    await page.context().close();
  });

const SEARCHES = {
  structure: { who: () => ines, path: '/aidant/journal', form: 'structure-query', word: 'Karim', says: COMPLETE },
  administration: { who: () => nora, path: '/administration', form: 'journal-query', word: 'Mairie de Thénac', says: /./ },
};
for (const [name, { who, path, form, word, says }] of Object.entries(SEARCHES))
  test(`J1 what a search of the ${name} finds is verified in the browser, and a changed word of a line does not match`, on, async () => {
    const page = await pageOf(browser, who(), witness);
    const search = async (): Promise<void> => {
      await page.goto(`${world.places.relais}${path}`);
      await page.locator('#reason').fill('vérification des lignes');
      await Promise.all([page.waitForEvent('load'), page.locator(`#${form} #query`).click()]);
    };
    await search();
    await untilWitnessed(world); // what the first search wrote
    await search();
    const words = await said(page, 'verified');
    assert.match(words, /^Vérifié par temoin-1 et temoin-2/);
    assert.match(words, says);
    assert.deepEqual(await axeFaults(page), []);
    await shoot(page, name);
    await page.route(/\/(aidant|administration)\/journal$/, async (route) => {
      const answer = await route.fetch();
      const html = await answer.text();
      const at = html.indexOf('data-entry=');
      await route.fulfill({ response: answer, body: html.slice(0, at) + html.slice(at).replace(word, 'Quelqu’un') });
    });
    await search();
    assert.match(await said(page, 'mismatch'), /texte affiché/);
    await shoot(page, `${name}-mismatch`);
    await page.context().close();
  });

test('J1 a line taken out of the statement, or two exchanged, does not match', on, async () => {
  const page = await pageOf(browser, colette, witness);
  const without = /<li data-entry="(\d+)"[\s\S]*?<\/li>/g;
  const edits: readonly ((html: string) => string)[] = [
    (html) => html.replace([...html.matchAll(without)][2]?.[0] ?? '', ''),
    (html) => {
      const [, one = '', two = ''] = [...html.matchAll(without)].map(([text]) => text);
      return html.replace(one + two, two + one);
    },
  ];
  let edit = (html: string): string => html;
  await page.route('**/usager/releve*', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: edit(await answer.text()) });
  });
  for (const next of edits) {
    edit = next;
    await page.goto(`${world.places.relais}/usager/releve?periode=tout`);
    assert.match(await said(page, 'mismatch'), /Une ligne manque, ou n’est pas à sa place/);
  }
  await page.context().close();
});

test('a colleague who reads what was contested does not read the démarche', on, async () => {
  const { html } = await karim.open(`${world.places.relais}/aidant/desaccords`);
  const [kept] = await world.app.journal.read(world.database.auto, { types: ['action.contested'], limit: 1 });
  const label = kept?.detail && 'demarcheLabel' in kept.detail ? String(kept.detail.demarcheLabel) : '';
  assert.ok(label.length > 3 && !html.includes(label) && html.includes('n’était pas d’accord'));
});
