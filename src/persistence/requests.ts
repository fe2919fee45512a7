import type { Requested, RequestStore, Told } from '../services/requests.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';

export const requestStore: RequestStore = {
  async add(tx, requests) {
    await run(
      tx,
      sql`insert into request_log (service_id, at, endpoint, code, status)
        select r.service_id, r.at, r.endpoint, r.code, r.status
        from unnest(${requests.map((each) => each.serviceId)}::text[], ${requests.map((each) => each.at)}::timestamptz[], ${requests.map((each) => each.endpoint)}::text[],
          ${requests.map((each) => each.code)}::text[], ${requests.map((each) => each.status)}::int[]) with ordinality r (service_id, at, endpoint, code, status, n)
        join service s on s.id = r.service_id order by r.n`,
    );
  },
  async trim(tx, serviceIds, most) {
    await run(
      tx,
      sql`delete from request_log r using unnest(${[...serviceIds]}::text[]) s (id)
        where r.service_id = s.id and r.id <= (select k.id from request_log k where k.service_id = s.id order by k.id desc offset ${most} limit 1)`,
    );
  },
  recent: (tx, serviceId, limit) =>
    rows<Requested>(
      tx,
      sql`select service_id "serviceId", at, endpoint, code, status from request_log where service_id = ${serviceId} order by id desc limit ${limit}`,
    ),
  told: (tx, serviceId, limit) =>
    rows<Told>(
      tx,
      sql`select d.at, d.what, d.attempts, d."acknowledgedAt", d."over"
        from (select ${serviceId}::text target union all select id from stream where service_id = ${serviceId}) t
          cross join lateral (select seq, created_at at, coalesce(event, kind) what, attempts, acknowledged_at "acknowledgedAt", done_at is not null "over"
            from delivery where target = t.target and kind in ('logout', 'set') order by seq desc limit ${limit}) d
        order by d.seq desc limit ${limit}`,
    ),
  purge: (tx, before) => run(tx, sql`delete from request_log where at < ${before}`),
};
