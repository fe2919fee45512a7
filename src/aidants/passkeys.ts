import type { Parties } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, randomBytes } from '../kernel/crypto.ts';
import { newId, type StaffId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readName } from '../organisations/name.ts';
import { asParty } from './aidant.ts';
import {
  CHALLENGE_MS,
  challengeOf,
  creationOptions,
  follows,
  MOST_PASSKEYS,
  type Party,
  type Passkey,
  type PasskeyPurpose,
  readAnswer,
  requestOptions,
  verifyNew,
  verifyUse,
} from './passkey.ts';
import type { FreshStore, Told } from './recovery.ts';
import { FRESH_MS } from './recovery.ts';

export type PasskeyRefusal = 'passkey_expired' | 'passkey_unknown' | 'passkey_invalid' | 'passkey_copied';
export type AssertionAnswer = { readonly accepted: true; readonly key: Passkey } | { readonly refused: PasskeyRefusal };
export type ChangeRefusal = 'factor_not_fresh' | 'name_malformed' | 'too_many_passkeys' | 'last_means' | 'passkey_known' | PasskeyRefusal;

export interface PasskeyStore {
  /** The keys of someone that are not revoked, oldest first. */
  list(tx: Transaction, staffId: StaffId): Promise<Passkey[]>;
  /** One of them by its credential, held until the transaction ends. A revoked one, or somebody else's, is absent. */
  lock(tx: Transaction, staffId: StaffId, credentialId: string): Promise<Passkey | undefined>;
  /** Holds every other change to someone's means until the transaction ends. */
  holdMeans(tx: Transaction, staffId: StaffId): Promise<void>;
  /** False when this credential is known, whosever it is. */
  add(tx: Transaction, staffId: StaffId, key: Passkey): Promise<boolean>;
  /** Moves the counter from the one that was read; false when it moved meanwhile, or the key was revoked. */
  used(tx: Transaction, key: Passkey, counter: number, now: Date): Promise<boolean>;
  /** False when there is no such key, or it was revoked before. */
  revoke(tx: Transaction, staffId: StaffId, id: string, now: Date): Promise<boolean>;
  addChallenge(
    tx: Transaction,
    challenge: {
      readonly challenge: Buffer;
      readonly nonce: Buffer;
      readonly staffId: StaffId;
      readonly purpose: PasskeyPurpose;
      readonly expiresAt: Date;
    },
  ): Promise<void>;
  /** Uses a challenge up, if it is this person's, for this purpose, neither used nor over: of two at once, one gets its nonce. */
  useChallenge(tx: Transaction, challenge: Buffer, staffId: StaffId, purpose: PasskeyPurpose, now: Date): Promise<Buffer | undefined>;
  purgeChallenges(tx: Transaction, before: Date): Promise<number>;
  /** Says whether a one-time code is enrolled, which is a strong means as well. */
  hasCode(tx: Transaction, staffId: StaffId): Promise<boolean>;
}

export interface Passkeys {
  list(staffId: StaffId): Promise<Passkey[]>;
  /** Draws a challenge and writes the request for a browser; undefined when the person has no passkey. `bound` is what the answer accepts. */
  ask(staffId: StaffId, purpose: Exclude<PasskeyPurpose, 'enrol'>, bound: Buffer): Promise<string | undefined>;
  /**
   * Verifies an answer in the caller's transaction, and uses its challenge up whatever comes of it, so after a refusal the caller returns, so that
   * this commits. The purpose and `bound` must be those that were asked for: else the challenge is not the one that they derive.
   */
  verifyIn(
    tx: Transaction,
    staffId: StaffId,
    response: unknown,
    purpose: Exclude<PasskeyPurpose, 'enrol'>,
    bound: Buffer,
    parties?: Parties,
  ): Promise<AssertionAnswer>;
  verify(staffId: StaffId, response: unknown, purpose: 'sign-in', bound: Buffer): Promise<AssertionAnswer>;
  /** Writes the request for a new key; asks for a fresh factor of this browser session. */
  begin(holder: Holder): Promise<{ readonly options: string } | { readonly refused: ChangeRefusal }>;
  add(holder: Holder, name: unknown, response: unknown): Promise<{ readonly added: Passkey } | { readonly refused: ChangeRefusal }>;
  revoke(holder: Holder, id: string): Promise<{ readonly revoked: true } | { readonly refused: ChangeRefusal }>;
  /** Forgets challenges whose time is over; says how many. */
  purge(): Promise<number>;
}

export interface Holder {
  readonly id: StaffId;
  readonly email: string;
  readonly name: string;
  /** The hash of the browser session that asks. */
  readonly webSession: Buffer;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: PasskeyStore;
  readonly fresh: FreshStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly party: Party;
  readonly told: Told;
}

const draw = async (parts: Parts, tx: Transaction, staffId: StaffId, purpose: PasskeyPurpose, bound: Buffer): Promise<Buffer> => {
  const nonce = randomBytes(32);
  const challenge = challengeOf(purpose, nonce, bound);
  await parts.store.addChallenge(tx, { challenge, nonce, staffId, purpose, expiresAt: new Date(parts.clock.now().getTime() + CHALLENGE_MS) });
  return challenge;
};

/** Uses up the challenge that an answer names, and checks that it is the one derived from what is accepted now. */
const answers = async (
  parts: Parts,
  tx: Transaction,
  staffId: StaffId,
  challenge: Buffer,
  purpose: PasskeyPurpose,
  bound: Buffer,
): Promise<boolean> => {
  const nonce = await parts.store.useChallenge(tx, challenge, staffId, purpose, parts.clock.now());
  return nonce !== undefined && equal(challengeOf(purpose, nonce, bound), challenge);
};

