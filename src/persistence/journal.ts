import { prepare, type Queued } from '../journal/entry.ts';
import { checkDetail, type Entry, type EventType, isEventType, PARTIES, type Parties } from '../journal/event.ts';
import type { Filter, Journal, ProvedEntry, Receipt, StoredEntry } from '../journal/journal.ts';
import { type BoxClass, boxKey, type KeyStore, type LoadedKeys, type QueueKey, ROLES, tagKeyOf } from '../journal/keys.ts';
import { detailOf, type OpenBox, openBox } from '../journal/payload.ts';
import type { Clock } from '../kernel/clock.ts';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { gathered } from '../kernel/gathered.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { isAuto, row, rows, run } from './database.ts';
import type { Sequenced } from './journal-batch.ts';
import type { Sequencer } from './journal-sequencer.ts';
import { numbersIn } from './journal-source.ts';
import { type Statement, sql } from './sql.ts';

/** journal.md §3.5.6: above this, nothing more is promised that could not be written. */
const MOST_WAITING = 4096;
const RECEIPT_POLL_MS = 5;
/** While this process leads, its own sequencer wakes those who wait; the query is for entries that were sequenced before they asked. */
const RECEIPT_POLL_LEADING_MS = 25;
const RECENT = 4096;

export interface JournalOptions {
  readonly transactions: Transactions;
  readonly keys: KeyStore;
  /** `journal-mac`: 32 bytes. */
  readonly macKey: Buffer;
  /** `journal.<host>/<log_id>` (see `readOrigin`). */
  readonly origin: string;
  /** Which part of the program writes: `app`, `cli`. */
  readonly writer: string;
  readonly clock: Clock;
  /** The sequencer of this process, leading or not. Without one, receipts come from another process and nothing holds back. */
  readonly sequencer?: Pick<Sequencer, 'nudge' | 'waiting' | 'onSequenced' | 'leading'>;
}

/** Reads the origin of the log that this database holds: its host, and the random id that the first migration drew. */
export const readOrigin = async (transactions: Transactions, host: string): Promise<string> => {
  const head = await row<{ log_id: string }>(transactions.auto, sql`select log_id from journal.head`);
  if (!head) throw new Failure('journal_head_missing', 'journal.head has no row: the journal was removed; restore the database');
  return `journal.${host}/${head.log_id}`;
};

const enqueue = (tx: Transaction, queued: readonly Queued[]): Promise<unknown> => {
  const all = <T>(pick: (one: Queued) => T): T[] => queued.map(pick);
  const [only] = queued;
  return run(
    tx,
    queued.length === 1 && only
      ? sql`insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
        values (${only.eventId}, ${only.type}, ${only.class}, ${only.writer}, ${only.at}, ${JSON.stringify(only.parties)}, ${only.box},
        ${only.sealedWith}, ${only.commitment}, ${only.mac}) on conflict (event_id) do nothing`
      : sql`insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
        select event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac
        from unnest(${all((one) => one.eventId)}::uuid[], ${all((one) => one.type)}::text[], ${all((one) => one.class)}::text[], ${all((one) => one.writer)}::text[],
          ${all((one) => one.at)}::timestamptz[], ${all((one) => JSON.stringify(one.parties))}::jsonb[], ${all((one) => one.box)}::bytea[], ${all((one) => one.sealedWith)}::text[],
          ${all((one) => one.commitment)}::bytea[], ${all((one) => one.mac)}::bytea[])
          with ordinality as q (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac, n)
        order by n on conflict (event_id) do nothing`,
  );
};

/** Statements under way at once for entries that are a transaction by themselves, and how many one statement takes. */
const ALONE = { atOnce: 4, most: 256 };

