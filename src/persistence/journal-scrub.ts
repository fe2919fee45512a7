import type { Report } from '../journal/verify.ts';
import type { Fault } from '../journal/verify-entry.ts';
import { parisDay, startOfDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Dedicated, row, rows, run } from './database.ts';
import { sql } from './sql.ts';

/** What the journal holds is not what was signed, or its parts disagree: the first difference, found without anybody asking. */
export interface ScrubAlarm {
  readonly kind: 'scrub_failed';
  readonly fault: Fault['kind'];
  readonly index: number;
}

/** The tables say that it happened, and no entry of it waits or was sequenced: its row was removed from the queue, or what the tables say was planted. */
export interface MissingAlarm {
  readonly kind: 'entry_missing';
  readonly entry: string;
  /** Of the mandate; otherwise the id of the draft, session or erasure. */
  readonly reference: string;
}

export interface Scrubbed {
  readonly range: 'recent' | 'whole';
  readonly at: Date;
  readonly size: number;
  readonly fault: string | null;
  readonly index: number | null;
  /** How many things happened without their entry, and the first. */
  readonly missing: number;
  readonly first: string | null;
}

const RECENT_MS = 600_000;
/** Three hours after midnight in Paris; an hour more or less on the two nights of the year that change. */
const NIGHT_MS = 3 * 3_600_000;

/** What was last found of each range. */
export const readScrubs = (tx: Transaction): Promise<{ recent: Scrubbed | null; whole: Scrubbed | null } | undefined> =>
  row(
    tx,
    sql`select
      (select json_build_object('range', range, 'at', at, 'size', size, 'fault', fault, 'index', fault_index, 'missing', missing, 'first', missing_first) from journal_scrub where range = 'recent') recent,
      (select json_build_object('range', range, 'at', at, 'size', size, 'fault', fault, 'index', fault_index, 'missing', missing, 'first', missing_first) from journal_scrub where range = 'whole') whole`,
  );

interface ScrubParts {
  readonly tx: Transaction;
  readonly clock: Clock;
  /** Only the instance that leads the sequence scrubs: one at a time. */
  readonly leading: () => boolean;
  /** Verifies from an index on, in pieces between which others work. */
  readonly verify: (from: number) => Promise<Pick<Report, 'faults' | 'size'>>;
  readonly onAlarm: (alarm: ScrubAlarm | MissingAlarm) => void;
  /** Opens a connection that may write what was found: whoever could write it as the application would put off the night, or say that it was done. */
  readonly opened: () => Promise<Dedicated>;
}

type Missing = Omit<MissingAlarm, 'kind'>;

/**
 * What happened from `from` to `until` (not included) and has no entry, as `happened` tells it. One statement, hence one instant: a row and its entry
 * commit together, and an entry leaves the queue as it becomes a leaf, so that one that waits, however long, is found. Each row asks two indexes, never a join
 * of everything. Rows from before events were kept name none, and are not asked.
 */
const missingBetween = (tx: Transaction, from: Date | '-infinity', until: Date | 'infinity'): Promise<Missing[]> =>
  rows<Missing>(
    tx,
    sql`select h.kind as entry, h.reference from happened h
      where h.at >= ${from}::timestamptz and h.at < ${until}::timestamptz
        and (h.event is not null or h.at >= (select applied_at from migration where name = '0046_entry_of_each.sql'))
        and coalesce(
          (select true from journal.receipt r join journal.projection p on p.idx = r.idx where r.event_id = h.event and p.type = any (h.types)
            and (p.usager = h.usager or p.usager is null or h.usager is null) and (p.mandate = h.mandate or p.mandate is null or h.mandate is null)
            and (p.session = h.session or p.session is null or h.session is null)),
          (select true from journal.queue q where q.event_id = h.event and q.type = any (h.types))) is null
      order by h.at, h.reference limit 1000`,
  );

/** Mandates are kept five years and a few months after their end. */
const OLDEST_MS = 2400 * 86_400_000;
/** Some 10 µs a row: short enough for the limit of a statement, whatever the load. */
const PIECE_MS = 6 * 3_600_000;

/** The same of everything, a piece after the other. */
const missingEver = async (tx: Transaction, now: Date): Promise<Missing[]> => {
  const floor = new Date(now.getTime() - OLDEST_MS);
  const oldest = await row<{ at: Date | null }>(
    tx,
    sql`select least((select min(accepted_at) from mandate where accepted_at >= ${floor}), (select min(opened_at) from delegated_session where opened_at >= ${floor})) as at`,
  );
  let from = oldest?.at ?? now;
  const found = await missingBetween(tx, '-infinity', from);
  for (; from.getTime() < now.getTime() - PIECE_MS; from = new Date(from.getTime() + PIECE_MS))
    found.push(...(await missingBetween(tx, from, new Date(from.getTime() + PIECE_MS))));
  return [...found, ...(await missingBetween(tx, from, 'infinity'))];
};

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

/**
 * Makes the work of the scrubber (journal.md §3.9): the last ten minutes at each turn; at the first turn after 03:00 in Paris, everything. What happened without
 * its entry is told once, and again each night.
 */
export const createScrubber = ({ tx, clock, leading, verify, onAlarm, opened }: ScrubParts): (() => Promise<number>) => {
  const told = new Set<string>();
  const tell = (missing: readonly Missing[]): void => {
    for (const { entry, reference } of missing) {
      if (told.has(`${entry} ${reference}`)) continue;
      told.add(`${entry} ${reference}`);
      onAlarm({ kind: 'entry_missing', entry, reference });
    }
  };
  return async () => {
    if (!leading()) return 0;
    const now = clock.now();
    const range = (await isWholeDue(tx, now)) ? 'whole' : 'recent';
    if (range === 'whole') told.clear();
    const missing = range === 'whole' ? await missingEver(tx, now) : await missingBetween(tx, new Date(now.getTime() - RECENT_MS), 'infinity');
    tell(missing);
    const { faults, size } = await verify(range === 'whole' ? 0 : await recentFrom(tx, now));
    const [first] = faults;
    if (first) onAlarm({ kind: 'scrub_failed', fault: first.kind, index: first.index });
    const firstMissing = missing[0] ? `${missing[0].entry} ${missing[0].reference}` : null;
    const connection = await opened();
    await run(
      connection.auto,
      sql`insert into journal_scrub (range, at, size, fault, fault_index, missing, missing_first)
      values (${range}, ${now}, ${size}, ${first?.kind ?? null}, ${first?.index ?? null}, ${missing.length}, ${firstMissing})
      on conflict (range) do update set at = excluded.at, size = excluded.size, fault = excluded.fault, fault_index = excluded.fault_index,
        missing = excluded.missing, missing_first = excluded.missing_first`,
    ).finally(() => connection.release());
    return 0;
  };
};
