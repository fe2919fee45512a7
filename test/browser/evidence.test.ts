import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { signNote, writeCheckpoint } from '../../src/journal/note.ts';
import { append, EMPTY_EDGE, leafHash, rootOf } from '../../src/journal/tree.ts';
import { readPrivateKey } from '../../src/kernel/crypto.ts';
import type { Evidence } from '../../src/web/evidence.ts';
import { agreed, eventOf, personOf, reportAt, sessionOf, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type PageLine, script, unescaped, untilWitnessed } from '../support/evidence.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';
import { axeFaults, newWitness, openBrowser, watch } from './people.ts';

/** The page that checks itself, in Chromium, with the witnesses of the demonstration: each of the five states, and what brings it. */

const on = { database: 'pglite' } as const;
const witness = newWitness();
let world: World;
let browser: Browser;
let signedIn: Awaited<ReturnType<BrowserContext['storageState']>>;

before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  browser = await openBrowser();
  world = await openWorld(kind, { witnessed: true });
  const karim = await signedInAidant(world);
  const service = await world.service('seen-service');
  await agreed(world, 'colette', ['logement', 'famille']);
  for (let i = 0; i < 5; i++) {
    const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
    const events = Array.from({ length: 10 }, (_, n) => eventOf(service, sessionOf(claims), `seen-${i}-${n}`, { reference: `REF-${i}-${n}` }));
    assert.equal((await reportAt(world, tokens.access_token, events)).status, 202);
  }
  const usager = await personOf(world, 'colette');
  const token = { entry: { type: 'token.issued', usager, service: service.id, detail: { kind: 'access' } } } as const;
  await world.database.run((tx) =>
    world.app.journal.recordAll(
      tx,
      Array.from({ length: 25 }, () => token),
    ),
  );
  const first = await browser.newContext();
  await signIn(await first.newPage());
  signedIn = await first.storageState();
  await first.close();
  await untilWitnessed(world);
});
after(async () => {
  await browser?.close();
  await world?.close();
  const faults = witness.faults.filter((fault) => !fault.includes('ERR_INTERNET_DISCONNECTED')); // one test has no network
  assert.deepEqual(faults, []);
});

/** Colette's computer, whose clock is that of the house. */
const computer = async (
  options: { readonly script?: boolean; readonly minutes?: number; readonly ownClock?: boolean } = {},
): Promise<{ context: BrowserContext; page: Page }> => {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'fr-FR',
    javaScriptEnabled: options.script !== false,
    acceptDownloads: true,
    storageState: signedIn,
  });
  watch(context, witness);
  context.setDefaultTimeout(10_000);
  // A clock that is set also replaces `performance`.
  if (!options.ownClock) await context.clock.setFixedTime(Date.now() + (options.minutes ?? 0) * 60_000);
  return { context, page: await context.newPage() };
};
const signIn = async (page: Page): Promise<void> => {
  await page.goto(`${world.places.relais}/connexion/franceconnect`);
  await Promise.all([page.waitForURL('**/usager'), page.locator('#identite-colette').click()]);
};
const open = (page: Page) => page.goto(`${world.places.relais}/usager`);
const state = async (page: Page, wanted: string): Promise<string> => {
  await page.locator(`#checked[data-state="${wanted}"]`).waitFor({ timeout: 15_000 });
  return (await page.locator('#checked [role="status"]').innerText()).replace(/\s+/g, ' ').trim();
};
const shoot = async (page: Page, name: string): Promise<void> => {
  const folder = process.env['RELAIS_SHOTS'];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(folder, `evidence-${name}-${width}.png`), fullPage: false });
    const box = page.locator('#checked');
    await box.screenshot({ path: join(folder, `evidence-${name}-${width}-box.png`) });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
};
/** Lets somebody between the house and the browser change the person's page. */
const change = async (page: Page, edit: (html: string) => string): Promise<void> => {
  await page.route(/\/usager(\?.*)?$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: edit(await answer.text()) });
  });
};
const evidenceOn = (page: Page): Promise<Evidence> =>
  page.evaluate("JSON.parse(document.getElementById('evidence').content.textContent).evidence") as Promise<Evidence>;

