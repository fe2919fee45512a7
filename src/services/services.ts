import type { Approval, ApprovalId, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { EndSessions } from '../organisations/organisation.ts';
import type { AdministrationStore } from './administrations.ts';
import { add, amend, change, screened } from './asking.ts';
import { approveIn, disable, endSecret, waiting, withdraw } from './deciding.ts';
import type { RegistrationFault } from './registration.ts';
import type { Difference, Revision } from './revision.ts';
import type { Effect, Registration, Service } from './service.ts';

export interface ServiceStore {
  /** Writes a new service as pending, without its démarches; false when the id is taken. */
  insert(tx: Transaction, registration: Registration, createdAt: Date): Promise<boolean>;
  /** Puts a revision beside what is in force, in place of the one that waited, and gives its number. The caller holds the service. */
  ask(tx: Transaction, asked: { registration: Registration; askedBy: string; at: Date; approvalId: ApprovalId }): Promise<number>;
  /** The revision that waits, if any. */
  waiting(tx: Transaction, id: string): Promise<Revision | undefined>;
  /** Every revision, newest first. */
  revisions(tx: Transaction, id: string): Promise<Revision[]>;
  /** Makes the service what its revision says, with its démarches, one version later. Its approval was given: the database looks. */
  enforce(tx: Transaction, revision: Revision, at: Date): Promise<void>;
  /** Takes back the revision that waits, if any. */
  withdraw(tx: Transaction, id: string, at: Date): Promise<void>;
  /** Every code that the service ever had, with its effect. */
  codes(tx: Transaction, id: string): Promise<{ code: string; effect: Effect; retired: boolean }[]>;
  find(tx: Transaction, id: string): Promise<Service | undefined>;
  /** Reads a service and locks it until the end of the transaction. */
  lock(tx: Transaction, id: string): Promise<Service | undefined>;
  list(tx: Transaction): Promise<Service[]>;
  /** Ends a former secret for ever, one version later. */
  endSecret(tx: Transaction, id: string, hash: string): Promise<void>;
  /** Goes from one status to another, one version later; false when it was not there. */
  setStatus(tx: Transaction, id: string, from: Service['status'], to: Service['status']): Promise<boolean>;
  /**
   * Says whether a service of another administration has this sector: it would receive the same identifiers. Who asks the same of it waits until the
   * transaction ends.
   */
  sectorBelongsToAnother(tx: Transaction, sector: string, administrationId: string): Promise<boolean>;
  /** Those of these APIs that a service of another administration has: its tokens would be taken there. Who asks the same waits as above. */
  resourcesOfOthers(tx: Transaction, resources: readonly string[], administrationId: string): Promise<readonly string[]>;
}

export type ServiceRefusal =
  | { readonly refused: 'registration_invalid'; readonly faults: readonly RegistrationFault[] }
  | {
      readonly refused:
        | 'unknown_administration'
        | 'service_known'
        | 'sector_taken'
        | 'client_secret_weak'
        | 'no_former_secret'
        | 'unknown_service'
        | 'not_pending'
        | 'already_disabled'
        | 'immutable'
        | 'nothing_changed'
        | 'change_waits';
    }
  | { readonly refused: ApprovalRefusal | 'nothing_to_approve' };

export interface Registered {
  /** As it stands: a change is not in it before it is approved. */
  readonly service: Service;
  readonly revision: number;
  /** Against what is in force. */
  readonly differences: readonly Difference[];
  /** The revision that waited, in whose place this one waits: its text stays to be read. */
  readonly replaced?: Pick<Revision, 'number' | 'askedBy'>;
  readonly approval: Approval;
  /** The secret of a service that authenticates with one: shown once, never stored. */
  readonly clientSecret?: string;
}

/** What an integrator may ask for alone; nobody is called at any of it. */
export type Amendment = { readonly [member in 'demarches' | 'redirectUris' | 'postLogoutRedirectUris' | 'jwks']?: unknown };

export interface Services {
  /**
   * Registers a service, as pending, and asks for the second person's approval of exactly this registration. `clientSecret` is drawn;
   * only the demonstration gives one (43 characters or more), because its mirror services must know theirs beforehand.
   */
  add(input: unknown, by: { readonly askedBy: string; readonly clientSecret?: string }): Promise<Registered | ServiceRefusal>;
  /**
   * Asks for another registration of a service, which goes on as it is until somebody else approves. Profile, sector, administration and least
   * consent never change, nor does what a code means. A secret stays what it was unless another is asked for; it then stands beside it until
   * `formerUntil`, or ends with the approval.
   */
  change(
    input: unknown,
    by: { readonly askedBy: string; readonly clientSecret?: string; readonly newSecret?: boolean; readonly formerUntil?: Date },
  ): Promise<Registered | ServiceRefusal>;
  /**
   * Asks for some members of a registration to change, and for what waits beside them, if anything does: asking twice loses nothing. `to` is given
   * what would be in force once all that waits is approved, and what is in force now. Refused when nothing changes by it, of a service
   * out of use, and while what an opérateur asked waits: it is approved, or taken back, first.
   */
  amend(id: string, to: (asked: Registration, inForce: Service) => Amendment, askedBy: string): Promise<Registered | ServiceRefusal>;
  /** Takes back what waits, beside what is in force: nothing is asked any more. One person is enough. */
  withdraw(id: string, actor: string): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** What waits for a second person, against what is in force. */
  waiting(id: string): Promise<Waiting | undefined>;
  /** Every revision of a service, newest first. */
  revisions(id: string): Promise<Revision[]>;
  /** Puts what waits into force, as a second person; refused if it is no longer what was asked, or what they read (`seen`, its hash). */
  approve(id: string, approvedBy: string, seen?: Buffer): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** The same in the caller's transaction, which may hold the proof of the second factor. */
  approveIn(tx: Transaction, id: string, approvedBy: string, seen?: Buffer): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** Takes a service out of use, ends its sessions and takes back what waits; one person is enough to stop something. */
  disable(id: string, actor: string): Promise<{ readonly service: Service; readonly sessions: number } | ServiceRefusal>;
  /** Ends the former secret of a service at once, whatever its date; one person is enough to stop something. */
  endSecret(id: string, actor: string): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** Finds a service in any state: the caller looks at `status`. */
  find(id: string, tx?: Transaction): Promise<Service | undefined>;
  list(): Promise<Service[]>;
}

export interface Waiting {
  readonly revision: Revision;
  /** SHA-256 of the registration that waits. */
  readonly hash: Buffer;
  readonly differences: readonly Difference[];
}

/** What the use cases of services are made of. */
export interface Parts {
  readonly transactions: Transactions;
  readonly store: ServiceStore;
  readonly administrations: AdministrationStore;
  readonly approvals: Approvals;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: EndSessions;
  /** True only in the demonstration: services may live on loopback addresses. */
  readonly allowLoopback: boolean;
  /** Says whether the name in an address that will be called stands for what must not be called (claim I3). */
  readonly refusesAddress: (address: URL) => Promise<boolean>;
}

/** Makes the use cases of services. */
export const createServices = (parts: Parts): Services => {
  const then = async <T>(work: Promise<T>): Promise<T> => {
    const result = await work;
    parts.journal.nudge();
    return result;
  };
  return {
    add: (input, by) => then(screened(parts, input, () => add(parts, input, by))),
    change: (input, by) => then(screened(parts, input, () => change(parts, input, by))),
    amend: (id, to, askedBy) => then(amend(parts, id, to, askedBy)),
    withdraw: (id, actor) => then(withdraw(parts, id, actor)),
    waiting: (id) => waiting(parts, id),
    revisions: (id) => parts.store.revisions(parts.transactions.auto, id),
    approve: (id, approvedBy, seen) => then(parts.transactions.run((tx) => approveIn(parts, tx, id, approvedBy, seen))),
    approveIn: (tx, id, approvedBy, seen) => approveIn(parts, tx, id, approvedBy, seen),
    disable: (id, actor) => then(disable(parts, id, actor)),
    endSecret: (id, actor) => then(endSecret(parts, id, actor)),
    find: (id, tx = parts.transactions.auto) => parts.store.find(tx, id),
    list: () => parts.store.list(parts.transactions.auto),
  };
};
