import { Failure } from '../kernel/failure.ts';
import type { Entry, EventType } from './event.ts';
import type { Journal } from './journal.ts';

/**
 * What waits when nobody outside could confirm the journal for too long: whatever gives a power or a means, or erases. What takes a power away, what
 * says what was done, and what repairs the journal goes on: it is recorded, and confirmed later.
 */
const WAITS: ReadonlySet<EventType> = new Set([
  'mandate.consented',
  'mandate.created',
  'mandate.imported',
  'session.opened',
  'token.issued',
  'factor.enrolled',
  'organisation.habilitated',
  'aidant.habilitated',
  'administration.added',
  'agent.added',
  'operateur.added',
  'service.added',
  'service.approved',
  'approval.given',
  'staff.reinstated',
  'erasure.executed',
]);

/** Why the journal is not confirmed: its signer, or its witnesses. */
export type Unconfirmed = 'journal_unsealed' | 'journal_unwitnessed';

/** Refuses, as `journal_unsealed` or `journal_unwitnessed`, to record what waits for a confirmed journal: the caller's change does not commit. */
export const whileConfirmed = (journal: Journal, blocked: () => Unconfirmed | undefined): Journal => {
  const check = ({ type }: Entry): void => {
    const code = WAITS.has(type) ? blocked() : undefined;
    if (code) throw new Failure(code, `${type} waits until the journal is confirmed again`);
  };
  return {
    ...journal,
    seal(entry, eventId) {
      check(entry);
      return journal.seal(entry, eventId);
    },
    async record(tx, entry, eventId) {
      check(entry);
      return journal.record(tx, entry, eventId);
    },
    async recordAll(tx, entries) {
      for (const { entry } of entries) check(entry);
      return journal.recordAll(tx, entries);
    },
  };
};
