import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomBytes, sha256 } from '../kernel/crypto.ts';
import type { StaffId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { asParty } from './aidant.ts';
import { base32, decideWrong } from './code.ts';
import type { MeansStore } from './store.ts';

/** Recovery codes: ten at a time, each used once, to sign in when nothing else is at hand. One never signs a mandate. */

export const CODES = 10;
const CODE_BYTES = 10; // 80 bits: no list of them can be tried, even by who has the hashes
/** How long a factor counts as fresh (claim S9). */
export const FRESH_MS = 5 * 60_000;

/** What a person is told by mail of their own means. */
export type MeansNews = 'locked' | 'passkey_added' | 'passkey_revoked' | 'recovery_made' | 'recovery_used';
/** Writes that message in the caller's transaction. */
export type Told = (tx: Transaction, staffId: StaffId, news: MeansNews) => Promise<void>;

export interface FreshStore {
  /** Says whether this browser session, alive and this person's, accepted a factor since then; held until the transaction ends. */
  isFresh(tx: Transaction, webSession: Buffer, staffId: StaffId, since: Date): Promise<boolean>;
  prove(tx: Transaction, webSession: Buffer, now: Date): Promise<void>;
}

export interface RecoveryStore {
  /** Replaces all of someone's codes: those before stop working. */
  replace(tx: Transaction, staffId: StaffId, hashes: readonly Buffer[], now: Date): Promise<void>;
  /** Uses one up; of two at once, one gets true. */
  use(tx: Transaction, staffId: StaffId, hash: Buffer, now: Date): Promise<boolean>;
  left(tx: Transaction, staffId: StaffId): Promise<number>;
}

export type RecoveryRefusal = 'factor_not_fresh' | 'wrong_recovery_code' | 'too_many_codes';

export interface Recovery {
  /** Makes ten codes in place of those before. They exist here and on one page; the database holds their SHA-256. */
  make(staffId: StaffId, webSession: Buffer): Promise<{ readonly codes: readonly string[] } | { readonly refused: RecoveryRefusal }>;
  /** Signs in with one. A wrong one counts as a wrong one-time code does: the tenth locks both for 15 minutes. */
  use(staffId: StaffId, typed: unknown): Promise<{ readonly left: number } | { readonly refused: RecoveryRefusal }>;
  left(staffId: StaffId): Promise<number>;
  /** Says whether a factor was accepted in this browser session in the last five minutes. */
  isFresh(staffId: StaffId, webSession: Buffer): Promise<boolean>;
  /** Notes, in the caller's transaction, that a factor was just accepted in this browser session. */
  prove(tx: Transaction, webSession: Buffer): Promise<void>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: RecoveryStore & FreshStore;
  readonly means: MeansStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly told: Told;
}

/** Reads what somebody typed: spaces, hyphens and small letters are tolerated. */
export const readRecoveryCode = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > 60) return undefined;
  const code = value.replace(/[\s-]/g, '').toUpperCase();
  return /^[A-Z2-7]{16}$/.test(code) ? code : undefined;
};

const hashOf = (staffId: StaffId, code: string): Buffer => sha256('relais/recovery-code/v1\n', `${staffId}\n`, code);
const grouped = (code: string): string => (code.match(/.{4}/g) ?? []).join('-');

const make = (parts: Parts, staffId: StaffId, webSession: Buffer) =>
  parts.transactions.run(async (tx) => {
    const now = parts.clock.now();
    if (!(await parts.store.isFresh(tx, webSession, staffId, new Date(now.getTime() - FRESH_MS)))) return { refused: 'factor_not_fresh' as const };
    const codes = Array.from({ length: CODES }, () => base32(randomBytes(CODE_BYTES)));
    await parts.store.replace(
      tx,
      staffId,
      codes.map((code) => hashOf(staffId, code)),
      now,
    );
    await parts.journal.record(tx, { type: 'factor.enrolled', ...asParty(staffId), detail: { kind: 'recovery' } });
    await parts.told(tx, staffId, 'recovery_made');
    return { codes: codes.map(grouped) };
  });

const refuse = async (parts: Parts, tx: Transaction, staffId: StaffId, refused: RecoveryRefusal): Promise<{ refused: RecoveryRefusal }> => {
  await parts.journal.record(tx, { type: 'factor.refused', ...asParty(staffId), detail: { kind: 'recovery', reason: refused } });
  return { refused };
};

const use = (parts: Parts, staffId: StaffId, typed: unknown) =>
  parts.transactions.run(async (tx) => {
    const now = parts.clock.now();
    const factor = await parts.means.lock(tx, staffId);
    if (!factor?.confirmedAt) return refuse(parts, tx, staffId, 'wrong_recovery_code');
    if (factor.lockedUntil && factor.lockedUntil > now) return refuse(parts, tx, staffId, 'too_many_codes');
    const code = readRecoveryCode(typed);
    if (code !== undefined && (await parts.store.use(tx, staffId, hashOf(staffId, code), now))) {
      await parts.means.fail(tx, staffId, 0, undefined);
      await parts.journal.record(tx, { type: 'factor.accepted', ...asParty(staffId), detail: { kind: 'recovery', purpose: 'sign-in' } });
      await parts.told(tx, staffId, 'recovery_used');
      return { left: await parts.store.left(tx, staffId) };
    }
    const { failures, lockedUntil } = decideWrong(factor, now);
    await parts.means.fail(tx, staffId, failures, lockedUntil);
    if (lockedUntil) await parts.told(tx, staffId, 'locked');
    return refuse(parts, tx, staffId, lockedUntil ? 'too_many_codes' : 'wrong_recovery_code');
  });

/** Makes the use cases of recovery codes and of freshness. */
export const createRecovery = (parts: Parts): Recovery => ({
  make: async (staffId, webSession) => {
    const made = await make(parts, staffId, webSession);
    parts.journal.nudge();
    return made;
  },
  use: async (staffId, typed) => {
    const used = await use(parts, staffId, typed);
    parts.journal.nudge();
    return used;
  },
  left: (staffId) => parts.store.left(parts.transactions.auto, staffId),
  isFresh: (staffId, webSession) =>
    parts.store.isFresh(parts.transactions.auto, webSession, staffId, new Date(parts.clock.now().getTime() - FRESH_MS)),
  prove: (tx, webSession) => parts.store.prove(tx, webSession, parts.clock.now()),
});
