import type { Approval, ApprovalId, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, randomToken } from '../kernel/crypto.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { EndSessions } from '../organisations/organisation.ts';
import type { AdministrationStore } from './administrations.ts';
import { type RegistrationFault, readRegistration } from './registration.ts';
import { type Difference, differences, type Revision, themesCut } from './revision.ts';
import { type Effect, type Registration, registrationHash, type Service, secretHash } from './service.ts';

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
  /** As it stands: a change is not in it before it is approved. */
  readonly service: Service;
  readonly revision: number;
  /** Against what is in force. */
  readonly differences: readonly Difference[];
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
  /**
   * Asks for another registration of a service, which goes on as it is until somebody else approves. Profile, sector, administration and least
   * consent never change, nor does what a code means. A secret stays what it was unless another is asked for.
   */
  change(
    input: unknown,
    by: { readonly askedBy: string; readonly clientSecret?: string; readonly newSecret?: boolean },
  ): Promise<Registered | ServiceRefusal>;
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

interface Parts {
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

type By = { readonly askedBy: string; readonly clientSecret?: string; readonly newSecret?: boolean };
type WithSecret = { readonly registration: Registration; readonly clientSecret?: string };

/** Gives a secret to a registration that authenticates with one: the one it has, or one that is drawn. */
const withSecret = (read: Registration, by: By, before?: Service): WithSecret | ServiceRefusal => {
  if (read.tokenEndpointAuthMethod === 'private_key_jwt') return { registration: read };
  if (by.clientSecret !== undefined && by.clientSecret.length < 43) return { refused: 'client_secret_weak' };
  const kept = by.clientSecret === undefined && !by.newSecret ? before?.clientSecretHash : undefined;
  if (kept !== undefined) return { registration: { ...read, clientSecretHash: kept } };
  const clientSecret = by.clientSecret ?? randomToken(32);
  return { registration: { ...read, clientSecretHash: secretHash(clientSecret) }, clientSecret };
};

const read = (parts: Parts, input: unknown): { readonly registration: Registration } | ServiceRefusal => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  return 'faults' in found ? { refused: 'registration_invalid', faults: found.faults } : { registration: found };
};

/** What is in force of a service: nothing before its first approval. */
const inForce = (service: Service): Service | undefined => (service.revision === undefined ? undefined : service);

/** Keeps the revision, writes its entry and asks for the second person. The service is held. */
const askFor = async (parts: Parts, tx: Transaction, { registration, clientSecret }: WithSecret, by: By): Promise<Registered | ServiceRefusal> => {
  const service = await parts.store.find(tx, registration.id);
  if (!service) return { refused: 'unknown_service' };
  const hash = registrationHash(registration);
  const changes = differences(inForce(service), registration);
  const approval = await parts.approvals.askIn(tx, { kind: 'service', subject: service.id, hash, askedBy: by.askedBy });
  const revision = await parts.store.ask(tx, { registration, askedBy: by.askedBy, at: parts.clock.now(), approvalId: approval.id });
  const about = { service: service.id, administration: service.administrationId, actor: by.askedBy };
  await parts.journal.record(
    tx,
    revision === 1
      ? { type: 'service.added', ...about, detail: { name: registration.name, profile: registration.profile, hash: hash.toString('hex') } }
      : {
          type: 'service.change-asked',
          ...about,
          detail: { name: service.name, hash: hash.toString('hex'), revision, changes: changes.map(({ what }) => what) },
        },
  );
  return { service, revision, differences: changes, approval, ...(clientSecret === undefined ? {} : { clientSecret }) };
};

const add = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const asked = read(parts, input);
    if ('refused' in asked) return asked;
    const made = withSecret(asked.registration, by);
    if ('refused' in made) return made;
    const { registration } = made;
    if (!(await parts.administrations.find(tx, registration.administrationId))) return { refused: 'unknown_administration' };
    if (await parts.store.sectorBelongsToAnother(tx, registration.sector, registration.administrationId)) return { refused: 'sector_taken' };
    if (!(await parts.store.insert(tx, registration, parts.clock.now()))) return { refused: 'service_known' };
    return askFor(parts, tx, made, by);
  });

/** A code keeps its meaning: its effect stays, and one that left does not come back. */
const codeFaults = async (parts: Parts, tx: Transaction, registration: Registration): Promise<RegistrationFault[]> => {
  const codes = await parts.store.codes(tx, registration.id);
  return registration.demarches.flatMap(({ code, effect }, i): RegistrationFault[] => {
    const known = codes.find((each) => each.code === code);
    if (!known || (!known.retired && known.effect === effect)) return [];
    return [{ field: `demarches[${i}]`, code: known.retired ? 'demarche_code_retired' : 'demarche_effect_changed' }];
  });
};

