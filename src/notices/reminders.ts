import type { Journal } from '../journal/journal.ts';
import { endOfMandate, parisIso } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { type ChannelStore, phoneFor, type QueueSms } from '../usagers/channels.ts';
import type { Deliveries, Message } from './deliveries.ts';
import type { RefereeStore } from './ends.ts';

/** A mandate that ends soon. */
export interface Ending {
  readonly mandateId: MandateId;
  readonly reference: string;
  readonly usagerId: UsagerId;
  /** Exclusive. */
  readonly endsAt: Date;
}

export interface ReminderStore extends RefereeStore {
  /** Organisations with a live mandate of more than 31 days that ends after `now`, not after `endsBy`, and was not announced. */
  due(tx: Transaction, now: Date, endsBy: Date): Promise<OrganisationId[]>;
  /** Notes that those of one organisation are announced, and returns the ones that nobody had noted; holds them until the transaction ends. */
  take(tx: Transaction, organisationId: OrganisationId, now: Date, endsBy: Date): Promise<Ending[]>;
  /** The message that is forgotten when the mandate ends before it left. */
  sent(tx: Transaction, id: MandateId, deliveryId: string): Promise<void>;
}

export interface ReminderTexts {
  /** To the person: one of her mandates ends soon. */
  ending(endsAt: Date): string;
  /** A day, as the mail to référents writes it. */
  day(endsAt: Date): string;
}

/** The day of the reminder is day 1, the mandate's last day is day 31: thirty days of Paris later, whatever the clocks do between. */
const DAYS = 31;
/** Nobody's telephone rings at night. */
const FIRST_HOUR = 9;
const LAST_HOUR = 19;

/** References and days, nothing of anybody: a mail may be read by many. */
const digest = (to: string, organisation: OrganisationId, endings: readonly Ending[], day: ReminderTexts['day']): Message => ({
  about: { template: 'reminder', organisation },
  to,
  subject: endings.length === 1 ? 'Un mandat se termine bientôt' : `${endings.length} mandats se terminent bientôt`,
  text: `Bonjour,\n\nCes mandats de votre structure se terminent bientôt :\n${endings.map((each) => `- ${each.reference}, dernier jour : ${day(each.endsAt)}`).join('\n')}\n\nLa personne le veut ? Renouvelez le mandat avec elle, depuis la liste des mandats de Relais. Sinon, il n’y a rien à faire : il se terminera seul.\n`,
});

/**
 * Announces the end of mandates, thirty days before, once: to the organisation's référents in one mail, and to each person whose number is independent
 * of it. A mandate of 31 days or less is not announced: its end is in sight on its first day. Returns how many organisations were told.
 */
export const createReminders = (parts: {
  readonly transactions: Transactions;
  readonly store: ReminderStore;
  readonly channels: ChannelStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly deliveries: Pick<Deliveries, 'queue'>;
  readonly queueSms: QueueSms | undefined;
  readonly texts: ReminderTexts;
}): { remind(): Promise<number> } => {
  const { transactions, store, channels, journal, clock, deliveries, queueSms, texts } = parts;

  const tellPerson = async (tx: Transaction, organisationId: OrganisationId, ending: Ending): Promise<void> => {
    const phone = queueSms && (await phoneFor(channels, tx, ending.usagerId, organisationId, clock.now()));
    if (!phone || phone.weak.length) return;
    const sms = {
      to: phone.channel.address,
      text: texts.ending(ending.endsAt),
      until: ending.endsAt,
      template: 'reminder',
      mandate: ending.mandateId,
    };
    const done = await queueSms(tx, sms, { usagerId: ending.usagerId });
    if ('refused' in done) return;
    await store.sent(tx, ending.mandateId, done.queued);
  };

  return {
    async remind() {
      const now = clock.now();
      const hour = Number(parisIso(now).slice(11, 13));
      if (hour < FIRST_HOUR || hour >= LAST_HOUR) return 0;
      const endsBy = endOfMandate(now, DAYS);
      const organisations = await store.due(transactions.auto, now, endsBy);
      for (const organisationId of organisations)
        await transactions.run(async (tx) => {
          const endings = await store.take(tx, organisationId, now, endsBy);
          for (const ending of endings) await tellPerson(tx, organisationId, ending);
          if (!endings.length) return;
          for (const to of await store.referents(tx, organisationId))
            await deliveries.queue(tx, 'mail', digest(to, organisationId, endings, texts.day));
        });
      if (organisations.length) journal.nudge();
      return organisations.length;
    },
  };
};
