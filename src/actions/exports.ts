import { FRESH_MS, type FreshStore } from '../aidants/recovery.ts';
import type { ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal, ProvedEntry } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { type AdministrationId, isId, newId, type StaffId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { DAY_MS, type ExportFilter, type ExportId, filterOf, hashOf, type JournalExport, needsSecond, WAITS_MS } from './export.ts';

export interface ExportStore {
  /** Holds every other export of this agent until the transaction ends. */
  lock(tx: Transaction, agent: StaffId): Promise<void>;
  /** People in the files that this agent took alone since then; one who is in two counts twice. */
  personsSince(tx: Transaction, agent: StaffId, since: Date): Promise<number>;
  /** Fails when the database finds that a second person was needed. */
  add(tx: Transaction, it: JournalExport): Promise<void>;
  /** Locked until the transaction ends. */
  find(tx: Transaction, id: ExportId): Promise<JournalExport | undefined>;
  /** False when it was taken meanwhile. */
  finish(tx: Transaction, id: ExportId, now: Date): Promise<boolean>;
  /** Asked for since then and not taken, newest first, at most fifty. */
  open(tx: Transaction, administration: AdministrationId, since: Date): Promise<JournalExport[]>;
}

/** An agent in their browser session. */
export interface Agent {
  readonly staffId: StaffId;
  readonly webSession: Buffer;
  readonly administration: { readonly id: AdministrationId; readonly name: string };
}

/** Part of what a filter finds: at most `limit` entries below `before`. */
interface Page {
  readonly before?: number;
  readonly limit: number;
}

export type ExportRefusal = 'factor_not_fresh' | 'export_too_large' | 'export_waits' | 'export_over' | 'second_agent_required' | 'not_found';
export type Taken = { readonly entries: readonly ProvedEntry[] };

export interface Exports {
  /** Takes a file away, or asks for a second agent when too many people are in it. Either is in the journal, with its reason, for each person. */
  ask(agent: Agent, filter: ExportFilter, reason: string): Promise<Taken | { readonly waiting: ExportId } | { readonly refused: ExportRefusal }>;
  /** Takes one page away, for a program: it never asks for a second agent. */
  page(agent: Agent, filter: ExportFilter, reason: string, page: Page): Promise<Taken | { readonly refused: ExportRefusal }>;
  /** A second agent of the same administration says yes, with a fresh factor. */
  approve(agent: Agent, id: string): Promise<{ readonly approved: true } | { readonly refused: ExportRefusal | ApprovalRefusal }>;
  /** Whoever asked takes the file, once, when it was approved. */
  take(agent: Agent, id: string): Promise<Taken | { readonly refused: ExportRefusal }>;
  open(administration: AdministrationId): Promise<JournalExport[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ExportStore;
  readonly journal: Journal;
  readonly approvals: Approvals;
  readonly fresh: Pick<FreshStore, 'isFresh'>;
  readonly clock: Clock;
}

const AT_ONCE = 500;
/** One file: whoever needs more takes several periods. */
export const MOST_ENTRIES = 20_000;

const readAll = async (
  { journal }: Parts,
  tx: Transaction,
  administration: AdministrationId,
  filter: ExportFilter,
  page: Page,
): Promise<ProvedEntry[]> => {
  const found: ProvedEntry[] = [];
  for (let before = page.before; found.length < page.limit; before = found.at(-1)?.index) {
    const limit = Math.min(AT_ONCE, page.limit - found.length);
    const more = await journal.prove(tx, { ...filterOf(administration, filter), limit, ...(before === undefined ? {} : { before }) });
    found.push(...more);
    if (more.length < limit) break;
  }
  return found;
};

/** One entry a person concerned, so that each reads who took what away, and why; one without a person when there is nobody (claim J8). */
const recordTaken = (
  { journal }: Parts,
  tx: Transaction,
  agent: Agent,
  it: Pick<JournalExport, 'filter' | 'reason'>,
  entries: readonly ProvedEntry[],
) => {
  const counts = new Map<string | undefined, number>();
  for (const { usager } of entries) counts.set(usager, (counts.get(usager) ?? 0) + 1);
  if (!counts.size) counts.set(undefined, 0);
  return journal.recordAll(
    tx,
    [...counts].map(([usager, count]) => ({
      entry: {
        type: 'journal.exported',
        usager,
        administration: agent.administration.id,
        actor: agent.staffId,
        service: it.filter.service,
        detail: { what: 'journal', entries: count, reason: it.reason, administrationName: agent.administration.name },
      },
    })),
  );
};

const personsIn = (entries: readonly ProvedEntry[]): number => new Set(entries.flatMap(({ usager }) => usager ?? [])).size;

const askIn = async (parts: Parts, tx: Transaction, agent: Agent, filter: ExportFilter, reason: string, page: Page | undefined) => {
  const { store, clock } = parts;
  await store.lock(tx, agent.staffId);
  const entries = await readAll(parts, tx, agent.administration.id, filter, page ?? { limit: MOST_ENTRIES + 1 });
  if (entries.length > MOST_ENTRIES) return { refused: 'export_too_large' } as const;
  const now = clock.now();
  const it: JournalExport = {
    id: newId('exp'),
    administrationId: agent.administration.id,
    askedBy: agent.staffId,
    reason,
    filter,
    size: (entries[0]?.index ?? -1) + 1,
    entries: entries.length,
    persons: personsIn(entries),
    askedAt: now,
  };
  const second = needsSecond(it.persons, await store.personsSince(tx, agent.staffId, new Date(now.getTime() - DAY_MS)));
  if (!second) {
    await store.add(tx, { ...it, doneAt: now });
    await recordTaken(parts, tx, agent, it, entries);
    return { entries };
  }
  if (page) return { refused: 'second_agent_required' } as const;
  if (!(await parts.fresh.isFresh(tx, agent.webSession, agent.staffId, new Date(now.getTime() - FRESH_MS))))
    return { refused: 'factor_not_fresh' } as const;
  const approval = await parts.approvals.askIn(tx, { kind: 'journal-export', subject: it.id, hash: hashOf(it), askedBy: agent.staffId });
  await store.add(tx, { ...it, approvalId: approval.id });
  return { waiting: it.id };
};

const approveIn = async (parts: Parts, tx: Transaction, agent: Agent, id: string): ReturnType<Exports['approve']> => {
  const now = parts.clock.now();
  const it = isId('exp', id) ? await parts.store.find(tx, id) : undefined;
  if (!it?.approvalId || it.administrationId !== agent.administration.id) return { refused: 'not_found' };
  if (it.doneAt || now.getTime() - it.askedAt.getTime() > WAITS_MS) return { refused: 'export_over' };
  if (!(await parts.fresh.isFresh(tx, agent.webSession, agent.staffId, new Date(now.getTime() - FRESH_MS)))) return { refused: 'factor_not_fresh' };
  const answer = await parts.approvals.approveIn(tx, it.approvalId, agent.staffId, hashOf(it));
  return 'refused' in answer ? answer : { approved: true };
};

const takeIn = async (parts: Parts, tx: Transaction, agent: Agent, id: string): ReturnType<Exports['take']> => {
  const now = parts.clock.now();
  const it = isId('exp', id) ? await parts.store.find(tx, id) : undefined;
  if (!it || it.administrationId !== agent.administration.id || it.askedBy !== agent.staffId) return { refused: 'not_found' };
  if (it.doneAt || now.getTime() - it.askedAt.getTime() > WAITS_MS) return { refused: 'export_over' };
  if (it.approvedBy === undefined) return { refused: 'export_waits' };
  const entries = await readAll(parts, tx, it.administrationId, it.filter, { before: it.size, limit: it.entries });
  if (!(await parts.store.finish(tx, it.id, now))) return { refused: 'export_over' };
  await recordTaken(parts, tx, agent, it, entries);
  return { entries };
};

/** Makes the exports of administrations. */
export const createExports = (parts: Parts): Exports => {
  const inOne = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const result = await parts.transactions.run(work);
    parts.journal.nudge();
    return result;
  };
  return {
    ask: (agent, filter, reason) => inOne((tx) => askIn(parts, tx, agent, filter, reason, undefined)),
    page: async (agent, filter, reason, page) => {
      const answer = await inOne((tx) => askIn(parts, tx, agent, filter, reason, page));
      return 'waiting' in answer ? { refused: 'second_agent_required' } : answer;
    },
    approve: (agent, id) => inOne((tx) => approveIn(parts, tx, agent, id)),
    take: (agent, id) => inOne((tx) => takeIn(parts, tx, agent, id)),
    open: (administration) => parts.store.open(parts.transactions.auto, administration, new Date(parts.clock.now().getTime() - WAITS_MS)),
  };
};
