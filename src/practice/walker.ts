import './guard.ts';

/** A page as it came: where the browser ended, and what it read. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
}

const decode = (text: string): string =>
  text.replace(
    /&(amp|lt|gt|quot|#39|#x27);/g,
    (_all, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" })[name] ?? '',
  );

const attribute = (tag: string, name: string): string | undefined => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return found === undefined ? undefined : decode(found);
};

interface Form {
  readonly action: URL;
  readonly fields: Record<string, string>;
  readonly all: Record<string, string[]>;
}

const findForm = (page: Page, wanted: (open: string, action: URL) => boolean): Form | undefined => {
  for (const [, open = '', inside = ''] of page.html.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/g)) {
    const action = new URL(attribute(open, 'action') || page.url.href, page.url);
    if (!wanted(open, action)) continue;
    const all: Record<string, string[]> = {};
    for (const [tag] of inside.matchAll(/<input[^>]*>/g))
      if (attribute(tag, 'type') === 'hidden')
        all[attribute(tag, 'name') ?? ''] = [...(all[attribute(tag, 'name') ?? ''] ?? []), attribute(tag, 'value') ?? ''];
    return { action, fields: Object.fromEntries(Object.entries(all).map(([name, values]) => [name, values.at(-1) ?? ''])), all };
  }
  return undefined;
};

/** The form of this id: where it goes, and the hidden fields that go with it: the last of each name, and all of them. */
export const formOf = (page: Page, id: string): Form => {
  const found = findForm(page, (open) => attribute(open, 'id') === id);
  if (!found) throw new Error(`no form "${id}" on ${page.url.pathname} (${page.status}): ${textOf(page).slice(0, 300)}`);
  return found;
};

/** The first form that goes to this path; undefined when the page has none. */
export const formTo = (page: Page, path: string): Form | undefined => findForm(page, (_open, action) => action.pathname === path);

/** The words of a page, without its tags. */
export const textOf = (page: Page): string =>
  decode(page.html.replace(/<style[\s\S]*?<\/style>|<[^>]+>/g, ' '))
    .replace(/[\s\u00a0\u202f]+/g, ' ')
    .trim();

/** A browser of few means: cookies by host and path (ports do not separate them), redirects, forms. It speaks HTTP and nothing else. */
export class Walker {
  readonly cookies = new Map<string, { readonly value: string; readonly path: string; readonly host: string }>();
  page: Page | undefined;
  readonly #timeoutMs: number | undefined;

  /** `timeoutMs`: how long one answer may take; as long as it likes if left out. */
  constructor(timeoutMs?: number) {
    this.#timeoutMs = timeoutMs;
  }

  #keep(url: URL, headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const path = attributes.find((each) => each.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const key = `${url.hostname} ${name} ${path}`;
      if (/expires=Thu, 01 Jan 1970|max-age=0/i.test(line)) this.cookies.delete(key);
      else this.cookies.set(key, { value: pair, path, host: url.hostname });
    }
  }

  cookieHeader(url: URL): string {
    return [...this.cookies.values()]
      .filter(({ path, host }) => host === url.hostname && url.pathname.startsWith(path))
      .map(({ value }) => value)
      .join('; ');
  }

  /** Asks once, following no redirect. */
  async ask(
    url: string | URL,
    body?: Readonly<Record<string, string | readonly string[]>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const target = new URL(url);
    const form =
      body &&
      new URLSearchParams(
        Object.entries(body).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' ? [[name, value]] : value.map((each) => [name, each]),
        ),
      );
    const response = await fetch(target, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      ...(this.#timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(this.#timeoutMs) }),
      headers: {
        accept: 'text/html',
        cookie: this.cookieHeader(target),
        ...(form ? { 'content-type': 'application/x-www-form-urlencoded', origin: target.origin, 'sec-fetch-site': 'same-origin' } : {}),
        ...headers,
      },
      ...(form ? { body: form } : {}),
    });
    this.#keep(target, response.headers);
    return response;
  }

  /** Opens a page, following redirects until one leads to `stop`, which is not opened. */
  async open(url: string | URL, body?: Readonly<Record<string, string | readonly string[]>>, stop = 'http://nowhere.invalid/'): Promise<Page> {
    let target = new URL(url);
    let response = await this.ask(target, body);
    for (let hops = 0; hops < 25; hops++) {
      const location = response.headers.get('location');
      if (!location) break;
      target = new URL(location, target);
      await response.body?.cancel();
      if (target.href.startsWith(stop)) {
        this.page = { url: target, status: response.status, html: '', headers: response.headers };
        return this.page;
      }
      response = await this.ask(target);
    }
    this.page = { url: target, status: response.status, html: await response.text(), headers: response.headers };
    return this.page;
  }

  /** Fills and sends a form of the page that is open. */
  async send(id: string, fields: Readonly<Record<string, string | readonly string[]>> = {}, stop?: string): Promise<Page> {
    if (!this.page) throw new Error('no page is open');
    const form = formOf(this.page, id);
    return this.open(form.action, { ...form.all, ...fields }, stop);
  }
}
