import { equal, totp } from '../kernel/crypto.ts';

/** Codes of RFC 6238: six digits, 30 seconds a step. Pure rules; means.ts reads and writes around them. */

export const STEP_MS = 30_000;
export const WINDOW = 1;
export const MOST_FAILURES = 10;
export const LOCK_MS = 15 * 60_000;

export const stepAt = (now: Date): number => Math.floor(now.getTime() / STEP_MS);

/** Reads what somebody typed: six digits, spaces tolerated. */
export const readCode = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > 20) return undefined;
  const digits = value.replace(/\s/g, '');
  return /^[0-9]{6}$/.test(digits) ? digits : undefined;
};

/** The state of a factor that the decision depends on. */
export interface FactorState {
  readonly lastStep: number;
  readonly failures: number;
  readonly lockedUntil: Date | undefined;
}

export type CodeDecision =
  | { readonly kind: 'accept'; readonly step: number }
  | { readonly kind: 'locked'; readonly until: Date }
  | { readonly kind: 'used' }
  | { readonly kind: 'wrong'; readonly failures: number; readonly lockedUntil: Date | undefined };

/** What a wrong code costs: the tenth locks for 15 minutes and starts the count again (claim S10). */
export const decideWrong = (
  state: Pick<FactorState, 'failures'>,
  now: Date,
): { readonly failures: number; readonly lockedUntil: Date | undefined } =>
  state.failures + 1 >= MOST_FAILURES
    ? { failures: 0, lockedUntil: new Date(now.getTime() + LOCK_MS) }
    : { failures: state.failures + 1, lockedUntil: undefined };

/**
 * Decides on a code: the step of now, one before or one after; each step once, and always later than the last one (RFC 6238 §5.2). A code
 * that was right but is used up is not counted as a failure; the tenth wrong one locks for 15 minutes and starts the count again.
 */
export const decideCode = (seed: Uint8Array, typed: unknown, state: FactorState, now: Date): CodeDecision => {
  if (state.lockedUntil && state.lockedUntil > now) return { kind: 'locked', until: state.lockedUntil };
  const code = readCode(typed);
  const current = stepAt(now);
  const steps = Array.from({ length: 2 * WINDOW + 1 }, (_, i) => current - WINDOW + i);
  const matching = code === undefined ? [] : steps.filter((step) => equal(totp(seed, step), code));
  const fresh = matching.find((step) => step > state.lastStep);
  if (fresh !== undefined) return { kind: 'accept', step: fresh };
  if (matching.length) return { kind: 'used' };
  return { kind: 'wrong', ...decideWrong(state, now) };
};

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Writes bytes in base 32 without padding (RFC 4648 §6), as authenticator programs want a seed. */
export const base32 = (bytes: Uint8Array): string => {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >>> (bits - 5)) & 31];
    held &= 255;
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
};

/** Reads what `base32` writes. Undefined for any other sign, and for bits at the end that nothing wrote. */
export const readBase32 = (text: string): Buffer | undefined => {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const sign of text) {
    const value = BASE32.indexOf(sign);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(held >>> bits);
      held &= (1 << bits) - 1;
    }
  }
  return bits < 5 && held === 0 ? Buffer.from(bytes) : undefined;
};

/** The address that an authenticator program reads in a QR code. */
export const otpauth = (seed: Uint8Array, issuer: string, account: string): string =>
  `otpauth://totp/${encodeURIComponent(issuer)}:${encodeURIComponent(account)}?secret=${base32(seed)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=6&period=30`;
