import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, open, randomBytes, randomToken, seal, sha256 } from '../kernel/crypto.ts';
import type { StaffId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { asParty, type Identity, type Staff } from './aidant.ts';
import { decideCode, otpauth } from './code.ts';
import type { AidantStore, Enrolment, MeansStore } from './store.ts';

export const LINK_LASTS_MS = 24 * 3_600_000;
const SEED_BYTES = 20; // RFC 4226 §4: the length of the HMAC-SHA-1 output

/** A one-time link that was just made. `token` exists here and in the message only; the database holds its SHA-256. */
export interface Invitation {
  readonly staff: Staff;
  readonly token: string;
  readonly expiresAt: Date;
}

/** Writes the message that carries the link, in the transaction that makes it. */
export type Deliver = (tx: Transaction, invitation: Invitation) => Promise<unknown>;

export type LinkRefusal = 'link_unknown' | 'link_expired' | 'link_used';
export type EnrolmentRefusal =
  | { readonly refused: LinkRefusal | 'identity_taken' | 'identity_differs' | 'not_begun' | 'already_enrolled' | 'wrong_code' | 'code_already_used' }
  | { readonly refused: 'too_many_codes'; readonly until: Date };

/** What the page shows once: the seed as a QR code's address. Never stored or logged. */
export interface Pending {
  readonly staff: Staff;
  readonly seed: Buffer;
  readonly otpauth: string;
}

export interface EnrolmentUseCases {
  /** Says whose link this is. Changes nothing: a GET may call it (claim S12). */
  openEnrolment(token: string): Promise<{ readonly staff: Staff; readonly expiresAt: Date } | { readonly refused: LinkRefusal }>;
  /** Acts once: uses the link up, draws a seed, and remembers sealed which upstream account began. */
  beginEnrolment(token: string, identity: Identity): Promise<Pending | EnrolmentRefusal>;
  /** Gives the page of `beginEnrolment` again to the account that began, until the code is confirmed or the link's day is over. */
  pendingEnrolment(token: string, identity: Identity): Promise<Pending | EnrolmentRefusal>;
  /** Confirms with a first code: links (iss, sub), makes the factor active and the person too, in one transaction. */
  confirmEnrolment(token: string, identity: Identity, code: unknown): Promise<{ readonly staff: Staff } | EnrolmentRefusal>;
}

export interface EnrolmentParts {
  readonly transactions: Transactions;
  readonly store: AidantStore;
  readonly means: MeansStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly kek: Secret<Buffer>;
  /** The name that an authenticator program shows. */
  readonly issuerName?: string;
}

const hashOf = (token: string): Buffer => sha256(token);

/** Makes a link, in the caller's transaction; the former ones of the same person stop working. */
export const makeLink = async (
  parts: Pick<EnrolmentParts, 'store' | 'clock'>,
  tx: Transaction,
  staff: Staff,
  deliver?: Deliver,
): Promise<Invitation> => {
  const token = randomToken(32);
  const expiresAt = new Date(parts.clock.now().getTime() + LINK_LASTS_MS);
  await parts.store.putEnrolment(tx, staff.id, hashOf(token), expiresAt);
  const invitation = { staff, token, expiresAt };
  await deliver?.(tx, invitation);
  return invitation;
};

/**
 * Until the code is confirmed the box holds the seed and the account that began, under a context of its own: whoever else holds the link
 * cannot finish in their place, and nobody is linked to an account that never proved the factor.
 */
const begun = (staffId: StaffId): string => `enrolment:${staffId}`;

const sealPending = (kek: Secret<Buffer>, staffId: StaffId, seed: Buffer, identity: Identity): Buffer =>
  seal(kek.reveal(), Buffer.concat([seed, sha256(JSON.stringify([identity.iss, identity.sub]))]), begun(staffId));

const openPending = (kek: Secret<Buffer>, staffId: StaffId, box: Buffer): { seed: Buffer; identity: Buffer } => {
  const content = open(kek.reveal(), box, begun(staffId));
  return { seed: content.subarray(0, SEED_BYTES), identity: content.subarray(SEED_BYTES) };
};

const pendingOf = (parts: EnrolmentParts, staff: Staff, seed: Buffer): Pending => ({
  staff,
  seed,
  otpauth: otpauth(seed, parts.issuerName ?? 'Relais', staff.email),
});

const usable = (enrolment: Enrolment | undefined, now: Date): Enrolment | { readonly refused: LinkRefusal } => {
  if (!enrolment) return { refused: 'link_unknown' };
  if (enrolment.usedAt) return { refused: 'link_used' };
  return enrolment.expiresAt > now ? enrolment : { refused: 'link_expired' };
};

const begin = (parts: EnrolmentParts, token: string, identity: Identity): Promise<Pending | EnrolmentRefusal> =>
  parts.transactions.run(async (tx) => {
    const now = parts.clock.now();
    const found = usable(await parts.store.findEnrolment(tx, hashOf(token)), now);
    if ('refused' in found) return found;
    const known = await parts.store.findDossierByIdentity(tx, identity);
    if (known && known.staff.id !== found.staff.id) return { refused: 'identity_taken' };
    // Who comes back after a loss proves the account that was theirs: their mailbox alone is not enough.
    if (!known && (await parts.store.hasIdentity(tx, found.staff.id))) return { refused: 'identity_differs' };
    if (!(await parts.store.useEnrolment(tx, hashOf(token), now))) return { refused: 'link_used' };
    const seed = randomBytes(SEED_BYTES);
    const { staff } = found;
    if (!(await parts.means.putSeed(tx, staff.id, sealPending(parts.kek, staff.id, seed, identity)))) return { refused: 'already_enrolled' };
    await parts.journal.record(tx, { type: 'enrolment.begun', ...asParty(staff.id), detail: {} });
    return pendingOf(parts, staff, seed);
  });

type Begun = { readonly staff: Staff; readonly seed: Buffer; readonly factor: { lastStep: number; failures: number; lockedUntil: Date | undefined } };

/** Finds what `begin` left, for the same account and within the link's day. */
const findBegun = async (parts: EnrolmentParts, tx: Transaction, token: string, identity: Identity): Promise<Begun | EnrolmentRefusal> => {
  const enrolment = await parts.store.findEnrolment(tx, hashOf(token));
  if (!enrolment) return { refused: 'link_unknown' };
  if (!enrolment.usedAt) return { refused: 'not_begun' };
  if (enrolment.expiresAt <= parts.clock.now()) return { refused: 'link_expired' };
  const factor = await parts.means.lock(tx, enrolment.staff.id);
  if (!factor) return { refused: 'not_begun' };
  if (factor.confirmedAt) return { refused: 'already_enrolled' };
  const pending = openPending(parts.kek, enrolment.staff.id, factor.seedBox);
  if (!equal(pending.identity, sha256(JSON.stringify([identity.iss, identity.sub])))) return { refused: 'identity_differs' };
  return { staff: enrolment.staff, seed: pending.seed, factor };
};

const refuseCode = async (
  parts: EnrolmentParts,
  tx: Transaction,
  { staff, seed, factor }: Begun,
  code: unknown,
): Promise<EnrolmentRefusal | number> => {
  const decision = decideCode(seed, code, factor, parts.clock.now());
  if (decision.kind === 'accept') return decision.step;
  if (decision.kind === 'wrong') await parts.means.fail(tx, staff.id, decision.failures, decision.lockedUntil);
  const until = decision.kind === 'locked' ? decision.until : decision.kind === 'wrong' ? decision.lockedUntil : undefined;
  const refusal = until
    ? ({ refused: 'too_many_codes', until } as const)
    : ({ refused: decision.kind === 'used' ? 'code_already_used' : 'wrong_code' } as const);
  await parts.journal.record(tx, { type: 'factor.refused', ...asParty(staff.id), detail: { kind: 'totp', reason: refusal.refused } });
  return refusal;
};

const confirm = (parts: EnrolmentParts, token: string, identity: Identity, code: unknown): Promise<{ staff: Staff } | EnrolmentRefusal> =>
  parts.transactions.run(async (tx) => {
    const found = await findBegun(parts, tx, token, identity);
    if ('refused' in found) return found;
    const step = await refuseCode(parts, tx, found, code);
    if (typeof step !== 'number') return step;
    const { staff, seed } = found;
    const now = parts.clock.now();
    if (!(await parts.store.link(tx, staff.id, identity, now))) return { refused: 'identity_taken' };
    await parts.means.confirm(tx, staff.id, seal(parts.kek.reveal(), seed, staff.id), step, now);
    const activated = await parts.store.setStatus(tx, staff.id, 'invited', 'active');
    await parts.journal.record(tx, { type: 'factor.enrolled', ...asParty(staff.id), detail: { kind: 'totp' } });
    return { staff: activated ? { ...staff, status: 'active' } : staff };
  });

/** Makes the use cases of enrolment. */
export const createEnrolment = (parts: EnrolmentParts): EnrolmentUseCases => ({
  openEnrolment: async (token) => {
    const found = usable(await parts.store.findEnrolment(parts.transactions.auto, hashOf(token)), parts.clock.now());
    return 'refused' in found ? found : { staff: found.staff, expiresAt: found.expiresAt };
  },
  beginEnrolment: (token, identity) => begin(parts, token, identity),
  pendingEnrolment: (token, identity) =>
    parts.transactions.run(async (tx) => {
      const found = await findBegun(parts, tx, token, identity);
      return 'refused' in found ? found : pendingOf(parts, found.staff, found.seed);
    }),
  confirmEnrolment: async (token, identity, code) => {
    const result = await confirm(parts, token, identity, code);
    parts.journal.nudge();
    return result;
  },
});
