import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import decode from 'jsqr';
import type { Browser, Page } from 'playwright-core';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { get } from '../support/protocol.ts';
import { openWorld, type World } from '../support/world.ts';
import { openBrowser } from './people.ts';

let world: World;
let browser: Browser;
const folder = mkdtempSync(join(tmpdir(), 'relais-statement-'));
before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  browser = await openBrowser();
  world = await openWorld(kind);
  inTheMorning(world);
});
after(async () => {
  await browser?.close();
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads a picture as a scanner does. `page` only turns the file into points. */
const scan = async (page: Page, png: Buffer): Promise<string> => {
  const points = (await page.evaluate(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    let text = '';
    for (const byte of context.getImageData(0, 0, image.width, image.height).data) text += String.fromCharCode(byte);
    return { text: btoa(text), width: image.width, height: image.height };
  })()`)) as { text: string; width: number; height: number };
  // Declared as its default export, and loaded as its only one.
  const read = decode as unknown as typeof decode.default;
  return read(new Uint8ClampedArray(Buffer.from(points.text, 'base64')), points.width, points.height)?.data ?? '';
};
const bare = (text: string): string => text.replace(/\s+/g, ' ').trim();

test('J14 the codes of printed sheets, scanned, are checked by a page in a file, offline: what it says is what is printed; a changed one is altered', {
  database: 'pglite',
}, async () => {
  for (const themes of [['logement'], ['famille'], ['papiers']] as const) await agreed(world, 'colette', themes);
  await world.app.flushJournal();
  const kept = await get(`${world.places.relais}/verifier/releve/hors-ligne`);
  assert.match(kept.headers.get('content-disposition') ?? '', /^attachment; filename="verifier-un-releve\.html"$/);
  const file = join(folder, 'verifier.html');
  writeFileSync(file, kept.text);
  const walker = new Walker();
  await signInUsager(walker, world.places, 'colette');
  await world.app.flushJournal();
  const statement = await walker.open(`${world.places.relais}/usager/releve?periode=tout`);

  // The paper: the page as it prints, photographed.
  const paper = await browser.newPage({ viewport: { width: 900, height: 1200 }, deviceScaleFactor: 2 });
  await paper.route('**/papier', (route) => route.fulfill({ body: statement.html, contentType: 'text/html; charset=utf-8' }));
  await paper.emulateMedia({ media: 'print' });
  await paper.goto(`${world.places.relais}/papier`, { waitUntil: 'load' });
  const lines = await paper.locator('.statement .lines li').allInnerTexts();
  const codes = await paper.locator('.qr--paper').all();
  assert.ok(lines.length >= 6 && codes.length >= 2, `${lines.length} lines on ${codes.length} sheets`);
  const blank = await browser.newPage();
  const texts: string[] = [];
  for (const code of codes) texts.push(await scan(blank, await code.screenshot()));
  assert.ok(texts.every((text) => text.startsWith(`${world.app.site.publicUrl}/verifier/releve#`)));

  const away = await browser.newContext({ locale: 'fr-FR' });
  await away.setOffline(true);
  const page = await away.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  const check = async (typed: string): Promise<string> => {
    await page.locator('#texte').fill(typed);
    await page.locator('button').click();
    await page.waitForFunction("document.activeElement.tagName === 'H2'");
    const said = bare(await page.locator('#answer').innerText());
    await page.evaluate("document.getElementById('answer').replaceChildren()");
    return said;
  };
  const whole = await check(texts.join('\n'));
  assert.match(whole, /Ce qui suit est signé par Relais.*Madame Colette Martin.*Toutes les feuilles du relevé sont là/);
  for (const line of lines) {
    const [, said = '', under = ''] = line.split(/\n+/).map(bare);
    assert.ok(said !== '' && whole.includes(said) && whole.includes(under), line);
  }
  assert.match(await check(texts[0] ?? ''), /Ce n’est pas tout le relevé\. Feuilles vérifiées : 1 \//);
  const [first = ''] = texts;
  const at = first.length - 40;
  const changed = `${first.slice(0, at)}${first[at] === 'A' ? 'B' : 'A'}${first.slice(at + 1)}`;
  assert.match(await check(changed), /Ce relevé est altéré/);
  assert.match(await check('bonjour'), /Ce texte n’est pas celui/);
  assert.deepEqual(
    asked.filter((url) => !url.startsWith('file:')),
    [],
    'nothing is asked of any network',
  );

  // Online, whoever scans lands on the page with the field filled in, and the text out of the address.
  const online = await browser.newPage();
  const sent: string[] = [];
  online.on('request', (request) => sent.push(request.url()));
  await online.goto(first.replace(world.app.site.publicUrl, world.places.relais), { waitUntil: 'load' });
  assert.equal(await online.locator('#texte').inputValue(), first.replace(world.app.site.publicUrl, world.places.relais));
  assert.equal(new URL(online.url()).hash, '');
  await online.locator('#check-text').click();
  await online.waitForLoadState('load');
  assert.match(bare(await online.locator('main').innerText()), /Ce qui suit est signé par Relais/);
  assert.ok(
    sent.every((url) => !url.includes(first.slice(-60))),
    'the text stands in no address that is asked',
  );
});
