import type { Clock } from '../../src/kernel/clock.ts';

/** A clock that only moves when the test says so. */
export interface FrozenClock extends Clock {
  /** Moves forward (or back, when negative) by milliseconds. */
  advance(milliseconds: number): void;
  /** Jumps to an instant, `Date` or ISO 8601 text. */
  set(instant: Date | string): void;
}

/** Makes a frozen clock, by default on an ordinary day of the project: Saturday 21 November 2026, 10:00 in Paris. */
export const frozenClock = (start: Date | string = '2026-11-21T09:00:00Z'): FrozenClock => {
  let now = new Date(start).getTime();
  return {
    now: () => new Date(now),
    advance: (milliseconds) => {
      now += milliseconds;
    },
    set: (instant) => {
      now = new Date(instant).getTime();
    },
  };
};
