import type { PurgedClass, RetentionStore } from '../journal/retention.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, row, rows, run } from './database.ts';
import { asEraser } from './journal-eraser.ts';
import { sql } from './sql.ts';

/** Links are looked at for a day; what was agreed to is kept as long as its mandate; what came to nothing, a year. */
const sweepIn = async (tx: Transaction, now: Date) => ({
  links: await run(tx, sql`delete from phone_link where coalesce(ended_at, expires_at) < ${now}::timestamptz - interval '30 days'`),
  answers: await run(
    tx,
    sql`delete from remote_consent r where not exists (select 1 from legal_hold h where h.usager_id = r.usager_id and h.lifted_at is null)
        and coalesce((select least(m.ended_at, m.ends_at) + interval '5 years' from mandate m where m.draft_id = r.draft_id), r.expires_at + interval '1 year') < ${now}`,
  ),
  channels: await run(
    tx,
    sql`delete from channel c where c.ended_at < ${now}::timestamptz - interval '1 year' and not exists (select 1 from remote_consent r where r.channel_id = c.id)
        and not exists (select 1 from legal_hold h where h.usager_id = c.usager_id and h.lifted_at is null)`,
  ),
  scans: await run(
    tx,
    sql`delete from paper_scan s using paper_consent p where p.id = s.paper_id
        and not exists (select 1 from legal_hold h where h.usager_id = p.usager_id and h.lifted_at is null)
        and coalesce((select least(m.ended_at, m.ends_at) + interval '5 years' from mandate m where m.draft_id = p.draft_id), p.expires_at + interval '1 year') < ${now}`,
  ),
});

/** What retention reads and removes. What is guarded stands in the database (migration 0036). */
export const createRetentionStore = (database: Database): RetentionStore => ({
  begun: (tx) =>
    rows<{ class: PurgedClass; month: string; done: boolean }>(
      tx,
      sql`select class, month, done_at is not null done from period_erasure order by month, class`,
    ),
  held: async (tx, of) => (await row<{ held: boolean }>(tx, sql`select is_held(${of.class}, ${of.month}) held`))?.held === true,
  async entries(tx, of) {
    const first = `${of.month}-01`;
    const found =
      of.class === 'actor'
        ? await row<{ n: number }>(tx, sql`select count(*)::int n from journal.payload where month = ${first}::date and box_actor is not null`)
        : await row<{ n: number }>(tx, sql`select count(*)::int n from journal.payload where month = ${first}::date and class = ${of.class}`);
    return found?.n ?? 0;
  },
  async begin(tx, of, now) {
    const known = await row(tx, sql`select 1 from period_erasure where class = ${of.class} and month = ${of.month}`);
    if (!known)
      await run(
        tx,
        sql`insert into period_erasure (class, month, begun_at) values (${of.class}, ${of.month}, ${now}) on conflict (class, month) do nothing`,
      );
  },
  finish: async (tx, of, now, event) =>
    (await run(
      tx,
      sql`update period_erasure set done_at = ${now}, executed_event = ${event} where class = ${of.class} and month = ${of.month} and done_at is null`,
    )) === 1,
  waitingDays: async (tx) => (await rows<{ day: string }>(tx, sql`select distinct sealed_with as day from journal.queue`)).map(({ day }) => day),
  parts: (tx, last) =>
    rows<{ month: string; entries: number; classes: PurgedClass[] }>(
      tx,
      sql`select to_char(month, 'YYYY-MM') as month, count(*)::int entries,
          array_agg(distinct class) || case when bool_or(box_actor is not null) then array['actor'] else '{}' end classes
        from journal.payload where month <= ${`${last}-01`}::date and class <> 'log' group by month order by month`,
    ),
  drop: (month, say) =>
    asEraser(database, async (tx) => {
      const removed = await row<{ n: number }>(tx, sql`select journal.drop_payload(${month}) n`);
      if (removed?.n) await say(tx, removed.n);
    }),
  erased: async (tx) => (await rows<{ id: string }>(tx, sql`select id from usager where erased_at is not null order by id`)).map(({ id }) => id),
  async sweep(now, dry) {
    let swept = { links: 0, answers: 0, channels: 0, scans: 0 };
    await asEraser(database, async (tx) => {
      swept = await sweepIn(tx, now);
      if (dry) throw new Failure('dry_run');
    }).catch((error: unknown) => {
      if (!(error instanceof Failure && error.code === 'dry_run')) throw error;
    });
    return swept;
  },
});
