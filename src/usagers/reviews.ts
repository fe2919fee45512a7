import type { Approval, ApprovalId, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, seal, sha256 } from '../kernel/crypto.ts';
import { isId, type UsagerId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { CivilIdentity, Usager } from './usager.ts';
import type { UsagerStore } from './usagers.ts';

/** An identity that came with other civil traits than ours (claim U8): two opérateurs compare both and accept the new one, or nothing changes. */

export interface Review {
  readonly usagerId: UsagerId;
  readonly seenAt: Date;
  /** Names of the traits that differ. */
  readonly traits: readonly string[];
  /** Why the first opérateur asks. */
  readonly reason: string | undefined;
}

export interface ReviewStore {
  /** The last that was seen of a person replaces the one before, and what was asked about it. */
  keep(tx: Transaction, review: Omit<Review, 'reason'>, box: Buffer): Promise<void>;
  /** Held until the transaction ends. */
  find(tx: Transaction, usagerId: UsagerId): Promise<(Review & { readonly box: Buffer }) | undefined>;
  waiting(tx: Transaction): Promise<Review[]>;
  because(tx: Transaction, usagerId: UsagerId, reason: string): Promise<void>;
  /** Changes the civil traits, and forgets the review. The database refuses what two people did not approve. */
  accept(tx: Transaction, approval: ApprovalId, identity: CivilIdentity): Promise<void>;
  purge(tx: Transaction, before: Date): Promise<number>;
}

/** Tells a person, on the telephone that she proved to be hers, that her civil identity has changed. */
export type TellIdentity = (tx: Transaction, usagerId: UsagerId) => Promise<void>;

/** Both, as an opérateur reads them. */
export interface Compared {
  readonly usagerId: UsagerId;
  readonly before: CivilIdentity;
  readonly after: CivilIdentity;
  /** The first 16 hexadecimal digits of what is approved. */
  readonly fingerprint: string;
}

type Refused<R extends string> = { readonly refused: R };

export interface Reviews {
  /** Keeps what was seen, sealed, in the transaction that refuses it. */
  keepIn(tx: Transaction, usagerId: UsagerId, identity: CivilIdentity, traits: readonly string[]): Promise<void>;
  waiting(): Promise<Review[]>;
  /** The first opérateur: asks for the second. */
  ask(asked: {
    readonly usagerId: string;
    readonly reason: string;
    readonly askedBy: string;
  }): Promise<(Compared & { readonly approval: Approval }) | Refused<'nothing_to_review'>>;
  /** What the second opérateur reads before anything else. */
  look(approval: Approval): Promise<Compared | Refused<'nothing_to_review'>>;
  /** The second opérateur: the identity is the new one, its person is told, and reads it in her journal. */
  give(approval: Approval, by: string): Promise<{ readonly accepted: UsagerId } | Refused<ApprovalRefusal>>;
  /** Forgets what nobody has accepted in a month. */
  purge(): Promise<number>;
}

const KEPT_MS = 30 * 86_400_000;

const linesOf = (it: CivilIdentity): string[] => [
  it.givenName,
  it.familyName,
  it.preferredUsername ?? '',
  it.gender,
  it.birthdate,
  it.birthplace,
  it.birthcountry,
];

/** What two people approve: from what is known to what is given. The database computes it again (`accept_identity`). */
const hashOf = (usagerId: UsagerId, before: CivilIdentity, after: CivilIdentity): Buffer =>
  sha256(['relais/identity/v1', usagerId, ...linesOf(before), ...linesOf(after)].join('\n'));

const contextOf = (usagerId: UsagerId): string => `relais/identity-review/v1\n${usagerId}`;

export const createReviews = (parts: {
  readonly transactions: Transactions;
  readonly store: ReviewStore;
  readonly usagers: Pick<UsagerStore, 'find'>;
  readonly approvals: Approvals;
  readonly journal: Journal;
  readonly clock: Clock;
  /** `payload-kek`. */
  readonly kek: () => Secret<Buffer>;
  readonly tell?: TellIdentity | undefined;
}): Reviews => {
  const { transactions, store, usagers, approvals, journal, clock, kek } = parts;

  type Found = { review: Review; before: Usager; after: CivilIdentity; hash: Buffer };
  const find = async (tx: Transaction, usagerId: UsagerId): Promise<Found | undefined> => {
    const kept = await store.find(tx, usagerId);
    const before = kept && (await usagers.find(tx, usagerId));
    if (!kept || !before || clock.now().getTime() - kept.seenAt.getTime() > KEPT_MS) return undefined;
    const { box, ...review } = kept;
    const after = JSON.parse(open(kek().reveal(), box, contextOf(usagerId)).toString()) as CivilIdentity; // sealed below, of this shape
    return { review, before, after, hash: hashOf(usagerId, before, after) };
  };
  const compared = ({ before, after, hash }: Found): Compared => ({
    usagerId: before.id,
    before,
    after,
    fingerprint: hash.toString('hex').slice(0, 16),
  });

  return {
    async keepIn(tx, usagerId, identity, traits) {
      const box = seal(kek().reveal(), Buffer.from(JSON.stringify(identity)), contextOf(usagerId));
      await store.keep(tx, { usagerId, seenAt: clock.now(), traits }, box);
    },
    waiting: () => store.waiting(transactions.auto),
    async ask({ usagerId, reason, askedBy }) {
      const asked = await transactions.run(async (tx) => {
        const found = isId('usg', usagerId) ? await find(tx, usagerId) : undefined;
        if (!found) return { refused: 'nothing_to_review' as const };
        await store.because(tx, found.before.id, reason);
        const approval = await approvals.askIn(tx, { kind: 'identity', subject: usagerId, hash: found.hash, askedBy });
        return { ...compared(found), approval };
      });
      journal.nudge();
      return asked;
    },
    look: (approval) =>
      transactions.run(async (tx) => {
        const found = await find(tx, approval.subject as UsagerId);
        return found ? compared(found) : { refused: 'nothing_to_review' as const };
      }),
    async give(approval, by) {
      const usagerId = approval.subject as UsagerId;
      const done = await transactions.run(async (tx) => {
        const found = await find(tx, usagerId);
        // Nothing kept any more is not what was asked: refused as such, with its entry.
        const given = await approvals.approveIn(tx, approval.id, by, found?.hash ?? Buffer.alloc(32));
        if ('refused' in given) return given;
        if (!found) return { refused: 'hash_differs' as const };
        await store.accept(tx, approval.id, found.after);
        await journal.record(tx, {
          type: 'usager.identity-accepted',
          usager: usagerId,
          actor: by,
          detail: { traits: found.review.traits, reason: found.review.reason ?? '' },
        });
        await parts.tell?.(tx, usagerId);
        return { accepted: usagerId };
      });
      journal.nudge();
      return done;
    },
    purge: () => store.purge(transactions.auto, new Date(clock.now().getTime() - KEPT_MS)),
  };
};
