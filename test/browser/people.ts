/**
 * People in front of a real browser, over the whole house: each has a context of their own (cookies, history), JavaScript is off, as it is for whoever
 * blocks it, and every page they pass is looked at. With RELAIS_SHOTS=<folder> each page is also photographed at 320 and 1280 px.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { databases } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS });

/**
 * Opens a browser and a world on the embedded database before the tests of a file, and closes both after them. `ready` prepares what the file needs:
 * hooks of a whole file do not wait for one another.
 */
export const inBrowser = (ready: (opened: { readonly world: World; readonly browser: Browser }) => Promise<void> | void): void => {
  let browser: Browser | undefined;
  let world: World | undefined;
  before(async () => {
    const [kind] = databases();
    if (!kind) throw new Error('no database');
    browser = await openBrowser();
    world = await openWorld(kind);
    await ready({ world, browser });
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });
};

/** Runs axe in a page whose scripts may run, all its rules or those named; one line a violation. */
export const axeFaults = async (page: Page, rules?: readonly string[]): Promise<string[]> => {
  if (!(await page.evaluate(`typeof axe === 'object'`))) await page.evaluate(axeSource);
  const only = rules ? { type: 'rule', values: rules } : { type: 'tag', values: AXE_TAGS };
  const found: unknown = await page.evaluate(
    `axe.run({ runOnly: ${JSON.stringify(only)}, resultTypes: ['violations'] }).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.any.map((a) => a.message).join('; ')).join(' | ')))`,
  );
  return Array.isArray(found) ? found.map(String) : ['axe did not answer'];
};

const WIDER = `document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : 0`;

/** What is wrong with the pages that people passed, and which pages these were. */
export interface Witness {
  readonly faults: string[];
  readonly pages: string[];
  readonly asked: Set<string>;
  /** What axe has still to look at; awaited once, at the end. */
  axe: Promise<void>;
}
export const newWitness = (): Witness => ({ faults: [], pages: [], asked: new Set(), axe: Promise.resolve() });

/** Notes what a context asks for beyond this machine, and every complaint of the browser (a broken rule of the content policy is one). */
export const watch = (context: BrowserContext, witness: Witness): void => {
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol === 'data:') return;
    witness.asked.add(url.origin);
    if (url.hostname !== 'localhost') witness.faults.push(`outside request: ${request.url()}`);
  });
  context.on('console', (message) => {
    // Chromium says so of every page whose status is 4xx, and a refused form is one.
    const refusal =
      /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text()) && !/\/assets\//.test(message.location().url);
    if (message.type() === 'error' && !refusal) witness.faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  context.on('weberror', (error) => witness.faults.push(`script: ${error.error().message}`));
};

let shot = 0;

/** Somebody with a browser. */
export class Someone {
  readonly page: Page;
  readonly #name: string;
  readonly #witness: Witness;
  readonly #twin: Page;

  private constructor(name: string, page: Page, twin: Page, witness: Witness) {
    this.#name = name;
    this.page = page;
    this.#twin = twin;
    this.#witness = witness;
  }

