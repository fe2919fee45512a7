import type { Id, OrganisationId, UsagerId } from '../kernel/ids.ts';

export type ChannelId = Id<'chn'>;

/** A way to reach a person, with where it comes from. */
export interface Channel {
  readonly id: ChannelId;
  readonly usagerId: UsagerId;
  readonly kind: 'phone' | 'mail';
  /** E.164 for a phone. */
  readonly address: string;
  /** The person herself, FranceConnect, or the aidant whose id this is. */
  readonly addedBy: string;
  readonly organisationId: OrganisationId | undefined;
  readonly addedAt: Date;
  /** When the person proved that she reads it, with a code sent to it. */
  readonly verifiedAt: Date | undefined;
}

/** What the database knows of an address, besides the channel that holds it. */
export interface Sharing {
  /** How many people with a mandate of this organisation have this address, this one included. */
  readonly usagersOfOrganisation: number;
  readonly staff: boolean;
  readonly organisation: boolean;
  /** When an aidant last entered this very address for this person. */
  readonly enteredByAidantAt: Date | undefined;
}

export type Weakness = 'entered_by_aidant' | 'recent_change' | 'shared' | 'belongs_to_staff' | 'belongs_to_organisation' | 'not_verified';

const COOLING_MS = 48 * 3_600_000;
const MOST_SHARING = 3;

/**
 * Says why a channel is not independent (product.md, "Independent channel"; claim M11). Empty: it may carry consent and counts as notification.
 * Every reason is given, because each one has its own remedy.
 */
export const weaknesses = (channel: Channel, sharing: Sharing, now: Date): Weakness[] => {
  const changed = sharing.enteredByAidantAt;
  const reasons: readonly (readonly [Weakness, boolean])[] = [
    ['entered_by_aidant', channel.addedBy.startsWith('aid_')],
    ['recent_change', changed !== undefined && now.getTime() - changed.getTime() < COOLING_MS],
    ['shared', sharing.usagersOfOrganisation > MOST_SHARING],
    ['belongs_to_staff', sharing.staff],
    ['belongs_to_organisation', sharing.organisation],
    ['not_verified', channel.verifiedAt === undefined],
  ];
  return reasons.filter(([, holds]) => holds).map(([reason]) => reason);
};

/** One SMS that waits to leave. `next` follows it, once it was taken; both are forgotten after `until`. */
export interface Sms {
  readonly to: string;
  /** Which message it is, for the journal. */
  readonly template: string;
  /** The mandate that it speaks of. */
  readonly mandate?: string;
  readonly text: string;
  readonly next?: string;
  /** What the answer must bring back. */
  readonly reference?: string;
  readonly until?: Date;
}

/** Against whose caps an SMS counts. */
export interface SmsPayer {
  readonly usagerId: string;
  readonly aidantId?: string;
  readonly organisationId?: string;
}
