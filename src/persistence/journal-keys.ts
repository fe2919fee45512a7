import type { AskedKeys, KeyStore, LoadedKeys, QueueKey } from '../journal/keys.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, randomBytes, seal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, isAuto, rows, run } from './database.ts';
import { sql } from './sql.ts';

/** Keys of persons and periods, each wrapped by `payload-kek` (journal.md §3.8). They are made in the role of the sequencer, which alone may. */

/** What is stored for a person or a period opens with no key: a human puts the row back from a backup of the key store. */
export interface KeyAlarm {
  readonly kind: 'key_unreadable';
  readonly table: 'journal_keys.person_key' | 'journal_keys.period_key';
  /** Class and period; of a person, whom a log must not name, the first 12 hexadecimal digits of SHA-256 of `party_id`. */
  readonly whose: string;
}

interface KeyStoreOptions {
  /** Where the keys are: the journal's database, or another. */
  readonly database: Database;
  /** True when `database` is not the journal's: then no caller's transaction reaches it. */
  readonly apart?: boolean;
  readonly kek: Buffer;
  readonly clock: Clock;
  /** Told once a key, for as long as this process runs. */
  readonly onAlarm?: (alarm: KeyAlarm) => void;
}

type Row = { kind: 'person' | 'period'; name: string; period: string; wrapped: Buffer | null };

const contextOf = (kind: Row['kind'], name: string, period: string): string => `relais/journal/${kind}/v1\n${name}\n${period}`;

/** Says who is told of a key that does not open. */
type Tell = (row: Row) => void;

const tellOnce = (onAlarm: (alarm: KeyAlarm) => void): Tell => {
  const told = new Set<string>();
  return ({ kind, name, period }) => {
    const context = contextOf(kind, name, period);
    if (told.has(context)) return;
    told.add(context);
    const whose = kind === 'period' ? `${name} ${period}` : sha256(name).toString('hex').slice(0, 12);
    onAlarm({ kind: 'key_unreadable', table: `journal_keys.${kind}_key`, whose });
  };
};

const unreadable = ({ kind, name, period }: Row): Failure =>
  new Failure(
    'journal_key_unreadable',
    `the key of ${`${name} ${period}`.trim()} in journal_keys.${kind}_key opens with no key: put that row back from a backup`,
  );

const read = (found: readonly Row[], kek: Buffer, tell: Tell): LoadedKeys => {
  const keys = new Map<string, Buffer | null | Failure>();
  for (const one of found) {
    const context = contextOf(one.kind, one.name, one.period);
    try {
      keys.set(context, one.wrapped && open(kek, one.wrapped, context));
    } catch {
      tell(one);
      keys.set(context, unreadable(one));
    }
  }
  const find = (context: string): Buffer | null | undefined => {
    const key = keys.get(context);
    if (key instanceof Failure) throw key;
    return key;
  };
  return {
    person: (id) => find(contextOf('person', id, '')),
    period: (boxClass, period) => find(contextOf('period', boxClass, period)),
  };
};

/** Runs a statement in the role of the sequencer. */
type Making = (work: (tx: Transaction) => Promise<unknown>) => Promise<unknown>;

/** Reads or, with `making`, makes the keys asked for. One statement; a key made by somebody else in the same instant wins on the second reading. */
const fetch = async (tx: Transaction, asked: AskedKeys, kek: Buffer, making?: Making): Promise<Row[]> => {
  const persons = [...new Set(asked.persons)];
  const periods = [...new Map(asked.periods.map((one) => [`${one.class} ${one.period}`, one])).values()];
  const [classes, months] = [periods.map((one) => one.class), periods.map((one) => one.period)];
  const found = await rows<Row>(
    tx,
    sql`select 'person' as kind, party_id as name, '' as period, wrapped from journal_keys.person_key where party_id = any(${persons}::text[])
      union all select 'period', class, period, wrapped from journal_keys.period_key
      where (class, period) in (select * from unnest(${classes}::text[], ${months}::text[]))`,
  );
  if (!making) return found;
  const there = new Set(found.map((one) => contextOf(one.kind, one.name, one.period)));
  const newPersons = persons.filter((id) => !there.has(contextOf('person', id, '')));
  const newPeriods = periods.filter((one) => !there.has(contextOf('period', one.class, one.period)));
  if (newPersons.length + newPeriods.length === 0) return found;
  const wrap = (kind: Row['kind'], name: string, period: string): Buffer => seal(kek, randomBytes(32), contextOf(kind, name, period));
  await making((sequencer) =>
    run(
      sequencer,
      sql`with persons as (
        insert into journal_keys.person_key (party_id, wrapped)
        select * from unnest(${newPersons}::text[], ${newPersons.map((id) => wrap('person', id, ''))}::bytea[]) order by 1 on conflict do nothing)
      insert into journal_keys.period_key (class, period, wrapped)
      select * from unnest(${newPeriods.map((one) => one.class)}::text[], ${newPeriods.map((one) => one.period)}::text[],
        ${newPeriods.map((one) => wrap('period', one.class, one.period))}::bytea[]) order by 1, 2 on conflict do nothing`,
    ),
  );
  return fetch(tx, asked, kek);
};

