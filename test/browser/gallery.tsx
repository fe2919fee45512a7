/**
 * Renders every page with sample data, serves them on a loopback port under the strict policy that the application uses, and for each
 * looks at it with Chromium: 320 and 1280 px, light and dark. As a script it also writes HTML and PNG files into the folder given.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { ASSETS } from '../../src/web/assets/assets.ts';
import { render } from '../../src/web/views/render.ts';
import { samples } from '../web/views-samples.tsx';
import { axeFaults, openBrowser } from './people.ts';

const POLICY = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/** One thing wrong with one page. */
export interface Fault {
  readonly page: string;
  readonly where: string;
  readonly what: string;
}
export interface GalleryOptions {
  /** Names to keep; all without it. One of each family of error pages is enough for a picture. */
  readonly keep?: (name: string) => boolean;
  /** Folder for HTML and PNG files. */
  readonly folder?: string;
  readonly lang?: 'fr' | 'en';
}

const serve = async (pages: ReadonlyMap<string, string>): Promise<{ origin: string; close(): void }> => {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const asset = ASSETS.find((candidate) => candidate.path === path);
    const page = pages.get(path.slice(1));
    if (asset) response.writeHead(200, { 'content-type': asset.type }).end(readFileSync(asset.file));
    else if (page)
      response
        .writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': /data-(passkey|session|fill|log)=|data-wait="open"/.test(page)
            ? `${POLICY}; script-src 'self'; connect-src 'self'`
            : POLICY,
        })
        .end(page);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() };
};

/** What axe does not look at: width, size of what one touches, words that are broken, whether the font of ours came. */
const LAYOUT = `(() => {
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the screen: ' + document.documentElement.scrollWidth);
  for (const element of document.querySelectorAll('a[href], button, select, input:not([type=hidden])')) {
    const box = (element.closest('label') ?? element).getBoundingClientRect();
    if (box.width === 0 || element.closest('.fr-skiplinks') || getComputedStyle(element).display === 'inline') continue;
    if (box.height < 43.5) faults.push('lower than 44 px: ' + element.tagName + ' ' + element.id + ' ' + Math.round(box.height));
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const parent = text.parentElement;
    // What only a screen reader reads is one pixel wide; a code or an address may break anywhere.
    if (parent.closest('code, pre, script, .breaks, .key, svg, [hidden], .fr-sr-only') || getComputedStyle(parent.closest('thead') ?? parent).clipPath !== 'none') continue;
    for (const word of text.data.matchAll(/\\S{2,18}(?!\\S)/g)) {
      if (/\\S$/.test(text.data.slice(0, word.index)) || /[-/@.]/.test(word[0])) continue;
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (lines.size > 1 && getComputedStyle(parent).hyphens !== 'auto') faults.push('a word is broken: ' + word[0]);
    }
  }
  if (!document.fonts.check('16px "Atkinson Hyperlegible Next"')) faults.push('font missing');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('id twice: ' + id);
  return faults;
})()`;

/** How a page is looked at, in this order, without loading it again; `axe` names the rules that a change of width or of colours can break. */
const VIEWS = [
  { where: '1280-light', width: 1280, colorScheme: 'light', axe: 'all' },
  { where: '1280-dark', width: 1280, colorScheme: 'dark', axe: ['color-contrast', 'link-in-text-block'] },
  { where: '320-light', width: 320, colorScheme: 'light', axe: ['target-size', 'scrollable-region-focusable', 'color-contrast'] },
] as const;

const look = async (page: Page, origin: string, name: string, faults: Fault[], folder: string | undefined): Promise<void> => {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(`${origin}/${name}`, { waitUntil: 'load' });
  await page.evaluate('document.fonts.ready');
  for (const { where, width, colorScheme, axe } of VIEWS) {
    if (page.viewportSize()?.width !== width) await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    const layout: unknown = await page.evaluate(LAYOUT);
    const found = [...(await axeFaults(page, axe === 'all' ? undefined : axe)), ...(Array.isArray(layout) ? layout.map(String) : [])];
    for (const what of found) faults.push({ page: name, where, what });
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}-${where}.png`), fullPage: true });
  }
};

/** A window that takes one page after the other, and notes what goes wrong in it. */
const openWindow = async (browser: Browser, origin: string, faults: Fault[]): Promise<Page> => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: 'fr-FR', reducedMotion: 'reduce' });
  const note = (what: string): void => void faults.push({ page: new URL(page.url()).pathname, where: 'browser', what });
  page.on('console', (message) => message.type() === 'error' && note(`console: ${message.text()}`));
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => note('a script ran')));
  page.on('request', (request) => request.url().startsWith(origin) || note(`outside request: ${request.url()}`));
  return page;
};

/** Looks at the pages and returns what is wrong with them. */
export const runGallery = async (options: GalleryOptions = {}): Promise<{ pages: number; faults: Fault[] }> => {
  const all = Object.entries(samples(options.lang ?? 'fr')).filter(([name]) => options.keep?.(name) ?? true);
  const pages = new Map(all.map(([name, node]) => [name, render(node)]));
  if (options.folder !== undefined) {
    mkdirSync(options.folder, { recursive: true });
    for (const [name, html] of pages) writeFileSync(join(options.folder, `${name}.html`), html);
  }
  const server = await serve(pages);
  const browser = await openBrowser();
  try {
    const faults: Fault[] = [];
    const waiting = [...pages.keys()];
    const work = async (): Promise<void> => {
      const page = await openWindow(browser, server.origin, faults);
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await look(page, server.origin, name, faults, options.folder);
    };
    await Promise.all([work(), work()]);
    return { pages: pages.size, faults };
  } finally {
    await browser.close();
    server.close();
  }
};

/** The error pages differ by their words only: three stand for all. */
export const representative = (name: string): boolean =>
  !name.startsWith('error-') || ['error-mandate_revoked', 'error-not_habilitated', 'error-unavailable'].includes(name);

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const only = process.argv[3];
  const report = await runGallery({
    folder: process.argv[2] ?? '/tmp/gallery',
    keep: (name) => representative(name) && (only === undefined || name.includes(only)),
  });
  for (const fault of report.faults) console.log(`${fault.page} ${fault.where}: ${fault.what}`);
  console.log(`${report.pages} pages, ${report.faults.length} faults`);
}