const change = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const asked = read(parts, input);
    if ('refused' in asked) return asked;
    const before = await parts.store.lock(tx, asked.registration.id);
    if (!before) return { refused: 'unknown_service' };
    const same = (['profile', 'sector', 'administrationId', 'minimumConsent'] as const).every(
      (member) => before[member] === asked.registration[member],
    );
    if (!same) return { refused: 'immutable' };
    const made = withSecret(asked.registration, by, before);
    if ('refused' in made) return made;
    const faults = await codeFaults(parts, tx, made.registration);
    if (faults.length) return { refused: 'registration_invalid', faults };
    return askFor(parts, tx, made, by);
  });

/** Ends the sessions that what comes into force does not allow. */
const endCut = async (parts: Parts, tx: Transaction, before: Service, after: Registration): Promise<void> => {
  for (const theme of themesCut(before, after)) await parts.endSessions(tx, { serviceId: before.id, theme }, 'suspended');
};

const approveIn = async (parts: Parts, tx: Transaction, id: string, approvedBy: string, seen?: Buffer): ReturnType<Services['approveIn']> => {
  const before = await parts.store.lock(tx, id);
  if (!before) return { refused: 'unknown_service' };
  const revision = await parts.store.waiting(tx, id);
  if (!revision) return { refused: 'not_pending' };
  if (revision.approvalId === undefined) return { refused: 'nothing_to_approve' };
  const hash = registrationHash(revision.registration); // of what is stored now, not of what was asked
  if (seen && !equal(seen, hash)) return { refused: 'hash_differs' };
  const given = await parts.approvals.approveIn(tx, revision.approvalId, approvedBy, hash);
  if ('refused' in given) return given;
  await parts.store.enforce(tx, revision, parts.clock.now());
  await endCut(parts, tx, before, revision.registration);
  await parts.journal.record(tx, {
    type: 'service.approved',
    service: id,
    administration: before.administrationId,
    actor: approvedBy,
    detail: { name: revision.registration.name, hash: hash.toString('hex'), revision: revision.number },
  });
  const service = await parts.store.find(tx, id);
  return service ? { service } : { refused: 'unknown_service' };
};

const disable = (parts: Parts, id: string, actor: string): ReturnType<Services['disable']> =>
  parts.transactions.run(async (tx) => {
    const before = await parts.store.lock(tx, id);
    if (!before) return { refused: 'unknown_service' };
    if (before.status === 'disabled' || !(await parts.store.setStatus(tx, id, before.status, 'disabled'))) return { refused: 'already_disabled' };
    await parts.store.withdraw(tx, id, parts.clock.now());
    const sessions = await parts.endSessions(tx, { serviceId: id }, 'suspended');
    await parts.journal.record(tx, {
      type: 'service.disabled',
      service: id,
      administration: before.administrationId,
      actor,
      detail: { name: before.name, sessions },
    });
    return { service: { ...before, status: 'disabled', version: before.version + 1 }, sessions };
  });

/** Asks the network, outside every transaction, where the address that will be called leads today; each call asks again. */
const screened = async (parts: Parts, input: unknown, work: () => Promise<Registered | ServiceRefusal>): Promise<Registered | ServiceRefusal> => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  const address = 'faults' in found ? undefined : found.backchannelLogoutUri;
  if (address !== undefined && (await parts.refusesAddress(new URL(address))))
    return { refused: 'registration_invalid', faults: [{ field: 'backchannelLogoutUri', code: 'address_host' }] };
  return work();
};

const waiting = async (parts: Parts, id: string): Promise<Waiting | undefined> => {
  const tx = parts.transactions.auto;
  const [revision, service] = [await parts.store.waiting(tx, id), await parts.store.find(tx, id)];
  if (!revision || !service) return undefined;
  return { revision, hash: registrationHash(revision.registration), differences: differences(inForce(service), revision.registration) };
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
    waiting: (id) => waiting(parts, id),
    revisions: (id) => parts.store.revisions(parts.transactions.auto, id),
    approve: (id, approvedBy, seen) => then(parts.transactions.run((tx) => approveIn(parts, tx, id, approvedBy, seen))),
    approveIn: (tx, id, approvedBy, seen) => approveIn(parts, tx, id, approvedBy, seen),
    disable: (id, actor) => then(disable(parts, id, actor)),
    find: (id, tx = parts.transactions.auto) => parts.store.find(tx, id),
    list: () => parts.store.list(parts.transactions.auto),
  };
};
