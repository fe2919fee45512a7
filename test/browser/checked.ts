import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { Walker } from '../../src/practice/walker.ts';
import { type Witness, watch } from './people.ts';

/** Pages that show entries, in a browser in which somebody is signed in already. */

/** A page of a new browser with the session of `walker`, whose clock is that of the house. */
export const pageOf = async (browser: Browser, walker: Walker, witness: Witness): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR', acceptDownloads: true });
  watch(context, witness);
  context.setDefaultTimeout(10_000);
  await context.addCookies(
    [...walker.cookies.values()].map(({ value, path, host }) => {
      const [name = '', ...rest] = value.split('=');
      return { name, value: rest.join('='), path, domain: host };
    }),
  );
  await context.clock.setFixedTime(Date.now());
  return context.newPage();
};

/** What the page says of its lines once it is in this state. */
export const said = async (page: Page, state: string): Promise<string> => {
  await page.locator(`#checked[data-state="${state}"]`).waitFor({ timeout: 45_000 });
  return (await page.locator('#checked [role="status"]').innerText()).replace(/\s+/g, ' ').trim();
};

/** With RELAIS_SHOTS=<folder>, photographs what the page says at 1280 and 320 px. */
export const shoot = async (page: Page, name: string): Promise<void> => {
  const folder = process.env['RELAIS_SHOTS'];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await page.locator('#checked').scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(folder, `page-${name}-${width}.png`) });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
};
