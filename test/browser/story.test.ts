import type { TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { totp } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { entriesOf, type World } from '../support/world.ts';
import { inBrowser, newWitness, Someone, signIn } from './people.ts';

/** The story that the README tells, lived in Chromium on one database by the people it is about, one after the other, without a line of JavaScript. */
const witness = newWitness();
let world: World;
let browser: Browser;
let karim: Someone;
let colette: Someone;

inBrowser(async (opened) => {
  ({ world, browser } = opened);
  if (process.env['RELAIS_SHOTS']) {
    // The pictures of the README show an afternoon, whenever they are taken.
    const now = new Date();
    const afternoon = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), 13, 32);
    world.advance(afternoon - now.getTime() + (afternoon > now.getTime() ? 0 : 86_400_000));
  }
  karim = await Someone.arrive(browser, 'Karim', witness);
  colette = await Someone.arrive(browser, 'Colette', witness);
});

/** One step of the story. When one fails, those that come after it say so at once. */
let broken = false;
const step = (title: string, body: (t: TestContext) => Promise<void>): Promise<void> =>
  test(title, { database: 'pglite' }, async (t) => {
    if (broken) throw new Error('an earlier step of the story failed');
    broken = true;
    await body(t);
    broken = false;
  });

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const fromBase32 = (text: string): Buffer => {
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
};

/** The pages before the signature: what, how long, and the person's own sign-in. */
const prepare = async (aidant: Someone, person: string, themes: readonly string[], days: string): Promise<void> => {
  await aidant.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await aidant.page.locator('#whole-themes').click();
  for (const theme of themes) await aidant.tick(`#theme-${theme}`);
  await aidant.press('#continue');
  await aidant.tick(`#days-${days}`);
  await aidant.press('#continue');
  await aidant.press('#person-signs-in');
  await aidant.press(`#identite-${person}`);
};

/** From the aidant's list: the person's card, then the button of the site. */
const actOn = async (aidant: Someone, person: string, site: string): Promise<void> => {
  await aidant.open(`${world.places.relais}/aidant`);
  const button = aidant.page.locator('li.person', { hasText: person }).locator('a', { hasText: site });
  await Promise.all([aidant.page.waitForEvent('load'), button.first().click()]);
};

const fillHousing = async (aidant: Someone): Promise<void> => {
  await aidant.write('#adresse', '3 rue des Tilleuls, 17460 Thénac');
  await aidant.write('#loyer', '420');
  await aidant.write('#personnes', '1');
};

step('an aidant signs in: one click at ProConnect, then the code; a wrong code says so beside its field', async () => {
  await karim.open(world.places.relais);
  await karim.look('home');
  await karim.press('#enter-aidant');
  await karim.look('proconnect');
  await karim.press('#identite-karim');
  assert.equal(karim.path, '/connexion/code');
  await karim.look('second-factor');
  await karim.write('#code', '000000');
  await karim.press('#check-code');
  assert.match(await karim.title(), /^Erreur : /);
  assert.ok(await karim.sees('#code[aria-invalid="true"]'));
  await karim.look('second-factor-wrong');
  const messages = await karim.tab();
  await messages.open(world.places.messages);
  await messages.look('messages');
  await messages.page.close();
  await karim.write('#code', await karim.readCode(world, 'Karim Benali'));
  await karim.press('#check-code');
  assert.equal(karim.path, '/aidant', await karim.text());
  assert.match(await karim.text('#account'), /Karim Benali.*Mairie de Thénac/);
  await karim.look('aidant-home');
});

