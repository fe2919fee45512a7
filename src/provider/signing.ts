import type { Journal } from '../journal/journal.ts';
import { CLOCKS_APART_MS, type Clock } from '../kernel/clock.ts';
import { randomUuid } from '../kernel/crypto.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { KeyTimes, SigningAlg, SigningKeyStore } from './key-set.ts';

/** How long a key is published before it signs, and after it signed: the time for which a service may keep the set of keys it read (claim K1). */
export const PUBLISHED_MS = 24 * 3_600_000;

export interface SigningKeys {
  times(): Promise<readonly KeyTimes[]>;
  /** Puts a published key in force. `early`: even if it was published a moment ago. */
  promote(
    kid: string,
    alg: SigningAlg,
    by: string,
    early: boolean,
  ): Promise<{ promoted: true } | { refused: 'key_not_published' | 'key_too_new' | 'key_revoked' }>;
  /**
   * Declares a key stolen: no instance publishes it or signs with it any more, `other` signs in its place. If it signs `tokens`, everything that was open
   * ends in the same transaction; again for a key that was revoked: ends what is open. What a stream's key signs opens nothing.
   */
  revoke(
    kid: string,
    other: string,
    alg: SigningAlg,
    by: string,
    signs: 'tokens' | 'signals',
  ): Promise<{ sessions: number } | { refused: 'key_not_published' | 'next_signing_key_missing' }>;
}

export const createSigningKeys = (parts: {
  readonly transactions: Transactions;
  readonly store: SigningKeyStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: (tx: Transaction, whose: object, reason: 'suspended') => Promise<number>;
}): SigningKeys => {
  const { transactions, store, journal, clock, endSessions } = parts;
  const find = async (tx: Transaction, kid: string): Promise<KeyTimes | undefined> => (await store.all(tx)).find((each) => each.kid === kid);
  return {
    times: () => store.all(transactions.auto),
    async promote(kid, alg, by, early) {
      const now = clock.now();
      const answer = await transactions.run(async (tx) => {
        const event = randomUuid();
        const promoted = await store.promote(tx, kid, new Date(early ? now.getTime() + CLOCKS_APART_MS : now.getTime() - PUBLISHED_MS), event);
        if (promoted) {
          await journal.record(tx, { type: 'signing-key.promoted', actor: by, detail: { kid, alg } }, event);
          return { promoted };
        }
        const known = await find(tx, kid);
        return { refused: !known ? 'key_not_published' : known.revokedAt ? 'key_revoked' : 'key_too_new' } as const;
      });
      journal.nudge();
      return answer;
    },
    async revoke(kid, other, alg, by, signs) {
      const answer = await transactions.run(async (tx) => {
        await store.lock(tx);
        const known = await find(tx, kid);
        if (!known) return { refused: 'key_not_published' } as const;
        const next = await find(tx, other);
        if (!next || next.revokedAt || other === kid) return { refused: 'next_signing_key_missing' } as const;
        const event = randomUuid();
        const revoked = await store.revoke(tx, kid, event);
        const sessions = signs === 'tokens' ? await endSessions(tx, {}, 'suspended') : 0;
        if (signs === 'tokens') await store.dropTokens(tx);
        await journal.record(tx, { type: 'signing-key.revoked', actor: by, detail: { kid, alg, sessions } }, revoked ? event : undefined);
        return { sessions };
      });
      journal.nudge();
      return answer;
    },
  };
};
