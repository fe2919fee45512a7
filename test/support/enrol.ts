import { stepAt } from '../../src/aidants/code.ts';
import { totp } from '../../src/kernel/crypto.ts';
import type { Page, Walker } from '../../src/practice/walker.ts';
import type { World } from './world.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Reads the key that the page shows, as somebody who types it into a program does. */
export const keyOn = (page: Page): Buffer | undefined => {
  const shown = /id="totp-key">([\s\S]*?)<\/p>/.exec(page.html)?.[1]?.replace(/<[^>]+>|\s/g, '');
  if (!shown) return undefined;
  const bits = [...shown].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
};

/** The code that an authenticator program shows now, or `steps` of thirty seconds away. */
export const codeOf = (key: Buffer, steps = 0): string => totp(key, stepAt(new Date()) + steps);

/** From the link to the page that shows the key, through ProConnect. */
export const beginByPages = async (world: World, walker: Walker, token: string, identity: Readonly<Record<string, string>>): Promise<Page> => {
  await walker.open(`${world.places.relais}/inscription/${token}`);
  const idp = await walker.send('enrolment-start');
  const back = await walker.open(idp.url, identity);
  return back.html.includes('id="enrolment-start"') ? walker.send('enrolment-start') : back;
};
