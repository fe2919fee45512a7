import { Failure } from '../kernel/failure.ts';
import { parseLeaf } from './entry.ts';
import { textOfNote, WINDOW_MS } from './stamping.ts';
import { type TrustedTsa, verifyTimestamp } from './timestamp.ts';
import type { Fault } from './verify-entry.ts';

/** Checks times from outside: each token over its checkpoint, and entries against them (journal.md §3.9 (7), §4 row 16). */

/** A stored time, its checkpoint, and the leaves on either side: the last that it covers, the first that it does not. */
export interface StampRow {
  readonly size: number;
  readonly token: Buffer;
  readonly at: Date;
  readonly note: string | null;
  readonly last: Buffer | null;
  readonly next: Buffer | null;
}

export interface StampSource {
  /** Stamps of sizes above `after`, in order. */
  stamps(after: number, limit: number): Promise<StampRow[]>;
}

/** A time known from elsewhere than the log: the tree of `size` entries, then the newest, was seen at `at`. */
export interface OutsideTime {
  readonly size: number;
  readonly at: Date;
}

/**
 * Says whether the times of entries agree with a time from outside: what it covers is not later, what it does not cover is not earlier. Times never
 * decrease along the log (`verify` says so), so that its two neighbours are enough. `slackMs`: for clocks, and for the time that the answer took.
 */
export const checkWindow = (
  outside: OutsideTime,
  times: { readonly last: Date | undefined; readonly next: Date | undefined },
  slackMs = WINDOW_MS,
): Fault | undefined => {
  const seen = outside.at.getTime();
  const tell = (index: number, says: string): Fault => ({
    kind: 'time_outside',
    index,
    message: `entry ${index}: it ${says} ${outside.at.toISOString()}, when the first ${outside.size} entries were seen from outside`,
  });
  if (times.last && times.last.getTime() > seen + slackMs) return tell(outside.size - 1, 'says it is later than');
  if (times.next && times.next.getTime() < seen - slackMs) return tell(outside.size, 'came after, and says it is earlier than');
  return undefined;
};

const CHUNK = 200;
const MOST_FAULTS = 100;

/** Verifies every stored time. Faults by index, at most a hundred. */
export const verifyTimestamps = async (options: {
  readonly source: StampSource;
  readonly trusted: TrustedTsa;
  readonly slackMs?: number;
}): Promise<{ checked: number; faults: Fault[] }> => {
  const faults: Fault[] = [];
  let checked = 0;
  for (let after = 0; faults.length < MOST_FAULTS; ) {
    const found = await options.source.stamps(after, CHUNK);
    for (const one of found) {
      const fault = await checkStamp(one, options.trusted, options.slackMs);
      if (fault) faults.push(fault);
      checked++;
    }
    const last = found.at(-1);
    if (!last || found.length < CHUNK) break;
    after = last.size;
  }
  return { checked, faults: faults.slice(0, MOST_FAULTS) };
};

const checkStamp = async (row: StampRow, trusted: TrustedTsa, slackMs: number | undefined): Promise<Fault | undefined> => {
  try {
    if (row.note === null) throw new Failure('checkpoint_missing', 'there is no checkpoint of this size');
    const { at } = await verifyTimestamp(row.token, textOfNote(row.note), { trusted });
    if (at.getTime() !== row.at.getTime()) throw new Failure('timestamp_wrong', 'the time beside it is not the one that was signed');
    return checkWindow({ size: row.size, at }, { last: timeOf(row.last), next: timeOf(row.next) }, slackMs);
  } catch (error) {
    const says = error instanceof Failure ? (error.detail ?? error.code) : 'unreadable';
    return { kind: 'timestamp_altered', index: Math.max(row.size - 1, 0), message: `the time over ${row.size} entries: ${says}` };
  }
};

/** The time that a leaf says; what it is when it cannot be read, `verify` tells. */
const timeOf = (leaf: Buffer | null): Date | undefined => {
  try {
    return leaf ? parseLeaf(leaf).at : undefined;
  } catch {
    return undefined;
  }
};
