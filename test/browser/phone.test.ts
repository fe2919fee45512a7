import type { Browser, BrowserContext, Page } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { axeFaults, inBrowser, newWitness, watch } from './people.ts';

/** Consent on the person's own telephone: Karim's screen runs our script, Madame Martin's telephone runs none. */
const witness = newWitness();
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
});

const arrive = async (width: number, javaScriptEnabled: boolean): Promise<Page> => {
  const context: BrowserContext = await browser.newContext({ viewport: { width, height: 800 }, locale: 'fr-FR', javaScriptEnabled });
  watch(context, witness);
  context.setDefaultTimeout(12_000);
  return context.newPage();
};
const press = async (page: Page, selector: string): Promise<void> => {
  await Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()]);
};
const text = async (page: Page, selector = 'main'): Promise<string> => (await page.locator(selector).first().innerText()).replace(/\s+/g, ' ');
/** Nothing wider than the screen; with RELAIS_SHOTS, a picture. */
const look = async (page: Page, name: string): Promise<void> => {
  if (Number(await page.evaluate('document.documentElement.scrollWidth > innerWidth ? 1 : 0'))) witness.faults.push(`${name}: wider than the screen`);
  const folder = process.env['RELAIS_SHOTS'];
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
};

test('M11 Madame Martin agrees on her telephone, and Karim’s page moves on by itself', { database: 'pglite' }, async () => {
  const karim = await arrive(1280, true);
  await karim.goto(`${world.places.relais}/connexion/proconnect?vers=/aidant`);
  await press(karim, '#identite-karim');
  await karim.locator('#code').fill(await world.code(world.places, 'Karim Benali'));
  await press(karim, '#check-code');
  await karim.goto(`${world.places.relais}/aidant/mandats/nouveau`);
  await karim.locator('#whole-themes').click();
  await karim.locator('#theme-logement').check();
  await press(karim, '#continue');
  await press(karim, '#continue');
  await press(karim, '#on-own-phone');
  assert.match(await text(karim), /En attente de la personne/);
  await look(karim, 'phone-wait-1280');
  for (const fault of await axeFaults(karim)) witness.faults.push(`wait: ${fault}`);
  const address = (await karim.locator('#phone-address').innerText()).replaceAll(/\s/g, '');

  const phone = await arrive(320, false);
  await phone.goto(`http://${address}`);
  assert.match(await text(phone), /Karim, pour la mairie de Thénac, vous demande un mandat/);
  await look(phone, 'phone-ask-320');
  await press(phone, '#agree');
  await karim.locator('#wait-status', { hasText: 'La personne se connecte' }).waitFor();
  await press(phone, '#identite-colette');
  assert.match(await text(phone), /C’est fait.*fermer cette page/);
  await look(phone, 'phone-done-320');

  await karim.locator('#wait-status', { hasText: 'La personne a donné son accord' }).waitFor();
  assert.equal(await karim.locator('#phone-qr').count(), 0, 'the code is gone');
  await karim.waitForURL(/\/signer$/);
  assert.match(await text(karim), /Colette Martin/);
  await karim.locator('#said-aloud').check();
  await karim.locator('#code').fill(await world.code(world.places, 'Karim Benali'));
  await press(karim, '#sign-mandate');
  const reference = await text(karim, '#mandate-reference');
  await press(phone, '#see-reference');
  assert.ok((await text(phone)).includes(reference));
  assert.deepEqual(witness.faults, []);
});
