import { base32 } from '../aidants/code.ts';
import { endOfMandate } from '../kernel/calendar.ts';
import { hmacSha256, sha256 } from '../kernel/crypto.ts';
import type { AidantId, DraftId, Id, OrganisationId } from '../kernel/ids.ts';

export type PhoneLinkId = Id<'lnk'>;

/** A draft on its way to a person's own telephone. */
export interface PhoneLink {
  readonly id: PhoneLinkId;
  readonly draftId: DraftId;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly state: 'open' | 'yes' | 'no' | 'replaced';
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When somebody last pressed the button that leads to FranceConnect. */
  readonly startedAt: Date | undefined;
  /** Why the last attempt was no consent. */
  readonly refusal: string | undefined;
  readonly endedAt: Date | undefined;
  /** The draft has its consent, by this way or another, or is closed: the link died with it. */
  readonly settled: boolean;
}

const LIFE_MS = 30 * 60_000;

/** When a link ends: after 30 minutes, and never after the midnight in Paris that closes its day, because the text names its first day. */
export const endOfLink = (made: Date): Date => new Date(Math.min(made.getTime() + LIFE_MS, endOfMandate(made, 1).getTime()));

export const isLive = (link: PhoneLink, now: Date): boolean => link.state === 'open' && !link.settled && link.expiresAt > now;

/** What the aidant's page says. */
export type PhoneStanding = 'waiting' | 'started' | 'refused' | 'yes' | 'no' | 'over';

export const standingOf = (link: PhoneLink, now: Date): PhoneStanding => {
  if (link.state === 'yes' || link.state === 'no') return link.state;
  if (!isLive(link, now)) return 'over';
  if (link.refusal) return 'refused';
  return link.startedAt ? 'started' : 'waiting';
};

/** The secret of a link: 256 bits that the server can write again and the database cannot, 52 letters and digits that can be typed. */
export const secretOf = (key: Buffer, id: PhoneLinkId): string => base32(hmacSha256(key, 'relais/phone-link/v1\n', id)).toLowerCase();

/** Reads a secret as it was scanned or typed: groups, dashes, capitals, a zero for an o. Undefined when it cannot be one. */
export const readSecret = (typed: string): string | undefined => {
  const secret = typed.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('0', 'o').replaceAll('1', 'l');
  return /^[a-z2-7]{52}$/.test(secret) ? secret : undefined;
};

export const secretHash = (secret: string): Buffer => sha256('relais/phone-link/secret/v1\n', secret);

/** Writes a secret in thirteen groups of four. */
export const secretGroups = (secret: string): string => (secret.match(/.{4}/g) ?? []).join('-');
