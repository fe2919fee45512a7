import './guard.ts';
import type { Demonstration } from './demonstration.ts';
import { type Page, textOf, Walker } from './walker.ts';

/** What people do in the story, over real HTTP: each function is somebody in front of a browser. */

const fail = (what: string, page: Page): Error => new Error(`${what}: ${page.url.href} answered ${page.status}: ${textOf(page).slice(0, 400)}`);

const onPath = (page: Page, pattern: RegExp, what: string): Page => {
  if (!pattern.test(page.url.pathname)) throw fail(what, page);
  return page;
};

/** The addresses that the story needs. */
export type Places = Demonstration['addresses'];

/** Reads a test identity's next one-time code on the messages page, waiting until Relais accepts it. */
export const readCode = async (places: Places, who: string): Promise<string> => {
  for (let tries = 0; tries < 45; tries++) {
    const page = await new Walker().open(places.messages);
    const row = new RegExp(`<tr>(?:(?!</tr>)[\\s\\S])*?${who}[\\s\\S]*?class="code">(\\d{6})<[\\s\\S]*?Remarque">([^<]*)<`).exec(page.html);
    if (row?.[1] && /maintenant/.test(row[2] ?? '')) return row[1];
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`no code for ${who}`);
};

/** Goes through the ProConnect simulator and the second factor; ends where Relais leads. */
export const signInStaff = async (walker: Walker, places: Places, identity: string, who: string, from: string, code = readCode): Promise<Page> => {
  const idp = onPath(await walker.open(new URL(from, places.relais)), /\/interaction\//, 'ProConnect shows its page');
  const factor = onPath(await walker.open(idp.url, { identity }), /^\/connexion\/code$/, 'Relais asks for the second factor');
  void factor;
  return walker.send('second-factor', { code: await code(places, who) });
};

/** Signs a person in through the FranceConnect simulator, where the browser already stands. */
export const passFranceConnect = async (walker: Walker, page: Page, identity: string, stop?: string): Promise<Page> =>
  walker.open(onPath(page, /\/interaction\//, 'FranceConnect shows its page').url, { identity }, stop);

export interface MandateWish {
  readonly person: string;
  readonly themes: readonly string[];
  readonly days: string;
}

/** Takes an aidant, signed in, and a person through the four pages of a mandate, up to the page that signs. */
export const prepareMandate = async (walker: Walker, places: Places, wish: MandateWish): Promise<Page> => {
  await walker.open(`${places.relais}/aidant/mandats/nouveau`);
  await walker.send('mandate-themes', { themes: wish.themes });
  onPath(await walker.send('mandate-days', { days: wish.days }), /^\/aidant\/mandats\/brouillon\//, 'the mandate is read aloud');
  const page = await passFranceConnect(walker, await walker.send('mandate-consent'), wish.person);
  const others = [...page.html.matchAll(/id="keep-(man_[a-z0-9]+)"[^>]*name="/g)].map(([, id]) => [id ?? '', 'keep'] as const);
  return others.length ? walker.send('other-mandates', Object.fromEntries(others)) : page;
};

/** Signs the mandate with a fresh code; returns its page. */
export const signMandate = async (walker: Walker, places: Places, who: string, code = readCode): Promise<Page> =>
  walker.send('mandate-sign', { said_aloud: 'yes', code: await code(places, who) });

/** Picks the person and confirms, on the pages shown while a service waits; ends at the service (`stop`, not opened). */
export const confirmDelegation = async (walker: Walker, page: Page, personName: string, stop: string, theme?: string): Promise<Page> => {
  let here = page;
  if (here.html.includes('id="pick-person"')) {
    const id = new RegExp(`<input[^>]*name="person"[^>]*value="([^"]+)"[^>]*>(?:(?!<input)[\\s\\S])*?${personName}`).exec(here.html)?.[1];
    if (!id) throw fail(`${personName} is offered`, here);
    here = await walker.send('pick-person', { person: id });
  }
  if (here.html.includes('id="pick-theme"')) here = await walker.send('pick-theme', { theme: theme ?? '' });
  if (!here.html.includes('id="confirm"')) throw fail('the confirmation page is shown', here);
  return walker.send('confirm', {}, stop);
};

/** Signs a usager in to her own space. */
export const signInUsager = async (walker: Walker, places: Places, identity: string): Promise<Page> => {
  const page = await passFranceConnect(walker, await walker.open(`${places.relais}/connexion/franceconnect`), identity);
  return onPath(page, /^\/usager$/, 'the usager reads her page');
};