const ROTATE_AGAIN_MS = 60_000;
/** A queue key is used a day or two, and destroyed after two more (journal/retention.ts). */
const USED_MS = 2 * 86_400_000;

/** Opens the key store: makes or reads the queue key of today. Fails when its database is not migrated, and as `journal_key_unreadable`. */
export const openKeyStore = async (options: KeyStoreOptions): Promise<KeyStore> => {
  const { database, apart = false, kek, clock, onAlarm = () => undefined } = options;
  const tell = tellOnce(onAlarm);
  const today = (): string => clock.now().toISOString().slice(0, 10);
  const through = (tx: Transaction): Transaction => (apart ? database.auto : tx);
  /** On a connection of the sequencer's role, not the pool's: whoever asks may hold its only connection. */
  const dedicated = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const connection = await database.dedicated('relais_sequencer');
    try {
      return await work(connection.auto);
    } finally {
      await connection.release();
    }
  };
  /** Inside a transaction of the application, which goes on in its own role. */
  const within =
    (tx: Transaction): Making =>
    async (work) => {
      await run(tx, sql`set local role relais_sequencer`);
      await work(tx);
      await run(tx, sql`set local role relais_app`);
    };
  const queueKeyOf = (found: readonly Row[], day: string): QueueKey => {
    const key = read(found, kek, tell).period('queue', day);
    if (!key) throw new Failure('journal_key_missing', `the queue key of ${day} was erased: the clock is behind by days`);
    return { day, key };
  };
  const askedOf = (day: string): AskedKeys => ({ persons: [], periods: [{ class: 'queue', period: day }] });
  const fetchQueueKey = async (day: string): Promise<QueueKey> =>
    queueKeyOf(await dedicated((tx) => fetch(tx, askedOf(day), kek, (work) => work(tx))), day);
  let current = await fetchQueueKey(today());
  let [rotating, triedAt] = [false, Number.NEGATIVE_INFINITY];
  const rotate = (): void => {
    if (rotating || today() <= current.day || performance.now() - triedAt < ROTATE_AGAIN_MS) return;
    rotating = true;
    triedAt = performance.now();
    void fetchQueueKey(today())
      .then(
        (next) => {
          current = next;
          triedAt = Number.NEGATIVE_INFINITY; // only what failed is spared
        },
        () => undefined, // tried again later: the former key is still good
      )
      .finally(() => {
        rotating = false;
      });
  };
  setInterval(rotate, ROTATE_AGAIN_MS).unref(); // an instance that writes nothing for days has today's key all the same
  const isOld = (): boolean => clock.now().getTime() - Date.parse(current.day) > USED_MS;
  return {
    queueKey() {
      rotate();
      if (isOld()) throw new Failure('journal_full', `the newest queue key is of ${current.day}: today's is being made`);
      return current;
    },
    async queueKeyIn(tx) {
      rotate();
      if (!isOld()) return current;
      const day = today();
      return queueKeyOf(await fetch(through(tx), askedOf(day), kek, apart || isAuto(tx) ? dedicated : within(tx)), day);
    },
    load: async (tx, asked) => read(await fetch(through(tx), asked, kek), kek, tell),
    make: async (tx, asked) => read(await fetch(through(tx), asked, kek, apart ? dedicated : (work) => work(tx)), kek, tell),
  };
};
