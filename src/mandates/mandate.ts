import { endOfMandate, parisDay, parisIso } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import { randomBelow, sha256 } from '../kernel/crypto.ts';
import type { AidantId, DraftId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Theme } from '../organisations/theme.ts';
import type { CivilIdentity } from '../usagers/usager.ts';
import { type Narrowing, narrowingContent } from './narrowing.ts';

export const DURATIONS = [1, 31, 182, 365] as const;
export type Days = (typeof DURATIONS)[number];
export const isDuration = (value: number): value is Days => (DURATIONS as readonly number[]).includes(value);

/** Version of the text that both wills refer to. A new text is a new version; an old one is kept for ever. */
export const TEMPLATE = '2026-11';

export type EndReason = 'revoked' | 'renounced' | 'replaced' | 'expired' | 'death' | 'guardianship' | 'organisation_ended';
export type ConsentMethod = 'franceconnect' | 'sms' | 'paper';

/** The usager's will, as it was proved. */
export interface Consent {
  readonly method: ConsentMethod;
  readonly acr: string;
  /** SHA-256 of what proves it (for FranceConnect, of the signed id_token). */
  readonly evidence: Buffer;
}

/** What two people are about to agree on. */
export interface Draft {
  readonly id: DraftId;
  readonly organisationId: OrganisationId;
  readonly aidantId: AidantId;
  readonly themes: readonly Theme[];
  readonly days: Days;
  readonly narrowing: Narrowing;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** The mandate that it renews. */
  readonly renews?: MandateId | undefined;
  readonly consent: (Consent & { readonly usagerId: UsagerId; readonly at: Date; readonly textHash: Buffer }) | undefined;
  readonly closedAt: Date | undefined;
}

export interface Mandate {
  readonly id: MandateId;
  /** What people read and say: `M-7K3F-92QD`. */
  readonly reference: string;
  readonly organisationId: OrganisationId;
  readonly organisationName: string;
  readonly usagerId: UsagerId;
  readonly usagerName: string;
  readonly themes: readonly { readonly theme: Theme; readonly endedAt: Date | undefined }[];
  readonly days: number;
  readonly narrowing: Narrowing;
  /** One session was allowed, and was opened. */
  readonly used: boolean;
  readonly startsAt: Date;
  /** Exclusive: the midnight in Paris that closes the last day. */
  readonly endsAt: Date;
  readonly consent: { readonly method: ConsentMethod; readonly acr: string; readonly at: Date };
  readonly acceptedBy: AidantId;
  readonly acceptedByName: string;
  readonly state: { readonly kind: 'active' } | { readonly kind: 'ended'; readonly at: Date; readonly reason: EndReason };
}

export interface MandateText {
  readonly organisation: { readonly name: string; readonly siret: string };
  readonly usager: CivilIdentity;
  readonly themes: readonly Theme[];
  readonly days: number;
  readonly narrowing: Narrowing;
  /** Any instant of day 1. */
  readonly from: Date;
}

/** Hashes the text of a mandate: what the usager consented to and what the aidant accepts must hash alike. */
export const textHash = (text: MandateText): Buffer =>
  sha256(
    'relais/mandate/text/v1\n',
    canonical({
      template: TEMPLATE,
      organisation: { name: text.organisation.name, siret: text.organisation.siret },
      usager: {
        given_name: text.usager.givenName,
        family_name: text.usager.familyName,
        preferred_username: text.usager.preferredUsername,
        birthdate: text.usager.birthdate,
        birthplace: text.usager.birthplace,
        birthcountry: text.usager.birthcountry,
      },
      themes: [...text.themes].sort(),
      first_day: parisDay(text.from),
      ends_at: parisIso(endOfMandate(text.from, text.days)),
      ...narrowingContent(text.narrowing),
    }),
  );

const LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
/** Draws a reference: eight characters out of 32 without look-alikes (40 bits; the unique constraint settles a clash). */
export const newReference = (): string => {
  const four = (): string => Array.from({ length: 4 }, () => LETTERS[randomBelow(LETTERS.length)]).join('');
  return `M-${four()}-${four()}`;
};
