import type { AgentRole, NewStaff } from '../aidants/aidant.ts';
import type { Aidants, StaffRefusal } from '../aidants/aidants.ts';
import type { Deliver, Invitation } from '../aidants/enrolment.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { type AdministrationId, isId, newId, type StaffId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readName } from '../organisations/name.ts';
import type { Administration } from './administration.ts';

export interface AdministrationStore {
  insert(tx: Transaction, administration: Administration): Promise<void>;
  find(tx: Transaction, id: AdministrationId): Promise<Administration | undefined>;
  findByName(tx: Transaction, name: string): Promise<Administration | undefined>;
  list(tx: Transaction): Promise<Administration[]>;
  /** Makes a member of staff an agent of an administration. */
  insertAgent(tx: Transaction, staffId: StaffId, administrationId: AdministrationId, role: AgentRole): Promise<void>;
}

export interface Administrations {
  add(asked: {
    readonly name: string;
    readonly actor: string;
  }): Promise<{ readonly administration: Administration } | { readonly refused: 'name_malformed' | 'name_known' }>;
  /** Invites an agent: they enrol by the one-time link, as aidants do. */
  addAgent(
    asked: NewStaff & { readonly administrationId: string; readonly role?: AgentRole },
    deliver?: Deliver,
  ): Promise<Invitation | { readonly refused: StaffRefusal | 'unknown_administration' }>;
  find(id: string): Promise<Administration | undefined>;
  list(): Promise<Administration[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: AdministrationStore;
  readonly aidants: Pick<Aidants, 'inviteIn'>;
  readonly journal: Journal;
  readonly clock: Clock;
}

const add = (parts: Parts, asked: { name: string; actor: string }): ReturnType<Administrations['add']> =>
  parts.transactions.run(async (tx) => {
    const name = readName(asked.name);
    if (name === undefined) return { refused: 'name_malformed' };
    if (await parts.store.findByName(tx, name)) return { refused: 'name_known' };
    const administration: Administration = { id: newId('adm'), name, createdAt: parts.clock.now() };
    await parts.store.insert(tx, administration);
    await parts.journal.record(tx, { type: 'administration.added', administration: administration.id, actor: asked.actor, detail: { name } });
    return { administration };
  });

const addAgent = (
  parts: Parts,
  asked: NewStaff & { administrationId: string; role?: AgentRole },
  deliver?: Deliver,
): ReturnType<Administrations['addAgent']> =>
  parts.transactions.run(async (tx) => {
    const administration = isId('adm', asked.administrationId) ? await parts.store.find(tx, asked.administrationId) : undefined;
    if (!administration) return { refused: 'unknown_administration' };
    const invitation = await parts.aidants.inviteIn(tx, 'agent', asked, deliver);
    if ('refused' in invitation) return invitation;
    const role = asked.role ?? 'reader';
    await parts.store.insertAgent(tx, invitation.staff.id, administration.id, role);
    await parts.journal.record(tx, {
      type: 'agent.added',
      administration: administration.id,
      actor: asked.actor,
      outcome: invitation.staff.id,
      detail: { administrationName: administration.name, role },
    });
    return invitation;
  });

/** Makes the use cases of administrations and their agents. */
export const createAdministrations = (parts: Parts): Administrations => {
  const then = async <T>(work: Promise<T>): Promise<T> => {
    const result = await work;
    parts.journal.nudge();
    return result;
  };
  return {
    add: (asked) => then(add(parts, asked)),
    addAgent: (asked, deliver) => then(addAgent(parts, asked, deliver)),
    find: async (id) => (isId('adm', id) ? parts.store.find(parts.transactions.auto, id) : undefined),
    list: () => parts.store.list(parts.transactions.auto),
  };
};
