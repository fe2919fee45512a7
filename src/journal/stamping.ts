import type { Clock } from '../kernel/clock.ts';
import { randomBytes } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { askTimestamp, type Tsa } from './timestamp.ts';

/** Asks for a time from outside, each minute, over the newest checkpoint (journal.md §3.6). Nothing waits for it. */

/** The newest checkpoint, as the moment it is about to be stamped. */
export interface Stampable {
  readonly size: number;
  readonly note: string;
  /** When it was signed, by our clock. */
  readonly at: Date;
  /** No entry is beyond it. */
  readonly whole: boolean;
  readonly stamped: boolean;
}

export interface StampStore {
  newest(): Promise<Stampable | undefined>;
  /** Keeps a token. A second one for the same size is dropped. */
  add(stamp: { readonly size: number; readonly token: Buffer; readonly at: Date }): Promise<void>;
}

export type StampAlarm = { readonly kind: 'timestamp_late'; readonly code: string; readonly minutes: number };

export interface Stamping {
  /** Stamps the newest checkpoint, when this process leads and it is not stamped yet. Says whether it did; never fails. */
  stamp(): Promise<boolean>;
}

/**
 * A stamp says "no later than"; that entries beyond its size came *after* it holds only if the checkpoint was the newest when it was asked. Hence
 * nothing older is stamped, and `WINDOW_MS` covers this, the answer's time and two clocks.
 */
const FRESH_MS = 10_000;
/** How far an entry's time may be outside what outside times say. */
export const WINDOW_MS = 60_000;
const ALARM_MS = 15 * 60_000;

export interface StampingParts {
  readonly tsa: Tsa;
  readonly store: StampStore;
  readonly clock: Clock;
  readonly leading: () => boolean;
  readonly onAlarm: (alarm: StampAlarm) => void;
}

/** The text of a note: what its signatures, and a time over it, are about. */
export const textOfNote = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1);

/** Makes the stamping of one process. An alarm is raised when none succeeded for 15 minutes, and every 15 minutes after. */
export const createStamping = ({ tsa, store, clock, leading, onAlarm }: StampingParts): Stamping => {
  let failing: { since: number; told: number } | undefined;
  const failed = (code: string): void => {
    const now = clock.now().getTime();
    failing ??= { since: now, told: now };
    if (now - failing.told < ALARM_MS) return;
    failing.told = now;
    onAlarm({ kind: 'timestamp_late', code, minutes: Math.floor((now - failing.since) / 60_000) });
  };
  const tryOnce = async (): Promise<boolean> => {
    const newest = await store.newest();
    if (!newest || newest.stamped) return false;
    if (!newest.whole && clock.now().getTime() - newest.at.getTime() > FRESH_MS)
      throw new Failure('checkpoint_old', 'the newest checkpoint is not recent');
    const { token, at } = await askTimestamp(tsa, textOfNote(newest.note), randomBytes(8));
    await store.add({ size: newest.size, token, at });
    return true;
  };
  return {
    async stamp() {
      if (!leading()) {
        failing = undefined;
        return false;
      }
      try {
        const done = await tryOnce();
        failing = undefined;
        return done;
      } catch (error) {
        failed(error instanceof Failure ? error.code : 'fault');
        return false;
      }
    },
  };
};
