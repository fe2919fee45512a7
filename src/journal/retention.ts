import type { Clock } from '../kernel/clock.ts';
import { randomUuid } from '../kernel/crypto.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { KeyEraser } from './erasing.ts';
import type { Journal } from './journal.ts';
import { type BoxClass, monthOf, type PeriodClass } from './keys.ts';

/** What time erases (journal.md §3.8): the key of each class and month once its months are over, then the sealed parts, then rows that have served. */

export type PurgedClass = Exclude<BoxClass, 'log'>;

/** Whole months that each class is kept after its own. `mandate`: a mandate ends a year later at most, and is kept five years more. */
export const KEPT_MONTHS: Readonly<Record<PurgedClass, number>> = { access: 12, staff: 36, actor: 36, mandate: 73 };
const LONGEST = Math.max(...Object.values(KEPT_MONTHS));
/** The key of a day of the queue outlives it by two days. */
const QUEUE_DAYS_MS = 2 * 86_400_000;

const indexOf = (month: string): number => Number(month.slice(0, 4)) * 12 + Number(month.slice(5, 7)) - 1;
const monthAt = (index: number): string => `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}`;

export const isPurged = (boxClass: PeriodClass): boxClass is PurgedClass => Object.hasOwn(KEPT_MONTHS, boxClass);

/** Says whether the months of a class are over: nothing is due on the last day of the last of them, everything is on the day after. */
export const isDue = (boxClass: PurgedClass, month: string, now: Date): boolean => indexOf(monthOf(now)) - indexOf(month) > KEPT_MONTHS[boxClass];

interface OfMonth {
  readonly class: PurgedClass;
  readonly month: string;
}

/** What a run does, or did. */
export interface Purged {
  /** Keys destroyed, with how many sealed parts nobody opens any more. */
  readonly keys: readonly (OfMonth & { readonly entries: number })[];
  /** Due, and kept by a legal hold. */
  readonly held: readonly OfMonth[];
  /** Days of the queue whose key is destroyed. */
  readonly queueDays: readonly string[];
  /** Months whose sealed parts leave the database. */
  readonly dropped: readonly { readonly month: string; readonly entries: number }[];
  /** Keys destroyed before, that an older copy of the key store brought back. */
  readonly returned: number;
  /** Rows that have served: telephone links, answers by SMS, ended channels, copies of signed sheets. */
  readonly rows: Readonly<Record<'links' | 'answers' | 'channels' | 'scans', number>>;
}

export interface RetentionStore {
  /** Months of classes whose erasure was decided. */
  begun(tx: Transaction): Promise<(OfMonth & { readonly done: boolean })[]>;
  held(tx: Transaction, of: OfMonth): Promise<boolean>;
  /** How many sealed parts a key opens. */
  entries(tx: Transaction, of: OfMonth): Promise<number>;
  /** Decides, once. The database refuses it under a hold. */
  begin(tx: Transaction, of: OfMonth, now: Date): Promise<void>;
  /** False when it was done before. `event`: of the entry that must say it. */
  finish(tx: Transaction, of: OfMonth, now: Date, event: string): Promise<boolean>;
  /** Days under whose key something waits. */
  waitingDays(tx: Transaction): Promise<string[]>;
  /** Months up to `last` that still have sealed parts of other classes than `log`: how many, of which classes. */
  parts(tx: Transaction, last: string): Promise<{ month: string; entries: number; classes: PurgedClass[] }[]>;
  /** Removes the sealed parts of a month, and writes it by `say`, in one transaction. */
  drop(month: string, say: (tx: Transaction, entries: number) => Promise<void>): Promise<void>;
  /** People who were erased. */
  erased(tx: Transaction): Promise<string[]>;
  /** Removes rows that have served; with `dry` everything is put back. */
  sweep(now: Date, dry: boolean): Promise<Purged['rows']>;
}

export interface Retention {
  /** Says what a run would do now. */
  plan(): Promise<Purged>;
  /** Does it. Any step may be interrupted: the next run goes on. Returns what was done. */
  run(): Promise<Purged>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: RetentionStore;
  readonly keys: KeyEraser;
  readonly journal: Journal;
  readonly clock: Clock;
}

const same = (a: OfMonth, b: OfMonth): boolean => a.class === b.class && a.month === b.month;

export const createRetention = ({ transactions, store, keys, journal, clock }: Parts): Retention => {
  const tx = transactions.auto;

  const plan = async (): Promise<Purged & { readonly back: { readonly persons: readonly string[]; readonly months: readonly OfMonth[] } }> => {
    const now = clock.now();
    const made = await keys.periods();
    const begun = await store.begun(tx);
    const due: (OfMonth & { entries: number })[] = [];
    const held: OfMonth[] = [];
    const months = made.flatMap((one) => (isPurged(one.class) ? [{ class: one.class, month: one.period, there: one.there }] : []));
    for (const { there, ...of } of months) {
      const known = begun.find((one) => same(one, of));
      if (known?.done || !(known || (there && isDue(of.class, of.month, now)))) continue;
      if (!known && (await store.held(tx, of))) held.push(of);
      else due.push({ ...of, entries: await store.entries(tx, of) });
    }
    const gone = (of: OfMonth): boolean => due.some((one) => same(one, of)) || begun.some((one) => one.done && same(one, of));
    const waiting = new Set(await store.waitingDays(tx));
    const oldest = new Date(now.getTime() - QUEUE_DAYS_MS).toISOString().slice(0, 10);
    const parts = await store.parts(tx, monthAt(indexOf(monthOf(now)) - LONGEST - 1));
    const back = {
      persons: await keys.there(await store.erased(tx)),
      months: months.filter(({ there, ...of }) => there && begun.some((one) => one.done && same(one, of))),
    };
    return {
      keys: due,
      held,
      queueDays: made.flatMap((one) => (one.class === 'queue' && one.there && one.period < oldest && !waiting.has(one.period) ? [one.period] : [])),
      dropped: parts
        .filter(({ month, classes }) => classes.every((of) => gone({ class: of, month })))
        .map(({ month, entries }) => ({ month, entries })),
      returned: back.persons.length + back.months.length,
      rows: await store.sweep(now, true),
      back,
    };
  };

  /** The decision first, so that no hold comes in between; then the key; then the entry that says it. */
  const eraseMonth = async ({ entries, ...of }: OfMonth & { entries: number }): Promise<void> => {
    await transactions.run((tx) => store.begin(tx, of, clock.now()));
    await keys.period(of.class, of.month);
    await transactions.run(async (tx) => {
      const event = randomUuid();
      if (!(await store.finish(tx, of, clock.now(), event))) return;
      const detail = { scope: 'period', ...of, ground: 'retention', entries } as const;
      await journal.record(tx, { type: 'erasure.executed', actor: 'system', detail }, event);
    });
    journal.nudge();
  };

  return {
    async plan() {
      const { back: _, ...planned } = await plan();
      return planned;
    },
    async run() {
      const { back, ...planned } = await plan();
      await keys.persons(back.persons);
      for (const of of back.months) await keys.period(of.class, of.month);
      for (const of of planned.keys) await eraseMonth(of);
      for (const day of planned.queueDays) await keys.period('queue', day);
      for (const { month } of planned.dropped) {
        await store.drop(month, async (tx, entries) => {
          await journal.record(tx, { type: 'partition.dropped', actor: 'system', detail: { month, entries } });
        });
        journal.nudge();
      }
      return { ...planned, rows: await store.sweep(clock.now(), false) };
    },
  };
};
