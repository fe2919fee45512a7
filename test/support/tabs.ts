import { type Page, Walker } from '../../src/practice/walker.ts';
import { introspectAt, redeemAt } from './acting.ts';
import { authorize, type Request, type TestService, type World } from './world.ts';

/** One tab of a browser: the cookies are the browser's, the page its own. `origin` sends what goes to Relais to another instance of it. */
export class Tab extends Walker {
  readonly #world: World;
  readonly #origin: string | undefined;

  constructor(world: World, browser: Walker, origin?: string) {
    super();
    this.#world = world;
    this.#origin = origin;
    Object.defineProperty(this, 'cookies', { value: browser.cookies });
  }

  override ask(url: string | URL, body?: Parameters<Walker['ask']>[1], headers: Parameters<Walker['ask']>[2] = {}): Promise<Response> {
    const target = new URL(url);
    const { relais } = this.#world.places;
    if (!this.#origin || target.origin !== relais) return super.ask(target, body, headers);
    return super.ask(new URL(`${target.pathname}${target.search}`, this.#origin), body, body ? { origin: relais, ...headers } : headers);
  }
}

/** A service's request that stands on its last page, in a tab, for one person. */
export interface Waiting {
  readonly tab: Walker;
  readonly service: TestService;
  readonly request: Request;
  readonly person: string;
}

/** Takes a tab up to the page that confirms, which is not sent. */
export const waitToConfirm = async (
  tab: Walker,
  service: TestService,
  person: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Waiting> => {
  const request = await authorize(service, 'openid given_name dlg:logement', more);
  const page = await tab.open(request.url, undefined, service.redirectUri);
  const id = new RegExp(`<input[^>]*name="person"[^>]*value="([^"]+)"[^>]*>(?:(?!<input)[\\s\\S])*?${person}`).exec(page.html)?.[1];
  if (!id) throw new Error(`${person} is not offered: ${page.status}`);
  await tab.send('pick-person', { person: id });
  if (!tab.page?.html.includes('id="confirm"')) throw new Error('no page to confirm');
  return { tab, service, request, person };
};

/** Confirms: at the service's callback, or on a page that refuses. */
export const finish = ({ tab, service }: Waiting): Promise<Page> => tab.send('confirm', {}, service.redirectUri);

export interface Redeemed {
  readonly waiting: Waiting;
  readonly accessToken: string | undefined;
  readonly refused: string | undefined;
}

/** Redeems the code of a callback, if that is where the tab ended. */
export const redeemed = async (world: World, waiting: Waiting, page: Page, origin?: string): Promise<Redeemed> => {
  if (!page.url.href.startsWith(waiting.service.redirectUri) || !page.url.searchParams.get('code'))
    return { waiting, accessToken: undefined, refused: page.url.searchParams.get('error') ?? `page ${page.status}` };
  const { body } = await redeemAt(world, waiting.service, waiting.request, page.url, origin);
  return { waiting, accessToken: body.access_token, refused: body.error };
};

/** Whether a token lives, and for whom, as the service hears it now. A token of another person than the tab's is the fault that must not exist. */
export const heard = async (
  world: World,
  { waiting, accessToken }: Redeemed,
  origin?: string,
): Promise<{ active: boolean; name: string | undefined }> => {
  if (!accessToken) return { active: false, name: undefined };
  const { active } = await introspectAt(world, waiting.service, accessToken, origin);
  const answer = await fetch(`${origin ?? world.places.relais}/oidc/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } });
  const facts = answer.ok ? ((await answer.json()) as { given_name?: string }) : undefined;
  if (!answer.ok) await answer.body?.cancel();
  return { active, name: facts?.given_name };
};