  /** Opens a browser window for somebody: a context of one's own, without JavaScript. */
  static async arrive(browser: Browser, name: string, witness: Witness): Promise<Someone> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR', javaScriptEnabled: false });
    // axe is a script: it looks at the same page, at the same address, in a window whose scripts may run.
    const looking = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR' });
    watch(context, witness);
    context.setDefaultTimeout(10_000);
    looking.setDefaultTimeout(10_000);
    return new Someone(name, await context.newPage(), await looking.newPage(), witness);
  }

  /** Another tab of the same browser. */
  async tab(): Promise<Someone> {
    return new Someone(this.#name, await this.page.context().newPage(), this.#twin, this.#witness);
  }

  get path(): string {
    return new URL(this.page.url()).pathname;
  }
  get origin(): string {
    return new URL(this.page.url()).origin;
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url, { waitUntil: 'load' });
  }

  /** Presses something that leads to another page. */
  async press(selector: string): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), this.page.locator(selector).first().click()]);
  }

  /** Presses the link or button whose words begin so. */
  async pressNamed(words: string | RegExp): Promise<void> {
    const target = this.page.locator('main').locator('a, button').filter({ hasText: words }).first();
    await Promise.all([this.page.waitForEvent('load'), target.click()]);
  }

  async tick(selector: string): Promise<void> {
    await this.page.locator(selector).check();
  }
  async write(selector: string, text: string): Promise<void> {
    await this.page.locator(selector).fill(text);
  }

  /** The title, with ordinary spaces. */
  async title(): Promise<string> {
    return (await this.page.title()).replace(/\s+/g, ' ');
  }

  /** All that the page says, with ordinary spaces. */
  async text(selector = 'body'): Promise<string> {
    return (await this.page.locator(selector).first().innerText()).replace(/\s+/g, ' ').trim();
  }
  async sees(selector: string): Promise<boolean> {
    return (await this.page.locator(selector).count()) > 0;
  }

  /** Moves with the Tab key until the focus is on what is named; says how many keys it took. Everything on the way must show that it has the focus. */
  async tabTo(selector: string): Promise<number> {
    for (let keys = 1; keys < 80; keys++) {
      await this.page.keyboard.press('Tab');
      const seen: unknown = await this.page.evaluate(
        `(() => { const e = document.activeElement; if (!e || e === document.body) return 'nothing';
          const rings = [e, e.closest('label'), e.nextElementSibling].filter(Boolean).some((x) => { const s = getComputedStyle(x); return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== 'none'; });
          return (rings ? '' : 'no ring ') + (e.matches(${JSON.stringify(selector)}) ? 'here' : '') + '|' + e.outerHTML.slice(0, 80); })()`,
      );
      const said = String(seen);
      if (said.startsWith('no ring')) this.#witness.faults.push(`${this.path}: the focus cannot be seen: ${said}`);
      if (said.split('|')[0]?.includes('here')) return keys;
    }
    throw new Error(`${selector} is not reached with the Tab key on ${this.path}`);
  }
  async key(name: string): Promise<void> {
    await this.page.keyboard.press(name);
  }
  /** A key that leads to another page. */
  async keyAndGo(name: string): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), this.page.keyboard.press(name)]);
  }

  /** Looks at the page: nothing wider than a telephone, nothing for axe to say. */
  async look(name: string): Promise<void> {
    const witness = this.#witness;
    witness.pages.push(name);
    const html = await this.page.content();
    const url = this.page.url();
    const { path } = this;
    witness.axe = witness.axe.then(() => this.#axe(name, path, url, html)).catch((error: unknown) => void witness.faults.push(`${name}: ${error}`));
    const folder = process.env['RELAIS_SHOTS'];
    const before = this.page.viewportSize() ?? { width: 1280, height: 900 };
    const file = `${String(++shot).padStart(2, '0')}-${name.replaceAll(/[^a-z0-9]+/g, '-')}`;
    if (folder) {
      mkdirSync(folder, { recursive: true });
      await this.page.setViewportSize({ width: 1280, height: 900 });
      await this.page.screenshot({ path: join(folder, `${file}-1280.png`), fullPage: true });
    }
    await this.page.setViewportSize({ width: 320, height: 720 });
    const wider = Number(await this.page.evaluate(WIDER));
    if (wider > 0) witness.faults.push(`${name} (${this.path}): ${wider} px wide on a screen of 320`);
    if (folder) await this.page.screenshot({ path: join(folder, `${file}-320.png`), fullPage: true });
    await this.page.setViewportSize(before);
  }

  /** Shows the same words at the same address in the window whose scripts may run, and asks axe there; meanwhile the story goes on. */
  async #axe(name: string, path: string, url: string, html: string): Promise<void> {
    const twin = this.#twin;
    await twin.route(url, (route) => route.fulfill({ body: html, contentType: 'text/html; charset=utf-8' }), { times: 1 });
    await twin.goto(url, { waitUntil: 'load' });
    for (const what of await axeFaults(twin)) this.#witness.faults.push(`${name} (${path}): ${what}`);
  }

  /** Reads somebody's next code on the page of the messages, as on their telephone, and lets the time pass that it needs. */
  async readCode(world: World, who: string): Promise<string> {
    const tab = await this.page.context().newPage();
    try {
      for (let tries = 0; tries < 4; tries++) {
        await tab.goto(world.places.messages);
        const row = tab.locator('tr', { hasText: who });
        if (/maintenant/.test(await row.innerText())) return await row.locator('.code').innerText();
        world.advance(30_000);
      }
      throw new Error(`no code for ${who}`);
    } finally {
      await tab.close();
    }
  }
}

/** Signs a member of staff in through the ProConnect simulator, one click and a code; ends where Relais leads. */
export const signIn = async (someone: Someone, world: World, door: 'aidant' | 'administration', identity: string, who: string): Promise<void> => {
  await someone.open(world.places.relais);
  await someone.press(`#enter-${door}`);
  await someone.press(`button[name="identity"][value="${identity}"]`);
  await someone.write('#code', await someone.readCode(world, who));
  await someone.press('#check-code');
};