const decide = async (
  parts: Parts,
  tx: Transaction,
  staffId: StaffId,
  response: unknown,
  purpose: PasskeyPurpose,
  bound: Buffer,
): Promise<AssertionAnswer> => {
  const answer = readAnswer(response);
  if (!answer) return { refused: 'passkey_invalid' };
  if (!(await answers(parts, tx, staffId, answer.challenge, purpose, bound))) return { refused: 'passkey_expired' };
  const key = await parts.store.lock(tx, staffId, answer.credentialId);
  if (!key) return { refused: 'passkey_unknown' };
  const proved = await verifyUse(parts.party, staffId, key, answer);
  if (!proved) return { refused: 'passkey_invalid' };
  if (!follows(key.counter, proved.counter)) return { refused: 'passkey_copied' };
  return (await parts.store.used(tx, key, proved.counter, parts.clock.now())) ? { accepted: true, key } : { refused: 'passkey_unknown' };
};

const verifyIn = async (
  parts: Parts,
  tx: Transaction,
  staffId: StaffId,
  response: unknown,
  purpose: PasskeyPurpose,
  bound: Buffer,
  parties: Parties,
): Promise<AssertionAnswer> => {
  const answer = await decide(parts, tx, staffId, response, purpose, bound);
  const whose = { ...parties, ...asParty(staffId) };
  if ('refused' in answer) await parts.journal.record(tx, { type: 'factor.refused', ...whose, detail: { kind: 'passkey', reason: answer.refused } });
  else await parts.journal.record(tx, { type: 'factor.accepted', ...whose, detail: { kind: 'passkey', purpose } });
  return answer;
};

/** Runs a change of someone's means in one transaction that holds them, once their factor is fresh (claim S9). */
const change = async <T extends object>(
  parts: Parts,
  holder: Holder,
  work: (tx: Transaction) => Promise<T | { refused: ChangeRefusal }>,
): Promise<T | { refused: ChangeRefusal }> => {
  const since = new Date(parts.clock.now().getTime() - FRESH_MS);
  const done = await parts.transactions.run(async (tx) => {
    await parts.store.holdMeans(tx, holder.id);
    if (!(await parts.fresh.isFresh(tx, holder.webSession, holder.id, since))) return { refused: 'factor_not_fresh' as const };
    return work(tx);
  });
  parts.journal.nudge();
  return done;
};

const begin = (parts: Parts, holder: Holder) =>
  change(parts, holder, async (tx) => {
    const keys = await parts.store.list(tx, holder.id);
    if (keys.length >= MOST_PASSKEYS) return { refused: 'too_many_passkeys' };
    const challenge = await draw(parts, tx, holder.id, 'enrol', holder.webSession);
    return { options: creationOptions(parts.party, challenge, holder, keys) };
  });

const add = (parts: Parts, holder: Holder, given: unknown, response: unknown) =>
  change(parts, holder, async (tx) => {
    const name = readName(given, 60);
    if (name === undefined) return { refused: 'name_malformed' };
    const answer = readAnswer(response);
    if (!answer) return { refused: 'passkey_invalid' };
    if (!(await answers(parts, tx, holder.id, answer.challenge, 'enrol', holder.webSession))) return { refused: 'passkey_expired' };
    if ((await parts.store.list(tx, holder.id)).length >= MOST_PASSKEYS) return { refused: 'too_many_passkeys' };
    const proved = await verifyNew(parts.party, answer);
    if (!proved) return { refused: 'passkey_invalid' };
    const added: Passkey = { ...proved, id: newId('pky'), name, createdAt: parts.clock.now(), lastUsedAt: undefined };
    if (!(await parts.store.add(tx, holder.id, added))) return { refused: 'passkey_known' };
    await parts.journal.record(tx, { type: 'factor.enrolled', ...asParty(holder.id), detail: { kind: 'passkey' } });
    await parts.told(tx, holder.id, 'passkey_added');
    return { added };
  });

const revoke = (parts: Parts, holder: Holder, id: string) =>
  change(parts, holder, async (tx) => {
    const keys = await parts.store.list(tx, holder.id);
    if (!keys.some((key) => key.id === id)) return { refused: 'passkey_unknown' };
    if (keys.length === 1 && !(await parts.store.hasCode(tx, holder.id))) return { refused: 'last_means' };
    if (!(await parts.store.revoke(tx, holder.id, id, parts.clock.now()))) return { refused: 'passkey_unknown' };
    await parts.journal.record(tx, { type: 'factor.revoked', ...asParty(holder.id), detail: { kind: 'passkey' } });
    await parts.told(tx, holder.id, 'passkey_revoked');
    return { revoked: true as const };
  });

/** Makes the use cases of passkeys. */
export const createPasskeys = (parts: Parts): Passkeys => ({
  list: (staffId) => parts.store.list(parts.transactions.auto, staffId),
  ask: async (staffId, purpose, bound) => {
    const keys = await parts.store.list(parts.transactions.auto, staffId);
    return keys.length ? requestOptions(parts.party, await draw(parts, parts.transactions.auto, staffId, purpose, bound), keys) : undefined;
  },
  verifyIn: (tx, staffId, response, purpose, bound, parties = {}) => verifyIn(parts, tx, staffId, response, purpose, bound, parties),
  verify: async (staffId, response, purpose, bound) => {
    const answer = await parts.transactions.run((tx) => verifyIn(parts, tx, staffId, response, purpose, bound, {}));
    parts.journal.nudge();
    return answer;
  },
  begin: (holder) => begin(parts, holder),
  add: (holder, name, response) => add(parts, holder, name, response),
  revoke: (holder, id) => revoke(parts, holder, id),
  purge: () => parts.store.purgeChallenges(parts.transactions.auto, parts.clock.now()),
});
