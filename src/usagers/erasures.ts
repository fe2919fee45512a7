import type { Approval, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { KeyEraser } from '../journal/erasing.ts';
import type { Journal } from '../journal/journal.ts';
import { tagOf } from '../journal/keys.ts';
import { canonical } from '../kernel/canonical.ts';
import type { Clock } from '../kernel/clock.ts';
import { sha256 } from '../kernel/crypto.ts';
import { type Id, newId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';

export type ErasureId = Id<'ers'>;

export interface Erasure {
  readonly id: ErasureId;
  /** Whom; undefined once it is done. */
  readonly usagerId: UsagerId | undefined;
  /** The legal ground, a short word. */
  readonly ground: string;
  readonly begun: boolean;
  /** How many entries the journal has said to be erased. */
  readonly said: number;
}

/** What stands in the way of an erasure. */
export type Standing = 'unknown_usager' | 'already_erased' | 'held' | 'live_mandates';

export interface ErasureStore {
  add(tx: Transaction, erasure: { id: ErasureId; usagerId: UsagerId; ground: string; at: Date }): Promise<void>;
  find(tx: Transaction, id: ErasureId): Promise<Erasure | undefined>;
  /** The same, held until the transaction ends. */
  lock(tx: Transaction, id: ErasureId): Promise<Erasure | undefined>;
  /** Those that two people gave and that are not done. */
  unfinished(tx: Transaction): Promise<ErasureId[]>;
  standing(tx: Transaction, usagerId: UsagerId): Promise<Standing | undefined>;
  /** Takes what is hers out of the tables. The database refuses it without two people, with a live mandate, and under a hold. */
  begin(tx: Transaction, id: ErasureId, now: Date): Promise<void>;
  /** How many entries are hers in what is searched. */
  entries(tx: Transaction, usagerId: UsagerId): Promise<number>;
  said(tx: Transaction, id: ErasureId, entries: number, event: string): Promise<void>;
  /** Takes her identifiers out of what is searched, and out of the erasure, if the journal has said as many entries as there are; otherwise false. */
  finish(id: ErasureId, usagerId: UsagerId, now: Date): Promise<boolean>;
}

/** `waits`: everything personal is erased, and an entry of the journal is not sequenced yet: the same again finishes. */
export type Erased = { readonly done: true; readonly entries: number } | { readonly waits: true };
type Refused<R extends string> = { readonly refused: R };

export interface Erasures {
  /** One opérateur asks. `reason` is sealed in the journal under her own key: it goes with her. */
  ask(asked: {
    usagerId: UsagerId;
    ground: string;
    reason?: string | undefined;
    askedBy: string;
  }): Promise<{ approval: Approval } | Refused<Standing | 'ground_malformed'>>;
  /** Another gives, in the transaction that empties the tables. Whoever runs it again after a fault finishes what began. */
  give(approval: Approval, by: string): Promise<Erased | Refused<Standing | ApprovalRefusal>>;
  /** Goes on with what a fault interrupted. Returns how many were finished. */
  resume(): Promise<number>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ErasureStore;
  readonly approvals: Approvals;
  readonly keys: KeyEraser;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Seals her mandates again without her names, once the tables have none (`attestations.forget`). Everything is checked before. */
  readonly forget: (tx: Transaction, usagerId: UsagerId, erase: () => Promise<void>) => Promise<void>;
  /** How long to wait for an entry to be sequenced. */
  readonly receiptMs?: number;
}

const GROUND = /^[a-z][a-z0-9-]{1,39}$/;
export const isGround = (text: string): boolean => GROUND.test(text);

/** What the second opérateur approves. */
const hashOf = ({ id, usagerId, ground }: Pick<Erasure, 'id' | 'usagerId' | 'ground'>): Buffer =>
  sha256('relais/erasure/v1\n', canonical({ erasure: id, usager: usagerId ?? '', ground }));

/** The same event however often a step is run again. */
const eventOf = (id: ErasureId, said: number): string => {
  const hex = sha256('relais/erasure/event/v1\n', `${id}\n${said}`).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/** Makes the erasure of a person (journal.md §3.8): tables, then key, then the entry that says it, then what is searched. */
export const createErasures = (parts: Parts): Erasures => {
  const { transactions, store, approvals, keys, journal, clock } = parts;

  /** Says what is erased. The number is final once this entry has its receipt: from then on the sequencer gives her no more. */
  const say = async (id: ErasureId, usagerId: UsagerId, lastTag: Buffer | undefined): Promise<string> => {
    const event = await transactions.run(async (tx) => {
      const erasure = await store.lock(tx, id);
      const entries = await store.entries(tx, usagerId);
      const said = erasure?.said ?? 0;
      if (said > 0 && entries === said) return eventOf(id, said);
      const event = eventOf(id, entries);
      await store.said(tx, id, entries, event);
      return journal.record(
        tx,
        {
          type: 'erasure.executed',
          actor: 'system',
          detail: {
            scope: 'person',
            ground: erasure?.ground ?? '',
            entries: entries - said,
            ...(lastTag ? { lastTag: lastTag.toString('base64url') } : {}),
          },
        },
        event,
      );
    });
    journal.nudge();
    return event;
  };

  const goOn = async (id: ErasureId): Promise<Erased> => {
    for (;;) {
      const erasure = await store.find(transactions.auto, id);
      if (!erasure?.usagerId) return { done: true, entries: erasure?.said ?? 0 };
      const { usagerId } = erasure;
      const tagKey = await journal.tagKey(transactions.auto, usagerId);
      const count = await store.entries(transactions.auto, usagerId);
      await keys.persons([usagerId]);
      const event = await say(id, usagerId, tagKey && count ? tagOf(tagKey, 'usager', count) : undefined);
      if (!(await journal.receipt(event, parts.receiptMs))) return { waits: true };
      await store.finish(id, usagerId, clock.now());
    }
  };

  return {
    async ask({ usagerId, ground, reason, askedBy }) {
      if (!isGround(ground)) return { refused: 'ground_malformed' };
      const answer = await transactions.run(async (tx) => {
        const standing = await store.standing(tx, usagerId);
        if (standing === 'unknown_usager' || standing === 'already_erased') return { refused: standing };
        if (standing) {
          // A hold is not told to her: the authority that asked decides when she learns of it.
          const whom = standing === 'held' ? {} : { usager: usagerId };
          await journal.record(tx, { type: 'erasure.refused', ...whom, actor: askedBy, detail: { scope: 'person', ground, reason: standing } });
          return { refused: standing };
        }
        const id = newId('ers');
        await store.add(tx, { id, usagerId, ground, at: clock.now() });
        await journal.record(tx, {
          type: 'erasure.asked',
          usager: usagerId,
          actor: askedBy,
          detail: { scope: 'person', ground, ...(reason === undefined ? {} : { reason }) },
        });
        return { approval: await approvals.askIn(tx, { kind: 'erasure', subject: id, hash: hashOf({ id, usagerId, ground }), askedBy }) };
      });
      journal.nudge();
      return answer;
    },
    async give(approval, by) {
      const id = approval.subject as ErasureId;
      const begun = await transactions.run(async (tx): Promise<Refused<Standing | ApprovalRefusal> | undefined> => {
        const erasure = await store.lock(tx, id);
        if (!erasure) return { refused: 'unknown_approval' };
        const { usagerId } = erasure;
        if (erasure.begun || !usagerId) return undefined;
        const standing = await store.standing(tx, usagerId);
        if (standing) {
          const whom = standing === 'live_mandates' ? { usager: usagerId } : {};
          await journal.record(tx, {
            type: 'erasure.refused',
            ...whom,
            actor: by,
            detail: { scope: 'person', ground: erasure.ground, reason: standing },
          });
          return { refused: standing };
        }
        const given = await approvals.approveIn(tx, approval.id, by, hashOf(erasure));
        if ('refused' in given) return given;
        await parts.forget(tx, usagerId, () => store.begin(tx, id, clock.now()));
        return undefined;
      });
      journal.nudge();
      return begun ?? goOn(id);
    },
    async resume() {
      let done = 0;
      for (const id of await store.unfinished(transactions.auto)) if ('done' in (await goOn(id))) done++;
      return done;
    },
  };
};