/** Makes the journal over the queue. Writing is one insert in the caller's transaction. */
export const createJournal = (options: JournalOptions): Journal => {
  const { transactions, keys, macKey, origin, writer, clock, sequencer } = options;
  const receipts = createReceipts(transactions, origin, () => (sequencer?.leading() ? RECEIPT_POLL_LEADING_MS : RECEIPT_POLL_MS));
  sequencer?.onSequenced(receipts.arrived);
  /** An entry that is a transaction by itself shares its commit with those that come at the same time. */
  const alone = gathered(async (queued: readonly Queued[]) => {
    await enqueue(transactions.auto, queued);
    return queued.map(() => undefined);
  }, ALONE);
  const sealWith = (queueKey: QueueKey, entry: Entry, eventId: string | undefined): Queued => {
    if ((sequencer?.waiting() ?? 0) > MOST_WAITING) throw new Failure('journal_full', 'too many entries wait to be sequenced');
    const wrong = checkDetail(entry.type, entry.detail);
    if (wrong !== undefined) throw new Failure('journal_detail', `${entry.type}: "${wrong}" is not as the set of entries says`);
    return prepare(entry, { queueKey, macKey, writer, at: clock.now(), eventId });
  };
  const find = async (tx: Transaction, filter: Filter): Promise<[Found, ProvedEntry['boxes']][]> => {
    const found = await rows<Found>(tx, select(filter));
    const loaded = await keys.load(tx, {
      persons: found.flatMap((one) => [one.usager, one.aidant].filter((id) => id !== null)),
      periods: found.flatMap((one) => [
        { class: one.class, period: one.month },
        { class: 'actor' as const, period: one.month },
      ]),
    });
    const opened = found.map((one): [Found, ProvedEntry['boxes']] => [one, openBoxes(one, loaded)]);
    const gone = opened.flatMap(([one, boxes]) => (boxes.subject ? [] : [one]));
    if (gone.length) await dateErasures(tx, gone);
    return opened;
  };
  return {
    seal: (entry, eventId) => sealWith(keys.queueKey(), entry, eventId),
    async record(tx, entry, eventId) {
      const queued = sealWith(await keys.queueKeyIn(tx), entry, eventId);
      await (isAuto(tx) ? alone(queued) : enqueue(tx, [queued]));
      return queued.eventId;
    },
    async recordAll(tx, entries) {
      if (!entries.length) return;
      const queueKey = await keys.queueKeyIn(tx);
      await enqueue(
        tx,
        entries.map(({ entry, eventId }) => sealWith(queueKey, entry, eventId)),
      );
    },
    nudge: () => sequencer?.nudge(),
    receipt: (eventId, timeoutMs = 5000) => {
      sequencer?.nudge();
      return receipts.wait(eventId, timeoutMs);
    },
    read: async (tx, filter) => (await find(tx, filter)).map(([found, boxes]) => opened(found, boxes)),
    prove: async (tx, filter) => (await find(tx, filter)).map(([found, boxes]) => proved(found, boxes)),
    tagKey: async (tx, party) => {
      const person = (await keys.load(tx, { persons: [party], periods: [] })).person(party);
      return person ? tagKeyOf(person) : undefined;
    },
  };
};

/** Those who wait for a receipt: woken by this process's sequencer, otherwise by one query for all of them every 5 ms. */
const createReceipts = (transactions: Transactions, origin: string, pollMs: () => number) => {
  const waiting = new Map<string, Set<(receipt: Receipt) => void>>();
  const recent = new Map<string, Receipt>();
  let timer: NodeJS.Timeout | undefined;
  const settle = (eventId: string, receipt: Receipt): void => {
    for (const resolve of waiting.get(eventId) ?? []) resolve(receipt);
    waiting.delete(eventId);
  };
  const poll = async (): Promise<void> => {
    const found = await rows<{ event_id: string; idx: number; leaf_hash: Buffer }>(
      transactions.auto,
      sql`select event_id, idx, leaf_hash from journal.receipt where event_id = any(${[...waiting.keys()]}::uuid[])`,
    ).catch(() => []);
    for (const one of found) settle(one.event_id, { origin, index: one.idx, leaf: one.leaf_hash.toString('base64url') });
  };
  const schedule = (): void => {
    if (timer || !waiting.size) return;
    timer = setTimeout(() => {
      if (!waiting.size) {
        timer = undefined;
        return;
      }
      void poll().finally(() => {
        timer = undefined;
        schedule();
      });
    }, pollMs());
  };
  return {
    arrived: (sequenced: readonly Sequenced[]): void => {
      for (const one of sequenced) {
        const receipt = { origin, index: one.index, leaf: one.leafHash.toString('base64url') };
        recent.set(one.eventId, receipt);
        settle(one.eventId, receipt);
      }
      for (const eventId of recent.keys()) {
        if (recent.size <= RECENT) break;
        recent.delete(eventId);
      }
    },
    wait: (eventId: string, timeoutMs: number): Promise<Receipt | undefined> => {
      const known = recent.get(eventId);
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => {
        const waiters = waiting.get(eventId) ?? new Set();
        waiting.set(eventId, waiters);
        const late = setTimeout(() => {
          waiters.delete(done);
          if (!waiters.size && waiting.get(eventId) === waiters) waiting.delete(eventId);
          resolve(undefined);
        }, timeoutMs);
        const done = (receipt: Receipt): void => {
          clearTimeout(late);
          resolve(receipt);
        };
        waiters.add(done);
        schedule();
      });
    },
  };
};

type Found = {
  /** Set by `dateErasures`. */
  erased?: { at: Date; ground: string };
  idx: number;
  at: Date;
  type: string;
  class: BoxClass;
  month: string;
  event_id: string;
  leaf: Buffer;
  leaf_hash: Buffer;
  box_subject: Buffer;
  box_actor: Buffer | null;
  usager_n: number | null;
  organisation_n: number | null;
  administration_n: number | null;
  aidant_n: number | null;
} & Readonly<Record<(typeof PARTIES)[number], string | null>>;