step('the mandate of Madame Martin is made with the keyboard alone, and its errors lead to their fields', async () => {
  await karim.tabTo('#create-mandate');
  await karim.keyAndGo('Enter');
  await karim.look('mandate-themes');
  await karim.tabTo('#continue');
  await karim.keyAndGo('Enter');
  assert.match(await karim.title(), /^Erreur : /);
  await karim.look('mandate-themes-error');
  await karim.tabTo('#error-summary a');
  await karim.key('Enter');
  await karim.tabTo('#whole-themes');
  await karim.key('Enter');
  for (const theme of ['famille', 'logement']) {
    const here = await karim.page.evaluate(`document.activeElement.id === 'theme-${theme}'`);
    if (!here) await karim.tabTo(`#theme-${theme}`);
    await karim.key('Space');
  }
  await karim.tabTo('#continue');
  await karim.keyAndGo('Enter');
  assert.equal(karim.path, '/aidant/mandats/nouveau/duree');
  assert.ok(await karim.page.locator('#days-1').isChecked(), 'one day is chosen beforehand');
  await karim.look('mandate-days');
  await karim.tabTo('#days-1');
  await karim.key('ArrowDown');
  assert.ok(await karim.page.locator('#days-31').isChecked());
  await karim.tabTo('#continue');
  await karim.keyAndGo('Enter');
  assert.match(karim.path, /^\/aidant\/mandats\/brouillon\/dra_/);
  await karim.look('mandate-read');
  await karim.tabTo('#person-signs-in');
  await karim.keyAndGo('Enter');
  await karim.look('franceconnect');
  await karim.tabTo('#identite-colette');
  await karim.keyAndGo('Enter');
  assert.match(karim.path, /\/signer$/);
  await karim.look('mandate-sign');
  await karim.tabTo('#sign-mandate');
  await karim.keyAndGo('Enter');
  assert.match(await karim.title(), /^Erreur : /);
  await karim.look('mandate-sign-error');
  const code = await karim.readCode(world, 'Karim Benali');
  await karim.tabTo('#said-aloud');
  await karim.key('Space');
  await karim.tabTo('#code');
  await karim.page.keyboard.type(code);
  await karim.keyAndGo('Enter');
  assert.match(karim.path, /^\/aidant\/mandats\/man_[a-z0-9]+\/cree$/);
  await karim.look('mandate-created');
  assert.equal(await entriesOf(world, 'mandate.created'), 8, 'the seven of the demonstration, and this one');
});

step('the created page leads on: the mandate to print, and the site where to act', async () => {
  const paper = await karim.tab();
  await paper.open(karim.page.url().replace(/\/cree$/, ''));
  assert.match(await paper.text('main'), /Colette Martin/i);
  await paper.look('mandate-text');
  await paper.page.close();
  assert.match(await karim.text('main'), /Agir sur Allocations de démonstration/);
});