test('the page says by whom it is verified, in words that are announced (§6.37)', on, async () => {
  const { context, page } = await computer();
  await context.clearCookies();
  await signIn(page); // an entry of that moment: sealed and witnessed while she looks
  const said = await state(page, 'verified');
  assert.match(said, /^Vérifié par temoin-1 et temoin-2, à \d+ h \d\d\./);
  assert.match(said, /Rien ne manque entre la première et la dernière ligne de cette page/);
  assert.equal(await page.locator('#checked [role="status"] svg.icon').count(), 1);
  assert.deepEqual(await axeFaults(page), []);
  await shoot(page, 'verified');
  await page.reload();
  await state(page, 'verified');
  await untilWitnessed(world);
  await page.reload();
  assert.match(await state(page, 'verified'), /Le journal continue celui de votre dernière visite/);
  await page.locator('li[data-entry] a').first().click();
  await page.waitForURL('**/usager/entrees/*');
  await state(page, 'verified');
  await shoot(page, 'entry');
  await context.close();
});

test('without network after it was loaded, a page of fifty entries is verified within 150 ms (§6.37)', on, async () => {
  const { context, page } = await computer({ ownClock: true });
  await open(page);
  await state(page, 'verified');
  await untilWitnessed(world);
  await page.reload();
  await state(page, 'verified');
  assert.ok((await evidenceOn(page)).entries.length >= 50, String((await evidenceOn(page)).entries.length));
  await context.setOffline(true);
  const measured = () => page.evaluate("performance.getEntriesByName('relais-verify').map((one) => one.duration)") as Promise<number[]>;
  const already = (await measured()).length;
  for (let i = 1; i <= 5; i++) {
    await page.getByRole('button', { name: 'Vérifier de nouveau' }).click();
    assert.ok(await until(async () => (await measured()).length >= already + i));
  }
  const times = (await measured()).slice(already);
  assert.match(await state(page, 'verified'), /^Vérifié par/);
  const best = Math.min(...times);
  assert.ok(best <= 150, `took ${times.map(Math.round).join(', ')} ms`);
  await context.close();
});

test(
  'a browser without Ed25519 of its own gives the same answer with the library; one without WebCrypto says that it cannot (§6.37)',
  on,
  async () => {
    const { context, page } = await computer();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.addInitScript(`{
    const real = SubtleCrypto.prototype.importKey;
    SubtleCrypto.prototype.importKey = function (format, data, algorithm, ...rest) {
      if ((algorithm.name ?? algorithm) === 'Ed25519') return Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'));
      return real.call(this, format, data, algorithm, ...rest);
    };
  }`);
    await open(page);
    assert.match(await state(page, 'verified'), /^Vérifié par temoin-1 et temoin-2/);
    assert.ok(asked.includes('/assets/ed25519.js'));
    await change(page, (html) =>
      html.replace(
        /(— temoin-1\S* )([A-Za-z0-9+/]{30})(.)/,
        (_, name: string, kept: string, one: string) => `${name}${kept}${one === 'A' ? 'B' : 'A'}`,
      ),
    );
    await open(page);
    assert.match(await state(page, 'mismatch'), /signatures/);
    await context.close();
    const old = await computer();
    await old.page.addInitScript("Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })");
    await open(old.page);
    assert.match(await state(old.page, 'unable'), /^Vérification impossible \(navigateur ancien ou hors connexion\)/);
    await shoot(old.page, 'unable');
    await old.context.close();
  },
);

test('with witnesses silent for six minutes the page does not say verified (§6.28)', on, async () => {
  const { context, page } = await computer({ minutes: 6 });
  await open(page);
  const said = await state(page, 'sealed');
  assert.match(said, /depuis plus de cinq minutes/);
  assert.doesNotMatch(said, /Vérifié/);
  await shoot(page, 'sealed');
  await context.close();
});

