import type { Browser } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { inBrowser, newWitness, Someone, signIn } from './people.ts';

/** A mandate made on a small telephone's screen with the keyboard alone, without JavaScript: how much does it ask of a tired hand? */
const witness = newWitness();
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
});

for (const [lang, identity, who, person] of [
  ['fr', 'karim', 'Karim Benali', 'colette'],
  ['en', 'karim', 'Karim Benali', 'jean'],
] as const)
  test(`a mandate takes at most 4 pages, 12 fields and 60 key presses, at 320 px (${lang})`, { database: 'pglite' }, async () => {
    const someone = await Someone.arrive(browser, who, witness);
    await signIn(someone, world, 'aidant', identity, who);
    await someone.open(`${world.places.relais}/aidant${lang === 'en' ? '?lang=en' : ''}`);
    await someone.page.setViewportSize({ width: 320, height: 720 });
    let keys = 0;
    let fields = 0;
    const pages = new Set<string>();
    /** To something of the page's content, by the first link of every page. */
    const to = async (selector: string): Promise<void> => {
      pages.add(someone.path.replace(/dra_[a-z0-9]+/, '…'));
      await someone.key('Tab');
      await someone.key('Enter');
      keys += 2 + (await someone.tabTo(selector));
    };
    const on = async (selector: string): Promise<void> => {
      keys += await someone.tabTo(selector);
    };
    const press = async (key: string): Promise<void> => {
      keys += 1;
      await someone.key(key);
    };
    const go = async (): Promise<void> => {
      keys += 1;
      await someone.keyAndGo('Enter');
    };
    await someone.open(`${world.places.relais}/aidant/mandats/nouveau`);
    await someone.look(`keys-1-${lang}`);
    await to('#demarche-1');
    await press('Space');
    fields += 1;
    await on('#continue');
    await go();
    assert.ok(await someone.page.locator('#days-1').isChecked(), 'the shortest is chosen beforehand');
    await someone.look(`keys-2-${lang}`);
    await to('#continue');
    await go();
    assert.match(someone.path, /^\/aidant\/mandats\/brouillon\/dra_/);
    await someone.look(`keys-3-${lang}`);
    await to('#person-signs-in');
    await go();
    // What the person does at FranceConnect is hers: it is not counted.
    await someone.press(`#identite-${person}`);
    assert.match(someone.path, /\/signer$/);
    await someone.look(`keys-4-${lang}`);
    const code = await someone.readCode(world, who);
    await to('#said-aloud');
    await press('Space');
    await on('#code');
    keys += code.length;
    fields += 2;
    await someone.page.keyboard.type(code);
    await go();
    assert.match(someone.path, /^\/aidant\/mandats\/man_[a-z0-9]+\/cree$/);
    assert.equal(await someone.page.locator('html').getAttribute('lang'), lang, 'the language asked once is kept on every page');
    await someone.look(`keys-5-${lang}`);
    const [made] = await world.sql('select demarches, days from mandate order by accepted_at desc limit 1');
    assert.deepEqual([Array.isArray(made?.['demarches']), made?.['days']], [true, 1]);
    assert.deepEqual([pages.size <= 4, fields <= 12, keys <= 60], [true, true, true], `${pages.size} pages, ${fields} fields, ${keys} keys`);
    console.log(`  ${lang}: ${pages.size} pages, ${fields} fields, ${keys} key presses`);
  });

test('on the way the focus was always seen, nothing was wider than the screen, and axe had nothing to say', { database: 'pglite' }, async () => {
  await witness.axe;
  assert.deepEqual(witness.faults, []);
});
