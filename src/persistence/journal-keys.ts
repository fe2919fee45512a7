import type { AskedKeys, KeyStore, LoadedKeys, PeriodClass, QueueKey } from '../journal/keys.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, randomBytes, seal } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, rows } from './database.ts';
import { sql } from './sql.ts';

/** Keys of persons and periods, each wrapped by `payload-kek` (journal.md §3.8). */

interface KeyStoreOptions {
  /** Where the keys are: the journal's database, or another. */
  readonly database: Database;
  /** True when `database` is not the journal's: then no caller's transaction reaches it. */
  readonly apart?: boolean;
  readonly kek: Buffer;
  readonly clock: Clock;
}

type Row = { kind: 'person' | 'period'; name: string; period: string; wrapped: Buffer | null };

const contextOf = (kind: Row['kind'], name: string, period: string): string => `relais/journal/${kind}/v1\n${name}\n${period}`;

const read = (found: readonly Row[], kek: Buffer): LoadedKeys => {
  const keys = new Map(
    found.map((one) => {
      const context = contextOf(one.kind, one.name, one.period);
      return [context, one.wrapped && open(kek, one.wrapped, context)];
    }),
  );
  return {
    person: (id) => keys.get(contextOf('person', id, '')),
    period: (boxClass, period) => keys.get(contextOf('period', boxClass, period)),
  };
};

/** Reads or, with `fresh`, makes the keys asked for. One statement; a key made by somebody else in the same instant wins on the second reading. */
const fetch = async (tx: Transaction, asked: AskedKeys, kek: Buffer, making: boolean): Promise<LoadedKeys> => {
  const persons = [...new Set(asked.persons)];
  const periods = [...new Map(asked.periods.map((one) => [`${one.class} ${one.period}`, one])).values()];
  const [classes, months] = [periods.map((one) => one.class), periods.map((one) => one.period)];
  const found = await rows<Row>(
    tx,
    sql`select 'person' as kind, party_id as name, '' as period, wrapped from journal_keys.person_key where party_id = any(${persons}::text[])
      union all select 'period', class, period, wrapped from journal_keys.period_key
      where (class, period) in (select * from unnest(${classes}::text[], ${months}::text[]))`,
  );
  const there = new Set(found.map((one) => contextOf(one.kind, one.name, one.period)));
  const newPersons = persons.filter((id) => !there.has(contextOf('person', id, '')));
  const newPeriods = periods.filter((one) => !there.has(contextOf('period', one.class, one.period)));
  if (!making || newPersons.length + newPeriods.length === 0) return read(found, kek);
  const wrap = (kind: Row['kind'], name: string, period: string): Buffer => seal(kek, randomBytes(32), contextOf(kind, name, period));
  await rows(
    tx,
    sql`with persons as (
        insert into journal_keys.person_key (party_id, wrapped)
        select * from unnest(${newPersons}::text[], ${newPersons.map((id) => wrap('person', id, ''))}::bytea[]) order by 1 on conflict do nothing)
      insert into journal_keys.period_key (class, period, wrapped)
      select * from unnest(${newPeriods.map((one) => one.class)}::text[], ${newPeriods.map((one) => one.period)}::text[],
        ${newPeriods.map((one) => wrap('period', one.class, one.period))}::bytea[]) order by 1, 2 on conflict do nothing`,
  );
  return fetch(tx, asked, kek, false);
};

const ROTATE_AGAIN_MS = 60_000;
/** A queue key is used a day or two, and destroyed after two more (journal/retention.ts). */
const USED_MS = 2 * 86_400_000;

/** Opens the key store: makes or reads the queue key of today. Fails when its database is not migrated. */
export const openKeyStore = async (options: KeyStoreOptions): Promise<KeyStore> => {
  const { database, apart = false, kek, clock } = options;
  const today = (): string => clock.now().toISOString().slice(0, 10);
  const through = (tx: Transaction): Transaction => (apart ? database.auto : tx);
  const fetchQueueKey = async (day: string): Promise<QueueKey> => {
    const asked = { persons: [], periods: [{ class: 'queue' as PeriodClass, period: day }] };
    const connection = await database.dedicated('relais_app'); // not the pool's: whoever asks may hold its only connection
    try {
      const key = (await fetch(connection.auto, asked, kek, true)).period('queue', day);
      if (!key) throw new Failure('journal_key_missing', `the queue key of ${day} was erased: the clock is behind by days`);
      return { day, key };
    } finally {
      await connection.release();
    }
  };
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
      const key = (await fetch(through(tx), { persons: [], periods: [{ class: 'queue', period: day }] }, kek, true)).period('queue', day);
      if (!key) throw new Failure('journal_key_missing', `the queue key of ${day} was erased: the clock is behind by days`);
      return { day, key };
    },
    load: (tx, asked) => fetch(through(tx), asked, kek, false),
    make: (tx, asked) => fetch(through(tx), asked, kek, true),
  };
};
