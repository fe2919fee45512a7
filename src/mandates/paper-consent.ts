import { canonical } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { AidantId, DraftId, Id, OrganisationId, UsagerId } from '../kernel/ids.ts';
import { newReference } from './mandate.ts';

export type PaperConsentId = Id<'pap'>;

/** One sheet to sign by hand, for one person, about one draft. A second aidant of the organisation sees it signed and says so. */
export interface PaperConsent {
  readonly id: PaperConsentId;
  /** Printed on the sheet: `P-7K3F-92QD`. */
  readonly reference: string;
  readonly draftId: DraftId;
  readonly organisationId: OrganisationId;
  /** The aidant of the draft. */
  readonly askedBy: AidantId;
  readonly askedByName: string;
  readonly usagerId: UsagerId;
  readonly usagerName: string;
  /** Of the text that is printed: what is seen signed is that text and no other. */
  readonly textHash: Buffer;
  readonly askedAt: Date;
  /** The midnight in Paris that closes its day, because the text names its first day. */
  readonly expiresAt: Date;
  /** Another sheet took its place. */
  readonly endedAt: Date | undefined;
  readonly witness: { readonly id: AidantId; readonly name: string; readonly at: Date } | undefined;
}

export const newPaperReference = (): string => newReference().replace('M', 'P');

/** The hash of a text as the sheet shows it: its first 64 bits, in groups. */
export const shortHash = (textHash: Buffer): string => (textHash.toString('hex').slice(0, 16).match(/.{4}/g) ?? []).join(' ');

/** What the witness's factor is bound to: this sheet and its text, which nobody accepts with the same proof. */
export const witnessedHash = (paper: Pick<PaperConsent, 'reference' | 'draftId' | 'textHash'>): Buffer =>
  sha256(
    'relais/mandate/witness/v1\n',
    canonical({ reference: paper.reference, draft: paper.draftId, text_hash: paper.textHash.toString('base64url') }),
  );

/** What proves the person's will (`consent_evidence`): the hash of who saw what, how and when, all of it kept in the row of the sheet. */
export const paperEvidence = (paper: PaperConsent, witness: { readonly id: AidantId; readonly means: string; readonly at: Date }): Buffer =>
  sha256(
    'relais/mandate/consent/paper/v1\n',
    canonical({
      method: 'paper',
      reference: paper.reference,
      draft: paper.draftId,
      usager: paper.usagerId,
      text_hash: paper.textHash.toString('base64url'),
      asked_by: paper.askedBy,
      asked_at: paper.askedAt.toISOString(),
      witness: witness.id,
      means: witness.means,
      at: witness.at.toISOString(),
    }),
  );