/** A box whose key is gone, or that was altered, is missing: `relais journal verify` tells which. */
const openBoxes = (found: Found, keys: LoadedKeys): ProvedEntry['boxes'] => {
  const attempt = (name: 'subject' | 'actor', box: Buffer | null, id: string | null, boxClass: BoxClass): OpenBox | undefined => {
    try {
      const person = id === null ? undefined : keys.person(id);
      const period = keys.period(boxClass, found.month);
      if (!box || person === null || !period) return undefined;
      return openBox(boxKey(person, period), found.event_id, name, box);
    } catch {
      return undefined;
    }
  };
  const subject = attempt('subject', found.box_subject, found.usager, found.class);
  const actor = attempt('actor', found.box_actor, found.aidant, 'actor');
  return { ...(subject ? { subject } : {}), ...(actor ? { actor } : {}) };
};

/** Finds when the key of the month of each was destroyed, if it was. */
const dateErasures = async (tx: Transaction, gone: readonly Found[]): Promise<void> => {
  const found = await rows<{ class: string; month: string; at: Date }>(
    tx,
    sql`select class, month, done_at as at from period_erasure where done_at is not null and (class, month) in (
      select * from unnest(${gone.map((one) => one.class)}::text[], ${gone.map((one) => one.month)}::text[]))`,
  );
  for (const one of gone) {
    const erasure = found.find((each) => each.class === one.class && each.month === one.month);
    if (erasure) one.erased = { at: erasure.at, ground: 'retention' };
  }
};

const opened = (found: Found, { subject, actor }: ProvedEntry['boxes']): StoredEntry => {
  if (!isEventType(found.type)) throw new Failure('journal_type_unknown', `entry ${found.idx} has a type that this program does not know`);
  const parties: Parties = Object.fromEntries(PARTIES.flatMap((party) => (found[party] === null ? [] : [[party, found[party]]])));
  return {
    ...parties,
    index: found.idx,
    eventId: found.event_id,
    at: found.at,
    type: found.type,
    leaf: found.leaf_hash.toString('base64url'),
    ...(found.erased ? { erased: found.erased } : {}),
    // What `record` sealed under this type: its shape was checked by the compiler then, and the commitment in the leaf covers it.
    detail: subject ? ({ ...detailOf(subject.fields), ...detailOf(actor?.fields ?? {}) } as unknown as StoredEntry['detail']) : null,
  };
};

const proved = (found: Found, boxes: ProvedEntry['boxes']): ProvedEntry => ({
  ...opened(found, boxes),
  boxes,
  leafText: found.leaf.toString('latin1'),
  numbers: numbersIn(found),
});

/**
 * Each combination of filters is one prepared statement, so that each has its own plan and its own index: the page is found in that index, then
 * its entries are fetched by their keys.
 */
export const select = (filter: Filter): Statement => {
  const conditions: [string, unknown][] = [];
  const add = (condition: string, value: unknown): void => void (value === undefined || conditions.push([condition, value]));
  add('p.usager = ', filter.usager);
  add('p.administration = ', filter.administration);
  add('p.organisation = ', filter.organisation);
  add('p.aidant = ', filter.aidant);
  add('p.session = ', filter.session);
  add('p.type = any', filter.types as readonly EventType[] | undefined);
  add('p.idx = any', filter.indices);
  add('p.service = ', filter.service);
  add('p.theme = ', filter.theme);
  add('p.demarche = ', filter.demarche);
  add('p.outcome = ', filter.outcome);
  add('p.at >= ', filter.from);
  add('p.at < ', filter.until);
  if (filter.before !== undefined) conditions.push(['p.idx < ', filter.before]);
  const where = conditions.map(([condition], i) => {
    const value = `$${i + 2}`;
    if (condition.endsWith('any')) return `${condition}(${value}::${condition.startsWith('p.idx') ? 'bigint' : 'text'}[])`;
    return condition === 'p.idx < '
      ? `${condition}${value} and p.at <= coalesce((select b.at from journal.projection b where b.idx = ${value}), 'infinity')`
      : condition + value;
  });
  // Time never goes back, so both orders are one; each is that of an index.
  const order = filter.usager ?? filter.administration ?? filter.organisation ?? filter.aidant;
  const text = `select p.idx, p.at, p.type, ${PARTIES.map((party) => `p.${party}`).join(', ')}, ${ROLES.map((role) => `p.${role}_n`).join(', ')},
      y.class, to_char(y.month, 'YYYY-MM') as month, y.event_id, y.box_subject, y.box_actor, l.leaf, l.leaf_hash
    from (select p.idx from journal.projection p ${where.length ? `where ${where.join(' and ')}` : ''}
      order by ${order === undefined ? '' : 'p.at desc, '}p.idx desc limit $1) page
    join journal.projection p on p.idx = page.idx
    join journal.payload y on y.idx = p.idx and y.month = date_trunc('month', p.at at time zone 'UTC')::date
    join journal.leaf l on l.idx = p.idx
    order by p.idx desc`;
  const limit = Math.min(Math.max(Math.floor(filter.limit ?? 50), 1), 500);
  return { name: `journal_read_${sha256(text).toString('base64url').slice(0, 20)}`, text, values: [limit, ...conditions.map(([, value]) => value)] };
};
