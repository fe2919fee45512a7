import type { Review, ReviewStore } from '../usagers/reviews.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

export const reviewStore: ReviewStore = {
  async keep(tx, { usagerId, seenAt, traits }, box) {
    await run(
      tx,
      sql`insert into identity_review (usager_id, seen_at, traits, box) values (${usagerId}, ${seenAt}, ${traits}, ${box})
        on conflict (usager_id) do update set seen_at = excluded.seen_at, traits = excluded.traits, box = excluded.box, reason = null`,
    );
  },
  find: (tx, usagerId) =>
    row<Review & { box: Buffer }>(
      tx,
      sql`select usager_id "usagerId", seen_at "seenAt", traits, box, reason from identity_review where usager_id = ${usagerId} for update`,
    ),
  waiting: (tx) =>
    rows<Review>(tx, sql`select usager_id "usagerId", seen_at "seenAt", traits, reason from identity_review order by seen_at, usager_id limit 500`),
  async because(tx, usagerId, reason) {
    await run(tx, sql`update identity_review set reason = ${reason} where usager_id = ${usagerId}`);
  },
  async accept(tx, approval, it) {
    await rows(
      tx,
      sql`select accept_identity(${approval}, ${it.givenName}, ${it.familyName}, ${it.preferredUsername ?? null}, ${it.gender}, ${it.birthdate},
        ${it.birthplace}, ${it.birthcountry})`,
    );
  },
  purge: (tx, before) => run(tx, sql`delete from identity_review where seen_at < ${before}`),
};
