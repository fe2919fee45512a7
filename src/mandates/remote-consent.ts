import { endOfMandate } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import { randomToken, sha256 } from '../kernel/crypto.ts';
import type { AidantId, DraftId, Id, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { ChannelId, Weakness } from '../usagers/channel.ts';
import type { Usager } from '../usagers/usager.ts';

export type RemoteConsentId = Id<'rcs'>;
export type RemoteState = 'asked' | 'yes' | 'no' | 'expired';

/** One question, sent to one phone, about one draft. */
export interface RemoteConsent {
  readonly id: RemoteConsentId;
  /** What the gateway brings back with an answer: 256 bits of chance. */
  readonly reference: string;
  readonly draftId: DraftId;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly usagerId: UsagerId;
  readonly channelId: ChannelId;
  readonly phone: string;
  /** Of the text that the recap tells: an answer counts for that text and no other. */
  readonly textHash: Buffer;
  readonly deliveryId: string;
  readonly state: RemoteState;
  readonly askedAt: Date;
  readonly expiresAt: Date;
  /** When the gateway said that a message reached the phone, or did not. */
  readonly deliveredAt: Date | undefined;
  readonly failedAt: Date | undefined;
  /** When the gateway took the messages, and how often it was tried. */
  readonly takenAt: Date | undefined;
  readonly attempts: number;
  readonly unclear: number;
  /** Answers that came after the end. */
  readonly later: number;
  readonly endedAt: Date | undefined;
}

/** Somebody whom an aidant may ask: a person of the organisation's own mandates. */
export interface Candidate {
  readonly usager: Usager;
  readonly phone: { readonly address: string; readonly weak: readonly Weakness[] } | undefined;
}

export const newConsentReference = (): string => randomToken(32);

/**
 * When a question ends: 24 hours at most, and never after the midnight in Paris that closes its day, because the text names its first day
 * (mandates.ts, `accept`): after it the person must be asked again.
 */
export const endOfQuestion = (asked: Date): Date => new Date(Math.min(asked.getTime() + 24 * 3_600_000, endOfMandate(asked, 1).getTime()));

/** A gateway that has not taken the messages after this long is said not to answer. */
const SLOW_MS = 30_000;

/** What the waiting room says. */
export type Waiting = 'sending' | 'gateway_silent' | 'sent' | 'delivered' | 'not_delivered' | 'unclear' | 'yes' | 'no' | 'expired';

export const waitingFor = (consent: RemoteConsent, now: Date): Waiting => {
  if (consent.state !== 'asked') return consent.state;
  if (consent.expiresAt <= now) return 'expired';
  if (consent.unclear > 0) return 'unclear';
  if (consent.deliveredAt) return 'delivered';
  if (consent.failedAt) return 'not_delivered';
  if (consent.takenAt) return 'sent';
  return now.getTime() - consent.askedAt.getTime() > SLOW_MS || consent.attempts > 1 ? 'gateway_silent' : 'sending';
};

/** An answer, as the gateway called it in. */
export interface Answer {
  /** The gateway's own number for this message. */
  readonly messageId: string;
  readonly reference: string;
  readonly from: string;
  readonly text: string;
}

/** The record of an answer, and its hash: what proves the person's will (`consent_evidence`). */
export const evidenceOf = (
  consent: RemoteConsent,
  answer: Answer,
  reply: 'yes' | 'no',
  at: Date,
): { readonly record: string; readonly hash: Buffer } => {
  const record = canonical({
    method: 'sms',
    draft: consent.draftId,
    usager: consent.usagerId,
    channel: consent.channelId,
    reference: consent.reference,
    text_hash: consent.textHash.toString('base64url'),
    asked_at: consent.askedAt.toISOString(),
    message: answer.messageId,
    from: answer.from,
    answer: answer.text.slice(0, 160).toWellFormed(),
    read_as: reply,
    at: at.toISOString(),
  });
  return { record, hash: sha256('relais/mandate/consent/sms/v1\n', record) };
};
