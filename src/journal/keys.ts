import { hmacSha256 } from '../kernel/crypto.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Retention } from './event.ts';

/**
 * The keys of sealed parts (journal.md §3.8): one a person, one a class and month. A box opens with both: without the person's, nothing of hers
 * does, anywhere; without the month's, nobody's of that class does.
 */

/** Whose time decides: an entry's own class, or `actor` for the box that says who acted. */
export type BoxClass = Retention | 'actor';
export type PeriodClass = BoxClass | 'queue';

export interface AskedKeys {
  readonly persons: readonly string[];
  readonly periods: readonly { readonly class: PeriodClass; readonly period: string }[];
}

/**
 * What was loaded. `null`: erased. `undefined`: never made. 32 bytes otherwise. Asking for one whose stored bytes open with no key fails as
 * `journal_key_unreadable`: nothing is written or shown as if it had been erased, or never made.
 */
export interface LoadedKeys {
  person(id: string): Buffer | null | undefined;
  period(boxClass: PeriodClass, period: string): Buffer | null | undefined;
}

/** The key that waiting entries are sealed under, and its day (`YYYY-MM-DD`). */
export interface QueueKey {
  readonly day: string;
  readonly key: Buffer;
}

/** A key where `journal_key_unreadable` is told in another way. */
export const ifReadable = (key: () => Buffer | null | undefined): Buffer | null | undefined => {
  try {
    return key();
  } catch {
    return undefined;
  }
};

export interface KeyStore {
  /** The newest queue key. At a new day the next one is fetched meanwhile. Fails as `journal_full` when it is so old that it may be destroyed. */
  queueKey(): QueueKey;
  /** The same, and makes today's in `tx` when the newest is that old: after a long sleep nothing is sealed under a key that is gone. */
  queueKeyIn(tx: Transaction): Promise<QueueKey>;
  /** Reads keys, one statement. Through `tx`, unless the store is another database. Nothing is cached: what was erased does not open a moment later. */
  load(tx: Transaction, asked: AskedKeys): Promise<LoadedKeys>;
  /**
   * The same, and makes those that were never made: in the role of the sequencer, which is that of `tx` unless the store is another database. Call it
   * outside transactions: a key that was used must not be rolled back.
   */
  make(tx: Transaction, asked: AskedKeys): Promise<LoadedKeys>;
}

/** The UTC month of an instant, `YYYY-MM`. */
export const monthOf = (at: Date): string => at.toISOString().slice(0, 7);

const made = new WeakMap<Buffer, WeakMap<Buffer, Buffer>>();

/** Opens a box: from the key of the person it is about (none for the house's own entries) and the key of its class and month. */
export const boxKey = (person: Buffer | undefined, period: Buffer): Buffer => {
  const of = person ?? period;
  const before = made.get(of)?.get(period);
  if (before) return before;
  const key = person ? hmacSha256(person, 'relais/journal/k/v1\n', period) : hmacSha256(period, 'relais/journal/k/v1\n');
  const keys = made.get(of) ?? new WeakMap<Buffer, Buffer>();
  made.set(of, keys.set(period, key));
  return key;
};

/** Roles under which a party has entries of its own, each with its count. */
export const ROLES = ['usager', 'organisation', 'administration', 'aidant'] as const;
export type Role = (typeof ROLES)[number];

/** The key of a party's tags, which it may be given: it makes and recognises tags, and opens nothing. */
export const tagKeyOf = (person: Buffer): Buffer => hmacSha256(person, 'relais/journal/tag/v1');

/** Tag `n` (from 1) of a party: 16 bytes, random to whoever lacks its key (journal.md §3.4). */
export const tagOf = (tagKey: Buffer, role: Role, n: number): Buffer => hmacSha256(tagKey, `${role}\n${n}`).subarray(0, 16);
