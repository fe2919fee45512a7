import type { UsagerId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Erasure, ErasureId, ErasureStore, Standing } from '../usagers/erasures.ts';
import { type Database, row, rows, run } from './database.ts';
import { asEraser } from './journal-eraser.ts';
import { sql } from './sql.ts';

type Row = { id: ErasureId; usager_id: UsagerId | null; ground: string; begun: boolean; said: number };

const read = ({ usager_id, ...found }: Row): Erasure => ({ ...found, usagerId: usager_id ?? undefined });

const entriesOf = async (tx: Transaction, usagerId: UsagerId): Promise<number> =>
  (await row<{ n: number }>(tx, sql`select count(*)::int n from journal.projection where usager = ${usagerId}`))?.n ?? 0;

/** Erasures of persons. What is guarded stands in the database (migration 0036): `erase_person` refuses whatever two people did not give. */
export const createErasureStore = (database: Database): ErasureStore => ({
  async add(tx, { id, usagerId, ground, at }) {
    await run(tx, sql`insert into erasure (id, usager_id, ground, asked_at) values (${id}, ${usagerId}, ${ground}, ${at})`);
  },
  async find(tx, id) {
    const found = await row<Row>(tx, sql`select id, usager_id, ground, begun_at is not null begun, said from erasure where id = ${id}`);
    return found && read(found);
  },
  async lock(tx, id) {
    const found = await row<Row>(tx, sql`select id, usager_id, ground, begun_at is not null begun, said from erasure where id = ${id} for update`);
    return found && read(found);
  },
  async unfinished(tx) {
    const found = await rows<{ id: ErasureId }>(tx, sql`select id from erasure where begun_at is not null and done_at is null order by begun_at, id`);
    return found.map(({ id }) => id);
  },
  async standing(tx, usagerId) {
    const found = await row<{ erased: boolean; held: boolean; live: boolean }>(
      tx,
      sql`select u.erased_at is not null erased, is_held(u.id) held, exists (select 1 from mandate m where m.usager_id = u.id and m.ended_at is null) live
        from usager u where u.id = ${usagerId} for update`,
    );
    const standing: Standing | undefined = !found
      ? 'unknown_usager'
      : found.erased
        ? 'already_erased'
        : found.held
          ? 'held'
          : found.live
            ? 'live_mandates'
            : undefined;
    return standing;
  },
  async begin(tx, id, now) {
    await rows(tx, sql`select erase_person(${id}, ${now})`);
  },
  entries: entriesOf,
  async said(tx, id, entries, event) {
    await run(tx, sql`update erasure set said = ${entries}, executed_event = ${event} where id = ${id}`);
  },
  finish: (id, usagerId, now) =>
    asEraser(database, async (tx) => {
      const said = await row<{ said: number }>(tx, sql`select said from erasure where id = ${id} and usager_id = ${usagerId} for update`);
      if (!said) return true; // somebody was faster
      if ((await entriesOf(tx, usagerId)) !== said.said) return false;
      await run(tx, sql`update journal.projection set usager = null, usager_n = null, mandate = null, session = null where usager = ${usagerId}`);
      await run(tx, sql`update erasure set usager_id = null, done_at = ${now} where id = ${id}`);
      return true;
    }),
});
