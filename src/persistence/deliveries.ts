import type { SessionEnd } from '../delegation/session.ts';
import type { MandateId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { DEAF_ATTEMPTS, type Delivery, type DeliveryStore, type Endpoint, type Lane, REFUSED } from '../notices/deliveries.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface DueRow {
  id: string;
  kind: Delivery['kind'];
  target: string;
  attempts: number;
  created_at: Date;
  body_box: Buffer | null;
  session_id: string | null;
  reason: SessionEnd;
  usager_id: string;
  organisation_id: string;
  aidant_id: string;
  mandate_id: string;
  administration_id: string;
  theme: string;
  service_id: string;
  service_name: string;
  uri: string | null;
  alone: boolean;
  stream_id: string | null;
  endpoint: string | null;
  authorization_box: Buffer | null;
}

const readDue = (each: DueRow): Delivery => ({
  id: each.id,
  kind: each.kind,
  target: each.target,
  attempts: each.attempts,
  createdAt: each.created_at,
  bodyBox: each.body_box ?? undefined,
  logoutUri: each.kind === 'logout' ? (each.uri ?? undefined) : undefined,
  stream: each.stream_id
    ? { id: each.stream_id, endpoint: each.endpoint ?? undefined, authorizationBox: each.authorization_box ?? undefined }
    : undefined,
  session: each.session_id
    ? {
        id: each.session_id,
        reason: each.reason,
        alone: each.alone,
        usagerId: each.usager_id,
        organisationId: each.organisation_id,
        aidantId: each.aidant_id,
        mandateId: each.mandate_id,
        administrationId: each.administration_id,
        theme: each.theme,
        serviceId: each.service_id,
        serviceName: each.service_name,
      }
    : undefined,
});

const KINDS: Readonly<Record<Lane, readonly Delivery['kind'][]>> = { messages: ['mail', 'sms'], first: ['logout', 'set'], again: ['logout', 'set'] };

