import type { Clock } from '../kernel/clock.ts';
import { type Id, isId, newId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Journal } from './journal.ts';
import { isPurged, type PurgedClass } from './retention.ts';

export type HoldId = Id<'hld'>;

/** What an authority asked to keep: everything of one person, or one class of a month. */
export type Held = { readonly usager: string } | { readonly class: PurgedClass; readonly month: string };

export interface Hold {
  readonly id: HoldId;
  readonly held: Held;
  /** The legal ground, a short word. */
  readonly ground: string;
  readonly placedAt: Date;
  readonly liftedAt: Date | undefined;
}

type Refusal = 'hold_malformed' | 'ground_malformed' | 'unknown_usager' | 'already_erased' | 'unknown_hold' | 'already_lifted';

export interface HoldStore {
  /** `unknown_usager` and `already_erased` are the database's answers: what is erased cannot be held. */
  add(tx: Transaction, hold: Omit<Hold, 'liftedAt'>): Promise<'unknown_usager' | 'already_erased' | undefined>;
  lock(tx: Transaction, id: HoldId): Promise<Hold | undefined>;
  lift(tx: Transaction, id: HoldId, at: Date): Promise<void>;
  standing(tx: Transaction): Promise<Hold[]>;
}

export interface Holds {
  place(asked: {
    usager?: string | undefined;
    class?: string | undefined;
    month?: string | undefined;
    ground: string;
    by: string;
  }): Promise<{ hold: HoldId } | { refused: Refusal }>;
  lift(id: string, by: string): Promise<{ hold: HoldId } | { refused: Refusal }>;
  /** Those that stand, oldest first. */
  list(): Promise<Hold[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: HoldStore;
  readonly journal: Journal;
  readonly clock: Clock;
}

const GROUND = /^[a-z][a-z0-9-]{1,39}$/;
const MONTH = /^\d{4}-(?:0[1-9]|1[0-2])$/;

const readHeld = (asked: { usager?: string | undefined; class?: string | undefined; month?: string | undefined }): Held | undefined => {
  const { usager, class: of, month } = asked;
  if (usager !== undefined) return of === undefined && month === undefined ? { usager } : undefined;
  return of !== undefined && month !== undefined && isPurged(of as PurgedClass) && MONTH.test(month)
    ? { class: of as PurgedClass, month }
    : undefined;
};

/** The entry names nobody and links to nobody: the authority that asked decides when a person learns of it. */
const said = (held: Held, reason: string) =>
  'usager' in held ? { scope: 'person' as const, reason } : { scope: 'period' as const, ...held, reason };

/** Makes legal holds: nothing of what they name is erased before they are lifted. */
export const createHolds = ({ transactions, store, journal, clock }: Parts): Holds => {
  const inOne = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const done = await transactions.run(work);
    journal.nudge();
    return done;
  };
  return {
    async place({ ground, by, ...asked }) {
      const held = readHeld(asked);
      if (!held) return { refused: 'hold_malformed' };
      if (!GROUND.test(ground)) return { refused: 'ground_malformed' };
      return inOne(async (tx) => {
        const id = newId('hld');
        const refused = await store.add(tx, { id, held, ground, placedAt: clock.now() });
        if (refused) return { refused };
        await journal.record(tx, { type: 'hold.placed', actor: by, detail: said(held, ground) });
        return { hold: id };
      });
    },
    lift: (id, by) =>
      inOne(async (tx) => {
        const hold = isId('hld', id) ? await store.lock(tx, id) : undefined;
        if (!hold) return { refused: 'unknown_hold' };
        if (hold.liftedAt) return { refused: 'already_lifted' };
        await store.lift(tx, hold.id, clock.now());
        await journal.record(tx, { type: 'hold.lifted', actor: by, detail: said(hold.held, hold.ground) });
        return { hold: hold.id };
      }),
    list: () => store.standing(transactions.auto),
  };
};
