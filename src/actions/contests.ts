import type { EventType } from '../journal/event.ts';
import type { Journal, StoredEntry } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomUuid } from '../kernel/crypto.ts';
import type { AidantId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';

/** `contest`: the person did not agree. `error`: the aidant says that it was one. */
export type RemarkKind = 'contest' | 'error';

/** When each was said of one entry, if it was. */
export type Said = { readonly [K in RemarkKind]?: Date };

/** The entries of which something may be said. */
export const REMARKABLE = ['action.reported', 'session.opened'] as const satisfies readonly EventType[];
export const REMARKS = ['action.contested', 'action.error-declared'] as const satisfies readonly EventType[];

interface Remark {
  /** Event of the entry that it is about. */
  readonly about: string;
  readonly kind: RemarkKind;
  readonly sessionId: string;
  readonly by: string;
  readonly at: Date;
  readonly eventId: string;
}

export interface ContestStore {
  /** Writes it once; false when it was said before. The database refuses anybody but whom the entry names. */
  add(tx: Transaction, remark: Remark): Promise<boolean>;
  /** What was said of these entries, by their events; of the others, nothing. */
  said(tx: Transaction, events: readonly string[]): Promise<Map<string, Said>>;
}

/** Tells those who lead the organisation, in the transaction that writes. */
export type TellRemark = (
  tx: Transaction,
  news: { readonly kind: RemarkKind; readonly organisationId: OrganisationId; readonly index: number },
) => Promise<void>;

interface Who {
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
}
export interface Remarked {
  readonly entry: StoredEntry;
  readonly said: Said;
}
type Answer = { readonly said: 'now' | 'before' } | { readonly refused: 'not_found' };

/** What people say of an act: only ever added, once each (claim J15). Entries are named by their index in the journal. */
export interface Contests {
  /** An act or a session of hers, and what was said of it; undefined for anybody else's. */
  ofUsager(usagerId: UsagerId, index: number): Promise<Remarked | undefined>;
  /** One that this aidant did for this organisation. */
  ofAidant(who: Who, index: number): Promise<Remarked | undefined>;
  contest(usagerId: UsagerId, index: number): Promise<Answer>;
  declareError(who: Who, index: number): Promise<Answer>;
  /** What was said of entries, by their events. */
  said(events: readonly string[]): Promise<Map<string, Said>>;
}

type Whose = { readonly usager: UsagerId } | { readonly organisation: OrganisationId; readonly aidant: AidantId };

export const createContests = (parts: {
  transactions: Transactions;
  store: ContestStore;
  journal: Journal;
  clock: Clock;
  tell: TellRemark;
}): Contests => {
  const { transactions, store, journal, clock, tell } = parts;

  const find = async (tx: Transaction, whose: Whose, index: number): Promise<StoredEntry | undefined> => {
    if (!Number.isSafeInteger(index) || index < 0) return undefined;
    const [entry] = await journal.read(tx, { ...whose, types: REMARKABLE, before: index + 1, limit: 1 });
    return entry?.index === index ? entry : undefined;
  };
  const look = async (whose: Whose, index: number): Promise<Remarked | undefined> => {
    const entry = await find(transactions.auto, whose, index);
    return entry && { entry, said: (await store.said(transactions.auto, [entry.eventId])).get(entry.eventId) ?? {} };
  };

  const say = async (kind: RemarkKind, whose: Whose, by: string, index: number): Promise<Answer> => {
    const answer = await transactions.run(async (tx): Promise<Answer> => {
      const entry = await find(tx, whose, index);
      if (!entry?.session) return { refused: 'not_found' };
      const eventId = randomUuid();
      if (!(await store.add(tx, { about: entry.eventId, kind, sessionId: entry.session, by, at: clock.now(), eventId }))) return { said: 'before' };
      const { usager, aidant, organisation, mandate, session, service, administration, theme, demarche } = entry;
      await journal.record(
        tx,
        {
          type: kind === 'contest' ? 'action.contested' : 'action.error-declared',
          ...{ usager, aidant, organisation, mandate, session, service, administration, theme, demarche },
          detail: { entry: entry.index, event: entry.eventId, ...namesIn(entry) },
        },
        eventId,
      );
      if (organisation) await tell(tx, { kind, organisationId: organisation as OrganisationId, index }); // the journal holds ids as they were made
      return { said: 'now' };
    });
    journal.nudge();
    return answer;
  };

  return {
    ofUsager: (usagerId, index) => look({ usager: usagerId }, index),
    ofAidant: (who, index) => look({ organisation: who.organisationId, aidant: who.aidantId }, index),
    contest: (usagerId, index) => say('contest', { usager: usagerId }, usagerId, index),
    declareError: (who, index) => say('error', { organisation: who.organisationId, aidant: who.aidantId }, who.aidantId, index),
    said: (events) => store.said(transactions.auto, events),
  };
};

const NAMES = ['aidantName', 'organisationName', 'serviceName', 'demarcheLabel', 'demarcheLabelEn'] as const;

/** The names that an entry holds, so that what is said of it reads alone. */
const namesIn = ({ detail }: StoredEntry): { [N in (typeof NAMES)[number]]?: string } => {
  const held = new Map(Object.entries(detail ?? {}));
  return Object.fromEntries(NAMES.flatMap((name) => (typeof held.get(name) === 'string' ? [[name, held.get(name)]] : [])));
};
