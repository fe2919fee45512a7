import type { TellRemark } from '../actions/contests.ts';
import type { Deliveries, Message } from './deliveries.ts';
import type { RefereeStore } from './ends.ts';

const SUBJECTS = { contest: 'Une personne n’était pas d’accord', error: 'Un aidant a déclaré une erreur' } as const;

/** Writes to a référent: the line of the journal, and nothing of the person, the site or the démarche. */
const remarkMail = (to: string, organisation: string, kind: 'contest' | 'error', index: number): Message => ({
  about: { template: kind, organisation },
  to,
  subject: SUBJECTS[kind],
  text: `Bonjour,\n\n${SUBJECTS[kind]}${kind === 'contest' ? ' avec ce qui a été fait par votre structure' : ''}. C’est la ligne ${index} du journal.\n\nLe détail est dans Relais, à la page « Désaccords et erreurs ».\n`,
});

/** Tells the référents of an organisation what was said of its acts. */
export const createRemarkTelling =
  (parts: { readonly deliveries: Pick<Deliveries, 'queue'>; readonly referents: RefereeStore['referents'] }): TellRemark =>
  async (tx, { kind, organisationId, index }) => {
    for (const to of await parts.referents(tx, organisationId)) await parts.deliveries.queue(tx, 'mail', remarkMail(to, organisationId, kind, index));
  };
