import type { Clock } from '../kernel/clock.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { databaseNow } from './inspection.ts';

/** This machine's clock and the database's are further apart than `APART_MS`: one of them does not follow its time server. */
export interface ClockAlarm {
  readonly kind: 'clock_apart';
  /** By how much this machine is ahead; negative when it is behind. */
  readonly ms: number;
}

const APART_MS = 2000;

/** How far this machine's clock is ahead of the database's, in milliseconds (negative: behind). The time that asking takes counts for nothing. */
export const clockAhead = async (tx: Transaction, clock: Clock): Promise<number> => {
  const before = clock.now().getTime();
  const there = (await databaseNow(tx))?.getTime() ?? 0;
  const after = clock.now().getTime();
  if (there >= before && there <= after) return 0;
  return there < before ? before - there : after - there;
};

export const isApart = (ahead: number): boolean => Math.abs(ahead) > APART_MS;

export interface ClockWatch {
  /** Compares both clocks, with an alarm each time they are apart. Fails when the database does not answer: what was found before stands. */
  look(): Promise<void>;
  /** What `look` last found. Entries sequenced meanwhile say so (claim J17); nothing stops. */
  apart(): boolean;
}

export const createClockWatch = (tx: Transaction, clock: Clock, onAlarm: (alarm: ClockAlarm) => void): ClockWatch => {
  let apart = false;
  return {
    async look() {
      const ms = await clockAhead(tx, clock);
      apart = isApart(ms);
      if (apart) onAlarm({ kind: 'clock_apart', ms });
    },
    apart: () => apart,
  };
};
