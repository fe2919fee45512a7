import { hmacSha256, open, seal } from '../kernel/crypto.ts';
import { isId, type MandateId } from '../kernel/ids.ts';
import { isTheme, type Theme } from '../organisations/theme.ts';

/** A choice made in the aidant's space, carried through a service as its `login_hint`. */
export interface Choice {
  readonly mandateId: MandateId;
  /** Left out when several would do: it is then asked. */
  readonly theme?: Theme | undefined;
}

const CONTEXT = 'relais/hint/v1';
const LIFE_MS = 15 * 60_000;

/**
 * Seals a choice for one browser session. It is a hint, never a right: whoever brings it back still passes every check, and a service that keeps
 * it learns nothing, since each one is sealed afresh.
 */
export const sealChoice = (key: Buffer, session: Buffer, choice: Choice, now: Date): string =>
  seal(hmacSha256(key, CONTEXT), JSON.stringify([choice.mandateId, choice.theme ?? null, now.getTime() + LIFE_MS]), session.toString('hex')).toString(
    'base64url',
  );

/** Opens a choice of this browser session; undefined for anything else. */
export const openChoice = (key: Buffer, session: Buffer, hint: unknown, now: Date): Choice | undefined => {
  if (typeof hint !== 'string' || hint.length > 400 || !/^[A-Za-z0-9_-]+$/.test(hint)) return undefined;
  try {
    const [mandateId, theme, until] = JSON.parse(
      open(hmacSha256(key, CONTEXT), Buffer.from(hint, 'base64url'), session.toString('hex')).toString(),
    ) as unknown[];
    if (!isId('man', mandateId) || typeof until !== 'number' || until <= now.getTime()) return undefined;
    return { mandateId, ...(isTheme(theme) ? { theme } : {}) };
  } catch {
    return undefined;
  }
};

const LEAVING = 'relais/leaving/v1';
const LEAVING_MS = 15 * 60_000;

/** Seals the id_token of a sign-in for its holder: with it the federation is left as well, at sign-out. */
export const sealIdToken = (key: Buffer, holder: string, idToken: string): string =>
  seal(hmacSha256(key, LEAVING), idToken, holder).toString('base64url');

export const openIdToken = (key: Buffer, holder: string, sealed: string | undefined): string | undefined => {
  if (sealed === undefined) return undefined;
  try {
    return open(hmacSha256(key, LEAVING), Buffer.from(sealed, 'base64url'), holder).toString();
  } catch {
    return undefined;
  }
};

/** The `state` of a logout upstream. The session that asked is over when it comes back: what it must match is in itself. */
export const leavingState = (key: Buffer, now: Date): string => sealIdToken(key, 'state', String(now.getTime() + LEAVING_MS));
export const isLeavingState = (key: Buffer, state: string | undefined, now: Date): boolean =>
  Number(openIdToken(key, 'state', state)) > now.getTime();

const LINK = 'relais/link/v1';

/** Seals a one-time link for one browser session: the table of sessions must not hold what opens an enrolment. */
export const sealLink = (key: Buffer, session: Buffer, token: string): string =>
  seal(hmacSha256(key, LINK), token, session.toString('hex')).toString('base64url');

/** Opens a link that this browser session sealed; undefined for anything else. */
export const openLink = (key: Buffer, session: Buffer, sealed: string | undefined): string | undefined => {
  if (sealed === undefined) return undefined;
  try {
    return open(hmacSha256(key, LINK), Buffer.from(sealed, 'base64url'), session.toString('hex')).toString();
  } catch {
    return undefined;
  }
};
