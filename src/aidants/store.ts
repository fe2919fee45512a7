import type { AidantId, OrganisationId, StaffId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Dossier, Identity, Membership, Staff, StaffKind } from './aidant.ts';

/** A one-time enrolment link: the table holds the SHA-256 of its token, never the token. */
export interface Enrolment {
  readonly staff: Staff;
  readonly expiresAt: Date;
  readonly usedAt: Date | undefined;
}

export interface AidantStore {
  insertStaff(tx: Transaction, staff: Staff): Promise<void>;
  /** Someone of this kind, not ended, who was invited at this address. */
  findByEmail(tx: Transaction, kind: StaffKind, email: string): Promise<Staff[]>;
  findDossier(tx: Transaction, id: StaffId): Promise<Dossier | undefined>;
  /** Whoever holds this upstream account: `iss` and `sub` both. */
  findDossierByIdentity(tx: Transaction, identity: Identity): Promise<Dossier | undefined>;
  list(tx: Transaction, kind: StaffKind): Promise<Dossier[]>;
  /** Goes from one status to another; false when it was not there. */
  setStatus(tx: Transaction, id: StaffId, from: Staff['status'], to: Staff['status']): Promise<boolean>;
  /** Links an upstream account, the first and only one of someone; false when it belongs to another, or they have another. */
  link(tx: Transaction, id: StaffId, identity: Identity, at: Date): Promise<boolean>;
  /** Says whether an upstream account was ever linked. */
  hasIdentity(tx: Transaction, id: StaffId): Promise<boolean>;
  /** Ends every browser session that someone holds; returns how many. */
  endBrowserSessions(tx: Transaction, id: StaffId, now: Date): Promise<number>;
  /** Takes every means away: passkeys revoked, recovery codes gone, the one-time code to be enrolled anew. */
  clearMeans(tx: Transaction, id: StaffId, now: Date): Promise<void>;

  /** Writes a membership, or revives one that had ended; false when one is already active. */
  putMembership(
    tx: Transaction,
    aidantId: AidantId,
    membership: Pick<Membership, 'themes' | 'referent'> & { readonly organisationId: OrganisationId },
  ): Promise<boolean>;
  /** Ends an active membership; false when there is none. */
  endMembership(tx: Transaction, aidantId: AidantId, organisationId: OrganisationId): Promise<boolean>;

  /** Replaces the enrolment links of someone by this one: the older ones stop working. */
  putEnrolment(tx: Transaction, staffId: StaffId, tokenHash: Buffer, expiresAt: Date): Promise<void>;
  findEnrolment(tx: Transaction, tokenHash: Buffer): Promise<Enrolment | undefined>;
  /** Marks a link as used if it was neither used nor expired: of two at once, one gets true. */
  useEnrolment(tx: Transaction, tokenHash: Buffer, now: Date): Promise<boolean>;
}

/** The second factor of someone, as stored: the seed sealed, the last step that was accepted. */
export interface TotpRow {
  readonly seedBox: Buffer;
  readonly confirmedAt: Date | undefined;
  readonly lastStep: number;
  readonly failures: number;
  readonly lockedUntil: Date | undefined;
}

export interface MeansStore {
  /** Reads the factor and locks it until the end of the transaction. */
  lock(tx: Transaction, staffId: StaffId): Promise<TotpRow | undefined>;
  read(tx: Transaction, staffId: StaffId): Promise<TotpRow | undefined>;
  /** Writes a new sealed seed, not confirmed; false when a confirmed one is there. */
  putSeed(tx: Transaction, staffId: StaffId, seedBox: Buffer): Promise<boolean>;
  /** Confirms the factor with its first step, and stores the seed alone. False when it was confirmed before. */
  confirm(tx: Transaction, staffId: StaffId, seedBox: Buffer, step: number, now: Date): Promise<boolean>;
  /** Moves to a later step and forgets the failures; false when `step` is not later than the last one. */
  accept(tx: Transaction, staffId: StaffId, step: number): Promise<boolean>;
  /** Stores the number of failures, and until when nothing is accepted. */
  fail(tx: Transaction, staffId: StaffId, failures: number, lockedUntil: Date | undefined): Promise<void>;
}
