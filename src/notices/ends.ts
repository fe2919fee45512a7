import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { TellBar } from '../mandates/barring.ts';
import type { TellEnd } from '../mandates/ending.ts';
import type { Mandate } from '../mandates/mandate.ts';
import { type ChannelStore, phoneFor, type QueueSms } from '../usagers/channels.ts';
import type { Deliveries, Message } from './deliveries.ts';

export interface EndTexts {
  /** To the person: a mandate of hers was stopped, by somebody else or in her name. */
  ended(): string;
}

export interface RefereeStore {
  /** Mail addresses of the référents who lead an organisation now. */
  referents(tx: Transaction, organisationId: OrganisationId): Promise<string[]>;
}

type EndedMandate = Pick<Mandate, 'id' | 'reference' | 'organisationId'>;

/** Writes to a référent that a mandate has ended: its reference and nothing of the person. */
const endMail = (to: string, { id, reference, organisationId }: EndedMandate, byUsager: boolean): Message => ({
  about: { template: 'mandate_ended', mandate: id, organisation: organisationId },
  to,
  subject: 'Un mandat est arrêté',
  text: `Bonjour,\n\nLe mandat ${reference} est arrêté${byUsager ? ' par la personne. Elle n’a pas à dire pourquoi' : ''}.\nPlus aucun aidant de votre structure ne peut s’en servir.\n\nLe détail est dans Relais, dans la liste des mandats de la structure.\n`,
});

/**
 * Tells of ends (product.md, "Independent channel"). The person is told unless she stopped it herself where she sees the result at once; after a death
 * nobody is. Her number must be independent of the organisation; without one, her own space alone says it.
 */
export const createEndTelling = (parts: {
  readonly deliveries: Pick<Deliveries, 'queue'>;
  readonly queueSms: QueueSms | undefined;
  readonly channels: ChannelStore;
  readonly referents: RefereeStore['referents'];
  readonly texts: EndTexts;
  readonly clock: Clock;
}): TellEnd => {
  const { deliveries, queueSms, channels, referents, texts, clock } = parts;
  return async (tx, { mandate, by, through, reason }) => {
    const herself = by === 'usager' && (through === undefined || through === 'sms');
    const phone =
      herself || reason === 'death' || !queueSms ? undefined : await phoneFor(channels, tx, mandate.usagerId, mandate.organisationId, clock.now());
    if (phone && !phone.weak.length)
      await queueSms?.(
        tx,
        { to: phone.channel.address, text: texts.ended(), template: 'mandate_ended', mandate: mandate.id },
        { usagerId: mandate.usagerId },
      );
    if (by === 'organisation' || reason === 'organisation_ended') return;
    for (const to of await referents(tx, mandate.organisationId)) await deliveries.queue(tx, 'mail', endMail(to, mandate, by === 'usager'));
  };
};

/** Writes to a référent that a mandate no longer serves at some sites: its reference, and neither who nor why. */
const barMail = (to: string, { id, reference, organisationId }: EndedMandate): Message => ({
  about: { template: 'mandate_barred', mandate: id, organisation: organisationId },
  to,
  subject: 'Un mandat est arrêté sur certains sites',
  text: `Bonjour,\n\nUne administration a arrêté l’usage du mandat ${reference} sur ses sites. Ailleurs, il continue.\n\nLe motif est dans Relais, à la page « Désaccords et erreurs ».\n`,
});

/** Tells the référents of an organisation that an administration stopped one of its mandates at its services. */
export const createBarTelling =
  (parts: { readonly deliveries: Pick<Deliveries, 'queue'>; readonly referents: RefereeStore['referents'] }): TellBar =>
  async (tx, mandate) => {
    for (const to of await parts.referents(tx, mandate.organisationId)) await parts.deliveries.queue(tx, 'mail', barMail(to, mandate));
  };
