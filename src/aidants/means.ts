import type { Parties } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open } from '../kernel/crypto.ts';
import { assertNever } from '../kernel/failure.ts';
import type { StaffId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { asParty } from './aidant.ts';
import { decideCode } from './code.ts';
import type { Told } from './recovery.ts';
import type { MeansStore } from './store.ts';

export type CodeRefusal =
  | { readonly refused: 'no_factor' | 'wrong_code' | 'code_already_used' }
  | { readonly refused: 'too_many_codes'; readonly until: Date };

export type CodeAnswer = { readonly accepted: true; readonly step: number } | CodeRefusal;

/** What a code is asked for; it goes into the journal entry. */
export type Purpose = 'sign-in' | 'mandate' | 'approval' | 'command' | 'step-up';

export interface Means {
  /** Verifies a code in a transaction of its own. Each answer, good or bad, is a journal entry of that transaction. */
  verifyCode(staffId: StaffId, code: unknown, purpose: Purpose): Promise<CodeAnswer>;
  /**
   * Verifies a code in the caller's transaction: it is used up only if that commits. The refusal's own writes (the count of failures, the
   * entry) are in it too, so after a refusal the caller returns, so that they commit; it never throws. `parties` completes the entry.
   */
  verifyCodeIn(tx: Transaction, staffId: StaffId, code: unknown, purpose: Purpose, parties?: Parties): Promise<CodeAnswer>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: MeansStore;
  readonly journal: Journal;
  readonly clock: Clock;
  /** The key `totp-kek`: seeds are sealed with it, so that the database alone makes no code (claim K5). */
  readonly kek: Secret<Buffer>;
  /** Tells the person that their codes are locked. Left out where no message can be written. */
  readonly told?: Told;
}

/** Opens a confirmed factor's seed. While an enrolment is under way the box holds something else, under another context. */
export const openSeed = (kek: Secret<Buffer>, staffId: StaffId, box: Buffer): Buffer => open(kek.reveal(), box, staffId);

/** Decides and writes the decision. The row is locked and `accept` is conditional: two uses of one code at once give one acceptance. */
const decide = async (parts: Parts, tx: Transaction, staffId: StaffId, code: unknown): Promise<CodeAnswer> => {
  const factor = await parts.store.lock(tx, staffId);
  if (!factor?.confirmedAt) return { refused: 'no_factor' };
  const decision = decideCode(openSeed(parts.kek, staffId, factor.seedBox), code, factor, parts.clock.now());
  switch (decision.kind) {
    case 'accept':
      return (await parts.store.accept(tx, staffId, decision.step)) ? { accepted: true, step: decision.step } : { refused: 'code_already_used' };
    case 'used':
      return { refused: 'code_already_used' };
    case 'locked':
      return { refused: 'too_many_codes', until: decision.until };
    case 'wrong':
      await parts.store.fail(tx, staffId, decision.failures, decision.lockedUntil);
      if (decision.lockedUntil) await parts.told?.(tx, staffId, 'locked');
      return decision.lockedUntil ? { refused: 'too_many_codes', until: decision.lockedUntil } : { refused: 'wrong_code' };
    default:
      return assertNever(decision);
  }
};

const verifyIn = async (parts: Parts, tx: Transaction, staffId: StaffId, code: unknown, purpose: Purpose, parties: Parties): Promise<CodeAnswer> => {
  const answer = await decide(parts, tx, staffId, code);
  const whose = { ...parties, ...asParty(staffId) };
  if ('refused' in answer) await parts.journal.record(tx, { type: 'factor.refused', ...whose, detail: { kind: 'totp', reason: answer.refused } });
  else await parts.journal.record(tx, { type: 'factor.accepted', ...whose, detail: { kind: 'totp', purpose } });
  return answer;
};

/** Makes the verification of one-time codes. */
export const createMeans = (parts: Parts): Means => ({
  verifyCode: async (staffId, code, purpose) => {
    const answer = await parts.transactions.run((tx) => verifyIn(parts, tx, staffId, code, purpose, {}));
    parts.journal.nudge();
    return answer;
  },
  verifyCodeIn: (tx, staffId, code, purpose, parties = {}) => verifyIn(parts, tx, staffId, code, purpose, parties),
});