export const deliveryStore: DeliveryStore = {
  async add(tx, { id, kind, target, bodyBox, reason, now }) {
    await run(
      tx,
      sql`insert into delivery (id, kind, target, body_box, reason, created_at, next_at) values (${id}, ${kind}, ${target}, ${bodyBox}, ${reason ?? null}, ${now}, ${now})`,
    );
  },
  async claim(tx, { lane, now, leaseMs, limit, each }) {
    // An endpoint is silent when what was tried there failed: one that is being tried for the first time is not.
    const found = await rows<DueRow>(
      tx,
      sql`with endpoint as (
          select t.target,
            (select count(*) from delivery b where b.target = t.target and b.done_at is null and b.attempts > 0 and b.locked_until >= ${now}) busy,
            exists (select 1 from delivery f where f.target = t.target and f.done_at is null and f.attempts > 0 and (f.attempts > 1 or f.locked_until is null)) silent
          from (select distinct q.target from delivery q where q.done_at is null and q.next_at <= ${now} and q.kind = any(${KINDS[lane]}::text[])
            and (q.kind <> 'set' or exists (select 1 from stream x where x.id = q.stream_id and x.method = 'push' and x.status = 'enabled'))) t),
        chosen as (
          select d.id from endpoint e cross join lateral (
            select w.id, w.seq from delivery w
            where w.target = e.target and w.done_at is null and w.kind = any(${KINDS[lane]}::text[]) and w.next_at <= ${now}
              and (w.locked_until is null or w.locked_until < ${now})
              and not exists (select 1 from delivery p where p.session_id = w.session_id and p.target = w.target and p.done_at is null and p.seq < w.seq)
            order by w.seq limit greatest(${each}::int - e.busy, 0)) d
          where ${lane}::text = 'messages' or e.silent = (${lane}::text = 'again')
          order by d.seq limit ${limit}),
        due as (
          select id from delivery
          where id in (select id from chosen) and done_at is null and next_at <= ${now} and (locked_until is null or locked_until < ${now})
          for update skip locked),
        taken as (
          update delivery d set attempts = attempts + 1, locked_until = ${new Date(now.getTime() + leaseMs)} from due where d.id = due.id
          returning d.*)
        select t.id, t.kind, t.target, t.attempts, t.created_at, t.body_box, t.session_id, t.reason, t.stream_id, m.endpoint, m.authorization_box,
          d.usager_id, d.organisation_id, d.aidant_id, d.mandate_id, s.administration_id, d.theme, s.id service_id, s.name service_name,
          s.metadata->>'backchannel_logout_uri' uri,
          not exists (select 1 from delivery o where o.session_id = t.session_id and o.reason = t.reason and o.id <> t.id and o.done_at is null)
            and not exists (select 1 from delivery o where o.session_id = t.session_id and o.reason = t.reason and o.id <> t.id and o.acknowledged_at is not null) alone
        from taken t left join delegated_session d on d.id = t.session_id left join stream m on m.id = t.stream_id
          left join service s on s.id = case t.kind when 'logout' then t.target else d.service_id end
        order by t.seq`,
    );
    return found.map(readDue);
  },
  async waitingAt(tx, kind, target, ids) {
    const found = await rows<DueRow>(
      tx,
      sql`select t.id, t.kind, t.target, t.attempts, t.created_at, null body_box, t.session_id, t.reason, t.stream_id, null endpoint, null authorization_box,
          d.usager_id, d.organisation_id, d.aidant_id, d.mandate_id, s.administration_id, d.theme, s.id service_id, s.name service_name, null uri, false alone
        from delivery t left join delegated_session d on d.id = t.session_id left join service s on s.id = d.service_id
        where t.kind = ${kind} and t.target = ${target} and t.id = any (${ids}::text[]) and t.done_at is null order by t.seq for update of t`,
    );
    return found.map(readDue);
  },
  async untaken(tx, serviceId, now, limit) {
    const found = await rows<{ id: string; body_box: Buffer | null; session_id: string | null }>(
      tx,
      sql`select id, body_box, session_id from delivery where kind = 'logout' and target = ${serviceId} and done_at is null and attempts > 0
          and (locked_until is null or locked_until < ${now}) order by seq limit ${limit}`,
    );
    return found.map((each) => ({
      id: each.id,
      bodyBox: each.body_box ?? undefined,
      session: each.session_id === null ? undefined : { id: each.session_id },
    }));
  },
  async done(tx, { id, target, session }, now) {
    let told: object | undefined;
    if (session && !session.alone) {
      await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`told ${session.id}`}, 0))`);
      told = await row(
        tx,
        sql`select 1 from delivery where session_id = ${session.id} and reason = ${session.reason} and acknowledged_at is not null limit 1`,
      );
    }
    const ended = await row(
      tx,
      sql`with ended as (
          update delivery set done_at = ${now}, acknowledged_at = ${now}, locked_until = null, body_box = null, last_error = null
          where id = ${id} and done_at is null returning id),
        woken as (
          update delivery set next_at = ${now}
          where target = ${target} and kind in ('logout', 'set') and id <> ${id} and done_at is null and next_at > ${now} and locked_until is null
            and last_error is distinct from ${REFUSED} and exists (select 1 from ended))
        select 1 from ended`,
    );
    return ended ? { first: !told } : undefined;
  },
  async failed(tx, { id, target }, { error, nextAt, silent, now }) {
    await run(
      tx,
      sql`update delivery set last_error = ${error}, locked_until = null,
        body_box = case when ${nextAt ?? null}::timestamptz is null and kind in ('logout', 'set') then null else body_box end, next_at = coalesce(${nextAt ?? null}::timestamptz, next_at),
        done_at = case when ${nextAt ?? null}::timestamptz is null then ${now}::timestamptz end where id = ${id} and done_at is null`,
    );
    if (silent && nextAt)
      await run(
        tx,
        sql`update delivery set next_at = ${nextAt}
          where id in (select id from delivery where target = ${target} and done_at is null and locked_until is null and next_at < ${nextAt} order by seq for update skip locked)`,
      );
  },
  deaf: (tx, attempts) =>
    rows(
      tx,
      sql`select coalesce(min(m.service_id), d.target) target, min(d.created_at) since, count(*)::int waiting
        from delivery d left join stream m on m.id = d.stream_id
        where d.done_at is null and d.kind in ('logout', 'set') and d.target in (select target from delivery where done_at is null and attempts >= ${attempts})
        group by d.target order by 1`,
    ),
};

/** Services that have been silent for minutes while something waits to be told there. */
export const silentEndpoints = (tx: Transaction): Promise<Endpoint[]> => deliveryStore.deaf(tx, DEAF_ATTEMPTS);

/** What each service was told of a mandate's end, for the usager's page. */
export const tellings = async (
  tx: Transaction,
  mandateId: MandateId,
): Promise<{ serviceName: string; acknowledgedAt: Date | null; attempts: number }[]> =>
  rows(
    tx,
    sql`select s.name "serviceName", max(d.acknowledged_at) "acknowledgedAt", max(d.attempts) attempts
      from delivery d join delegated_session e on e.id = d.session_id join service s on s.id = e.service_id
      where d.mandate_id = ${mandateId} and d.reason in ('revoked', 'renounced', 'replaced', 'expired')
      group by s.name order by s.name`,
  );
