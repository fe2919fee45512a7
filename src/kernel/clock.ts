/** The only source of the current time. Nothing else in the code asks the machine, so that a test can move it. */
export interface Clock {
  now(): Date;
}

/**
 * Clocks that must agree may differ by this much: those of two instances, a service's and ours (claim T2). The database knows the same of what begins
 * (`begun`). What ends, ends by each clock.
 */
export const CLOCKS_APART_MS = 45_000;

export const systemClock: Clock = { now: () => new Date(Date.now()) };

/** Whole seconds since 1970, as in JWT claims (RFC 7519 §2, NumericDate). */
export const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
