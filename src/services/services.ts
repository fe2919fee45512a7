import type { Approval, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomToken } from '../kernel/crypto.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { AdministrationStore } from './administrations.ts';
import { type RegistrationFault, readRegistration } from './registration.ts';
import { type Registration, registrationHash, type Service, secretHash } from './service.ts';

export interface ServiceStore {
  /** Writes a new service as pending, with its démarches; false when the id is taken. */
  insert(tx: Transaction, registration: Registration, createdAt: Date): Promise<boolean>;
  /** Replaces what may change in a registration; the service is pending again, one version later. */
  replace(tx: Transaction, registration: Registration): Promise<void>;
  find(tx: Transaction, id: string): Promise<Service | undefined>;
  /** Reads a service and locks it until the end of the transaction. */
  lock(tx: Transaction, id: string): Promise<Service | undefined>;
  list(tx: Transaction): Promise<Service[]>;
  /** Goes from one status to another, one version later; false when it was not there. */
  setStatus(tx: Transaction, id: string, from: Service['status'], to: Service['status']): Promise<boolean>;
  /** Says whether a service of another administration has this sector: it would receive the same identifiers. */
  sectorBelongsToAnother(tx: Transaction, sector: string, administrationId: string): Promise<boolean>;
}

export type ServiceRefusal =
  | { readonly refused: 'registration_invalid'; readonly faults: readonly RegistrationFault[] }
  | {
      readonly refused:
        | 'unknown_administration'
        | 'service_known'
        | 'sector_taken'
        | 'client_secret_weak'
        | 'unknown_service'
        | 'not_pending'
        | 'already_disabled'
        | 'immutable';
    }
  | { readonly refused: ApprovalRefusal | 'nothing_to_approve' };

export interface Registered {
  readonly service: Service;
  readonly approval: Approval;
  /** The secret of a service that authenticates with one: shown once, never stored. */
  readonly clientSecret?: string;
}

export interface Services {
  /**
   * Registers a service, as pending, and asks for the second person's approval of exactly this registration. `clientSecret` is drawn;
   * only the demonstration gives one (43 characters or more), because its mirror services must know theirs beforehand.
   */
  add(input: unknown, by: { readonly askedBy: string; readonly clientSecret?: string }): Promise<Registered | ServiceRefusal>;
  /** Changes a registration: the service is out of use until somebody else approves. Profile, sector and administration never change. */
  change(input: unknown, by: { readonly askedBy: string; readonly clientSecret?: string }): Promise<Registered | ServiceRefusal>;
  /** Puts a pending service into force, as a second person; refused if it is no longer what was asked. */
  approve(id: string, approvedBy: string): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** The same in the caller's transaction, which may hold the proof of the second factor. */
  approveIn(tx: Transaction, id: string, approvedBy: string): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** Takes a service out of use; one person is enough to stop something. */
  disable(id: string, actor: string): Promise<{ readonly service: Service } | ServiceRefusal>;
  /** Finds a service in any state: the caller looks at `status`. */
  find(id: string, tx?: Transaction): Promise<Service | undefined>;
  list(): Promise<Service[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ServiceStore;
  readonly administrations: AdministrationStore;
  readonly approvals: Approvals;
  readonly journal: Journal;
  readonly clock: Clock;
  /** True only in the demonstration: services may live on loopback addresses. */
  readonly allowLoopback: boolean;
  /** Says whether the name in an address that will be called stands for what must not be called (claim I3). */
  readonly refusesAddress: (address: URL) => Promise<boolean>;
}

type By = { readonly askedBy: string; readonly clientSecret?: string };
type WithSecret = { readonly registration: Registration; readonly clientSecret?: string };

/** Gives a secret to a registration that authenticates with one. */
const withSecret = (read: Registration, by: By): WithSecret | ServiceRefusal => {
  if (read.tokenEndpointAuthMethod === 'private_key_jwt') return { registration: read };
  if (by.clientSecret !== undefined && by.clientSecret.length < 43) return { refused: 'client_secret_weak' };
  const clientSecret = by.clientSecret ?? randomToken(32);
  return { registration: { ...read, clientSecretHash: secretHash(clientSecret) }, clientSecret };
};

const read = (parts: Parts, input: unknown, by: By): WithSecret | ServiceRefusal => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  return 'faults' in found ? { refused: 'registration_invalid', faults: found.faults } : withSecret(found, by);
};

