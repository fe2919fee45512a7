import type { Id } from '../kernel/ids.ts';

export type ApprovalId = Id<'apr'>;

/** What a second person is asked for. */
export type ApprovalKind = 'service' | 'mandate-import' | 'journal-export' | 'erasure' | 'key-rotation' | 'identity';

/** A decision that takes two people: whoever asked, and whoever approves exactly what was asked (`hash`). */
export interface Approval {
  readonly id: ApprovalId;
  readonly kind: ApprovalKind;
  /** The id of the thing. */
  readonly subject: string;
  /** SHA-256 of the thing's canonical form when it was asked: 32 bytes. */
  readonly hash: Buffer;
  readonly askedBy: string;
  readonly askedAt: Date;
  readonly approvedBy?: string;
  readonly approvedAt?: Date;
}

export type ApprovalRefusal = 'unknown_approval' | 'already_approved' | 'same_person' | 'hash_differs';

/** Decides whether `by` may approve `hash`. The database holds the same two rules (claim: one row cannot break them, whoever writes it). */
export const mayApprove = (approval: Approval | undefined, by: string, sameHash: boolean): ApprovalRefusal | undefined => {
  if (!approval) return 'unknown_approval';
  if (approval.approvedBy !== undefined) return 'already_approved';
  if (approval.askedBy === by) return 'same_person';
  return sameHash ? undefined : 'hash_differs';
};
