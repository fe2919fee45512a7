/** A browser of few means: it keeps cookies (by host: ports do not separate them), follows redirects, and posts forms. */

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
}

export class Browser {
  readonly cookies = new Map<string, { readonly value: string; readonly path: string }>();

  #keep(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const name = pair.slice(0, at);
      const path = attributes.find((attribute) => attribute.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      if (/expires=Thu, 01 Jan 1970/i.test(line) || /max-age=0/i.test(line)) this.cookies.delete(`${name} ${path}`);
      else this.cookies.set(`${name} ${path}`, { value: pair, path });
    }
  }

  #header(url: URL): string {
    return [...this.cookies.values()]
      .filter(({ path }) => url.pathname.startsWith(path))
      .map(({ value }) => value)
      .join('; ');
  }

  /** Asks once, following no redirect. */
  async ask(url: string | URL, body?: Record<string, string>): Promise<Response> {
    const target = new URL(url);
    const response = await fetch(target, {
      method: body ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: this.#header(target), ...(body ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
      ...(body ? { body: new URLSearchParams(body) } : {}),
    });
    this.#keep(response.headers);
    return response;
  }

  /** Opens a page, following redirects until one leads to `stop` (which is not opened). */
  async open(url: string | URL, body?: Record<string, string>, stop = 'http://localhost:9/'): Promise<Page> {
    let target = new URL(url);
    let response = await this.ask(target, body);
    for (let hops = 0; hops < 20; hops++) {
      const location = response.headers.get('location');
      if (!location) break;
      target = new URL(location, target);
      await response.body?.cancel();
      if (target.href.startsWith(stop)) return { url: target, status: response.status, html: '', headers: response.headers };
      response = await this.ask(target);
    }
    return { url: target, status: response.status, html: await response.text(), headers: response.headers };
  }
}
