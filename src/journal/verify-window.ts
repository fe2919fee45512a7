import type { Fault } from './verify-entry.ts';
import { checkWindow } from './verify-timestamps.ts';

/** Checks signed checkpoints against time (journal.md §3.9 (4), §4 rows 13 and 16): what is signed late, or shown long after, hides what came between. */

/** How old the newest checkpoint of a log that is read live may be, where nothing else is said. */
export const LIVE_MS = 5 * 60_000;
/** How long entries may wait for their first checkpoint, likewise. */
export const SEALED_MS = 15 * 60_000;

/** How far the clock of a witness may be from the log’s. */
const CLOCK_MS = 5 * 60_000;

/** The newest checkpoint that is shown, and by when it is known to have existed. */
export interface Shown {
  readonly size: number;
  /** By when a quorum had seen it; undefined where none is asked for. */
  readonly seenAt: Date | undefined;
  /** Time of the last entry that it covers, where leaves are read. */
  readonly last: Date | undefined;
}

/** When a checkpoint was: what witnesses say, else its last entry, since a log without an act writes one each minute. */
export const timeOfShown = ({ seenAt, last }: Shown): Date | undefined => seenAt ?? last;

/** Says what does not hold: entries later than the witnesses who saw them; with `now`, a checkpoint of more than `withinMs` before, or after. */
export const checkShown = (shown: Shown, fresh?: { readonly now: Date; readonly withinMs: number }): Fault[] => {
  const { size, seenAt, last } = shown;
  const faults: Fault[] = [];
  const outside = seenAt && checkWindow({ size, at: seenAt }, { last, next: undefined }, CLOCK_MS);
  if (outside) faults.push(outside);
  const at = timeOfShown(shown);
  if (fresh && at && Math.abs(fresh.now.getTime() - at.getTime()) > fresh.withinMs)
    faults.push({
      kind: 'checkpoint_late',
      index: size,
      message: `the newest checkpoint (${size} entries) is of ${at.toISOString()}, and it is ${fresh.now.toISOString()}: what is shown is frozen, or stopped`,
    });
  return faults;
};

/** How entries of a database waited for their first checkpoint. */
export interface SealWaits {
  /** The longest wait, and the first entry of its checkpoint. */
  readonly longest: { readonly index: number; readonly ms: number } | undefined;
  /** The first that waited longer than was asked. */
  readonly late: { readonly index: number; readonly ms: number } | undefined;
  /** The first entry that no checkpoint covers, and its time. */
  readonly waiting: { readonly index: number; readonly at: Date } | undefined;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Says which waits are faults. Those of the past count when `waits` was asked for a limit; those that last count after `withinMs`. */
export const checkWaits = ({ late, waiting }: SealWaits, now: Date, withinMs: number): Fault[] => {
  const faults: Fault[] = [];
  if (late)
    faults.push({
      kind: 'checkpoint_late',
      index: late.index,
      message: `entry ${late.index}: its first checkpoint came ${seconds(late.ms)} after it, or those before it are gone`,
    });
  if (waiting && now.getTime() - waiting.at.getTime() > withinMs)
    faults.push({
      kind: 'checkpoint_late',
      index: waiting.index,
      message: `entry ${waiting.index} is of ${waiting.at.toISOString()}, and no signed checkpoint covers it yet: do an instance and its signer run?`,
    });
  return faults;
};
