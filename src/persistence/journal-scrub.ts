import type { Report } from '../journal/verify.ts';
import type { Fault } from '../journal/verify-entry.ts';
import { parisDay, startOfDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, run } from './database.ts';
import { sql } from './sql.ts';

/** What the journal holds is not what was signed, or its parts disagree: the first difference, found without anybody asking. */
export interface ScrubAlarm {
  readonly kind: 'scrub_failed';
  readonly fault: Fault['kind'];
  readonly index: number;
}

export interface Scrubbed {
  readonly range: 'recent' | 'whole';
  readonly at: Date;
  readonly size: number;
  readonly fault: string | null;
  readonly index: number | null;
}

const RECENT_MS = 600_000;
/** Three hours after midnight in Paris; an hour more or less on the two nights of the year that change. */
const NIGHT_MS = 3 * 3_600_000;

/** What was last found of each range. */
export const readScrubs = (tx: Transaction): Promise<{ recent: Scrubbed | null; whole: Scrubbed | null } | undefined> =>
  row(
    tx,
    sql`select
      (select json_build_object('range', range, 'at', at, 'size', size, 'fault', fault, 'index', fault_index) from journal_scrub where range = 'recent') recent,
      (select json_build_object('range', range, 'at', at, 'size', size, 'fault', fault, 'index', fault_index) from journal_scrub where range = 'whole') whole`,
  );

interface ScrubParts {
  readonly tx: Transaction;
  readonly clock: Clock;
  /** Only the instance that leads the sequence scrubs: one at a time. */
  readonly leading: () => boolean;
  /** Verifies from an index on, in pieces between which others work. */
  readonly verify: (from: number) => Promise<Pick<Report, 'faults' | 'size'>>;
  readonly onAlarm: (alarm: ScrubAlarm) => void;
}

/** The newest size that was sealed ten minutes ago: what is before is old. */
const recentFrom = async (tx: Transaction, now: Date): Promise<number> =>
  (
    await row<{ size: number }>(
      tx,
      sql`select size from journal.checkpoint where at <= ${new Date(now.getTime() - RECENT_MS)} order by size desc limit 1`,
    )
  )?.size ?? 0;

const nightOf = (now: Date): Date => new Date(startOfDay(parisDay(now)).getTime() + NIGHT_MS);

const isWholeDue = async (tx: Transaction, now: Date): Promise<boolean> => {
  const night = nightOf(now);
  if (now < night) return false;
  const last = await row<{ at: Date }>(tx, sql`select at from journal_scrub where range = 'whole'`);
  return !last || last.at < night;
};

/** Makes the work of the scrubber (journal.md §3.9): the last ten minutes at each turn; at the first turn after 03:00 in Paris, everything. */
export const createScrubber =
  ({ tx, clock, leading, verify, onAlarm }: ScrubParts) =>
  async (): Promise<number> => {
    if (!leading()) return 0;
    const now = clock.now();
    const range = (await isWholeDue(tx, now)) ? 'whole' : 'recent';
    const { faults, size } = await verify(range === 'whole' ? 0 : await recentFrom(tx, now));
    const [first] = faults;
    if (first) onAlarm({ kind: 'scrub_failed', fault: first.kind, index: first.index });
    await run(
      tx,
      sql`insert into journal_scrub (range, at, size, fault, fault_index) values (${range}, ${now}, ${size}, ${first?.kind ?? null}, ${first?.index ?? null})
      on conflict (range) do update set at = excluded.at, size = excluded.size, fault = excluded.fault, fault_index = excluded.fault_index`,
    );
    return 0;
  };
