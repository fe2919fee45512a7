import type { Staff } from '../aidants/aidant.ts';
import type { LossStore } from '../aidants/losses.ts';
import { type StaffRow, toStaff } from './aidants.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

const staffOf = (found: StaffRow[]): Staff[] => found.map(toStaff);

/** Keeps reports of lost means, the links that confirm them, and the counters of the hour. */
export const lossStore: LossStore = {
  async take(tx, hour, caps) {
    const scopes = caps.map((cap) => cap.scope);
    const holders = caps.map((cap) => cap.holder);
    await run(
      tx,
      sql`insert into loss_quota (hour, scope, holder, reported) select ${hour}::timestamptz, s.scope, s.holder, 0
        from unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder) order by s.scope, s.holder on conflict do nothing`,
    );
    const counted = await rows<{ scope: string; holder: string; reported: number }>(
      tx,
      sql`select q.scope, q.holder, q.reported from loss_quota q join unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder)
        on s.scope = q.scope and s.holder = q.holder where q.hour = ${hour} order by q.scope, q.holder for update of q`,
    );
    const over = caps.find((cap) => (counted.find((each) => each.scope === cap.scope && each.holder === cap.holder)?.reported ?? 0) >= cap.most);
    if (over) return over.scope;
    await run(
      tx,
      sql`update loss_quota q set reported = q.reported + 1 from unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder)
        where q.hour = ${hour} and q.scope = s.scope and q.holder = s.holder`,
    );
    return undefined;
  },
  async addReport(tx, id, addressBox, now) {
    await run(tx, sql`insert into loss_report (id, address_box, reported_at) values (${id}, ${addressBox}, ${now})`);
  },
  async takeReports(tx, limit) {
    const found = await rows<{ id: string; address_box: Buffer }>(
      tx,
      sql`delete from loss_report where id in (select id from loss_report order by reported_at, id limit ${limit} for update skip locked)
        returning id, address_box`,
    );
    return found.map((each) => ({ id: each.id, addressBox: Buffer.from(each.address_box) }));
  },
  activeAt: async (tx, email) =>
    staffOf(
      await rows<StaffRow>(
        tx,
        sql`select id, kind, email, given_name, family_name, status, created_at from staff where email = ${email} and status = 'active' order by id for update`,
      ),
    ),
  asked: async (tx, staffId, since) =>
    (await row<{ n: number }>(tx, sql`select count(*)::int n from loss_link where staff_id = ${staffId} and asked and created_at > ${since}`))?.n ??
    0,
  async addLink(tx, link) {
    await run(
      tx,
      sql`insert into loss_link (token_hash, staff_id, asked, created_at, expires_at)
        values (${link.hash}, ${link.staffId}, ${link.asked}, ${link.createdAt}, ${link.expiresAt})`,
    );
  },
  async findLink(tx, hash) {
    const found = await row<StaffRow & { expires_at: Date; used_at: Date | null }>(
      tx,
      sql`select s.id, s.kind, s.email, s.given_name, s.family_name, s.status, s.created_at, l.expires_at, l.used_at
        from loss_link l join staff s on s.id = l.staff_id where l.token_hash = ${hash}`,
    );
    return found && { staff: toStaff(found), expiresAt: found.expires_at, usedAt: found.used_at ?? undefined };
  },
  useLink: async (tx, hash, now) =>
    (await run(tx, sql`update loss_link set used_at = ${now} where token_hash = ${hash} and used_at is null and expires_at > ${now}`)) === 1,
  referentsOf: async (tx, staffId) =>
    staffOf(
      await rows<StaffRow>(
        tx,
        sql`select distinct s.id, s.kind, s.email, s.given_name, s.family_name, s.status, s.created_at
          from membership mine join membership r on r.organisation_id = mine.organisation_id and r.referent and r.status = 'active'
          join staff s on s.id = r.aidant_id and s.status = 'active'
          where mine.aidant_id = ${staffId} and mine.status = 'active' and s.id <> ${staffId} order by s.id`,
      ),
    ),
  async purge(tx, linksBefore, hoursBefore) {
    const links = await run(tx, sql`delete from loss_link where expires_at < ${linksBefore}`);
    return links + (await run(tx, sql`delete from loss_quota where hour < ${hoursBefore}`));
  },
};
