import type { SessionEnd } from '../delegation/session.ts';
import type { MandateId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Delivery, DeliveryStore } from '../notices/deliveries.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';

interface DueRow {
  id: string;
  kind: Delivery['kind'];
  target: string;
  attempts: number;
  created_at: Date;
  body_box: Buffer | null;
  session_id: string | null;
  end_reason: SessionEnd | null;
  usager_id: string;
  organisation_id: string;
  aidant_id: string;
  mandate_id: string;
  administration_id: string;
  theme: string;
  service_name: string;
  uri: string | null;
}

export const deliveryStore: DeliveryStore = {
  async add(tx, { id, kind, target, bodyBox, now }) {
    await run(
      tx,
      sql`insert into delivery (id, kind, target, body_box, created_at, next_at) values (${id}, ${kind}, ${target}, ${bodyBox}, ${now}, ${now})`,
    );
  },
  async claim(tx, now, leaseMs, limit) {
    const found = await rows<DueRow>(
      tx,
      sql`with due as (
          select id from delivery
          where done_at is null and next_at <= ${now} and (locked_until is null or locked_until < ${now})
          order by next_at, id limit ${limit} for update skip locked),
        taken as (
          update delivery d set attempts = attempts + 1, locked_until = ${new Date(now.getTime() + leaseMs)} from due where d.id = due.id
          returning d.id, d.kind, d.target, d.attempts, d.created_at, d.body_box, d.session_id)
        select t.id, t.kind, t.target, t.attempts, t.created_at, t.body_box, d.id session_id, d.end_reason, d.usager_id, d.organisation_id, d.aidant_id, d.mandate_id,
          s.administration_id, d.theme, s.name service_name, s.metadata->>'backchannel_logout_uri' uri
        from taken t left join delegated_session d on d.id = t.session_id left join service s on s.id = d.service_id
        order by t.created_at, t.id`,
    );
    return found.map((each) => ({
      id: each.id,
      kind: each.kind,
      target: each.target,
      attempts: each.attempts,
      createdAt: each.created_at,
      bodyBox: each.body_box ?? undefined,
      session:
        each.session_id && each.end_reason && each.uri
          ? {
              id: each.session_id,
              reason: each.end_reason,
              usagerId: each.usager_id,
              organisationId: each.organisation_id,
              aidantId: each.aidant_id,
              mandateId: each.mandate_id,
              administrationId: each.administration_id,
              theme: each.theme,
              serviceName: each.service_name,
              logoutUri: each.uri,
            }
          : undefined,
    }));
  },
  async done(tx, id, now) {
    return (
      (await run(
        tx,
        sql`update delivery set done_at = ${now}, acknowledged_at = ${now}, locked_until = null, body_box = null, last_error = null where id = ${id} and done_at is null`,
      )) > 0
    );
  },
  async failed(tx, id, error, nextAt, now) {
    await run(
      tx,
      sql`update delivery set last_error = ${error}, locked_until = null, next_at = coalesce(${nextAt ?? null}::timestamptz, next_at),
        done_at = case when ${nextAt ?? null}::timestamptz is null then ${now}::timestamptz end where id = ${id} and done_at is null`,
    );
  },
};

/** What each service was told of a mandate's end, for the usager's page. */
export const tellings = async (
  tx: Transaction,
  mandateId: MandateId,
): Promise<{ serviceName: string; acknowledgedAt: Date | null; attempts: number }[]> =>
  rows(
    tx,
    sql`select s.name "serviceName", max(d.acknowledged_at) "acknowledgedAt", max(d.attempts) attempts
      from delivery d join delegated_session e on e.id = d.session_id join service s on s.id = e.service_id
      where d.mandate_id = ${mandateId} and e.end_reason in ('revoked', 'renounced', 'replaced', 'expired')
      group by s.name order by s.name`,
  );
