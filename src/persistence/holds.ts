import type { Hold, HoldId, HoldStore } from '../journal/holds.ts';
import type { PurgedClass } from '../journal/retention.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

type Row = {
  id: HoldId;
  usager_id: string | null;
  class: PurgedClass | null;
  month: string | null;
  ground: string;
  placed_at: Date;
  lifted_at: Date | null;
};

const read = (found: Row): Hold => ({
  id: found.id,
  held: found.class !== null && found.month !== null ? { class: found.class, month: found.month } : { usager: found.usager_id ?? '' },
  ground: found.ground,
  placedAt: found.placed_at,
  liftedAt: found.lifted_at ?? undefined,
});

export const holdStore: HoldStore = {
  async add(tx, { id, held, ground, placedAt }) {
    if ('usager' in held) {
      // Held as an erasure holds it: either comes first.
      const person = await row<{ erased: boolean }>(tx, sql`select erased_at is not null erased from usager where id = ${held.usager} for update`);
      if (!person) return 'unknown_usager';
      if (person.erased) return 'already_erased';
      await run(tx, sql`insert into legal_hold (id, usager_id, ground, placed_at) values (${id}, ${held.usager}, ${ground}, ${placedAt})`);
      return undefined;
    }
    await run(tx, sql`select pg_advisory_xact_lock(7351006)`);
    if (await row(tx, sql`select 1 from period_erasure where class = ${held.class} and month = ${held.month}`)) return 'already_erased';
    await run(
      tx,
      sql`insert into legal_hold (id, class, month, ground, placed_at) values (${id}, ${held.class}, ${held.month}, ${ground}, ${placedAt})`,
    );
    return undefined;
  },
  async lock(tx, id) {
    const found = await row<Row>(
      tx,
      sql`select id, usager_id, class, month, ground, placed_at, lifted_at from legal_hold where id = ${id} for update`,
    );
    return found && read(found);
  },
  async lift(tx, id, at) {
    await run(tx, sql`update legal_hold set lifted_at = ${at} where id = ${id}`);
  },
  standing: async (tx) =>
    (
      await rows<Row>(
        tx,
        sql`select id, usager_id, class, month, ground, placed_at, lifted_at from legal_hold where lifted_at is null order by placed_at, id`,
      )
    ).map(read),
};
