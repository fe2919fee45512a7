import type { World } from '../support/world.ts';

/** Columns of the queue that a row is made of, without the one that the database numbers. */
const columns = async (world: World): Promise<string> =>
  String(
    (
      await world.sql(
        "select string_agg(quote_ident(column_name), ', ') names from information_schema.columns where table_schema = 'journal' and table_name = 'queue' and is_identity = 'NO'",
      )
    )[0]?.['names'],
  );

/** While `work` runs, the sequencer of every instance is refused the queue: what is written there waits. */
export const withNothingSequenced = async <T>(world: World, work: () => Promise<T>): Promise<T> => {
  await world.sql('revoke select on journal.queue from relais_sequencer');
  try {
    return await work();
  } finally {
    await world.sql('grant select on journal.queue to relais_sequencer');
  }
};

/** Fills the queue with copies of a waiting row up to `count`; returns what takes them away again. */
export const fillQueue = async (world: World, count: number): Promise<() => Promise<void>> => {
  const names = await columns(world);
  const [last] = await world.sql('select max(id)::int id, count(*)::int n from journal.queue');
  const copied = names.replace('event_id', 'gen_random_uuid()');
  await world.sql(
    `insert into journal.queue (${names}) select ${copied} from (select * from journal.queue order by id limit 1) one, generate_series(1, $1)`,
    [count - Number(last?.['n'])],
  );
  return async () => void (await world.sql('delete from journal.queue where id > $1', [last?.['id']]));
};

/** What somebody with the whole database does to each entry that is written while `work` runs, before anyone can sequence it. */
export const meddling = async <T>(world: World, how: 'delete' | 'alter', work: () => Promise<T>): Promise<T> => {
  const body = how === 'delete' ? 'delete from journal.queue where id = new.id; return null;' : "new.mac := sha256('another'); return new;";
  await world.sql(`create or replace function journal.test_meddles() returns trigger language plpgsql security definer as $$ begin ${body} end $$`);
  await world.sql(
    `create trigger test_meddles ${how === 'delete' ? 'after' : 'before'} insert on journal.queue for each row execute function journal.test_meddles()`,
  );
  try {
    return await work();
  } finally {
    await world.sql('drop trigger test_meddles on journal.queue');
  }
};