const CHANGES: readonly (readonly [what: string, says: RegExp, edit: (html: string) => string])[] = [
  ['a word of a line', /texte affiché/, (html) => html.replace('REF-4-9</span>', 'REF-4-8</span>')],
  ['a line taken away', /Une ligne manque/, (html) => html.replace(/<li id="line-\d+" data-entry[\s\S]*?<\/li>/, '')],
  ['a field', /contenu de la ligne a été changé|texte affiché/, (html) => html.replace(/(value&quot;:&quot;)REF-4-9/, '$1REF-4-8')],
  [
    'a hash of the tree',
    /pas dans le journal|signatures/,
    (html) => html.replace(/(nodes&quot;:\[&quot;)(.)/, (_, start: string, one: string) => `${start}${one === 'A' ? 'B' : 'A'}`),
  ],
];
for (const [what, says, edit] of CHANGES)
  test(`J1 a page with ${what} changed says that it does not match, and gives a file that shows it`, on, async () => {
    const { context, page } = await computer();
    await open(page);
    await state(page, 'verified');
    await change(page, edit);
    await open(page);
    const said = await state(page, 'mismatch');
    assert.match(said, /^Ne correspond pas : gardez ce fichier/);
    assert.match(said, says);
    assert.match(said, /appelez le 0 ?800/);
    if (what === 'a word of a line') {
      assert.deepEqual(await axeFaults(page), []);
      await shoot(page, 'mismatch');
    }
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Télécharger les preuves' }).click()]);
    assert.match(download.suggestedFilename(), /^relais-preuves-\d{4}-\d\d-\d\d\.json$/);
    const file = JSON.parse(readFileSync(await download.path(), 'utf8')) as { problem: unknown; lines: PageLine[]; evidence: Evidence };
    const again = await script.checkEvidence(file.evidence);
    assert.deepEqual(again.problem ?? script.compareLines(file.lines, again.entries, file.evidence), file.problem);
    await context.close();
  });

test('a page from which the newest line and its evidence are gone does not match what was seen before (§6.30)', on, async () => {
  const { context, page } = await computer();
  await open(page);
  await state(page, 'verified');
  const { entries, party } = await evidenceOn(page);
  const [newest] = entries;
  await change(page, (html) => {
    const without = html.replace(new RegExp(`<li id="line-${newest?.index}"[\\s\\S]*?</li>`), '');
    return without.replace(/(<template id="evidence">)([\s\S]*?)(<\/template>)/, (_, start: string, json: string, close: string) => {
      const block = JSON.parse(unescaped(json)) as { evidence: { entries: { index: number }[]; party: { last: number } } };
      block.evidence.entries = block.evidence.entries.filter(({ index }) => index < (newest?.index ?? 0));
      block.evidence.party.last = party.last - 1;
      return start + JSON.stringify(block).replaceAll('&', '&amp;').replaceAll('<', '&lt;') + close;
    });
  });
  await open(page);
  assert.match(await state(page, 'mismatch'), /Des lignes que vous aviez vues ont disparu/);
  await context.close();
});

test('a browser that keeps a checkpoint of one history refuses another one of the same log (§6.27)', on, async () => {
  const { context, page } = await computer();
  await open(page);
  await state(page, 'verified');
  const { origin } = world.app;
  const key = readPrivateKey(world.demonstration.config.keys.pem('journal-ed25519').reveal());
  const { edge } = append(
    EMPTY_EDGE,
    Array.from({ length: 21 }, (_, i) => leafHash(`{"other":${i}}`)),
  );
  const note = signNote(writeCheckpoint({ origin, size: 21, root: rootOf(edge) }), origin, key);
  const kept = { size: 21, root: rootOf(edge).toString('base64'), note };
  await page.evaluate(`new Promise((resolve) => {
    const request = indexedDB.open('relais-journal', 1);
    request.onsuccess = () => {
      const put = request.result.transaction('seen', 'readwrite').objectStore('seen').put(${JSON.stringify(kept)}, ${JSON.stringify(origin)});
      put.onsuccess = () => { request.result.close(); resolve(); };
    };
  })`);
  await page.reload();
  assert.match(await state(page, 'mismatch'), /Le journal n’est plus celui de votre dernière visite/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Télécharger les preuves' }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  const file = JSON.parse(text) as { problem: { before: string }; evidence: Evidence };
  assert.equal(file.problem.before, note, 'both notes are in the file');
  assert.ok(file.evidence.newest?.startsWith(`${origin}\n`));
  await context.close();
});

test('without JavaScript the sentence about the seal stays, and nothing is claimed of a check', on, async () => {
  const { context, page } = await computer({ script: false });
  await open(page);
  assert.equal((await page.locator('#checked [role="status"]').innerText()).trim(), '');
  assert.match(await page.locator('.verified').innerText(), /signées|signature|vérifiées/i);
  await context.close();
});
