import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readReason } from '../organisations/name.ts';
import type { EndSessions } from './ending.ts';

/** A mandate as an administration may know it: one that was used at a service of hers, by its reference and its organisation. */
export interface MetMandate {
  readonly id: MandateId;
  readonly reference: string;
  readonly usagerId: UsagerId;
  readonly organisationId: OrganisationId;
  readonly organisationName: string;
  readonly barred: boolean;
}

export interface BarStore {
  /** Undefined for one that was never used at its services, known to others or not. */
  met(tx: Transaction, id: MandateId, administrationId: string): Promise<MetMandate | undefined>;
  /** Stops it there, holding the mandate until the transaction ends: whoever opens a session waits and reads it. False when it was stopped before. */
  bar(tx: Transaction, id: MandateId, administrationId: string, now: Date): Promise<boolean>;
}

/** Tells those who lead the organisation, in the transaction that stops. */
export type TellBar = (tx: Transaction, mandate: MetMandate) => Promise<void>;

interface Agent {
  readonly staffId: string;
  readonly administration: { readonly id: string; readonly name: string };
}

/** An administration stops a mandate at its own services, and nowhere else (product.md, "Revocation"; claim M21). It cannot be undone. */
export interface Barring {
  find(administrationId: string, id: MandateId): Promise<MetMandate | undefined>;
  /** `reason` is read by the person and by the organisation. */
  bar(agent: Agent, id: MandateId, reason: string): Promise<{ readonly again: boolean } | { readonly refused: 'not_found' | 'reason_malformed' }>;
}

export const createBarring = (parts: {
  transactions: Transactions;
  store: BarStore;
  journal: Journal;
  clock: Clock;
  endSessions: EndSessions;
  tell: TellBar;
}): Barring => {
  const { transactions, store, journal, clock, endSessions, tell } = parts;
  return {
    find: (administrationId, id) => store.met(transactions.auto, id, administrationId),
    async bar({ staffId, administration }, id, given) {
      const reason = readReason(given);
      const done = await transactions.run(async (tx) => {
        const mandate = await store.met(tx, id, administration.id);
        if (!mandate) return { refused: 'not_found' as const };
        if (reason === undefined) return { refused: 'reason_malformed' as const };
        const now = clock.now();
        if (!(await store.bar(tx, id, administration.id, now))) return { again: true };
        const { ended } = await endSessions(tx, { mandateId: id, administrationId: administration.id, byOther: true }, 'revoked', now);
        await journal.record(tx, {
          type: 'mandate.barred',
          usager: mandate.usagerId,
          organisation: mandate.organisationId,
          mandate: id,
          administration: administration.id,
          actor: staffId,
          detail: { reason, sessions: ended, organisationName: mandate.organisationName, administrationName: administration.name },
        });
        await tell(tx, mandate);
        return { again: false };
      });
      journal.nudge();
      return done;
    },
  };
};