/** Writes the entry and asks for the second person, once the registration is stored. */
const askFor = async (parts: Parts, tx: Transaction, { registration, clientSecret }: WithSecret, by: By): Promise<Registered | ServiceRefusal> => {
  const service = await parts.store.find(tx, registration.id);
  if (!service) return { refused: 'unknown_service' };
  const hash = registrationHash(service);
  await parts.journal.record(tx, {
    type: 'service.added',
    service: service.id,
    administration: service.administrationId,
    actor: by.askedBy,
    detail: { name: service.name, profile: service.profile, hash: hash.toString('hex') },
  });
  const approval = await parts.approvals.askIn(tx, { kind: 'service', subject: service.id, hash, askedBy: by.askedBy });
  return { service, approval, ...(clientSecret === undefined ? {} : { clientSecret }) };
};

const add = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const made = read(parts, input, by);
    if ('refused' in made) return made;
    const { registration } = made;
    if (!(await parts.administrations.find(tx, registration.administrationId))) return { refused: 'unknown_administration' };
    if (await parts.store.sectorBelongsToAnother(tx, registration.sector, registration.administrationId)) return { refused: 'sector_taken' };
    if (!(await parts.store.insert(tx, registration, parts.clock.now()))) return { refused: 'service_known' };
    return askFor(parts, tx, made, by);
  });

const change = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const made = read(parts, input, by);
    if ('refused' in made) return made;
    const { registration } = made;
    const before = await parts.store.lock(tx, registration.id);
    if (!before) return { refused: 'unknown_service' };
    const same = (['profile', 'sector', 'administrationId', 'minimumConsent'] as const).every((member) => before[member] === registration[member]);
    if (!same) return { refused: 'immutable' };
    await parts.store.replace(tx, registration);
    return askFor(parts, tx, made, by);
  });

const approveIn = async (parts: Parts, tx: Transaction, id: string, approvedBy: string): ReturnType<Services['approveIn']> => {
  const before = await parts.store.lock(tx, id);
  if (!before) return { refused: 'unknown_service' };
  if (before.status !== 'pending') return { refused: 'not_pending' };
  const open = await parts.approvals.openFor(tx, 'service', id);
  if (!open) return { refused: 'nothing_to_approve' };
  const hash = registrationHash(before); // of what is stored now, not of what was asked
  const given = await parts.approvals.approveIn(tx, open.id, approvedBy, hash);
  if ('refused' in given) return given;
  if (!(await parts.store.setStatus(tx, id, 'pending', 'approved'))) return { refused: 'not_pending' };
  await parts.journal.record(tx, {
    type: 'service.approved',
    service: id,
    administration: before.administrationId,
    actor: approvedBy,
    detail: { name: before.name, hash: hash.toString('hex') },
  });
  return { service: { ...before, status: 'approved', version: before.version + 1 } };
};

const disable = (parts: Parts, id: string, actor: string): ReturnType<Services['disable']> =>
  parts.transactions.run(async (tx) => {
    const before = await parts.store.lock(tx, id);
    if (!before) return { refused: 'unknown_service' };
    if (before.status === 'disabled' || !(await parts.store.setStatus(tx, id, before.status, 'disabled'))) return { refused: 'already_disabled' };
    await parts.journal.record(tx, {
      type: 'service.disabled',
      service: id,
      administration: before.administrationId,
      actor,
      detail: { name: before.name },
    });
    return { service: { ...before, status: 'disabled', version: before.version + 1 } };
  });

/** Asks the network, outside every transaction, where the address that will be called leads today; each call asks again. */
const screened = async (parts: Parts, input: unknown, work: () => Promise<Registered | ServiceRefusal>): Promise<Registered | ServiceRefusal> => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  const address = 'faults' in found ? undefined : found.backchannelLogoutUri;
  if (address !== undefined && (await parts.refusesAddress(new URL(address))))
    return { refused: 'registration_invalid', faults: [{ field: 'backchannelLogoutUri', code: 'address_host' }] };
  return work();
};

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
    approve: (id, approvedBy) => then(parts.transactions.run((tx) => approveIn(parts, tx, id, approvedBy))),
    approveIn: (tx, id, approvedBy) => approveIn(parts, tx, id, approvedBy),
    disable: (id, actor) => then(disable(parts, id, actor)),
    find: (id, tx = parts.transactions.auto) => parts.store.find(tx, id),
    list: () => parts.store.list(parts.transactions.auto),
  };
};
