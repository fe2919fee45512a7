import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal } from '../kernel/crypto.ts';
import { isId, newId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { type Approval, type ApprovalId, type ApprovalKind, type ApprovalRefusal, mayApprove } from './approval.ts';

export interface ApprovalStore {
  insert(tx: Transaction, approval: Approval): Promise<void>;
  /** Reads an approval and locks it until the end of the transaction. */
  lock(tx: Transaction, id: ApprovalId): Promise<Approval | undefined>;
  /** The newest approval asked for this thing that nobody has given, locked. */
  lockOpen(tx: Transaction, kind: ApprovalKind, subject: string): Promise<Approval | undefined>;
  /** Gives an open approval; false when it was given meanwhile. The database refuses the same person and another hash. */
  give(tx: Transaction, id: ApprovalId, by: string, hash: Buffer, at: Date): Promise<boolean>;
  find(tx: Transaction, id: ApprovalId): Promise<Approval | undefined>;
  /** What waits, oldest first; of several asked for one thing, only the newest counts. */
  listOpen(tx: Transaction): Promise<Approval[]>;
}

export type ApprovalAnswer = { readonly approval: Approval } | { readonly refused: ApprovalRefusal };

export interface Approvals {
  /** Asks for a second person, in the transaction that makes the thing. */
  askIn(tx: Transaction, asked: { kind: ApprovalKind; subject: string; hash: Buffer; askedBy: string }): Promise<Approval>;
  /** Gives an approval, in the transaction that puts the thing into force. `hash` is the thing's own, computed again now. */
  approveIn(tx: Transaction, id: string, approvedBy: string, hash: Buffer): Promise<ApprovalAnswer>;
  /** The open approval of a thing, locked until the end of the transaction. */
  openFor(tx: Transaction, kind: ApprovalKind, subject: string): Promise<Approval | undefined>;
  ask(asked: { kind: ApprovalKind; subject: string; hash: Buffer; askedBy: string }): Promise<Approval>;
  approve(id: string, approvedBy: string, hash: Buffer): Promise<ApprovalAnswer>;
  find(id: string): Promise<Approval | undefined>;
  /** Lists what waits for a second person, oldest first. */
  list(): Promise<Approval[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ApprovalStore;
  readonly journal: Journal;
  readonly clock: Clock;
}

const askIn = async (parts: Parts, tx: Transaction, asked: Parameters<Approvals['ask']>[0]): Promise<Approval> => {
  const approval: Approval = { id: newId('apr'), ...asked, askedAt: parts.clock.now() };
  await parts.store.insert(tx, approval);
  await parts.journal.record(tx, {
    type: 'approval.asked',
    actor: asked.askedBy,
    detail: { kind: asked.kind, subject: asked.subject, hash: asked.hash.toString('hex') },
  });
  return approval;
};

const approveIn = async (parts: Parts, tx: Transaction, id: string, approvedBy: string, hash: Buffer): Promise<ApprovalAnswer> => {
  const approval = isId('apr', id) ? await parts.store.lock(tx, id) : undefined;
  const refused = mayApprove(approval, approvedBy, approval !== undefined && equal(approval.hash, hash));
  if (!approval) return { refused: refused ?? 'unknown_approval' };
  const about = { kind: approval.kind, subject: approval.subject, hash: hash.toString('hex') };
  if (refused !== undefined) {
    await parts.journal.record(tx, { type: 'approval.refused', actor: approvedBy, outcome: 'refused', detail: { ...about, reason: refused } });
    return { refused };
  }
  const approvedAt = parts.clock.now();
  if (!(await parts.store.give(tx, approval.id, approvedBy, hash, approvedAt))) return { refused: 'already_approved' };
  await parts.journal.record(tx, { type: 'approval.given', actor: approvedBy, detail: about });
  return { approval: { ...approval, approvedBy, approvedAt } };
};

/** Makes the use cases of the second person. */
export const createApprovals = (parts: Parts): Approvals => {
  const inOne = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const result = await parts.transactions.run(work);
    parts.journal.nudge();
    return result;
  };
  return {
    askIn: (tx, asked) => askIn(parts, tx, asked),
    approveIn: (tx, id, by, hash) => approveIn(parts, tx, id, by, hash),
    openFor: (tx, kind, subject) => parts.store.lockOpen(tx, kind, subject),
    ask: (asked) => inOne((tx) => askIn(parts, tx, asked)),
    approve: (id, by, hash) => inOne((tx) => approveIn(parts, tx, id, by, hash)),
    find: async (id) => (isId('apr', id) ? parts.store.find(parts.transactions.auto, id) : undefined),
    list: () => parts.store.listOpen(parts.transactions.auto),
  };
};