step('he acts for her at the allowances: the theme, since her mandate has two, then the confirmation', async () => {
  await karim.press('#act-1');
  assert.match(karim.path, /^\/interaction\//);
  assert.match(await karim.text('h1'), /Que faut-il faire/);
  await karim.look('pick-theme');
  await karim.press('#continue');
  assert.match(await karim.title(), /^Erreur : /);
  await karim.look('pick-theme-error');
  await karim.tick('#theme-logement');
  await karim.press('#continue');
  assert.match(await karim.text('h1'), /Vous allez agir pour Madame Colette Martin/i);
  await karim.look('confirm');
  await karim.press('#act');
  assert.equal(karim.origin, world.places.allowances);
  assert.match(await karim.text('.acting'), /Mairie de Thénac agit pour Colette Martin/i);
  await karim.look('allowances-list');
  await karim.press('#demarche-aide-logement');
  await karim.look('allowances-form');
  await karim.press('#envoyer');
  assert.match(await karim.title(), /^Erreur : /);
  await karim.look('allowances-form-error');
  await fillHousing(karim);
  await karim.press('#envoyer');
  assert.match(await karim.text('#reference'), /^\d{4}-\d{5}$/);
  assert.match(await karim.text('#recu'), /^\d+$/);
  await karim.look('allowances-sent');
  await karim.open(`${world.places.allowances}/demarches/paiements`);
  await karim.look('allowances-payments');
});

step('he goes on with Monsieur Petit at the taxes: the page says whose session ends, then ends it there', async () => {
  await karim.open(`${world.places.relais}/aidant`);
  assert.match(await karim.text('.acting'), /Colette Martin/i);
  await karim.look('aidant-home-acting');
  await actOn(karim, 'Jean', 'Impôts'); // one theme in common: nothing to choose
  assert.match(await karim.text('main'), /Colette Martin/i, 'the other person is named');
  assert.match(await karim.text('#act'), /Jean Petit/i);
  await karim.look('confirm-other-person');
  await karim.press('#act');
  assert.equal(karim.origin, world.places.taxes);
  assert.match(await karim.text('.acting'), /agit pour Jean Petit/i);
  await karim.look('taxes-list');
  await karim.press('#demarche-declaration');
  await karim.write('#pensions', '14200');
  await karim.write('#autres', '0');
  await karim.press('#envoyer');
  assert.match(await karim.text('#recu'), /^\d+$/);
  await karim.look('taxes-sent');
  await karim.open(`${world.places.taxes}/demarches/delai`);
  await karim.press('#envoyer');
  await karim.look('taxes-form-error');
  await karim.open(`${world.places.allowances}/demarches/aide-logement`);
  assert.doesNotMatch(await karim.text(), /agit pour Colette/i, 'nobody acts for her any more there');
  await karim.look('allowances-after-switch');
  assert.equal(await entriesOf(world, 'session.opened'), 2);
});

step('she reads what was done, in her own words, and stops it; the site that was open knows to the second', async () => {
  await actOn(karim, 'Colette', 'Allocations');
  await karim.tick('#theme-logement');
  await karim.press('#continue');
  await karim.press('#act');
  await karim.press('#demarche-aide-logement');
  await fillHousing(karim);
  await colette.open(world.places.relais);
  await colette.press('#enter-usager');
  await colette.press('#identite-colette');
  assert.equal(colette.path, '/usager');
  await world.app.flushJournal();
  await colette.open(`${world.places.relais}/usager`);
  const said = await colette.text('main');
  assert.match(said, /Bonjour Madame Martin/);
  assert.match(said, /Ces lignes sont vérifiées/);
  assert.ok(said.includes('Karim, mairie de Thénac, a envoyé votre demande d’aide au logement sur le site Allocations de démonstration.'), said);
  await colette.look('usager-home');
  const line = await colette.tab();
  await line.open(colette.page.url());
  await Promise.all([line.page.waitForEvent('load'), line.page.locator('.timeline a').first().click()]);
  await line.look('usager-entry');
  await line.open(`${world.places.relais}/usager`);
  await line.press('.fr-card a[href^="/usager/mandats/man_"]:not([href$="arreter"])');
  await line.look('usager-mandate');
  await line.page.close();
  await colette.press('a[href$="/arreter"]');
  await colette.look('usager-stop');
  await colette.press('#stop');
  for (let tries = 0; tries < 20 && (await colette.sees('#refresh')); tries++) await colette.press('#refresh');
  assert.match(await colette.text('main'), /Le site Allocations de démonstration l’a su à \d+ h \d+ min \d+ s/);
  await colette.look('usager-stopped');
});

step('the next thing that he sends is refused by the site, which says why', async () => {
  await karim.press('#envoyer');
  assert.match(await karim.text('h1'), /Vous ne pouvez plus agir pour Colette Martin/i);
  assert.match(await karim.text('[role="alert"]'), /Rien n’a été transmis/);
  await karim.look('allowances-stopped');
  await karim.open(`${world.places.relais}/aidant`);
  assert.doesNotMatch(await karim.text('main'), /Colette/i, 'she is not in his list any more');
  await karim.look('aidant-home-after');
});

step('the agent of the administration reads the journal with a reason, and she sees that', async () => {
  const nora = await Someone.arrive(browser, 'Nora', witness);
  await signIn(nora, world, 'administration', 'nora', 'Nora Lefèvre');
  assert.equal(nora.path, '/administration');
  await nora.look('administration');
  await nora.press('#journal-query button[type="submit"]');
  assert.match(await nora.title(), /^Erreur : /);
  await nora.look('administration-error');
  await nora.write('#reason', 'vérification du dossier 2026-11893');
  await nora.press('#journal-query button[type="submit"]');
  assert.doesNotMatch(await nora.text('main'), /Colette|Benali/, 'no name is shown');
  await nora.look('administration-results');
  await nora.press('#sign-out button');
  await nora.look('signed-out');
  await colette.open(`${world.places.relais}/usager`);
  assert.match(await colette.text('main'), /vérification du dossier 2026-11893/);
  await colette.look('usager-home-after');
  await colette.press('#sign-out button');
  await colette.open(`${world.places.relais}/usager`);
  assert.match(colette.origin, new RegExp(world.places.franceconnect), 'signed out, one must sign in again');
});

step('at the site for herself: no aidant, no amber, no report', async () => {
  const alone = await Someone.arrive(browser, 'Jean', witness);
  await alone.open(world.places.allowances);
  await alone.look('allowances-welcome');
  await alone.press('#se-connecter');
  await alone.press('#identite-jean');
  assert.equal(alone.origin, world.places.allowances);
  assert.ok(!(await alone.sees('.acting')));
  await alone.look('allowances-alone');
  await alone.press('#quitter');
  await alone.look('leaving');
  if (await alone.sees('#logout-yes')) await alone.press('#logout-yes');
  assert.match(await alone.text('h1'), /terminé/);
  await alone.look('allowances-bye');
});

step('nobody takes a mandate from a child, from an identity that is not whole, or from himself', async () => {
  for (const [person, words] of [
    ['mineur', /moins de 18 ans/],
    ['incomplete', /identité/i],
    ['un-aidant', /c’est vous/],
  ] as const) {
    await prepare(karim, person, ['logement'], '1');
    assert.match(karim.path, /\/refus$/, person);
    assert.match(await karim.text('main'), words, person);
    await karim.look(`refused-${person}`);
  }
  assert.equal(await entriesOf(world, 'mandate.created'), 8);
});

step('an ended mandate and another theme open nothing; the page of the site says what to do', async () => {
  await karim.open(`${world.places.relais}/aidant`);
  const list = await karim.text('main');
  assert.doesNotMatch(list, /Expiré/);
  const other = karim.page.locator('li.person', { hasText: 'Autrethème' });
  assert.equal(await other.locator('a').count(), 0);
  await karim.open(world.places.allowances);
  await karim.press('#agir-pour');
  assert.match(await karim.text('main'), /Denise/);
  assert.doesNotMatch(await karim.text('main'), /Expiré|Autrethème/);
  await karim.look('pick-person');
  await karim.press('#continue');
  await karim.look('pick-person-error');
  await karim.write('#q', 'personne de ce nom');
  await karim.press('#filter-button');
  await karim.look('pick-person-nobody');
  await karim.press('#clear-filter');
  await karim.page.locator('label.choice', { hasText: 'Petit' }).click();
  await karim.press('#continue');
  await karim.press('#do-not-continue');
  assert.equal(karim.origin, world.places.allowances);
  await karim.look('allowances-refused');
});

step('an aidant of two structures says which one; who is not habilitated is told so; who is invited enrols with the link', async () => {
  const ines = await Someone.arrive(browser, 'Inès', witness);
  await signIn(ines, world, 'aidant', 'ines', 'Inès Moreau');
  assert.equal(ines.path, '/aidant/structures');
  await ines.look('structures');
  await ines.press('#choose-organisation');
  await ines.look('structures-error');
  await ines.page.locator('label.choice', { hasText: 'CCAS de Saintes' }).click();
  await ines.press('#choose-organisation');
  assert.match(await ines.text('main'), /Denise/);
  assert.doesNotMatch(await ines.text('main'), /Jean/, 'the other structure’s people are not here');
  await ines.look('aidant-home-saintes');

  const paul = await Someone.arrive(browser, 'Paul', witness);
  await paul.open(world.places.relais);
  await paul.press('#enter-aidant');
  await paul.press('#identite-paul');
  assert.match(await paul.text('main'), /habilité/);
  await paul.look('not-habilitated');

  const lea = await Someone.arrive(browser, 'Léa', witness);
  await lea.open(world.places.relais);
  await lea.press('#enter-aidant');
  await lea.press('#identite-lea');
  await lea.look('invited');
  await lea.open(world.places.messages);
  await lea.press('a[href*="/inscription/"]');
  await lea.look('enrolment');
  await lea.press('#begin-enrolment');
  await lea.press('#identite-lea');
  if (await lea.sees('#begin-enrolment')) await lea.press('#begin-enrolment');
  await lea.look('enrolment-key');
  const seed = fromBase32((await lea.text('#totp-key')).replaceAll(' ', ''));
  await lea.write('#code', '000000');
  await lea.press('#finish-enrolment');
  await lea.look('enrolment-wrong-code');
  await lea.write('#code', totp(seed, Math.floor(Date.now() / 30_000)));
  await lea.press('#finish-enrolment');
  assert.equal(lea.path, '/inscription/prete');
  await lea.look('enrolled');
  await lea.press('#sign-in');
  await lea.press('#identite-lea');
  await lea.write('#code', await lea.readCode(world, 'Léa Petit'));
  await lea.press('#check-code');
  assert.equal(lea.path, '/aidant');
});

step('long names hold, at the counter and at the site', async () => {
  await prepare(karim, 'noms-longs', ['argent', 'social', 'famille'], '365');
  await karim.look('long-sign');
  await karim.tick('#said-aloud');
  await karim.write('#code', await karim.readCode(world, 'Karim Benali'));
  await karim.press('#sign-mandate');
  await karim.look('long-created');
  await actOn(karim, 'Vandenbroucke', 'Impôts');
  await karim.look('long-confirm');
  await karim.press('#act');
  await karim.look('long-taxes');
  await karim.press('#arreter');
  if (await karim.sees('#logout-yes')) {
    await karim.look('logout-question');
    await karim.press('#logout-yes');
  }
  assert.match(await karim.text('h1'), /terminé/);
  await karim.open(`${world.places.relais}/aidant`);
  await karim.press('#sign-out button');
  assert.match(await karim.text('main'), /déconnecté/i);
});

test('V8 nothing was asked outside this machine on any page of the story, the browser complained of nothing, and axe found nothing', {
  database: 'pglite',
}, async () => {
  await witness.axe;
  assert.ok(witness.pages.length >= 50, `${witness.pages.length} pages`);
  assert.deepEqual(witness.faults, []);
  for (const origin of witness.asked) assert.match(origin, /^http:\/\/localhost:\d+$/);
});
