import type { TestContext } from 'node:test';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { axeFaults, inBrowser, newWitness, watch } from './people.ts';

/** Passkeys in Chromium, with its virtual authenticator: Karim, whose browser runs the one script of ours. */
const witness = newWitness();
let world: World;
let browser: Browser;
let page: Page;
let cdp: CDPSession;
let authenticatorId: string;
/** What the browser last sent as an answer. */
let sent = '';

inBrowser(async (opened) => {
  ({ world, browser } = opened);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR' });
  watch(context, witness);
  context.setDefaultTimeout(10_000);
  page = await context.newPage();
  cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  ({ authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  }));
  page.on('request', (request) => {
    const given = new URLSearchParams(request.postData() ?? '').get('assertion');
    if (given) sent = given;
  });
});

let broken = false;
const step = (title: string, body: (t: TestContext) => Promise<void>): Promise<void> =>
  test(title, { database: 'pglite' }, async (t) => {
    if (broken) throw new Error('an earlier step failed');
    broken = true;
    await body(t);
    broken = false;
  });

const press = async (selector: string): Promise<void> => {
  await Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()]);
};
const path = (): string => new URL(page.url()).pathname;
const text = async (selector = 'body'): Promise<string> => (await page.locator(selector).first().innerText()).replace(/\s+/g, ' ');
const open = (to: string) => page.goto(`${world.places.relais}${to}`, { waitUntil: 'load' });
const count = async (of: string): Promise<number> => Number((await world.sql(`select count(*)::int n from ${of}`))[0]?.['n']);
const look = async (name: string): Promise<void> => {
  for (const what of await axeFaults(page)) witness.faults.push(`${name}: ${what}`);
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    if (Number(await page.evaluate('document.documentElement.scrollWidth > innerWidth ? 1 : 0'))) witness.faults.push(`${name}: wider than ${width}`);
    const folder = process.env['RELAIS_SHOTS'];
    if (folder) await page.screenshot({ path: `${folder}/${name}-${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
};
const prepare = async (person: string, theme: string): Promise<void> => {
  await open('/aidant/mandats/nouveau');
  await page.locator('#whole-themes').click();
  await page.locator(`#theme-${theme}`).check();
  await press('#continue');
  await page.locator('#days-1').check();
  await press('#continue');
  await press('#person-signs-in');
  await press(`#identite-${person}`);
};
const toFactor = async (): Promise<void> => {
  await page.context().clearCookies();
  await open('/connexion/proconnect?vers=/aidant');
  await press('#identite-karim');
  assert.equal(path(), '/connexion/code');
};
/** Presses a passkey's button that must not lead anywhere: the page says that the key did not answer. */
const unanswered = async (selector: string): Promise<void> => {
  await page.locator(selector).click();
  await page.locator('[data-passkey-failed] [role="alert"]').waitFor({ state: 'visible' });
};

step('S9 a passkey is made in the browser, with a name, after a sign-in by code', async () => {
  await toFactor();
  assert.equal(await page.locator('#use-passkey').count(), 0, 'he has none yet');
  await page.locator('#code').fill(await world.code(world.places, 'Karim Benali'));
  await press('#check-code');
  await press('#my-means');
  assert.equal(path(), '/aidant/securite');
  await page.locator('#name').fill('Ordinateur du bureau');
  await press('#add-passkey-button');
  await look('passkey-create');
  await press('#create-passkey-button');
  assert.equal(path(), '/aidant/securite', await text());
  assert.match(await text('main'), /La clé d’accès est ajoutée.*Ordinateur du bureau/);
  await look('passkey-list');
  assert.equal((await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length, 1);
});

step('S9 it signs in with one button; without the person verified it does not', async () => {
  await toFactor();
  await look('passkey-sign-in');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await unanswered('#use-passkey');
  await look('passkey-failed');
  assert.equal(await page.locator('#code').isVisible(), true, 'the code is still there');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  await press('#use-passkey');
  assert.equal(path(), '/aidant', await text());
});

step('S9 M16 it signs a mandate; the same answer sent again signs no second one', async () => {
  const before = await count('mandate');
  await prepare('colette', 'travail');
  assert.match(path(), /\/signer$/);
  await press('#sign-with-passkey');
  assert.match(await page.title(), /^Erreur/, 'not yet read aloud');
  await page.locator('#said-aloud').check();
  await look('passkey-sign');
  await press('#sign-with-passkey');
  assert.match(path(), /^\/aidant\/mandats\/man_[a-z0-9]+\/cree$/, await text());
  assert.equal(await count('mandate'), before + 1);
  await prepare('jean', 'travail');
  await page.locator('#said-aloud').check();
  await Promise.all([
    page.waitForEvent('load'),
    page.evaluate(
      `(() => { const f = document.querySelector('#mandate-sign'); f.elements.assertion.value = ${JSON.stringify(sent)}; f.submit(); })()`,
    ),
  ]);
  assert.match(await text('#error-summary'), /déjà servi/);
  assert.equal(await count('mandate'), before + 1);
  await look('passkey-replayed');
});

step('S9 five minutes later a change asks for the key again; once revoked, it opens nothing', async () => {
  world.advance(5 * 60_000 + 1000);
  await open('/aidant/securite');
  await press('#prove');
  await look('passkey-step-up');
  await press('#use-passkey');
  assert.equal(path(), '/aidant/securite');
  await press('#make-recovery-button');
  await look('recovery-codes');
  await press('#back');
  const other = await page.context().newPage();
  await other.goto(`${world.places.relais}/aidant/securite`);
  await open('/aidant/securite/confirmer');
  await Promise.all([other.waitForEvent('load'), other.locator('button[id^="revoke-button-"]').first().click()]);
  assert.match(await other.locator('main').innerText(), /La clé d’accès est retirée/);
  await press('#use-passkey');
  assert.match(await text('#error-summary'), /n’est pas acceptée/, 'the page that was open asks in vain');
  assert.equal(await count('passkey where revoked_at is null'), 0);
  await toFactor();
  assert.equal(await page.locator('#use-passkey').count(), 0, 'it is not asked for any more');
  await press('#use-recovery');
  assert.equal(path(), '/connexion/secours');
  await look('recovery-sign-in');
});

step('nothing was fetched from outside, and no rule of the content policy was broken', async () => {
  assert.deepEqual(witness.faults, []);
});
