import { after, before } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { untilWitnessed } from '../support/evidence.ts';
import { get } from '../support/protocol.ts';
import { openWorld, type World } from '../support/world.ts';
import { pageOf, said, shoot } from './checked.ts';
import { newWitness, openBrowser } from './people.ts';

/** A person with 5,000 entries: her page claims that nothing is missing, for its own span and since the first, whatever their number. */

const on = { database: 'pglite' } as const;
const witness = newWitness();
const MANY = 5000;
let world: World;
let browser: Browser;
const colette = new Walker();

before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  browser = await openBrowser();
  world = await openWorld(kind, { witnessed: true });
  const usager = await personOf(world, 'colette');
  const read = { type: 'journal.read', usager, detail: { reason: 'contrôle', entries: 1, administrationName: 'la CAF' } } as const;
  const token = { type: 'token.issued', usager, detail: { kind: 'access' } } as const;
  const write = (count: number, entry: typeof read | typeof token) =>
    world.database.run((tx) =>
      world.app.journal.recordAll(
        tx,
        Array.from({ length: count }, () => ({ entry })),
      ),
    );
  await write(40, read);
  for (let left = MANY - 70; left > 0; left -= 1000) {
    await write(Math.min(left, 1000), token);
    await world.app.flushJournal(); // more than 4,096 may not wait
  }
  await write(10, read);
  await signInUsager(colette, world.places, 'colette');
  await untilWitnessed(world);
});
after(async () => {
  await browser?.close();
  await world?.close();
  assert.deepEqual(
    witness.faults.filter((fault) => !fault.includes('ERR_FAILED')),
    [],
  );
});

const open = async (parts?: (body: string) => string | undefined): Promise<{ page: Page; asked: string[] }> => {
  const page = await pageOf(browser, colette, witness);
  const asked: string[] = [];
  await page.route('**/usager/suite?*', async (route) => {
    asked.push(route.request().url());
    if (!parts) return route.continue();
    const answer = await route.fetch();
    const body = parts(await answer.text());
    await (body === undefined ? route.abort() : route.fulfill({ response: answer, body }));
  });
  await page.goto(`${world.places.relais}/usager`);
  return { page, asked };
};

test(
  'the span of one page holds thousands of entries without a line: all of them are counted, part by part, and the page says that none is missing',
  on,
  async () => {
    const begun = performance.now();
    const { page, asked } = await open();
    const words = await said(page, 'verified');
    const ms = Math.round(performance.now() - begun);
    assert.match(words, /Rien ne manque entre la première et la dernière ligne de cette page/);
    assert.ok(asked.length >= 8 && asked.length <= 11, String(asked.length));
    assert.equal(await page.locator('[data-entry]').count(), 30);
    assert.ok(ms < 45_000, `${ms} ms from the request to the claim`);
    await page.getByRole('button', { name: 'Vérifier depuis le début' }).click();
    await page.getByText('Rien ne manque depuis la toute première ligne').waitFor({ timeout: 30_000 });
    const [row] = await world.sql('select max(usager_n) n from journal.projection where usager = $1', [await personOf(world, 'colette')]);
    const total = new Intl.NumberFormat('fr').format(Number(row?.['n'])).replace(/\s/g, ' ');
    assert.match(await said(page, 'verified'), new RegExp(`Rien ne manque depuis la toute première ligne : ${total} lignes vérifiées\\.`));
    await shoot(page, 'many-everything');
    await page.getByRole('button', { name: 'Vérifier de nouveau' }).click();
    await page.getByText('Rien ne manque depuis la toute première ligne').waitFor({ timeout: 30_000 });
    await page.context().close();
  },
);

test('while it counts, the page says how many lines and how far it is', on, async () => {
  let go = (): void => undefined;
  const held = new Promise<void>((resume) => {
    go = resume;
  });
  const page = await pageOf(browser, colette, witness);
  let parts = 0;
  await page.route('**/usager/suite?*', async (route) => {
    if (++parts === 5) await held;
    await route.continue();
  });
  await page.goto(`${world.places.relais}/usager`);
  const bar = page.locator('#checked progress');
  await bar.waitFor();
  await page.getByText(/Votre navigateur vérifie 4\s\d{3} lignes, une par une…/).waitFor();
  assert.ok((await bar.getAttribute('aria-label'))?.length);
  assert.ok(Number(await bar.getAttribute('value')) >= 500, 'the parts that came');
  await shoot(page, 'many-progress');
  go();
  await said(page, 'verified');
  assert.equal(await bar.count(), 0);
  await page.context().close();
});

test('an entry left out of a part is a gap; a part that does not come leaves no claim', on, async () => {
  let first = true;
  const gone = await open((body) => {
    const part = JSON.parse(body) as { entries: unknown[] };
    if (first) part.entries.splice(20, 1);
    first = false;
    return JSON.stringify(part);
  });
  assert.match(await said(gone.page, 'mismatch'), /Une ligne a été cachée : les numéros ne se suivent pas/);
  await gone.page.unrouteAll({ behavior: 'ignoreErrors' });
  await gone.page.context().close();
  let parts = 0;
  const cut = await open((body) => (++parts > 3 ? undefined : body));
  const words = await said(cut.page, 'verified');
  assert.match(words, /Toutes les lignes n’ont pas pu être lues/);
  assert.doesNotMatch(words, /Rien ne manque/);
  await cut.page.unrouteAll({ behavior: 'ignoreErrors' });
  await cut.page.context().close();
});

test('leaves are given to her alone, and only under a size that is signed', on, async () => {
  const path = `${world.places.relais}/usager/suite`;
  assert.equal((await get(`${path}?de=0&avant=10&taille=5`)).status, 401);
  const size = (await world.app.site.checkpoint())?.size ?? 0;
  for (const [query, status] of [
    [`de=0&avant=100&taille=${size}`, 200],
    [`de=0&avant=100&taille=${size + 1000}`, 400],
    ['de=0&avant=x&taille=1', 400],
    ['de=0', 400],
    ['de=5&avant=0&taille=0', 200],
  ] as const) {
    const page = await colette.open(`${path}?${query}`);
    assert.equal(page.status, status, query);
    if (status !== 200) continue;
    const { entries } = JSON.parse(page.html) as { entries: { index: number }[] };
    const usager = await personOf(world, 'colette');
    const own = new Set((await world.sql('select idx from journal.projection where usager = $1', [usager])).map((row) => Number(row['idx'])));
    assert.ok(entries.every(({ index }) => own.has(index)));
  }
});
