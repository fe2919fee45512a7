import type { Browser } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { axeFaults, inBrowser, newWitness, watch } from './people.ts';

/** An integrator tries from her own site and watches what Relais answered it. */
const witness = newWitness();
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
});

test('Sofia’s list of calls follows what her site asks without being loaded again, until she stops it', { database: 'pglite' }, async () => {
  await world.service('bati');
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR' });
  watch(context, witness);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const press = (selector: string) => Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()]);
  await page.goto(`${world.places.relais}/connexion/proconnect?vers=/administration/sites`);
  await press('#identite-sofia');
  await page.locator('#code').fill(await world.code(world.places, 'Sofia Marchand'));
  await press('#check-code');
  await page.goto(`${world.places.relais}/administration/sites/bati`);
  const list = page.locator('#calls');
  assert.match(await list.innerText(), /Aucun appel depuis 7 jours/);

  const ask = async (): Promise<void> => {
    const answer = await fetch(`${world.places.relais}/oidc/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('bati:wrong').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    await answer.body?.cancel();
    await world.app.site.requests.flush();
  };
  await press('#follow');
  assert.match(await page.locator('main').innerText(), /Suivi en direct jusqu’à \d+\sh\s\d\d/);
  await page.evaluate("document.querySelector('main').dataset.here = 'yes'");
  await ask();
  await list.locator('tbody tr', { hasText: 'invalid_client' }).waitFor();
  assert.equal(await page.evaluate("document.querySelector('main').dataset.here"), 'yes', 'the page was not loaded again');
  for (const fault of await axeFaults(page)) witness.faults.push(fault);

  await press('#follow');
  assert.equal(new URL(page.url()).search, '');
  assert.equal(await page.locator('[data-wait]').count(), 0, 'nothing is read again');
  for (const [asked, wait] of [
    ['700', undefined],
    ['x', undefined],
    ['-1', 'over'],
  ] as const) {
    const until = asked === 'x' ? asked : String(Math.floor(Date.now() / 1000) + Number(asked));
    await page.goto(`${world.places.relais}/administration/sites/bati?suivre=${until}`);
    const calls = page.locator('[data-wait]');
    assert.equal((await calls.count()) ? await calls.getAttribute('data-wait') : undefined, wait, `${asked}: over, or for longer than ten minutes`);
    assert.match(await page.locator('#follow').innerText(), /Suivre en direct/, 'and may be asked for again');
  }
  assert.deepEqual(witness.faults, []);
});
