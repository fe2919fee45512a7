import { createServer } from 'node:http';
import type { Browser, BrowserContext } from 'playwright-core';
import { assert, test } from '../support/check.ts';
import { routesOf } from '../support/routes.ts';
import { type Stage, stage } from '../support/stage.ts';
import type { World } from '../support/world.ts';
import { inBrowser } from './people.ts';

/** What only a real browser can tell: that it refuses to frame our pages, and that it asks nobody else for anything. */
let world: World;
let staged: Stage;
let browser: Browser;

inBrowser(async (opened) => {
  ({ world, browser } = opened);
  staged = await stage(world);
});

/** A window with the cookies of somebody who is signed in. */
const openAs = async (who: keyof Pick<Stage, 'aidant' | 'usager' | 'agent'>): Promise<BrowserContext> => {
  const context = await browser.newContext({ locale: 'fr-FR' });
  context.setDefaultTimeout(10_000);
  await context.addCookies(
    [...staged[who].cookies.values()].map(({ value, path, host }) => {
      const at = value.indexOf('=');
      return { name: value.slice(0, at), value: value.slice(at + 1), domain: host, path };
    }),
  );
  return context;
};

test('S2 a browser frames none of our pages: from another origin, nested, sandboxed, as an object, or within our own', {
  database: 'pglite',
}, async () => {
  const pages = [staged.target('/usager/mandats/:id/arreter').path, '/', `/oidc/auth?client_id=${staged.service.id}`, '/nothing'];
  const { relais } = world.places;
  // Localhost under its other name is another site; the cookies of a framed page do not matter, the refusal comes before.
  const evil = createServer((request, response) => {
    const { searchParams, pathname } = new URL(request.url ?? '/', 'http://evil');
    const url = `${relais}${searchParams.get('page') ?? '/'}`.replaceAll('&', '&amp;');
    const frame = {
      '/plain': `<iframe id="f" src="${url}"></iframe>`,
      '/sandboxed': `<iframe id="f" sandbox="allow-forms allow-scripts allow-same-origin" src="${url}"></iframe>`,
      '/opaque': `<iframe id="f" sandbox="allow-forms" src="${url}"></iframe>`,
      '/object': `<object id="f" data="${url}" type="text/html"></object>`,
      '/nested': `<iframe id="f" src="/plain?page=${encodeURIComponent(searchParams.get('page') ?? '/')}"></iframe>`,
      '/friendly': '<iframe id="f" src="/bare"></iframe>',
      '/bare': '<p>FRAMED</p>',
    }[pathname];
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><body>${frame ?? ''}</body>`);
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  const address = evil.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const context = await openAs('usager');
  try {
    const page = await context.newPage();
    const read = async (): Promise<string[]> =>
      Promise.all(
        page
          .frames()
          .slice(1)
          .map((frame) => frame.evaluate('document.body ? document.body.innerText : ""').then(String, () => '')),
      );
    await page.goto(`${origin}/friendly`);
    assert.deepEqual(await read(), ['FRAMED'], 'the browser frames what allows it: the test sees frames');
    for (const path of pages)
      for (const way of ['plain', 'sandboxed', 'opaque', 'object', 'nested']) {
        await page.goto(`${origin}/${way}?page=${encodeURIComponent(path)}`, { waitUntil: 'load' });
        const seen = (await read()).join('\n');
        assert.doesNotMatch(seen, /Relais|Aide|mandat|Colette|Connexion|Erreur/i, `${way} ${path}: ${seen.slice(0, 200)}`);
      }
    await page.goto(`${relais}/usager`);
    assert.match((await page.textContent('main')) ?? '', /Colette|Martin|mairie/i, 'the same window reads the same pages when they are not framed');
  } finally {
    await context.close();
    await new Promise((resolve) => evil.close(resolve));
  }
});

test('V8 every page that the application serves, read by its person, asks nothing of anybody else', { database: 'pglite', atLeast: 60 }, async () => {
  const { relais } = world.places;
  const routes = routesOf(world).filter(
    ({ method, path }) =>
      method === 'GET' && !/\*|^\/assets|\/retour$|\/sortie$|^\/connexion\/(pro|france)connect$|^\/aidant\/agir|\.pdf$/.test(path),
  );
  let pages = 0;
  for (const who of ['aidant', 'usager', 'agent'] as const) {
    const context = await openAs(who);
    const asked: string[] = [];
    const complaints: string[] = [];
    context.on('request', (request) => void asked.push(request.url()));
    context.on('console', (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) complaints.push(message.text());
    });
    const page = await context.newPage();
    const mine = { aidant: /^\/(?!usager|administration)/, usager: /^\/usager/, agent: /^\/administration/ }[who];
    for (const { path: route } of routes.filter(({ path }) => mine.test(path))) {
      const { path } = staged.target(route);
      await page.goto(`${relais}${path}`, { waitUntil: 'load' }).catch((error: unknown) => {
        if (!String(error).includes('Download is starting')) throw error; // a file to keep is no page
      });
      const told = asked.splice(0).map((url) => new URL(url));
      assert.ok(told.length > 0, route);
      const outside = told.filter((url) => url.protocol !== 'data:' && url.origin !== relais);
      assert.deepEqual(outside.map(String), [], `${route}: nobody but Relais`);
      assert.deepEqual(complaints.splice(0), [], `${route}: within its own policy`);
      pages++;
    }
    await context.close();
  }
  assert.ok(pages >= 25, `${pages} pages`);
  const federation = await browser.newContext();
  const hosts = new Set<string>();
  federation.on('request', (request) => void hosts.add(new URL(request.url()).hostname));
  const page = await federation.newPage();
  for (const path of ['/connexion/proconnect', '/connexion/franceconnect']) await page.goto(`${relais}${path}`, { waitUntil: 'load' });
  assert.deepEqual([...hosts], ['localhost'], 'a sign-in goes to the federation, and nowhere else');
  await federation.close();
});
